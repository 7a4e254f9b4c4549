"""A worker that lost its disk: `python -m bench.recovery --rows 1000000`.

The changelog holds rows that the real engine made (`bench.bigstate`), `--versions` of each ticket.
Counted: changelog records over the seconds from the first partition that opens to the last that is
ready. Beside it the same worker's memory at its peak, and what its disk holds then.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import tempfile
import time
from contextlib import AsyncExitStack
from itertools import chain
from pathlib import Path
from typing import Any

import uvloop

from bench import bigstate
from bench.process import WorkerProcess, disk
from slastream.kafka import admin, plan
from slastream.kafka.local import LocalBroker

RESULTS = Path(__file__).parent / "results" / "recovery.json"


async def measure(args: argparse.Namespace, local: LocalBroker, folder: Path) -> dict[str, Any]:
    broker = local.bootstrap
    wanted = plan.plan(partitions=args.partitions, sources=("canonical",))
    await admin.create({"bootstrap_servers": broker}, wanted)
    book, file = bigstate.book(folder)
    kind = bigstate.open_tickets(book, int(time.time() * 1000))
    tickets = args.rows // args.versions
    told = chain.from_iterable(kind.tickets(tickets) for _ in range(args.versions))
    began = time.monotonic()
    rows = await bigstate.write(broker, local.cluster_id, told, args.partitions)
    print(f"{rows} rows written in {time.monotonic() - began:.0f} s")
    runs = []
    for _ in range(args.runs):
        worker = WorkerProcess(broker, folder, "one", "--book", str(file), "--web-port", "0")
        profile = Path(args.profile) if args.profile else None
        await worker.start(profile)
        try:
            ready = await worker.ready()
            cpu, peak = worker.cpu(), worker.peak()
            helpers = worker.helpers()
            found = worker.recovered()
            size = disk(worker.data)
        finally:
            await worker.stop()
        shutil.rmtree(worker.data)
        slowest = max(took for _, _, took in found)
        records = sum(replayed for _, replayed, _ in found)
        runs.append(
            {
                "records": records,
                "seconds": slowest,
                "rows_per_second": round(records / slowest),
                "process_start_to_ready_s": round(ready, 2),
                "cpu_us_per_row": round(cpu / records * 1e6, 2),
                "rss_peak_mb": round(peak),
                "helpers_rss_peak_mb": [round(one) for one in helpers],
                "disk_mb": round(size),
            }
        )
        print(json.dumps(runs[-1]))
    return {
        "tickets": tickets,
        "versions": args.versions,
        "partitions": args.partitions,
        "bytes_of_a_row": round(sum(map(len, kind.rows)) / len(kind.rows)),
        "runs": runs,
    }


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="records in the changelog")
    parser.add_argument("--versions", type=int, default=1, help="records of each ticket")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--runs", type=int, default=3)
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
        command = f"python -m bench.recovery --rows {args.rows} --versions {args.versions}"
        known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        known[f"{args.rows} rows, {args.versions} of a ticket"] = {"command": command, **figures}
        RESULTS.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
