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
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from slastream.core.errors import Misconfigured
from slastream.kafka.reach import explained
from slastream.settings import VERSIONED, Settings

log = logging.getLogger("slastream.worker")

TOGETHER = ("tickets", "alerts", "outcomes", "clocks", "state")
"""Topics that must have as many partitions as each other: a ticket has the same in each."""


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
        names = {short: settings.topic(short) for short in VERSIONED}
        present = set(await admin.list_topics())
        missing = sorted(set(names.values()) - present)
        if missing:
            raise Misconfigured(
                f"not on the broker: {', '.join(missing)}",
                where=settings.broker,
                hint="create them: slastream topics create",
            )
        prefix = settings.topic("raw.")
        raw = tuple(sorted(name for name in present if name.startswith(prefix)))
        partitions = {
            entry["topic"]: len(entry["partitions"])
            for entry in await admin.describe_topics(list(names.values()))
        }
        counts = {short: partitions[name] for short, name in names.items()}
        configs = await _configs(admin, [names["tickets"], names["state"]])
        check(names, counts, configs, simulated=settings.time == "log")
        stamped = configs[names["state"]].get("message.timestamp.type") == "LogAppendTime"
        tombstones = int(configs[names["state"]].get("delete.retention.ms", 86_400_000)) / 1000
        return Ground(cluster, counts, raw, tombstones, stamped)
    finally:
        await admin.close()


async def _configs(admin: AIOKafkaAdminClient, topics: list[str]) -> dict[str, dict[str, str]]:
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
    found: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(asked):
        for _, _, _, name, entries in response.resources:
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


def check(
    names: Mapping[str, str],
    counts: Mapping[str, int],
    configs: Mapping[str, Mapping[str, str]],
    *,
    simulated: bool = False,
) -> None:
    """Raise `Misconfigured` for topics on which the promise cannot be kept."""
    journal, state = names["tickets"], names["state"]
    different = {
        names[short]: counts[short] for short in TOGETHER if counts[short] != counts["tickets"]
    }
    if different:
        said = ", ".join(f"{name} has {count}" for name, count in sorted(different.items()))
        raise Misconfigured(
            f"{journal} has {counts['tickets']} partitions, but {said}",
            key="partitions",
            hint="a ticket must have the same partition in each: recreate the topics alike",
        )
    if not simulated and configs[journal].get("message.timestamp.type") != "LogAppendTime":
        raise Misconfigured(
            "its records must be stamped by the broker: their log time is the clock of a replay",
            where=journal,
            key="message.timestamp.type",
            hint="set message.timestamp.type=LogAppendTime",
        )
    if "compact" not in configs[state].get("cleanup.policy", ""):
        raise Misconfigured(
            "the changelog must be compacted, or open tickets are deleted with its old segments",
            where=state,
            key="cleanup.policy",
            hint="set cleanup.policy=compact",
        )
