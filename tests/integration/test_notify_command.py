"""`slastream notify` as a command: its pages, its figures, its test message, its exit codes."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from notify_rig import PAGER_KEY, Process, Receiver, in_turn, receiver, settings_of, write_routes
from rig import until

from slastream.kafka import ports
from slastream.kafka.local import LocalBroker
from tests.conftest import Produce
from tests.support.alerts import said

ROUTES = """
  - {{name: pager, kind: pagerduty, url: {0}, routing_key: {{file: key}}, rate: 100, when: {{priority: P2}}}}
  - {{name: away, kind: webhook, url: {1}, secret: {{file: signing}}}}
"""


async def page(port: int, path: str) -> tuple[int, str]:
    def read() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    return await asyncio.to_thread(read)


def figures(text: str) -> dict[str, float]:
    found = re.findall(r"^(slastream_notify_\S+) (\S+)$", text, re.MULTILINE)
    return {name: float(value) for name, value in found}


@pytest.mark.usefixtures("topics")
async def test_the_pages_say_how_it_goes(
    broker: LocalBroker, prefix: str, topics: Callable[[str], str], produce: Produce, tmp_path: Path
) -> None:
    """Delivered, retried, dead, lag, waiting, standing: what rules and runbooks ask for is true."""
    away = Receiver()
    async with receiver(in_turn(202, 503, 202, 400, 202)) as pager:
        file = write_routes(tmp_path, ROUTES.format(pager.url, away.url))
        settings = settings_of(broker.bootstrap, prefix, web_port=ports.free())
        process = Process(settings, file, tmp_path / "log")
        try:

            async def ready() -> bool:
                return (await page(settings.web_port, "/readyz"))[0] == 200

            await until(ready, 30)
            for n in range(4):
                await produce(
                    topics("alerts"), [said("at_risk", "1", id_=f"a{n}", indicator="plan")]
                )
                await until(lambda n=n: len(pager.got) > n)
            await produce(topics("alerts"), [
                said("at_risk", "1", id_="x", priority="P4"), said("at_risk", "1", id_="a0"),
            ])  # fmt: skip
            await until(lambda: len(pager.got) >= 5)
            await asyncio.sleep(1.5)
            found = figures((await page(settings.web_port, "/metrics"))[1])
            alive, other = (
                await page(settings.web_port, "/livez"),
                await page(settings.web_port, "/"),
            )
            code = await process.end()
        finally:
            if process.popen.poll() is None:
                process.kill()

    assert found['slastream_notify_delivered_total{action="trigger",route="pager"}'] == 1
    assert found['slastream_notify_delivered_total{action="update",route="pager"}'] == 2
    assert found['slastream_notify_retries_total{reason="status_503",route="pager"}'] == 1
    assert found['slastream_notify_dead_total{reason="receiver_refused",route="pager"}'] == 1
    assert found['slastream_notify_passed_over_total{reason="filtered",route="pager"}'] == 1
    assert found['slastream_notify_passed_over_total{reason="repeat",route="pager"}'] == 1
    assert found['slastream_notify_request_seconds_count{route="pager"}'] == 5
    assert found['slastream_notify_delay_seconds_count{route="pager"}'] == 3
    assert found['slastream_notify_standing_alerts{route="pager"}'] == 1
    assert found['slastream_notify_lag_records{route="pager"}'] == 0
    assert found['slastream_notify_oldest_undelivered_seconds{route="pager"}'] == 0
    assert found['slastream_notify_receiver_up{route="pager"}'] == 1
    assert found['slastream_notify_receiver_up{route="away"}'] == 0
    assert found['slastream_notify_lag_records{route="away"}'] == 6
    assert found['slastream_notify_oldest_undelivered_seconds{route="away"}'] > 1
    assert found['slastream_notify_ready{route="away"}'] == 1
    assert (alive[0], other[0], code) == (200, 404, 0)
    assert PAGER_KEY not in process.text()


async def notify(*words: str, folder: Path) -> tuple[int, str]:
    """Run one command of `slastream notify`; returns its exit code and all that it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "slastream", "notify", *words, cwd=folder,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    printed, _ = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode or 0, printed.decode()


