"""A real Alertmanager at the end of a route: it knows what stands, also after it forgot everything."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import subprocess
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from notify_rig import Receiver, notifying, receiver, settings_of, write_routes
from rig import until

from slastream.kafka import ports
from slastream.kafka.local import LocalBroker
from tests.conftest import Produce
from tests.support.alerts import said

pytestmark = pytest.mark.usefixtures("topics")

ROUTES = "  - {{name: am, kind: alertmanager, url: {0}, repeat: PT1S}}\n"

CONFIG = """
route: {{receiver: hook, group_by: [dedup_key], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers: [{{name: hook, webhook_configs: [{{url: {0}, send_resolved: true}}]}}]
"""


def program() -> str:
    """Return the path of Debian's or anybody's Alertmanager; without it the test is skipped."""
    found = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if found is None:
        pytest.skip("apt-get install --no-install-recommends prometheus-alertmanager")
    return found


class Alertmanager:
    """One Alertmanager on loopback, which keeps nothing over a restart."""

    def __init__(self, folder: Path, hook: str) -> None:
        self.port = ports.free()
        self._folder = folder
        self._lives = 0
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "alertmanager.yml").write_text(CONFIG.format(hook), "utf-8")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._launch()
        await until(self._answers, 15, "Alertmanager answers")

    def _launch(self) -> None:
        self._lives += 1
        log = (self._folder / "alertmanager.log").open("ab")
        self._process = subprocess.Popen(
            [
                program(), f"--config.file={self._folder / 'alertmanager.yml'}",
                f"--storage.path={self._folder / f'life-{self._lives}'}",
                f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address=",
            ],
            stdout=log, stderr=log,
        )  # fmt: skip
        log.close()

    async def _answers(self) -> bool:
        try:
            await self.alerts()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts that stand, as it tells them."""

        def ask() -> Any:
            with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=5) as answer:
                return json.loads(answer.read())

        found: list[dict[str, Any]] = await asyncio.to_thread(ask)
        return found

    async def standing(self) -> set[str]:
        return {each["labels"]["dedup_key"].split("/")[2] for each in await self.alerts()}


@contextlib.asynccontextmanager
async def alertmanager(folder: Path) -> AsyncIterator[tuple[Alertmanager, Receiver]]:
    """An Alertmanager, and whom it notifies."""
    async with receiver() as hook:
        one = Alertmanager(folder, hook.url)
        await one.start()
        try:
            yield one, hook
        finally:
            one.kill()


def notified(hook: Receiver, ticket: str) -> list[str]:
    """Return what Alertmanager told its own receiver of a ticket, without repeats."""
    found = [
        alert["status"]
        for each in hook.got
        for alert in each.json["alerts"]
        if alert["labels"]["dedup_key"].split("/")[2] == ticket
    ]
    return list(dict.fromkeys(found))


async def test_a_real_alertmanager(
    broker: LocalBroker, prefix: str, topics: Callable[[str], str], produce: Produce, tmp_path: Path
) -> None:
    """It takes our alerts under labels that stay, knows them after it lost its memory, and ends them."""
    settings = settings_of(broker.bootstrap, prefix)
    async with alertmanager(tmp_path) as (one, hook):
        file = write_routes(tmp_path, ROUTES.format(one.url))
        async with notifying(settings, file):
            await produce(topics("alerts"), [
                said("at_risk", "1", id_="a1", priority="P1"),
                said("at_risk", "1", id_="b1", priority="P3", threshold="90%"),
                said("breached", "2", id_="a2", level="breached", threshold="breach"),
                said("at_risk", "3", id_="a3"),
                said("cleared", "3", id_="c3", about="a3"),
            ])  # fmt: skip
            await until(lambda: notified(hook, "3") == ["firing", "resolved"], 15)
            await until(lambda: notified(hook, "2") == ["firing"])
            found = {each["labels"]["dedup_key"].split("/")[2]: each for each in await one.alerts()}
            # It forgets everything, and is told again within a repeat or two.
            one.kill()
            await one.start()

            async def knows_again() -> bool:
                return await one.standing() == {"1", "2"}

            await until(knows_again, 20, "it is told again what stands")
            await produce(
                topics("alerts"), [said("cleared", "2", id_="c2", about="a2", level="breached")]
            )
            await until(lambda: "resolved" in notified(hook, "2"), 15)
            await asyncio.sleep(2.5)  # two repeats: none of them brings it back

            assert await one.standing() == {"1"}
        # We are away, and come back: what stands is known from the topic.
        async with notifying(settings, file):
            one.kill()
            await one.start()
            await until(lambda: one.standing(), 15)

            assert await one.standing() == {"1"}

    assert set(found) == {"1", "2"}
    assert found["1"]["labels"]["priority"] == "P1"
    assert found["1"]["annotations"]["threshold"] == "90%"
    assert found["1"]["generatorURL"] == "https://desk.example/tickets/1"
    assert found["2"]["labels"]["alertname"] == "SlaBreached"
    assert notified(hook, "1") == ["firing"]


async def test_it_ends_by_itself_when_nobody_tells_it_again(
    broker: LocalBroker, prefix: str, topics: Callable[[str], str], produce: Produce, tmp_path: Path
) -> None:
    """Four repeats after we are gone, an alert is over: it was ours to keep."""
    async with alertmanager(tmp_path) as (one, hook):
        file = write_routes(tmp_path, ROUTES.format(one.url))
        async with notifying(settings_of(broker.bootstrap, prefix), file):
            await produce(topics("alerts"), [said("at_risk", "1", id_="a1")])
            await until(lambda: notified(hook, "1") == ["firing"], 15)
            await asyncio.sleep(5)

            assert await one.standing() == {"1"}

        async def over() -> bool:
            return await one.standing() == set()

        await until(over, 10, "nothing stands")
