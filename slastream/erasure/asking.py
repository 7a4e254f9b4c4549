"""Asks the owners of partitions to erase: tombstones into the journal, and the wait for what follows.

Only a record of the journal may change a partition's state, so that a rebuild from the journal erases
again, and no worker has to be stopped.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from slastream import wire
from slastream.core.errors import Misconfigured
from slastream.core.instant import Instant
from slastream.engine.row import NOTE, decode_row
from slastream.kafka import admin
from slastream.kafka.reading import Consumer, reader
from slastream.kafka.security import client_options
from slastream.settings import Settings


async def erase(
    settings: Settings,
    keys: Mapping[bytes, int],
    times: Mapping[int, Instant],
    patience: float,
    advance: Callable[[int], None],
) -> set[bytes]:
    """Ask for the erasure of `keys` (key -> partition) and wait until it is committed.

    `times` are the latest log times of the journal's partitions, by which a simulated journal goes on.
    Returns what was not done within `patience` seconds: it will be, when a worker has the partition.
    """
    client = client_options(settings.broker)
    journal, state = settings.topic("tickets"), settings.topic("state")
    found = await admin.describe(client, [journal, state])
    stamped = found[journal].config.get("message.timestamp.type") == "LogAppendTime"
    async with reader(client) as consumer:
        tps = [TopicPartition(state, number) for number in sorted(set(keys.values()))]
        consumer.assign(tps)
        for tp, end in (await consumer.end_offsets(tps)).items():
            consumer.seek(tp, end)
        await _ask(settings, journal, keys, {} if stamped else times)
        return await _wait(consumer, set(keys), patience, advance)


async def _ask(
    settings: Settings, journal: str, keys: Mapping[bytes, int], times: Mapping[int, Instant]
) -> None:
    producer = AIOKafkaProducer(
        **client_options(settings.broker), acks="all", enable_idempotence=True
    )
    try:
        async with producer:
            sent = []
            for key, partition in keys.items():
                now = times.get(partition, int(time.time() * 1000))
                sent.append(
                    await producer.send(
                        journal, None, key, partition=partition, timestamp_ms=now,
                        headers=wire.erasure(key, uuid.uuid4().hex, now),
                    )
                )  # fmt: skip
            await asyncio.gather(*sent)
    except KafkaError as error:
        raise Misconfigured(
            f"the request could not be written: {error}", where=journal,
            hint="slastream topics acls --role forget prints what it needs",
        ) from error  # fmt: skip


async def _wait(
    consumer: Consumer, pending: set[bytes], patience: float, advance: Callable[[int], None]
) -> set[bytes]:
    """Read the changelog until every key is erased there; returns those that are not."""
    limit = time.monotonic() + patience
    while pending and time.monotonic() < limit:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            for record in records:
                if record.key in pending and _is_erased(record.key, record.value):
                    pending.discard(record.key)
                    advance(1)
    return pending


def _is_erased(key: bytes, value: bytes | None) -> bool:
    return value is None or (not key.startswith(NOTE) and decode_row(value).erased)
