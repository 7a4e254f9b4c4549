"""Two workers, one is killed: `python -m bench.takeover`: when do its partitions announce again?

Half a million open tickets on four partitions, and one more ticket due every few milliseconds all the
while. kill -9 of one worker moves two partitions and 250,000 rows to the other, which has never seen
them. Counted: seconds from the kill to the first alert of each moved partition that can be read.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import tempfile
import time
from contextlib import AsyncExitStack
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import uvloop

from bench import bigstate
from bench.process import WorkerProcess
from bench.watching import Watch
from slastream.kafka import admin, plan
from slastream.kafka.local import LocalBroker

RESULTS = Path(__file__).parent / "results" / "takeover.json"
ALERTS = "sla.alerts.v1"
PARTITIONS = 4


async def measure(args: argparse.Namespace, local: LocalBroker, folder: Path) -> dict[str, Any]:
    broker = local.bootstrap
    wanted = plan.plan(partitions=PARTITIONS, sources=("canonical",))
    await admin.create({"bootstrap_servers": broker}, wanted)
    book, file = bigstate.book(folder)
    now = int(time.time() * 1000)
    # One due every 25 ms from when both are surely at work until long after the kill.
    due = bigstate.due_tickets(book, now + 30_000, 50_000)
    told = chain(bigstate.open_tickets(book, now).tickets(args.rows), due.tickets(2_000))
    await bigstate.write(broker, local.cluster_id, told, PARTITIONS)
    workers = [
        WorkerProcess(broker, folder, name, "--book", str(file), "--web-port", "0")
        for name in ("one", "two")
    ]
    watch = Watch(broker, [ALERTS], PARTITIONS)
    try:
        await watch.start()
        for worker in workers:
            await worker.start()
        for worker in workers:
            await worker.ready()
        await asyncio.sleep(now / 1000 + 36 - time.time())
        before = workers[0].log.read_text()
        _forget(workers[0].data, workers[1].log.read_text())
        killed = time.time()
        workers[1].kill()
        await asyncio.sleep(args.watch)
        log = workers[0].log.read_text()
        after = workers[0].recovered()[len(_recovered(before)) :]
    finally:
        for worker in workers:
            await worker.stop()
        await watch.stop()
    moved = sorted({number for number, _, _ in after})
    times: dict[int, list[float]] = {number: [] for number in range(PARTITIONS)}
    async for record, at in watch.records(ALERTS):
        times[record.partition].append(at - killed)
    first = {n: round(min(t for t in times[n] if t > 0), 2) for n in range(PARTITIONS)}
    gap = {n: round(_gap(times[n]), 2) for n in range(PARTITIONS)}
    return {
        "rows_moved": sum(rows for _, rows, _ in after),
        "partitions_moved": moved,
        "recovery_s": [took for _, _, took in after],
        "first_alert_after_kill_s": first,
        "longest_silence_s": gap,
        "alerts": sum(map(len, times.values())),
        "log": [line for line in log[len(before) :].splitlines() if "partition" in line],
    }


def _forget(data: Path, others: str) -> None:
    """Delete what a worker still has of partitions that were its own until the other one came."""
    for line in _recovered(others):
        number = line.partition("partition ")[2].partition(":")[0]
        shutil.rmtree(data / f"slastream-{number}.rocksdb", ignore_errors=True)


def _recovered(log: str) -> list[str]:
    return [line for line in log.splitlines() if ": recovered " in line]


def _gap(times: list[float]) -> float:
    """Return the longest time between two alerts after the kill."""
    late = [0.0, *sorted(t for t in times if t > 0)]
    return max(b - a for a, b in pairwise(late))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000, help="half of them are moved")
    parser.add_argument("--watch", type=float, default=30.0, help="seconds after the kill")
    args = parser.parse_args()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        local = LocalBroker()
        stack.callback(local.stop)
        await asyncio.to_thread(local.start)
        figures = await measure(args, local, folder)
    print(json.dumps(figures, indent=1))
    figures["command"] = f"python -m bench.takeover --rows {args.rows}"
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
