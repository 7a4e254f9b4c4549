"""The letters of a broker: committed ones, the newest so many, or those since an instant."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import TopicPartition

from slastream.core.errors import Misconfigured
from slastream.core.instant import Instant
from slastream.dlq.letter import Letter, Place, letter_of
from slastream.kafka import admin
from slastream.kafka.reading import Consumer, reader, records
from slastream.kafka.security import client_options
from slastream.settings import Settings


class Post:
    """Reads dead letters, and records of other topics, over one connection."""

    def __init__(
        self,
        settings: Settings,
        consumer: Consumer,
        partitions: Mapping[str, Sequence[int]],
    ) -> None:
        self._consumer = consumer
        self._numbers = partitions
        self.dlq, self.journal = settings.topic("dlq"), settings.topic("tickets")
        self.raw = settings.topic("raw.")
        self.left_out = 0
        """How many older records the last reading passed over."""

    async def letters(self, since: Instant | None, limit: int) -> AsyncIterator[Letter]:
        """Yield the newest `limit` letters of each partition, oldest first, up to the end of now."""
        consumer = self._consumer
        tps = self._letterbox()
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
            async for record in records(self._consumer, tp, start, ends[tp]):
                yield self._letter(record)

    async def find(self, name: str) -> Letter | None:
        """Return the newest letter of that name, None when there is none."""
        place = self._place(name)
        if place is not None:
            tp = TopicPartition(self.dlq, place.partition)
            record = await self._one(tp, place.offset) if tp in self._letterbox() else None
            return self._letter(record) if record else None
        found = None
        async for letter in self.letters(None, 1 << 62):
            if letter.named(name):
                found = letter
        return found

    async def original(self, letter: Letter) -> bytes | None:
        """Return the whole bytes of a letter that holds only its first; None when they are gone."""
        place = letter.origin
        if place is None or place.partition not in self._numbers.get(place.topic, ()):
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

    def _letterbox(self) -> list[TopicPartition]:
        numbers = self._numbers.get(self.dlq)
        if not numbers:
            raise Misconfigured("not on the broker", where=self.dlq, hint="slastream topics create")
        return [TopicPartition(self.dlq, number) for number in numbers]

    def _letter(self, record: Any) -> Letter:
        return letter_of(record, self.journal, len(self._numbers.get(self.journal, ())) or 1)

    async def _one(self, tp: TopicPartition, offset: int) -> Any:
        self._consumer.assign([tp])
        begin = (await self._consumer.beginning_offsets([tp]))[tp]
        end = (await self._consumer.end_offsets([tp]))[tp]
        if not begin <= offset < end:
            return None
        async for record in records(self._consumer, tp, offset, end):
            return record if record.offset == offset else None
        return None


@asynccontextmanager
async def post(settings: Settings) -> AsyncIterator[Post]:
    """Connect. Raises `Misconfigured` in one sentence when the broker cannot be reached."""
    client = client_options(settings.broker)
    async with admin.connected(client) as asked:
        names = [name for name in await asked.list_topics() if name.startswith(settings.prefix)]
        told = await asked.describe_topics(names) if names else []
    partitions = {
        each["topic"]: sorted(part["partition"] for part in each["partitions"]) for each in told
    }
    async with reader(client) as consumer:
        yield Post(settings, consumer, partitions)
