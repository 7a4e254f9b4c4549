"""Reads what a broker holds up to now: the journal of tickets, the books. It writes nothing.

It joins no group and commits nothing, so a worker never notices.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from slastream import wire
from slastream.core.errors import Misconfigured, Rejected
from slastream.core.policy import Book
from slastream.kafka.admin import describe
from slastream.kafka.security import client_options
from slastream.offline.alerts import Arrival
from slastream.settings import Settings
from slastream.stream.partitioner import partition_of


def journal(
    settings: Settings, key: str | None, wanted: Callable[[Arrival], bool]
) -> list[Arrival]:
    """Return the events of the journal that are wanted, in the order of each partition.

    Of a ticket that was erased on request there are none, though the topic still holds some. With
    the `key` of a ticket only its partition is read. Raises `Misconfigured` when the broker cannot be
    reached or has no journal.
    """
    raw = None if key is None else key.encode("utf-8", "surrogatepass")
    return asyncio.run(_journal(settings, raw, wanted))


async def _journal(
    settings: Settings, key: bytes | None, wanted: Callable[[Arrival], bool]
) -> list[Arrival]:
    found: list[Arrival] = []
    erased: set[bytes] = set()
    latest: dict[int, int] = {}
    async for record in _records(settings, "tickets", key):
        if record.value is None and wire.is_erasure(record.headers):
            erased.add(record.key)
        if record.value is None or (key is not None and record.key != key):
            continue
        now = latest[record.partition] = max(record.timestamp, latest.get(record.partition, 0))
        try:
            arrival = Arrival(now, wire.decode_event(record.value))
        except Rejected:
            continue  # the worker has sent it to the dead letters
        if wanted(arrival):
            found.append(arrival)
    return [each for each in found if wire.event_key(each.event) not in erased]


def published_books(settings: Settings) -> list[tuple[Book, Any]]:
    """Return the books on the books topic with their records, in order of time."""
    return asyncio.run(_books(settings))


async def _books(settings: Settings) -> list[tuple[Book, Any]]:
    from slastream.book import from_published

    found: list[tuple[Book, Any]] = []
    async for record in _records(settings, "books", None):
        if record.value is not None:
            found.append((from_published(record.value), record))
    return sorted(found, key=lambda each: (each[1].timestamp, each[1].offset))


async def _records(settings: Settings, name: str, key: bytes | None) -> AsyncIterator[Any]:
    """Yield the committed records of a topic up to its present end."""
    client = client_options(settings.broker)
    topic = settings.topic(name)
    count = await partitions(settings, topic)
    numbers = range(count) if key is None else [partition_of(key, count)]
    tps = [TopicPartition(topic, number) for number in numbers]
    consumer = AIOKafkaConsumer(
        **client,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    async with consumer:
        consumer.assign(tps)
        await consumer.seek_to_beginning(*tps)
        for tp, end in (await consumer.end_offsets(tps)).items():
            while await consumer.position(tp) < end:
                for records in (await consumer.getmany(tp, timeout_ms=500)).values():
                    for record in records:
                        yield record


async def partitions(settings: Settings, topic: str) -> int:
    """Return how many partitions a topic has; raises `Misconfigured` when it is not there."""
    found = (await describe(client_options(settings.broker), [topic])).get(topic)
    if found is None:
        raise Misconfigured(
            f"there is no topic {topic}",
            where=settings.broker,
            hint="slastream topics create, or another --prefix",
        )
    return found.partitions
