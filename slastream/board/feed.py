"""The topics, read-committed, into the shelf; and whether what it holds can still be believed.

Knows Kafka. It belongs to no group and commits nothing: it reads from the beginning at each start.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from slastream.board.alerts import Alerts
from slastream.board.hours import Hours
from slastream.board.shelf import Shelf
from slastream.board.trends import Trends
from slastream.core.errors import Misconfigured, SlastreamError
from slastream.core.instant import Instant
from slastream.kafka.reach import explained
from slastream.settings import Settings

log = logging.getLogger("slastream.board")

TOPICS = ("books", "clocks", "alerts", "outcomes")
ALERTS = 50_000
"""Alerts of a partition that are read at a start, at most: the last ones."""
PULSE = 1.0
"""Seconds between two looks whether the broker still answers and nothing is left unread."""
STALE = 6.0
"""Seconds without such an answer after which what is shown is called stale."""
SLICE = 0.02
"""Seconds of reading after which browsers get their turn."""


@dataclass
class State:
    """What the page says about itself."""

    name: str = "loading"
    """loading, live or stale."""
    confirmed: Instant | None = None
    """When the broker last said that there is nothing newer, by the wall clock."""
    read: int = 0
    total: int = 0
    problem: str = ""


class Feed:
    """Follows the topics until cancelled, over restarts of the broker."""

    def __init__(
        self, client: Mapping[str, Any], settings: Settings, hours: Hours, shelf: Shelf,
        alerts: Alerts, trends: Trends, since: Callable[[], Instant | None],
    ) -> None:  # fmt: skip
        self._client = client
        self._names = {settings.topic(name): name for name in TOPICS}
        self._hours, self._shelf, self._alerts, self._trends = hours, shelf, alerts, trends
        self._since = since
        self._positions: dict[TopicPartition, int] = {}
        self._confirmed: float | None = None
        self.state = State()
        self.loaded = asyncio.Event()

    async def run(self) -> None:
        """Read for ever. Raises `Misconfigured` when a person must mend something first."""
        while True:
            consumer = AIOKafkaConsumer(
                **self._client, isolation_level="read_committed", enable_auto_commit=False,
                auto_offset_reset="earliest", fetch_max_wait_ms=50, max_poll_records=2_000,
                metadata_max_age_ms=10_000, request_timeout_ms=10_000,
            )  # fmt: skip
            try:
                await consumer.start()
                await self._follow(consumer)
            except (KafkaError, OSError, TimeoutError) as error:
                problem = await explained(error, self._client)
                if problem.refused:
                    raise Misconfigured(problem.sentence, hint=problem.hint) from error
                self._failing(problem.sentence)
            except _Incomplete as missing:
                self._failing(str(missing))
            finally:
                with contextlib.suppress(KafkaError, OSError, TimeoutError):
                    await consumer.stop()
            await asyncio.sleep(1.0)

    def _failing(self, problem: str) -> None:
        if problem != self.state.problem:
            log.warning("%s", problem)
        self.state.problem = problem
        if self.loaded.is_set():
            self.state.name = "stale"

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        parts = {name: await _partitions(consumer, name) for name in self._names}
        books = [tp for topic, tps in parts.items() if self._names[topic] == "books" for tp in tps]
        every = [tp for tps in parts.values() for tp in tps]
        # Books first: a card without its calendar would only have to be told again.
        await self._assign(consumer, books)
        await self._read_to(consumer, books, count=False)
        await self._assign(consumer, every)
        await self._read_to(consumer, every, count=not self.loaded.is_set())
        self._alive()
        self.loaded.set()
        log.info("read %d records, %s", self.state.read, self._shelf.counts())
        watch = asyncio.create_task(self._watch(consumer, every), name="board-pulse")
        try:
            while not watch.done():
                await self._take(await consumer.getmany(timeout_ms=200))
            watch.result()
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    async def _assign(self, consumer: AIOKafkaConsumer, tps: list[TopicPartition]) -> None:
        """Go on where we were; a topic that was made anew is read from its beginning."""
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        begins = await consumer.beginning_offsets(tps)
        for tp in tps:
            at = self._positions.get(tp)
            if at is not None and at > ends[tp]:
                log.warning("%s is shorter than it was: reading it anew", tp.topic)
                if self._names[tp.topic] == "clocks":
                    self._shelf.clear()
                at = None
            if at is None:
                at = await self._first(consumer, tp, begins[tp], ends[tp])
            consumer.seek(tp, at)

    async def _first(
        self, consumer: AIOKafkaConsumer, tp: TopicPartition, begin: int, end: int
    ) -> int:
        name = self._names[tp.topic]
        if name == "alerts":
            return max(begin, end - ALERTS)
        since = self._since() if name == "outcomes" else None
        if since is not None:
            found = (await consumer.offsets_for_times({tp: since}))[tp]
            return end if found is None else int(found.offset)
        return begin

    async def _read_to(
        self, consumer: AIOKafkaConsumer, tps: list[TopicPartition], *, count: bool
    ) -> None:
        ends = await consumer.end_offsets(tps)
        starts = {tp: await consumer.position(tp) for tp in tps}
        if count:
            self.state.total = sum(max(0, ends[tp] - starts[tp]) for tp in tps)
            self.state.read = 0
        for tp in tps:
            while await consumer.position(tp) < ends[tp]:
                await self._take(await consumer.getmany(timeout_ms=200))

    async def _take(self, fetched: Mapping[TopicPartition, list[Any]]) -> None:
        began = time.monotonic()
        for tp, records in fetched.items():
            name = self._names[tp.topic]
            for record in records:
                self._record(name, record)
                if time.monotonic() - began > SLICE:
                    await asyncio.sleep(0)
                    began = time.monotonic()
            if records:
                self._positions[tp] = records[-1].offset + 1
                self.state.read += len(records)

    def _record(self, name: str, record: Any) -> None:
        key = "" if record.key is None else record.key.decode("utf-8", "replace")
        if name == "clocks":
            value = self._shelf.put(key, record.value, (record.partition, record.offset))
            if value:
                self._trends.ticket(key, value)
        elif name == "books":
            self._book(record)
        else:
            headers = dict(record.headers)
            self._shelf.seen_at(headers.get("ce_time", b"").decode("utf-8", "replace"))
            if name == "alerts":
                self._alerts.put(key, headers, record.value)
            else:
                self._trends.outcome(key, record.value)

    def _book(self, record: Any) -> None:
        from slastream.book import from_published

        if record.value is None:
            return
        try:
            self._hours.add(from_published(record.value))
        except (SlastreamError, ValueError, KeyError, TypeError) as error:
            log.error("the books topic, offset %d: %s", record.offset, error)

    async def _watch(self, consumer: AIOKafkaConsumer, tps: list[TopicPartition]) -> None:
        """Ask the broker again and again whether there is anything newer than what we have."""
        failed_since: float | None = None
        while True:
            try:
                async with asyncio.timeout(3.0):
                    ends = await consumer.end_offsets(tps)
                    behind = [tp for tp in tps if await consumer.position(tp) < ends[tp]]
                failed_since = None
                if any(ends[tp] < self._positions.get(tp, 0) for tp in tps):
                    raise KafkaError("a topic is shorter than it was")
                if not behind:
                    self._alive()
            except (KafkaError, OSError, TimeoutError) as error:
                failed_since = failed_since or time.monotonic()
                if time.monotonic() - failed_since > 20.0 or "shorter" in str(error):
                    raise
            if self._confirmed is not None and time.monotonic() - self._confirmed > STALE:
                self.state.name = "stale"
            await asyncio.sleep(PULSE)

    def _alive(self) -> None:
        self._confirmed = time.monotonic()
        self.state.confirmed = int(time.time() * 1000)
        self.state.name, self.state.problem = "live", ""


class _Incomplete(Exception):
    """A topic is not there (yet)."""


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> Iterable[TopicPartition]:
    await consumer._client.force_metadata_update()
    found = consumer.partitions_for_topic(topic)
    if not found:
        consumer._client.add_topic(topic)
        await consumer.topics()
        found = consumer.partitions_for_topic(topic)
    if not found:
        raise _Incomplete(f"the topic {topic} is not on the broker: slastream topics create")
    return [TopicPartition(topic, number) for number in sorted(found)]
