"""A read-committed consumer that reads all the time and forgets nothing: what it has, the world has.

It reads alerts, outcomes and dead letters while faults go on, and keeps every record that it is
handed. What should be there it may not know.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from typing import Any, NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from slastream.settings import Settings
from tests.faults.oracle import Fact, canonical


class Seen(NamedTuple):
    """One fact as it was read."""

    fact: Fact
    place: TopicPartition
    offset: int
    arrived: float
    """On the monotonic clock."""


class Witness:
    """Reads the outputs of a worker from their beginning, and goes on."""

    def __init__(self, settings: Settings, partitions: int = 4) -> None:
        self._settings = settings
        name = settings.topic
        self._topics = {name("alerts"): "alerts", name("outcomes"): "outcomes", name("dlq"): "dlq"}
        self._tps = [
            TopicPartition(topic, number)
            for topic, short in self._topics.items()
            for number in range(1 if short == "dlq" else partitions)
        ]
        self._positions = dict.fromkeys(self._tps, 0)
        self.seen: dict[str, Seen] = {}
        """`ce_id` -> the first record that had it."""
        self.twice: list[str] = []
        """What was read a second time under an id, in words."""
        self.dead: set[bytes] = set()
        """Keys of dead letters."""
        self._dead: Counter[tuple[Any, ...]] = Counter()
        self.records = 0
        self.connections = 0

    async def run(self) -> None:
        """Read until cancelled, with a new consumer whenever the old one fails."""
        while True:
            try:
                await self._read()
            except (KafkaError, OSError, TimeoutError):
                await asyncio.sleep(0.2)

    async def to_the_end(self) -> None:
        """Read up to the end that the topics have now, and return."""
        async with self._consumer() as consumer:
            ends = await consumer.end_offsets(self._tps)
            self._seek(consumer)
            while any(self._positions[tp] < ends[tp] for tp in self._tps):
                await self._take(consumer)

    def _consumer(self) -> AIOKafkaConsumer:
        self.connections += 1
        return AIOKafkaConsumer(
            bootstrap_servers=self._settings.broker,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="none",
            request_timeout_ms=6_000,
            fetch_max_wait_ms=200,
            metadata_max_age_ms=5_000,
        )

    def _seek(self, consumer: AIOKafkaConsumer) -> None:
        consumer.assign(self._tps)
        for tp, position in self._positions.items():
            consumer.seek(tp, position)

    async def _read(self) -> None:
        consumer = self._consumer()
        try:
            await asyncio.wait_for(consumer.start(), 5)
            self._seek(consumer)
            while True:
                await self._take(consumer)
        finally:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(consumer.stop(), 2)

    async def _take(self, consumer: AIOKafkaConsumer) -> None:
        fetched = await consumer.getmany(timeout_ms=100)
        now = time.monotonic()
        for tp, records in fetched.items():
            for record in records:
                assert record.offset >= self._positions[tp], "the log ran backwards"
                self._note(tp, record, now)
        for tp in self._tps:
            self._positions[tp] = max(self._positions[tp], await consumer.position(tp))

    def _note(self, tp: TopicPartition, record: Any, now: float) -> None:
        self.records += 1
        headers = dict(record.headers)
        short = self._topics[tp.topic]
        if short == "dlq":
            self._bury(record, headers)
            return
        id_ = headers["ce_id"].decode()
        fact = short, canonical(orjson.loads(record.value))
        before = self.seen.get(id_)
        if before is None:
            self.seen[id_] = Seen(fact, tp, record.offset, now)
        else:
            same = "the same" if before.fact == fact else "SOMETHING ELSE"
            self.twice.append(
                f"{id_} is at {before.offset} and, saying {same}, at {record.offset} of"
                f" {tp.topic}[{tp.partition}]"
            )

    def _bury(self, record: Any, headers: dict[str, bytes]) -> None:
        """Note a dead letter. Those of the journal are written once, those of ingest at least once."""
        self.dead.add(record.key)
        if "sla-log-time" in headers:
            place = record.key, headers["sla-offset"]
            self._dead[place] += 1
            if self._dead[place] > 1:
                self.twice.append(f"dead letter {place} was written {self._dead[place]} times")
