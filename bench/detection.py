"""How long after a deadline its alert can be read: `python -m bench.detection`.

A real broker, `slastream worker` as a process of its own, tickets that nobody touches again, one
due every few milliseconds. Counted: the instant at which a read-committed consumer in this process
is handed the breach, minus the instant that was due. `--clocks` adds so many open tickets, which the
worker rebuilds from a changelog first (`bench.bigstate`), and `--rate` updates of them each second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from bench import bigstate
from bench.watching import Load
from slastream.core.instant import format_instant, parse_instant
from slastream.kafka import admin, plan
from slastream.kafka.local import LocalBroker

RESULTS = Path(__file__).parent / "results" / "detection.json"
HOUR = 3_600_000


async def feed(broker: str, deadlines: int, apart: float, first: int) -> None:
    """Write tickets created an hour before they are due, `apart` milliseconds from each other."""
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        for n in range(deadlines):
            at = format_instant(first + round(n * apart) - HOUR)
            told = {
                "tenant": "bench", "source": "canonical", "ticket": str(n), "occurred_at": at,
                "created_at": at, "kind": "created", "state": "new", "type": "soon", "id": f"c{n}",
            }  # fmt: skip
            await producer.send("sla.raw.canonical", orjson.dumps(told))
        await producer.flush()


async def listen(broker: str, deadlines: int, limit: float) -> list[float]:
    """Return the delays in milliseconds of the breaches that arrived before `limit`."""
    delays: dict[bytes, float] = {}
    consumer = AIOKafkaConsumer(
        "sla.alerts.v1",
        bootstrap_servers=broker,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        group_id=None,
    )
    async with consumer:
        while len(delays) < deadlines and time.time() < limit:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                now = time.time() * 1000
                for record in records:
                    if dict(record.headers)["ce_type"] == b"io.slastream.sla.breached.v1":
                        due = parse_instant(orjson.loads(record.value)["due"])
                        delays.setdefault(record.key, now - due)
    return sorted(delays.values())


async def measure(args: argparse.Namespace, broker: str, folder: Path) -> dict[str, Any]:
    await admin.create({"bootstrap_servers": broker}, plan.plan(sources=("canonical",)))
    book, _ = bigstate.book(folder)
    load = Load(broker, args.rate, args.clocks)
    if args.clocks:
        kind = bigstate.open_tickets(book, int(time.time() * 1000))
        await bigstate.write(broker, LocalBroker().cluster_id, kind.tickets(args.clocks), 4)
    command = [
        sys.executable, "-m", "slastream", "worker", "--broker", broker, "--web-port", "0",
        "--data-dir", str(folder / "data"), "--book", str(folder / "book.yaml"),
    ]  # fmt: skip
    with (folder / "worker.log").open("wb") as log:
        worker = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        while b"ready: " not in (folder / "worker.log").read_bytes():
            await asyncio.sleep(0.1)
            if worker.returncode is not None:
                raise SystemExit((folder / "worker.log").read_text())
        if args.rate:
            await asyncio.sleep(args.clocks / 200_000)  # the table is swept and merged once
            await load.start()
        first = int((time.time() + args.lead) * 1000)
        await feed(broker, args.deadlines, args.apart, first)
        limit = first / 1000 + args.deadlines * args.apart / 1000 + 30
        delays = await listen(broker, args.deadlines, limit)
    finally:
        await load.stop()
        worker.terminate()
        await asyncio.wait_for(worker.wait(), 15)
    if not delays:
        raise SystemExit("no breach arrived\n" + (folder / "worker.log").read_text())
    return {
        "deadlines": args.deadlines,
        "announced": len(delays),
        "ms_apart": args.apart,
        "open_tickets_besides": args.clocks,
        "updates_per_second": args.rate,
        "due_to_readable_ms": {
            "min": round(delays[0], 1),
            "p50": round(delays[len(delays) // 2], 1),
            "p99": round(delays[len(delays) * 99 // 100], 1),
            "max": round(delays[-1], 1),
        },
    }


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deadlines", type=int, default=1_000)
    parser.add_argument("--apart", type=float, default=20.0, help="milliseconds between two")
    parser.add_argument("--clocks", type=int, default=0, help="open tickets besides")
    parser.add_argument("--rate", type=float, default=0, help="updates of these, a second")
    parser.add_argument("--lead", type=float, default=10.0, help="seconds before the first is due")
    args = parser.parse_args()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        local = LocalBroker()
        stack.callback(local.stop)
        figures = await measure(args, await asyncio.to_thread(local.start), folder)
    print(json.dumps(figures, indent=1))
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    name = "burst" if args.apart == 0 else "idle"
    known[f"{args.clocks} clocks, {args.rate:g} updates/s" if args.clocks else name] = figures
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
