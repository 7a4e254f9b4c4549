"""A changelog read from its beginning into a new store: what a worker does that has lost its disk.

`rebuild` does it, in whatever process it is called; `python -m slastream.stream.rebuild` is a helper
process that does it when asked, one JSON line in, some out (`slastream.stream.helpers` asks). Knows the
layout of `sla.state.v1` and of the notes in a store.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from slastream.core.errors import InvariantBroken
from slastream.core.instant import Instant
from slastream.engine.bulk import SPILL, Bulk
from slastream.kafka.security import client_options
from slastream.running import run_to_end
from slastream.stream.position import POSITION, Seen

FETCH = 8 * 1024 * 1024
"""Bytes that are asked for at once."""

PATIENCE_MS = 5_000
"""Milliseconds after which another broker is asked: one that is frozen takes questions too."""

DeadlineOf = Callable[[bytes, bytes], Instant | None]
"""(key, row) -> the instant under which the row stands in the index."""

Progress = Callable[[int, int], None]
"""Told records replayed so far and offsets left, a few times a second at the most."""


def reader(client: Mapping[str, Any]) -> AIOKafkaConsumer:
    """Return a consumer of the changelog that reads what was committed, from where it is told."""
    return AIOKafkaConsumer(
        **client,
        group_id=None,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="none",
        request_timeout_ms=PATIENCE_MS,
        max_partition_fetch_bytes=FETCH,
        fetch_max_wait_ms=200,
    )


async def rebuild(
    consumer: AIOKafkaConsumer,
    changelog: TopicPartition,
    end: int,
    path: Path,
    deadline_of: DeadlineOf,
    progress: Progress,
    spill: int = SPILL,
) -> int:
    """Make the store at `path` from all of a changelog that lies in front of `end`.

    Returns the number of records replayed. Raises KafkaError; what was begun is removed then.
    """
    position = (await consumer.beginning_offsets([changelog]))[changelog]
    consumer.seek(changelog, position)
    bulk, seen, replayed = Bulk(path, deadline_of, spill), None, 0
    try:
        while (position := await consumer.position(changelog)) < end:
            progress(replayed, end - position)
            for records in (await consumer.getmany(changelog, timeout_ms=500)).values():
                rows = {}
                for record in records:
                    key = record.key
                    if key == POSITION:
                        found = Seen.of(record)
                        if seen is not None and seen.lineage != found.lineage:
                            raise InvariantBroken(
                                f"{changelog.topic}[{changelog.partition}] holds two changelogs:"
                                f" one up to offset {seen.behind - 1},"
                                f" another from offset {record.offset} on"
                            )
                        seen = found
                    elif key and key[0]:
                        rows[key] = record.value
                bulk.add(rows)
                replayed += len(records)
                await asyncio.sleep(0)
        bulk.finish({} if seen is None else seen.note())
    finally:
        bulk.close()
    progress(replayed, 0)
    return replayed


# -- the helper process


@dataclass(frozen=True)
class Request:
    """One partition to rebuild, as it is asked of a helper."""

    broker: str
    client_id: str
    topic: str
    partition: int
    end: int
    """The offset in front of which everything is to be read."""
    path: str
    deadline_of: str
    """`module:function`"""

    async def run(self, progress: Progress) -> int:
        """Rebuild it. Who we are to Kafka is read from the environment, as the worker did."""
        module, _, name = self.deadline_of.partition(":")
        tp = TopicPartition(self.topic, self.partition)
        client = {**client_options(self.broker), "client_id": self.client_id}
        consumer = reader(client)
        try:
            await asyncio.wait_for(consumer.start(), 15)
            consumer.assign([tp])
            ask = getattr(importlib.import_module(module), name)
            return await rebuild(consumer, tp, self.end, Path(self.path), ask, progress)
        finally:
            await consumer.stop()


def _say(**told: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(told) + b"\n")
    sys.stdout.buffer.flush()


def _often(seconds: float) -> Progress:
    last = 0.0

    def progress(replayed: int, ahead: int) -> None:
        nonlocal last
        if time.monotonic() - last > seconds:
            last = time.monotonic()
            _say(replayed=replayed, ahead=ahead)

    return progress


async def _serve() -> None:
    """Answer requests until nobody is left to ask: a helper never outlives its worker."""
    loop = asyncio.get_running_loop()
    asked = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
    line = asyncio.create_task(asked.readline())
    while told := await line:
        line = asyncio.create_task(asked.readline())
        work = asyncio.create_task(Request(**orjson.loads(told)).run(_often(0.2)))
        await asyncio.wait([work, line], return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            os._exit(0)
        error = work.exception()
        if error is None:
            _say(done=work.result())
        else:
            again = isinstance(error, (KafkaError, OSError, TimeoutError))
            _say(error=str(error) or type(error).__name__, again=again)


def main() -> None:
    """Run a helper process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the worker's to answer
    logging.basicConfig(level=logging.CRITICAL)
    run_to_end(_serve())


if __name__ == "__main__":
    main()
