"""Tells a desk's slices to a cluster without an end, whatever becomes of the cluster meanwhile.

A slice goes to the raw topic; when ingest has put all of it into the journal, a heartbeat on each
partition says that its time is over. Knows Kafka; what a slice says it may not know.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from slastream.cli.feeding import HEARTBEAT
from slastream.kafka import admin
from slastream.settings import Settings
from slastream.stream.transaction import Item, batches_of
from tests.faults.oracle import Oracle
from tests.faults.workload import Desk, Slice

PACE = 0.2
"""Seconds from the beginning of one slice to that of the next, at the least."""

PATIENCE = 8.0
"""Seconds for one request, after which the feeder begins anew with new connections."""


@dataclass(slots=True)
class Fed:
    """A slice that is on the topics, and when."""

    number: int
    begun: float
    done: float


class Feeder:
    """Feeds slices one after the other. `stop` ends after the slice in hand."""

    def __init__(self, settings: Settings, desk: Desk, oracle: Oracle, partitions: int = 4) -> None:
        """`settings.broker` is how the feeder reaches the cluster, past everything that is broken."""
        self._settings = settings
        self._desk = desk
        self._oracle = oracle
        self._partitions = partitions
        self._producer: AIOKafkaProducer | None = None
        self._admin: AIOKafkaAdminClient | None = None
        self.last = Fed(-1, 0.0, 0.0)
        self.expected_before = 0
        """How many facts were expected before the slice in hand began."""
        self.records = 0
        self.retries = 0
        self.until = 0
        """Simulated time: the end of the last slice that was told."""
        self._going = asyncio.Event()
        self._going.set()
        self._idle = asyncio.Event()
        self._told = asyncio.Event()
        self._stopping = False

    async def run(self) -> None:
        """Feed until stopped."""
        try:
            for told in self._desk:
                if not self._going.is_set():
                    self._idle.set()
                    await self._going.wait()
                    self._idle.clear()
                if self._stopping:
                    return
                await self._feed(told)
        finally:
            self._idle.set()
            await self._close()

    async def pause(self) -> None:
        """Return once the slice in hand is told; nothing more is, until `go`."""
        self._going.clear()
        await self._idle.wait()

    def go(self) -> None:
        self._idle.clear()
        self._going.set()

    def stop(self) -> None:
        self._stopping = True
        self._going.set()

    async def past(self, number: int) -> None:
        """Wait until a slice of this number is told."""
        while self.last.number < number:
            await self._told.wait()

    async def _feed(self, told: Slice) -> None:
        begun = time.monotonic()
        self.expected_before = len(self._oracle.expected)
        self._oracle.hear(told.arrivals, told.until)
        self._oracle.poison.update(told.poison)
        raw = [r for r in told.records if r.partition is None]
        end = await self._insist(lambda: self._send_raw(raw))
        await self._taken_in(end)
        await self._insist(lambda: self._send_journal(told))
        self.records += len(told.records)
        self.until = told.until
        self.last = Fed(told.number, begun, time.monotonic())
        self._told.set()
        self._told = asyncio.Event()
        await asyncio.sleep(max(0.0, begun + PACE - time.monotonic()))

    async def _send_raw(self, records: list[Any]) -> int:
        """Write the records in their order, batch by batch; returns the offset behind the last."""
        producer = await self._connected()
        topic = self._settings.topic("raw.canonical")
        end = 0
        items = [Item(r.key, r.value, [], r.at) for r in records]
        for batch in batches_of(producer, items):
            count = batch.record_count()
            sent = await (await producer.send_batch(batch, topic, partition=0))
            end = sent.offset + count
        return end

    async def _taken_in(self, end: int) -> None:
        """Wait until ingest has committed everything before `end`."""
        place = TopicPartition(self._settings.topic("raw.canonical"), 0)
        while True:
            found = await self._insist(lambda: self._committed(place))
            if found >= end:
                return
            await asyncio.sleep(0.02)

    async def _committed(self, place: TopicPartition) -> int:
        await self._connected()
        assert self._admin is not None
        return (await admin.committed(self._admin, self._settings.app_id, place)).offset

    async def _send_journal(self, told: Slice) -> None:
        """Write what goes straight to the journal, and the heartbeats behind it."""
        producer = await self._connected()
        journal = self._settings.topic("tickets")
        sent = []
        for r in told.records:
            if r.partition is not None:
                at, place = r.at, r.partition
                sent.append(await producer.send(journal, r.value, r.key, place, at))
        await asyncio.gather(*sent)
        beats = [
            await producer.send(journal, None, HEARTBEAT, number, told.until)
            for number in range(self._partitions)
        ]
        await asyncio.gather(*beats)

    # -- connections

    async def _insist(self, what: Callable[[], Awaitable[Any]]) -> Any:
        """Do something until it is done; a repeat has no effect on a worker that keeps its promise."""
        while True:
            try:
                return await asyncio.wait_for(what(), PATIENCE)
            except (KafkaError, OSError, TimeoutError):
                self.retries += 1
                await self._close()
                await asyncio.sleep(0.2)

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            client = {"bootstrap_servers": self._settings.broker, "request_timeout_ms": 6_000}
            asking = AIOKafkaAdminClient(**client)
            producer = AIOKafkaProducer(**client, acks="all", enable_idempotence=True)
            try:
                await asking.start()
                await producer.start()
            except BaseException:
                await _quietly(asking.close())
                await _quietly(producer.stop())
                raise
            self._admin, self._producer = asking, producer
        return self._producer

    async def _close(self) -> None:
        producer, self._producer = self._producer, None
        asked, self._admin = self._admin, None
        if producer is not None:
            await _quietly(producer.stop())
        if asked is not None:
            await _quietly(asked.close())


async def _quietly(closing: Awaitable[None]) -> None:
    with contextlib.suppress(Exception):
        await asyncio.wait_for(closing, 2.0)
