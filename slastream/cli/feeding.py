"""Publishes events to the raw topics: at once, or in simulated time. What they say it may not know.

Those of some topics may go through a door, a gateway, instead of a producer of ours.

In simulated time every record carries its instant as its log time, ingest carries that over into
the journal, and a heartbeat on each journal partition says how far time has come. A heartbeat of T
is written only when every raw record up to T is in the journal, which ingest's committed offsets
prove: so no deadline fires before the events that might have stopped its clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    CoordinatorLoadInProgressError,
    GroupCoordinatorNotAvailableError,
    NotCoordinatorForGroupError,
)
from aiokafka.structs import TopicPartition

from slastream.core.instant import Instant

HEARTBEAT = b"\x00heartbeat"
TICK = 0.1
"""Seconds between two slices of simulated time."""
WINDOW = 5_000
"""Records under way when publishing as fast as possible."""

_SOON = (
    GroupCoordinatorNotAvailableError,
    CoordinatorLoadInProgressError,
    NotCoordinatorForGroupError,
)


class Outgoing(NamedTuple):
    """One record for a raw topic. `at` is its log time in a simulated run."""

    at: Instant
    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Door(Protocol):
    """Somebody else who writes to raw topics for us, and to whom alone those topics belong."""

    def takes(self, topic: str) -> bool:
        """Tell whether records of a topic go this way."""

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Return once all the records are on the broker with their log times."""


class Feed:
    """A producer for raw topics, which knows how far ingest has come. Use it as `async with`."""

    def __init__(
        self, client: Mapping[str, Any], journal: str, group: str, door: Door | None = None
    ) -> None:
        """`client` are aiokafka's connection settings, `group` the worker's consumer group.

        `door` takes part in simulated runs alone.
        """
        self._client, self._journal, self._group = dict(client), journal, group
        self._door = door
        self._ends: dict[TopicPartition, int] = {}
        self._consumer: AIOKafkaConsumer | None = None
        self._passed: dict[TopicPartition, int] = {}
        """Where the door's partitions ended when we last looked."""

    async def __aenter__(self) -> Self:
        self._producer = AIOKafkaProducer(**self._client, acks="all", linger_ms=2)
        self._admin = AIOKafkaAdminClient(**self._client)
        await self._producer.start()
        await self._admin.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()
        if self._consumer is not None:
            await self._consumer.stop()
        await self._admin.close()

    async def publish(self, records: Iterable[Outgoing], sent: Callable[[int], None]) -> int:
        """Publish records as fast as the broker takes them; the broker writes the log times."""
        count = 0
        futures: list[asyncio.Future[Any]] = []
        for record in records:
            futures.append(
                await self._producer.send(
                    record.topic, record.value, record.key, headers=record.headers
                )
            )
            if len(futures) >= WINDOW:
                count += await self._acknowledged(futures)
                sent(len(futures))
                futures.clear()
        count += await self._acknowledged(futures)
        sent(len(futures))
        return count

    async def simulate(
        self,
        records: Iterable[Outgoing],
        speed: float,
        until: Instant | None,
        told: Callable[[Instant, int], None],
    ) -> int:
        """Publish records, in order of `at`, `speed` times as fast as they happened.

        Time goes from the first record to `until`, or to the last record. `told(now, n)` hears the
        simulated instant and how many records it brought. Returns how many there were.
        """
        coming = _Peekable(records)
        start = coming.next_at()
        if start is None:
            return 0
        partitions = sorted(await self._producer.partitions_for(self._journal))
        begun: float | None = None
        count, last = 0, start
        while True:
            tick = time.monotonic()
            now = start if begun is None else start + round((tick - begun) * speed * 1000)
            now = now if until is None else min(now, until)
            due = list(coming.take(now))
            last = due[-1].at if due else last
            over = coming.next_at() is None and (until is None or now == until)
            await self._send_at(due)
            await self._taken_in()
            await self._heartbeat(partitions, last if over and until is None else now)
            count += len(due)
            told(now, len(due))
            if over:
                return count
            # The worker may take a while to come up; the day begins when it is there.
            begun = time.monotonic() if begun is None else begun
            await asyncio.sleep(max(0.0, TICK - (time.monotonic() - tick)))

    async def _send_at(self, records: Iterable[Outgoing]) -> None:
        knocking: list[Outgoing] = []
        futures = []
        for record in records:
            if self._door is not None and self._door.takes(record.topic):
                knocking.append(record)
                continue
            futures.append(
                await self._producer.send(
                    record.topic,
                    record.value,
                    record.key,
                    headers=record.headers,
                    timestamp_ms=record.at,
                )
            )
        await self._acknowledged(futures)
        if self._door is not None and knocking:
            await self._door.send(knocking)
            await self._find_ends({record.topic for record in knocking})

    async def _find_ends(self, topics: Iterable[str]) -> None:
        """Look where the door's records are, which nobody told us."""
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(**self._client)
            await self._consumer.start()
        places = [
            TopicPartition(topic, number)
            for topic in topics
            for number in await self._producer.partitions_for(topic)
        ]
        for place, end in (await self._consumer.end_offsets(places)).items():
            if end > self._passed.get(place, 0):
                self._passed[place] = self._ends[place] = end

    async def _acknowledged(self, futures: Iterable[asyncio.Future[Any]]) -> int:
        done = await asyncio.gather(*futures)
        for written in done:
            place = TopicPartition(written.topic, written.partition)
            self._ends[place] = max(self._ends.get(place, 0), written.offset + 1)
        return len(done)

    async def _taken_in(self) -> None:
        """Wait until ingest has put everything that was published into the journal."""
        while self._ends:
            # Until the group's first member is there, its coordinator may not be either.
            with contextlib.suppress(*_SOON):
                await self._look_at_ingest()
            if self._ends:
                await asyncio.sleep(0.01)

    async def _look_at_ingest(self) -> None:
        offsets = await self._admin.list_consumer_group_offsets(
            self._group, partitions=list(self._ends)
        )
        for place, reached in offsets.items():
            if reached.offset >= self._ends[place]:
                del self._ends[place]

    async def _heartbeat(self, partitions: Iterable[int], now: Instant) -> None:
        beats = [
            await self._producer.send(
                self._journal, None, HEARTBEAT, partition=number, timestamp_ms=now
            )
            for number in partitions
        ]
        await asyncio.gather(*beats)


class _Peekable:
    """An iterator that says when its next record is due."""

    def __init__(self, records: Iterable[Outgoing]) -> None:
        self._records = iter(records)
        self._head = next(self._records, None)

    def next_at(self) -> Instant | None:
        """Return the instant of the next record, None when there is none."""
        return None if self._head is None else self._head.at

    def take(self, until: Instant) -> Iterator[Outgoing]:
        """Yield the records up to and with `until`."""
        while self._head is not None and self._head.at <= until:
            record = self._head
            self._head = next(self._records, None)
            yield record
