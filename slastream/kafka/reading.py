"""The committed records of partitions, from an offset to an end. Knows nothing of what they hold."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition

from slastream.core.errors import Misconfigured
from slastream.kafka.admin import Client

Consumer: TypeAlias = "AIOKafkaConsumer[Any, Any]"

_FETCH = 4 * 1024 * 1024
_QUIET = 10.0
"""Seconds without a record after which a broker that has more to give counts as away."""

_STALE = 5.0
"""Seconds in which a broker that was frozen has learnt that another one leads."""


async def end_behind(consumer: Consumer, tp: TopicPartition, reached: int) -> int:
    """Return where a partition ends, of which everything up to `reached` was there before.

    An end in front of that is asked for again before it is believed: a broker that was frozen and
    wakes up says one that has long been passed. Raises KafkaError.
    """
    limit = time.monotonic() + _STALE
    while True:
        end: int = (await consumer.end_offsets([tp]))[tp]
        if end >= reached or time.monotonic() > limit:
            return end
        await asyncio.sleep(0.5)


@asynccontextmanager
async def reader(client: Client) -> AsyncIterator[Consumer]:
    """A consumer of committed records that joins no group and commits nothing."""
    consumer: Consumer = AIOKafkaConsumer(
        **client,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=_FETCH,
    )
    async with consumer:
        await asyncio.sleep(0)  # a consumer that is stopped before its tasks began raises
        yield consumer


async def records(
    consumer: Consumer, tp: TopicPartition, start: int, end: int
) -> AsyncIterator[Any]:
    """Yield the committed records of a range. The last offsets of it may be control records.

    The partition must be assigned. Raises Misconfigured when the broker gives no more of what it has.
    """
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
