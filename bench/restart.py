"""A worker with a million open tickets is started again on its disk: `python -m bench.restart`.

Twice: after it was asked to end, and after kill -9. Some tickets fall due while it is away. Counted:
seconds from the start of the process to the first alert that a read-committed consumer can read.
Beside it the worker's memory: when it was ready, after its clocks were counted, and after `--load`
seconds of `--rate` updates of random tickets a second.
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
from bench.process import WorkerProcess, disk
from bench.watching import Load, Watch
from slastream.kafka import admin, plan, ports
from slastream.kafka.local import LocalBroker

RESULTS = Path(__file__).parent / "results" / "restart.json"
ALERTS = "sla.alerts.v1"
OVERDUE = 500
"""Tickets that fall due while the worker is away."""


async def first_alert(broker: str, worker: WorkerProcess, partitions: int) -> dict[str, float]:
    """Start the worker; return seconds until it is ready, and until a new alert can be read."""
    watch = Watch(broker, [ALERTS], partitions, every=0.01)
    await watch.start()
    await asyncio.sleep(0.5)
    await worker.start()
    ready = await worker.ready()
    while watch.moved < worker.began and worker.returncode is None:
        await asyncio.sleep(0.05)
        if time.time() - worker.began > 60:
            break
    await watch.quiet(1.0)
    await watch.stop()
    seen = [at async for _, at in watch.records(ALERTS) if at > worker.began]
    return {
        "ready_s": round(ready, 2),
        "first_overdue_alert_s": round(min(seen) - worker.began, 2),
        "all_overdue_alerts_s": round(max(seen) - worker.began, 2),
        "alerts": len(seen),
    }


async def measure(args: argparse.Namespace, local: LocalBroker, folder: Path) -> dict[str, Any]:
    broker = local.bootstrap
    wanted = plan.plan(partitions=args.partitions, sources=("canonical",))
    await admin.create({"bootstrap_servers": broker}, wanted)
    book, file = bigstate.book(folder)
    now = int(time.time() * 1000)
    first, second = (now + round(1000 * (args.lead + n * (22 + args.load))) for n in (0, 1))
    told = chain(
        bigstate.open_tickets(book, now).tickets(args.tickets),
        bigstate.due_tickets(book, first, 2_000, "first").tickets(OVERDUE),
        bigstate.due_tickets(book, second, 2_000, "second").tickets(OVERDUE),
    )
    await bigstate.write(broker, local.cluster_id, told, args.partitions)
    worker = WorkerProcess(
        broker, folder, "one", "--book", str(file), "--web-port", str(ports.free())
    )
    memory: dict[str, float] = {}
    try:
        await worker.start()
        await worker.ready()
        memory["rebuilt"] = worker.rss()
        await worker.stop()
        if time.time() * 1000 > first:
            raise SystemExit("too late: give a longer --lead")
        await asyncio.sleep(first / 1000 + 2.5 - time.time())
        stopped = await first_alert(broker, worker, args.partitions)
        memory["ready"] = worker.rss()
        print(json.dumps(stopped))
        load = Load(broker, args.rate, args.tickets)
        await load.start()
        for step in range(4):
            await asyncio.sleep(args.load / 4)
            memory[f"load_{round(args.load * (step + 1) / 4)}_s"] = worker.rss()
        await load.stop()
        memory["peak"] = worker.peak()
        await asyncio.sleep(second / 1000 - 1 - time.time())
        worker.kill()
        await asyncio.sleep(3.5)
        killed = await first_alert(broker, worker, args.partitions)
        size = disk(worker.data)
    finally:
        await worker.stop()
    return {
        "tickets": args.tickets,
        "partitions": args.partitions,
        "after_stop": stopped,
        "after_kill": killed,
        "rss_mb": {name: round(value) for name, value in memory.items()},
        "load": {"seconds": args.load, "updates_per_second": args.rate},
        "disk_mb": round(size),
    }


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--lead", type=float, default=45.0, help="seconds to make the state in")
    parser.add_argument("--load", type=float, default=60.0, help="seconds of updates")
    parser.add_argument("--rate", type=float, default=1_000, help="updates a second")
    args = parser.parse_args()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        local = LocalBroker()
        stack.callback(local.stop)
        await asyncio.to_thread(local.start)
        figures = await measure(args, local, folder)
    print(json.dumps(figures, indent=1))
    command = f"python -m bench.restart --tickets {args.tickets} --load {args.load:g}"
    command += f" --rate {args.rate:g}"
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    known[f"{args.tickets} tickets, {args.load:g} s of load"] = {"command": command, **figures}
    RESULTS.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
