"""The job in Faust as it comes, none of our parts in it: `python -m bench.peers.stock_faust`.

An agent, a table in RocksDB, a timer. A timer may not write to a RocksDB table, so deadlines wait in
a heap in memory, and what the timer has announced is written down by the ticket's next event. After
a restart such an alert is repeated; that is the price of the plain way. It says on standard output
when it reads the first record.
"""

from __future__ import annotations

import argparse
import heapq
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import faust

from bench.peers.job import Alert, earliest, overdue, step

TICK = 0.05
"""Seconds between two looks at the deadlines, as in the other engines."""


def application(broker: str, prefix: str, folder: Path) -> faust.App:
    app = faust.App(
        prefix.rstrip("."),
        broker=f"kafka://{broker}",
        store="rocksdb://",
        datadir=folder,
        topic_partitions=4,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        cython_optimizations=True,
        web_enabled=False,
    )
    tickets = app.topic(f"{prefix}tickets.v1", key_type=str, key_serializer="raw")
    clocks = app.topic(f"{prefix}clocks.v1", key_type=str, key_serializer="raw")
    alerts = app.topic(f"{prefix}alerts.v1", key_type=str, key_serializer="raw")
    rows = app.Table("rows", partitions=4, key_type=str, options={"driver": "rocksdict"})
    waiting: dict[int, list[tuple[int, str]]] = defaultdict(list)
    clock: dict[int, int] = {}
    known: dict[str, dict[str, Any]] = {}
    announced: set[tuple[str, int, int]] = set()
    first = True

    async def announce(key: str, due: list[Alert]) -> None:
        for alert in due:
            told = (key, alert["clock"], alert["due"])
            if told in announced:
                announced.remove(told)
            else:
                await alerts.send(key=key, value=alert)

    @app.agent(tickets)  # type: ignore[untyped-decorator]
    async def take(events: Any) -> None:
        nonlocal first
        async for told in events.events():
            if first:
                first = False
                print(f"first {time.time():.3f}", file=sys.__stdout__, flush=True)
            event, partition = told.value, told.message.partition
            if event is None:
                continue
            key = told.key
            row, due = step(rows.get(key), event)
            rows[key] = row
            clock[partition] = event["occurred_at"]
            at = earliest(row)
            if at:
                known[key] = row
                heapq.heappush(waiting[partition], (at, key))
            else:
                known.pop(key, None)
            # Whatever waits comes last: the timer may run meanwhile, and must see this row.
            await announce(key, due)
            await clocks.send(key=key, value=row)

    @app.timer(interval=TICK)  # type: ignore[untyped-decorator]
    async def fire() -> None:
        for partition, heap in waiting.items():
            now = clock[partition]
            while heap and heap[0][0] <= now:
                at, key = heapq.heappop(heap)
                row = known.get(key)
                if row is None or earliest(row) != at:
                    continue
                row = known[key] = {**row, "due": list(row["due"])}
                due = overdue(row, key.rpartition("/")[2], now)
                announced.update((key, alert["clock"], alert["due"]) for alert in due)
                following = earliest(row)
                if following:
                    heapq.heappush(heap, (following, key))
                for alert in due:
                    await alerts.send(key=key, value=alert)

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--broker", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    args = parser.parse_args()
    app = application(args.broker, args.prefix, args.data_dir)
    sys.argv = [sys.argv[0], "--loop", "uvloop", "worker", "-l", "warn", "--without-web"]
    app.main()


if __name__ == "__main__":
    main()
