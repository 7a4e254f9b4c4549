"""When a record could be read, told without reading it: the end of what is committed, asked again and again.

A consumer of hundreds of thousands of records would take the core away from what is measured. Here
only the last stable offset of each partition is asked for, some fifty times a second; the records
are read afterwards, at leisure, and each offset then has the time at which it became readable.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from slastream.core.instant import format_instant


def reader(broker: str) -> AIOKafkaConsumer:
    """Return a consumer of what is committed, of no group."""
    return AIOKafkaConsumer(
        bootstrap_servers=broker,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        group_id=None,
        max_partition_fetch_bytes=8 * 1024 * 1024,
    )


class Watch:
    """The committed ends of some topics over time. `start` it, then ask `readable`."""

    def __init__(self, broker: str, topics: Sequence[str], partitions: int, every: float = 0.02):
        self._broker, self._every = broker, every
        self.tps = [TopicPartition(topic, n) for topic in topics for n in range(partitions)]
        self._ends: dict[TopicPartition, list[int]] = {tp: [] for tp in self.tps}
        self._times: dict[TopicPartition, list[float]] = {tp: [] for tp in self.tps}
        self._task: asyncio.Task[None] | None = None
        self.moved = time.time()
        """When any end was last seen to move."""

    async def start(self) -> None:
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        async with reader(self._broker) as consumer:
            consumer.assign(self.tps)
            while True:
                ends = await consumer.end_offsets(self.tps)
                now = time.time()
                for tp, end in ends.items():
                    if not self._ends[tp] or self._ends[tp][-1] != end:
                        self._ends[tp].append(end)
                        self._times[tp].append(now)
                        self.moved = now
                await asyncio.sleep(self._every)

    async def quiet(self, seconds: float, limit: float = 120.0) -> None:
        """Wait until nothing has been committed for so long."""
        began = time.time()
        while True:
            now = time.time()
            if now - self.moved > seconds or now - began > limit:
                return
            await asyncio.sleep(0.1)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def readable(self, tp: TopicPartition, offset: int) -> float:
        """Return the wall time at which a record was first seen to be committed."""
        return self._times[tp][bisect_right(self._ends[tp], offset)]

    async def records(self, topic: str) -> AsyncIterator[tuple[Any, float]]:
        """Yield every committed record of a topic with the time at which it could be read."""
        for tp in (tp for tp in self.tps if tp.topic == topic and self._ends[tp][-1]):
            # One after another: a consumer waits for all that it fetched to be taken.
            async with reader(self._broker) as consumer:
                consumer.assign([tp])
                end = self._ends[tp][-1]
                consumer.seek(tp, 0)
                while await consumer.position(tp) < end:
                    for records in (await consumer.getmany(timeout_ms=500)).values():
                        for record in records:
                            if record.offset < end:
                                yield record, self.readable(tp, record.offset)


class Load:
    """Updates of open tickets, `rate` a second, onto the raw topic until `stop`.

    The tickets are those of `bigstate.open_tickets`, in no order, so that each costs a real lookup.
    """

    def __init__(self, broker: str, rate: float, tickets: int, prefix: str = "open") -> None:
        self._broker, self._rate, self._tickets, self._prefix = broker, rate, tickets, prefix
        self.sent: dict[bytes, float] = {}
        """Number of an update, as its assignee -> when it was sent."""
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._send())

    async def _send(self) -> None:
        began, number = time.time(), 0
        async with AIOKafkaProducer(bootstrap_servers=self._broker, linger_ms=2) as producer:
            while True:
                due = int((time.time() - began) * self._rate)
                for one in range(number, due):
                    ticket = f"{self._prefix}-{one * 7_919 % self._tickets}"
                    told = {
                        "tenant": "bench", "source": "canonical", "ticket": ticket, "id": f"l{one}",
                        "kind": "updated", "occurred_at": format_instant(int(time.time() * 1000)),
                        "assignee": f"load-{one}",
                    }  # fmt: skip
                    self.sent[b"load-%d" % one] = time.time()
                    await producer.send("sla.raw.canonical", orjson.dumps(told), ticket.encode())
                number = due
                await asyncio.sleep(0.005)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def delays(self, watch: Watch, since: float, until: float) -> list[float]:
        """Return, sorted, the milliseconds from sending an update to its readable snapshot."""
        found = []
        async for record, at in watch.records("sla.clocks.v1"):
            if record.value is None:
                continue
            sent = self.sent.get((orjson.loads(record.value).get("assignee") or "").encode())
            if sent is not None and since <= sent <= until:
                found.append((at - sent) * 1000)
        return sorted(found)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return min, p50, p99 and max of sorted values."""
    if not values:
        return {}
    many = len(values)
    return {
        "min": round(values[0], 1),
        "p50": round(values[many // 2], 1),
        "p99": round(values[many * 99 // 100], 1),
        "max": round(values[-1], 1),
    }
