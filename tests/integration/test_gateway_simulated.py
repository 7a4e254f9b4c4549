"""Simulated time goes through a gateway: what its sender says is when it arrived."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from rig import until

from slastream.cli.feeding import Outgoing
from slastream.cli.knocking import Senders, write_endpoints
from slastream.core.instant import SECOND
from slastream.gateway.service import Gateway, Options
from slastream.kafka import admin, plan
from slastream.kafka.local import LocalBroker
from slastream.settings import Settings

ReadAll = Callable[..., Awaitable[list[Any]]]
SOURCES = ("jira", "zendesk", "halopsa")
TUESDAY = 1_772_523_000_000


async def test_records_have_simulated_times(
    broker: LocalBroker, prefix: str, tmp_path: Path, read_all: ReadAll
) -> None:
    """Signed and token deliveries are on the raw topics in their order, with the times they were given."""
    client = {"bootstrap_servers": broker.bootstrap}
    await admin.create(client, plan.plan(prefix, 1, simulated=True, sources=SOURCES))
    endpoints = write_endpoints(tmp_path, "acme", SOURCES, "a-secret-of-this-run")
    settings = Settings(broker=broker.bootstrap, prefix=prefix, time="log", web_port=0)
    gateway = Gateway(settings, Options(endpoints=endpoints, port=0))
    running = asyncio.create_task(gateway.run())
    paths = {f"{prefix}raw.{source}": f"/v1/acme/{source}" for source in SOURCES}
    records = [
        Outgoing(TUESDAY + n * SECOND, topic, None, b'{"n": %d}' % n, [("sla-tenant", b"acme")])
        for n, topic in enumerate([*paths, *paths])
    ]
    try:
        await until(lambda: running.done() or gateway.address[1])
        async with Senders(
            f"http://127.0.0.1:{gateway.address[1]}", paths, "a-secret-of-this-run"
        ) as senders:
            await senders.send(records)
        for topic in paths:
            found = await read_all(topic)

            assert [(one.timestamp, one.value) for one in found] == [
                (record.at, record.value) for record in records if record.topic == topic
            ]
            assert dict(found[0].headers)["sla-received-at"] == b"%d" % found[0].timestamp
    finally:
        gateway.stop.set()
        await asyncio.wait_for(running, 30)
