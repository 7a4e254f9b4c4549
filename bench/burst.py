"""Monday, 08:30: `python -m bench.burst`: a hundred thousand deadlines within one second.

A worker process with those tickets and many more open ones (`bench.bigstate`), its topics on a real broker,
updates of other tickets arriving all the while. Counted, without reading what is measured
(`bench.watching`): the wall time at which the last of the burst's alerts, snapshots and rows
could be read, minus the instant of the first deadline; and how long updates took meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from contextlib import AsyncExitStack
from itertools import chain
from pathlib import Path
from typing import Any

import uvloop

from bench import bigstate
from bench.process import WorkerProcess
from bench.watching import Load, Watch, spread
from slastream.engine import partition
from slastream.kafka import admin, plan
from slastream.kafka.local import LocalBroker

RESULTS = Path(__file__).parent / "results" / "burst.json"
OUT = ("sla.alerts.v1", "sla.clocks.v1", "sla.state.v1")


async def measure(args: argparse.Namespace, local: LocalBroker, folder: Path) -> dict[str, Any]:
    broker = local.bootstrap
    wanted = plan.plan(partitions=args.partitions, sources=("canonical",))
    await admin.create({"bootstrap_servers": broker}, wanted)
    book, file = bigstate.book(folder)
    first = int((time.time() + args.lead) * 1000)
    due = bigstate.due_tickets(book, first, args.within)
    others = bigstate.open_tickets(book, int(time.time() * 1000))
    told = chain(due.tickets(args.deadlines), others.tickets(args.open))
    await bigstate.write(broker, local.cluster_id, told, args.partitions)
    worker = WorkerProcess(broker, folder, "one", "--book", str(file), "--web-port", "0")
    load = Load(broker, args.rate, args.open)
    watch = Watch(broker, OUT, args.partitions)
    profile = Path(args.profile) if args.profile else None
    await worker.start(profile)
    try:
        await worker.ready()
        left = first / 1000 - time.time()
        if left < 4:
            raise SystemExit(f"ready {left:.1f} s before the burst: give a longer --lead")
        await watch.start()
        await asyncio.sleep(left - 3)
        await load.start()
        await asyncio.sleep(3)
        cpu = worker.cpu()
        await asyncio.sleep(first / 1000 + args.watch - time.time())
        cpu = worker.cpu() - cpu
        await load.stop()
        await watch.quiet(1.0)
    finally:
        await worker.stop()
        await watch.stop()
    last: dict[str, float] = {}
    counts: dict[str, int] = {}
    ids: set[bytes] = set()
    for topic in OUT:
        async for record, at in watch.records(topic):
            if at > first / 1000 and record.key.startswith(b"bench/canonical/due-"):
                counts[topic] = counts.get(topic, 0) + 1
                last[topic] = max(last.get(topic, 0.0), at)
                if topic == OUT[0]:
                    ids.add(dict(record.headers)["ce_id"])
    over = max(last.values())
    return {
        "deadlines": args.deadlines,
        "within_ms": args.within,
        "open_besides": args.open,
        "partitions": args.partitions,
        "records": counts,
        "ids": len(ids),
        "last_readable_s": {topic: round(at - first / 1000, 2) for topic, at in last.items()},
        "cpu_s": round(cpu, 2),
        "updates_per_second": args.rate,
        "update_to_snapshot_ms": {
            "during": spread(await load.delays(watch, first / 1000, over)),
            "after": spread(await load.delays(watch, over + 1, 1e12)),
        },
    }


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deadlines", type=int, default=100_000)
    parser.add_argument("--within", type=int, default=1_000, help="milliseconds")
    parser.add_argument("--open", type=int, default=100_000, help="other tickets, due much later")
    parser.add_argument("--rate", type=float, default=200, help="updates of these, a second")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--lead", type=float, default=30.0, help="seconds before the burst")
    parser.add_argument("--watch", type=float, default=25.0, help="seconds after it")
    parser.add_argument("--profile", help="a file for cProfile; its figures are not kept")
    args = parser.parse_args()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        local = LocalBroker()
        stack.callback(local.stop)
        await asyncio.to_thread(local.start)
        figures = await measure(args, local, folder)
    print(json.dumps(figures, indent=1))
    if not args.profile:
        command = f"python -m bench.burst --deadlines {args.deadlines} --rate {args.rate:g}"
        name = "compiled" if (partition.__file__ or "").endswith(".so") else "interpreted"
        known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        known[name] = {"command": command, **figures}
        RESULTS.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
