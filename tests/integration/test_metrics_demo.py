"""The commands of docker-compose.yml, word for word, against a real broker instead of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import urllib.request
from pathlib import Path
from typing import Any

import yaml
from rig import until

from slastream.kafka import ports
from slastream.kafka.local import LocalBroker

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))[
    "services"
]


def command(name: str) -> list[str]:
    """Return what a service runs, with the paths of its mounts as they are here."""
    service = SERVICES[name]
    words = [*service.get("entrypoint", ["slastream"]), *service["command"]]
    for mount in service.get("volumes", []):
        here, there = mount.split(":")[:2]
        if here.startswith("."):
            words = [word.replace(there, str(ROOT / here), 1) for word in words]
    places = {"slastream": [sys.executable, "-m", "slastream"], "python": [sys.executable]}
    return [*places[words[0]], *words[1:]]


async def test_a_dashboard_fills(broker: LocalBroker, prefix: str, tmp_path: Path) -> None:
    """What compose starts, started here: the day's alerts and outcomes are on the worker's page."""
    port = ports.free()
    environ = {
        **os.environ,
        **SERVICES["worker"]["environment"],
        "SLASTREAM_BROKER": broker.bootstrap,
        "SLASTREAM_PREFIX": prefix,
        "SLASTREAM_APP_ID": prefix.strip("."),
        "SLASTREAM_WEB_PORT": str(port),
        "SLASTREAM_DATA_DIR": str(tmp_path / "data"),
        "PYTHONPATH": str(ROOT),
    }
    log = (tmp_path / "log").open("wb")

    async def start(told: list[str], own: Any = ()) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *told, env=environ | dict(own), stdout=log, stderr=log
        )

    def page(name: str) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=3) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    async def ready() -> bool:
        text = await asyncio.to_thread(page, "readyz")
        return bool(text) and bool(json.loads(text)["ready"])

    async def total(name: str) -> float:
        text = await asyncio.to_thread(page, "metrics")
        return sum(
            float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name)
        )

    topics = await start(command("topics"))

    assert await asyncio.wait_for(topics.wait(), 60) == 0, log.name

    worker = await start(command("worker"))
    door, doors_page = ports.free(), ports.free()
    own = {
        "SLASTREAM_GATEWAY_ENDPOINTS": str(ROOT / "deploy" / "demo" / "endpoints.yaml"),
        "SLASTREAM_GATEWAY_HOST": "127.0.0.1",
        "SLASTREAM_GATEWAY_PORT": str(door),
        "SLASTREAM_WEB_PORT": str(doors_page),
    }
    gateway = await start(command("gateway"), own)
    try:
        await until(ready, 60, "the worker is ready")
        [*script, _speed, _tickets, _gateway] = command("feed")
        feed = await start([*script, "5000", "150", f"http://127.0.0.1:{door}"])

        assert await asyncio.wait_for(feed.wait(), 120) == 0, log.name

        async def filled() -> bool:
            return (
                await total("slastream_tickets{") >= 100
                and await total('slastream_decisions_total{client="Maison Verte"') > 0
            )

        await until(filled, 30, "tickets and decisions are on the page")
        # By whatever names their systems have for them: the book knows each client by one.
        named = await total('slastream_decisions_total{client="Nordkai Logistics"')
        strangers = await total('slastream_decisions_total{client="other"')
        breaches = await total("slastream_alerts_total{")
        deadlines = await total("slastream_oldest_unfired_due_timestamp_seconds{")
    finally:
        codes = []
        for process in (gateway, worker):
            process.terminate()
            codes.append(await asyncio.wait_for(process.wait(), 20))
        log.close()

    assert codes == [0, 0]
    assert named > 0
    assert strangers == 0
    assert breaches > 0
    assert deadlines == 0
