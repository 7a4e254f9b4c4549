"""slastream as one of the engines that are compared: `python -m bench.peers.ours`.

With `--toy` the peers' job takes the engine's place, so that what is left is what transport,
transaction and store cost. It says on standard output when it reads the first record and when what
the last one of a partition caused is committed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import orjson
import uvloop

from bench import workload
from bench.peers.job import Row, earliest, overdue, step
from slastream.core.books import Books
from slastream.engine.effects import Effects, Message, Record
from slastream.engine.partition import Partition
from slastream.engine.recent import Recent
from slastream.engine.row import deadline_of
from slastream.engine.store import Store
from slastream.running import log_to_stderr, stop_on_signals
from slastream.settings import Settings
from slastream.stream.app import Worker
from slastream.stream.processes import Part, Processes


class Toy:
    """The peers' job as an engine: rows, one indexed deadline a ticket, two topics."""

    def __init__(self, number: int, store: Store, books: Books) -> None:
        self.store = store

    def apply(self, records: Sequence[Record]) -> Effects:
        effects = Effects(position=records[-1].offset + 1)
        rows, before = self._load({record.key or b"" for record in records})
        for record in records:
            key = record.key or b""
            rows[key], alerts = row, _ = step(rows[key], orjson.loads(record.value or b""))
            for alert in alerts:
                effects.messages.append(Message("alerts", key, orjson.dumps(alert), []))
            value = effects.rows[key] = orjson.dumps(row)
            effects.messages.append(Message("clocks", key, value, []))
        self._index(effects, rows, before)
        return effects

    def fire(self, now: int, limit: int = 1000) -> Effects:
        effects = Effects()
        due = self.store.due(now, limit)
        rows, before = self._load({key for _, key in due})
        for at, key in due:
            row = rows[key]
            if row is None or before[key] != at:
                effects.deadlines_del.append((at, key))
                continue
            for alert in overdue(row, key.decode().rpartition("/")[2], now):
                effects.messages.append(Message("alerts", key, orjson.dumps(alert), []))
            effects.rows[key] = orjson.dumps(row)
        self._index(effects, rows, before)
        return effects

    def sweep(self, limit: int = 500) -> Effects | None:
        return None

    @property
    def next_due(self) -> int | None:
        return self.store.first_deadline()

    def _load(self, wanted: set[bytes]) -> tuple[dict[bytes, Row | None], dict[bytes, int]]:
        keys = list(wanted)
        found = self.store.get_many(keys)
        rows = {
            key: orjson.loads(row) if row else None for key, row in zip(keys, found, strict=True)
        }
        return rows, {key: earliest(row) if row else 0 for key, row in rows.items()}

    def _index(
        self, effects: Effects, rows: dict[bytes, Row | None], before: dict[bytes, int]
    ) -> None:
        for key, row in rows.items():
            after = earliest(row) if row else 0
            if before[key] == after:
                continue
            if before[key]:
                effects.deadlines_del.append((before[key], key))
            if after:
                effects.deadlines_put.append((after, key))


def toy_deadline(key: bytes, row: bytes) -> int | None:
    return earliest(orjson.loads(row)) or None


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--broker", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--ends", type=int, nargs="+", required=True, help="of the partitions")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--toy", action="store_true")
    args = parser.parse_args()
    log_to_stderr("info")
    part = Part.from_environment(os.environ)
    if part is not None:
        await serve(args, Settings.from_environment(), part)
        return
    settings = Settings(
        broker=args.broker, prefix=args.prefix, app_id=args.prefix.rstrip("."), instance_id="one",
        data_dir=args.data_dir, time="log", web_port=0, ingest=False, processes=args.processes,
    )  # fmt: skip
    if settings.processes == 1:
        await serve(args, settings)
        return
    several = Processes(settings, [sys.executable, "-m", "bench.peers.ours", *sys.argv[1:]])
    stop_on_signals(several.stop)
    await several.run()


async def serve(args: argparse.Namespace, settings: Settings, part: Part | None = None) -> None:
    """Run one process, and say how far it is."""
    engine: Callable[..., Toy | Partition] = (
        Toy if args.toy else partial(Partition, exact=True, recent=Recent())
    )
    first = False

    def hired(number: int, store: Store, books: Books) -> Toy | Partition:
        nonlocal first
        if not first:  # the first partition is open, and its first record is asked for next
            first = True
            say("first")
        return engine(number, store, books)

    deadlines = toy_deadline if args.toy else deadline_of
    worker = Worker(settings, engine=hired, deadlines=deadlines, part=part)
    if not args.toy:
        worker.books.add(workload.book())
    stop_on_signals(worker.stop)
    task = asyncio.create_task(worker.run())
    left = dict(enumerate(args.ends))
    while not task.done():
        await asyncio.sleep(0.02)
        for number, actor in worker.owners.actors.items():
            if actor.position >= left.get(number, sys.maxsize):
                say(f"done-{number}")
                del left[number]
    await task


def say(word: str) -> None:
    print(word, f"{time.time():.3f}", flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
