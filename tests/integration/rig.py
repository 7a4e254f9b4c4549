"""A worker on the real broker with a toy for an engine, in this process or in one of its own.

The toy's journal is `{"due": ms}` to arm a ticket and `{"done": true}` to resolve it. Each record
makes one outcome that names the record's offset, each deadline that is reached one alert: so what
is lost or doubled can be counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from slastream.engine.effects import Effects, Message, Record
from slastream.engine.store import Store
from slastream.settings import Settings
from slastream.stream.app import Worker

STAMPED = {"message.timestamp.type": "LogAppendTime"}
COMPACT = {"cleanup.policy": "compact"}


class Toy:
    """A partition of toy tickets: a row is `{"due": ms or null, "seen": n}`."""

    def __init__(self, number: int, store: Store, books: object = None) -> None:
        self.number = number
        self.store = store

    def apply(self, records: Sequence[Record]) -> Effects:
        effects = Effects(position=records[-1].offset + 1)
        rows: dict[bytes, dict[str, Any]] = {}
        before: dict[bytes, int | None] = {}
        for record in records:
            key = record.key or b""
            if key not in rows:
                stored = self.store.get(key)
                rows[key] = orjson.loads(stored) if stored else {"due": None, "seen": 0}
                before[key] = rows[key]["due"]
            told, row = orjson.loads(record.value or b"{}"), rows[key]
            if told.get("bug"):
                raise RuntimeError("the toy breaks")
            row["seen"] += 1
            row["due"] = None if told.get("done") else told.get("due", row["due"])
            name = f"{self.number}/{record.offset}".encode()
            effects.messages.append(Message("outcomes", key, name, [("ce_id", name)]))
        for key, row in rows.items():
            effects.rows[key] = orjson.dumps(row)
            self._move(effects, key, before[key], row["due"])
        return effects

    def _move(self, effects: Effects, key: bytes, before: int | None, after: int | None) -> None:
        if before != after:
            if before is not None:
                effects.deadlines_del.append((before, key))
            if after is not None:
                effects.deadlines_put.append((after, key))

    def fire(self, now: int, limit: int = 1000) -> Effects:
        effects = Effects()
        for due, key in self.store.due(now, limit):
            effects.deadlines_del.append((due, key))
            row = orjson.loads(self.store.get(key) or b"{}")
            if row.get("due") != due:
                continue
            row["due"] = None
            effects.rows[key] = orjson.dumps(row)
            name = key + b"@%d" % due
            effects.messages.append(Message("alerts", key, name, [("ce_id", name)]))
        return effects

    def sweep(self, limit: int = 500) -> None:
        return None

    @property
    def next_due(self) -> int | None:
        return self.store.first_deadline()


def toy_deadline(key: bytes, row: bytes) -> int | None:
    due: int | None = orjson.loads(row)["due"]
    return due


async def create_topics(
    bootstrap: str,
    prefix: str,
    partitions: int = 2,
    raw: Sequence[str] = ("canonical",),
    **over: Any,
) -> None:
    """Create all topics of a worker; `over` is short name -> (partitions, config) instead."""
    wanted: dict[str, tuple[int, dict[str, str]]] = {
        "tickets": (partitions, STAMPED),
        "alerts": (partitions, {}),
        "outcomes": (partitions, {}),
        "clocks": (partitions, COMPACT),
        "state": (partitions, {**COMPACT, **STAMPED}),
        "books": (1, {}),
        "ops": (1, {}),
        "dlq": (1, {}),
        **{f"raw.{source}": (1, {}) for source in raw},
        **over,
    }
    name = Settings(prefix=prefix).topic
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics(
            [
                NewTopic(name(short), count, 1, topic_configs=config)
                for short, (count, config) in wanted.items()
            ]
        )
        for _ in range(100):
            if {name(short) for short in wanted} <= set(await admin.list_topics()):
                return
            await asyncio.sleep(0.05)
    finally:
        await admin.close()


async def delete_topics(bootstrap: str, names: Sequence[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics(list(names))
        for _ in range(200):
            if not set(names) & set(await admin.list_topics()):
                return
            await asyncio.sleep(0.05)
    finally:
        await admin.close()


async def committed(settings: Settings, short: str, partitions: int = 2) -> list[Any]:
    """Return what a read-committed consumer is handed of a topic, up to the end it has now."""
    tps = [TopicPartition(settings.topic(short), number) for number in range(partitions)]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.broker,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
    )
    found: list[Any] = []
    async with consumer:
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        await consumer.seek_to_beginning(*tps)
        for tp in tps:
            while await consumer.position(tp) < ends[tp]:
                for records in (await consumer.getmany(timeout_ms=50)).values():
                    found += records
    return found


def settings_for(bootstrap: str, prefix: str, data_dir: Path, **more: Any) -> Settings:
    given = {"app_id": prefix.strip("."), "instance_id": "one", "web_port": 0, "ingest": False}
    return Settings(broker=bootstrap, prefix=prefix, data_dir=data_dir, **{**given, **more})


async def until(what: Any, seconds: float = 20.0, why: str = "") -> None:
    """Wait until `what()` is true; it may be a coroutine function."""
    limit = time.monotonic() + seconds
    while True:
        found = what()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        assert time.monotonic() < limit, f"not within {seconds:g} s: {why or what}"
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def running(settings: Settings, *, ready: bool = True, **more: Any) -> AsyncIterator[Worker]:
    """A worker with the toy in this process; it is stopped in good order at the end."""
    parts = {"engine": Toy, "deadlines": toy_deadline, **more}
    worker = Worker(settings, **parts)
    task = asyncio.create_task(worker.run())
    try:
        if ready:
            await until(lambda: task.done() or worker.ready, why="the worker is ready")
        if task.done():
            task.result()
        yield worker
    finally:
        worker.stop.set()
        await asyncio.wait_for(asyncio.wait([task]), 15)
        task.result()


class Process:
    """A worker with the toy in a process of its own, which can be killed."""

    def __init__(self, settings: Settings, log: Path, crash_at: str = "") -> None:
        environ = {
            **os.environ,
            **settings.environ(),
            "SLASTREAM_CRASH_AT": crash_at,
            "PYTHONPATH": os.pathsep.join(
                [str(Path(__file__).parents[2]), str(Path(__file__).parent)]
            ),
        }
        self.log = log
        self._file = log.open("ab")
        self.popen = subprocess.Popen(
            [sys.executable, __file__], env=environ, stdout=self._file, stderr=self._file
        )

    def text(self) -> str:
        return self.log.read_text("utf-8", "replace")

    async def gone(self, seconds: float = 20.0) -> int:
        await until(lambda: self.popen.poll() is not None, seconds, "the process has ended")
        return int(self.popen.returncode)

    def kill(self) -> None:
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGCONT)
            self.popen.kill()
        self.popen.wait()
        self._file.close()


def arm(ticket: str, due: int) -> tuple[bytes, bytes]:
    return ticket.encode(), json.dumps({"due": due}).encode()


def done(ticket: str) -> tuple[bytes, bytes]:
    return ticket.encode(), b'{"done": true}'


def now_ms() -> int:
    return int(time.time() * 1000)


def main() -> None:
    from slastream.running import NOISY, log_to_stderr

    log_to_stderr("info", NOISY)

    async def run() -> int:
        worker = Worker(Settings.from_environment(), engine=Toy, deadlines=toy_deadline)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop.set)
        return await worker.run()

    sys.exit(asyncio.run(run()))


if __name__ == "__main__":
    main()
