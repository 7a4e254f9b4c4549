"""What a worker stands on, looked at before it starts: the broker, and topics that keep the promise.

Knows the admin side of Kafka. A broker that is away is waited for; a topic that cannot keep the
promise is refused, with the setting's name.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from slastream.core.errors import Misconfigured
from slastream.kafka.admin import described
from slastream.kafka.plan import plan
from slastream.kafka.promise import check
from slastream.kafka.reach import explained
from slastream.kafka.security import client_options
from slastream.settings import VERSIONED, Settings

log = logging.getLogger("slastream.worker")


@dataclass(frozen=True)
class Ground:
    """What was found."""

    cluster: str
    partitions: Mapping[str, int]
    """Short name of a topic -> its partitions."""
    raw: tuple[str, ...]
    """Full names of the raw topics."""
    tombstones: float
    """Seconds for which the changelog keeps the tombstone of a deleted row."""
    broker_time: bool
    """Whether the changelog is stamped by the broker, so that its clock can be asked."""


def client_of(settings: Settings) -> dict[str, Any]:
    """Return what every Kafka client of this worker is made with, security included."""
    return {
        **client_options(settings.broker),
        "client_id": f"{settings.app_id}-{settings.instance_id}",
    }


async def look(settings: Settings, client: Mapping[str, Any], stop: asyncio.Event) -> Ground | None:
    """Wait for the broker, then check the topics; None when stopped before it came.

    Raises `Misconfigured` for topics that cannot keep the promise, and for a broker that refuses us.
    """
    said = ""
    while not stop.is_set():
        try:
            return await asyncio.wait_for(_look_once(settings, client), 30)
        except (KafkaError, OSError, TimeoutError) as error:
            problem = await explained(error, client)
            if problem.refused:
                raise Misconfigured(
                    problem.sentence, where=settings.broker, hint=problem.hint
                ) from error
            if said != problem.sentence:
                log.warning("no broker at %s: %s; trying again", settings.broker, problem.sentence)
            said = problem.sentence
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 1.0)
    return None


async def _look_once(settings: Settings, client: Mapping[str, Any]) -> Ground:
    admin = AIOKafkaAdminClient(**client, request_timeout_ms=10_000)
    try:
        await admin.start()
        cluster = str((await admin.describe_cluster())["cluster_id"])
        wanted = plan(settings.prefix, simulated=settings.time == "log")
        found = await described(admin, [one.name for one in wanted])
        check(wanted, found, settings.broker)
        prefix = settings.topic("raw.")
        raw = sorted(name for name in await admin.list_topics() if name.startswith(prefix))
        state = found[settings.topic("state")].config
        return Ground(
            cluster,
            {short: found[settings.topic(short)].partitions for short in VERSIONED},
            tuple(raw),
            int(state.get("delete.retention.ms", "86400000")) / 1000,
            state.get("message.timestamp.type") == "LogAppendTime",
        )
    finally:
        await admin.close()