async def test_a_route_is_tried_before_it_must_work(tmp_path: Path) -> None:
    """One message that says it is a test, and what ends it; a refusal is exit code 1 and a reason."""
    async with receiver(in_turn(202, 202, 401)) as pager:
        write_routes(tmp_path, ROUTES.format(pager.url, pager.url))
        taken = await notify("test", "routes.yaml", "--route", "pager", "--clear", folder=tmp_path)
        refused = await notify("test", "routes.yaml", "--route", "away", folder=tmp_path)
        unknown = await notify("test", "routes.yaml", "--route", "nobody", folder=tmp_path)
    first, second = (json.loads(each.body) for each in pager.got[:2])

    assert taken == (0, "pager took the test message.\npager took what clears it.\n")
    assert refused == (
        1,
        "error: away did not take it: 401 Unauthorized: answer 401 [status_401]\n",
    )
    assert unknown == (2, "error: routes.yaml: there is no route 'nobody' (one of pager, away)\n")
    assert (first["event_action"], second["event_action"]) == ("trigger", "resolve")
    assert first["dedup_key"] == second["dedup_key"]
    assert "TEST (please ignore" in first["payload"]["summary"]


async def test_a_mistake_in_the_file_ends_it_before_it_began(tmp_path: Path) -> None:
    """All mistakes on standard error, exit code 2, and nothing was connected to."""
    write_routes(tmp_path, "  - {name: a, kind: slac}\n  - {name: a, kind: teams}\n")
    code, printed = await notify("run", "routes.yaml", folder=tmp_path)

    assert code == 2
    assert printed.startswith("error: 3 mistakes in the file of routes:")
    assert "routes.yaml:2: routes[0].kind: 'slac' is not known here" in printed
    assert (
        "routes.yaml:3: routes[1].name: there is a route 'a' already, at routes.yaml:2" in printed
    )
    assert "routes.yaml:3: routes[1]: a route needs a url:" in printed


@pytest.mark.usefixtures("topics")
async def test_what_stands_is_listed_and_told_again(
    broker: LocalBroker, prefix: str, topics: Callable[[str], str], produce: Produce, tmp_path: Path
) -> None:
    """After dead letters: what is over is left alone, what stands is told under the same keys."""
    await produce(topics("alerts"), [
        said("at_risk", "1", id_="a1"), said("at_risk", "2", id_="a2"),
        said("at_risk", "2", id_="b2", threshold="90%"), said("cleared", "1", id_="c1", about="a1"),
        said("cleared", "2", id_="c2", about="a2"), said("at_risk", "3", id_="a3", priority="P4"),
        said("breached", "4", id_="a4", level="breached", threshold="breach"),
    ])  # fmt: skip
    where = ("--broker", broker.bootstrap, "--prefix", prefix, "--format", "jsonl")
    async with receiver(in_turn(503, 202, 400)) as pager:
        write_routes(tmp_path, ROUTES.format(pager.url, pager.url))
        listed = await notify(
            "standing", "routes.yaml", "--route", "pager", *where, folder=tmp_path
        )
        untold = len(pager.got)
        code, printed = await notify(
            "standing", "routes.yaml", "--route", "pager", "--tell", *where, folder=tmp_path
        )
    rows = [json.loads(line) for line in listed[1].splitlines()]
    keys = {row["incident"] for row in rows}

    assert (listed[0], untold) == (0, 0)
    assert {(row["ticket"], row["level"]) for row in rows} == {("T-2", "90%"), ("T-4", "breach")}
    assert {each.json["dedup_key"] for each in pager.got} == keys
    assert [each.json["event_action"] for each in pager.got] == ["trigger"] * 3
    assert code == 1
    assert "is not taken: 400 Bad Request: answer 400 [status_400]" in printed
    assert printed.endswith("pager took 1 of 2.\n")
