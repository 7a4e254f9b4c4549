"""The letters of a broker: committed ones, the newest so many, or those since an instant."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from slastream.core.errors import Misconfigured
from slastream.core.instant import Instant
from slastream.dlq.letter import Letter, Place, letter_of
from slastream.kafka.reach import explained
from slastream.kafka.security import client_options
from slastream.settings import Settings

_FETCH = 4 * 1024 * 1024
_PATIENCE = 10.0
_QUIET = 10.0
"""Seconds without a record after which a broker that has more to give counts as away."""


class Post:
    """Reads dead letters, and records of other topics, over one connection."""

    def __init__(self, settings: Settings, consumer: AIOKafkaConsumer[Any, Any]) -> None:
        self._consumer = consumer
        self.dlq, self.journal = settings.topic("dlq"), settings.topic("tickets")
        self.raw = settings.topic("raw.")
        self.left_out = 0
        """How many older records the last reading passed over."""

    async def letters(self, since: Instant | None, limit: int) -> AsyncIterator[Letter]:
        """Yield the newest `limit` letters of each partition, oldest first, up to the end of now."""
        consumer = self._consumer
        journal = len(await self._partitions(self.journal, must=False)) or 1
        tps = await self._partitions(self.dlq)
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        starts = await consumer.beginning_offsets(tps)
        if since is not None:
            found = await consumer.offsets_for_times(dict.fromkeys(tps, since))
            for tp in tps:
                starts[tp] = found[tp].offset if found.get(tp) else ends[tp]
        self.left_out = 0
        for tp in tps:
            start = max(starts[tp], ends[tp] - limit)
            self.left_out += start - starts[tp]
            async for record in self._records(tp, start, ends[tp]):
                yield letter_of(record, self.journal, journal)

    async def find(self, name: str) -> Letter | None:
        """Return the newest letter of that name, None when there is none."""
        place = self._place(name)
        if place is not None:
            tps = await self._partitions(self.dlq)
            tp = TopicPartition(self.dlq, place.partition)
            record = await self._one(tp, place.offset) if tp in tps else None
            journal = len(await self._partitions(self.journal, must=False)) or 1
            return letter_of(record, self.journal, journal) if record else None
        found = None
        async for letter in self.letters(None, 1 << 62):
            if letter.named(name):
                found = letter
        return found

    async def original(self, letter: Letter) -> bytes | None:
        """Return the whole bytes of a letter that holds only its first; None when they are gone."""
        place = letter.origin
        if place is None or place.topic not in await self._consumer.topics():
            return None
        record = await self._one(TopicPartition(place.topic, place.partition), place.offset)
        return record.value if record and record.key == letter.key else None

    def _place(self, name: str) -> Place | None:
        """Read `sla.dlq.v1-0@17` or `0@17`."""
        left, at, offset = name.rpartition("@")
        left = left.removeprefix(f"{self.dlq}-")
        if at and left.isdecimal() and offset.isdecimal():
            return Place(self.dlq, int(left), int(offset))
        return None

    async def _partitions(self, topic: str, *, must: bool = True) -> list[TopicPartition]:
        await self._consumer.topics()
        numbers = self._consumer.partitions_for_topic(topic)
        if not numbers and must:
            raise Misconfigured("not on the broker", where=topic, hint="slastream topics create")
        return [TopicPartition(topic, number) for number in sorted(numbers or ())]

    async def _one(self, tp: TopicPartition, offset: int) -> Any:
        self._consumer.assign([tp])
        begin = (await self._consumer.beginning_offsets([tp]))[tp]
        end = (await self._consumer.end_offsets([tp]))[tp]
        if not begin <= offset < end:
            return None
        async for record in self._records(tp, offset, end):
            return record if record.offset == offset else None
        return None

    async def _records(self, tp: TopicPartition, start: int, end: int) -> AsyncIterator[Any]:
        """Yield the committed records of a range. The last offsets of it may be control records."""
        consumer = self._consumer
        for other in consumer.assignment() - {tp}:
            consumer.pause(other)
        consumer.resume(tp)
        consumer.seek(tp, start)
        loop = asyncio.get_running_loop()
        heard = loop.time()
        while (position := await consumer.position(tp)) < end:
            batch = (await consumer.getmany(tp, timeout_ms=200)).get(tp, ())
            for record in batch:
                if record.offset >= end:
                    return
                yield record
            if batch or await consumer.position(tp) > position:
                heard = loop.time()
            elif loop.time() - heard > _QUIET:
                raise Misconfigured("the broker does not answer any more", where=str(tp.topic))


@asynccontextmanager
async def post(settings: Settings) -> AsyncIterator[Post]:
    """Connect. Raises `Misconfigured` in one sentence when the broker cannot be reached."""
    client = client_options(settings.broker)
    consumer: AIOKafkaConsumer[Any, Any] = AIOKafkaConsumer(
        **client,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=_FETCH,
    )
    await reached(consumer.start, client)
    try:
        yield Post(settings, consumer)
    finally:
        await consumer.stop()


async def reached(start: Callable[[], Any], client: dict[str, Any]) -> None:
    """Start a client. Raises `Misconfigured` when the broker cannot be reached."""
    try:
        async with asyncio.timeout(_PATIENCE):
            await start()
    except (KafkaError, TimeoutError) as error:
        problem = await explained(error, client)
        servers = client["bootstrap_servers"]
        raise Misconfigured(problem.sentence, where=str(servers), hint=problem.hint) from error
