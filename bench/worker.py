"""Throughput of one worker, from journal to committed state: `python -m bench.worker`.

A real broker, the canonical workload already in the journal, one worker in this process. The CPU
counted is this process's, broker excluded. `--toy` puts a trivial job in the engine's place, which
shows what transport, transaction and store cost by themselves.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import pstats
import resource
import shutil
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvloop
from aiokafka import AIOKafkaProducer

from bench import toy, workload
from slastream import wire
from slastream.engine.effects import Effects
from slastream.engine.partition import Partition
from slastream.engine.row import deadline_of
from slastream.kafka import admin, plan
from slastream.kafka.local import LocalBroker
from slastream.settings import Settings
from slastream.stream.app import Worker
from slastream.stream.changelog import Recovered
from slastream.stream.partitioner import partition_of
from slastream.stream.transaction import Item, batches_of

RESULTS = Path(__file__).parent / "results" / "worker.json"


async def fill(settings: Settings, partitions: int, tickets: int) -> int:
    """Write the workload into the journal, with its own times as log times."""
    places: dict[bytes, int] = {}
    parts: list[list[Item]] = [[] for _ in range(partitions)]
    count = 0
    for event in workload.events(tickets):
        key = wire.event_key(event)
        place = places.get(key)
        if place is None:
            place = places[key] = partition_of(key, partitions)
        parts[place].append(Item(key, wire.encode_event(event), [], event.occurred_at))
        count += 1
    topic = settings.topic("tickets")
    async with AIOKafkaProducer(
        bootstrap_servers=settings.broker, acks="all", max_batch_size=512 * 1024
    ) as producer:
        for number, items in enumerate(parts):
            for batch in batches_of(producer, items):
                await (await producer.send_batch(batch, topic, partition=number))
    return count


async def measure(args: argparse.Namespace, broker: str, folder: Path) -> dict[str, Any]:
    settings = Settings(
        broker=broker, prefix="bench.", app_id="bench", instance_id="one", data_dir=folder,
        time="log", web_port=0, ingest=False, chunk=args.chunk,
    )  # fmt: skip
    wanted = plan.plan("bench.", args.partitions, simulated=True, sources=())
    await admin.create({"bootstrap_servers": broker}, wanted)
    events = await fill(settings, args.partitions, args.tickets)
    parts: dict[str, Any] = {"engine": Partition, "deadlines": deadline_of}
    if args.toy:
        parts = {"engine": toy.Toy, "deadlines": toy.deadline}
    worker = Worker(settings, **parts)
    worker.books.add(workload.book())
    seconds: list[float] = []
    messages = 0

    def committed(number: int, effects: Effects, took: float, records: int) -> None:
        nonlocal messages
        seconds.append(took)
        messages += len(effects.messages)

    worker._committed = committed  # type: ignore[method-assign]
    task = asyncio.create_task(worker.run())
    while not (worker.ready and len(worker.owners.actors) == args.partitions):
        await asyncio.sleep(0.005)
        if task.done():
            task.result()
    profile = cProfile.Profile() if args.profile else None
    if profile:
        profile.enable()
    # From here: what was done before all partitions were ready is left out of both figures.
    actors = list(worker.owners.actors.values())
    began, cpu, before = time.perf_counter(), time.process_time(), sum(a.position for a in actors)
    while sum(actor.position for actor in actors) < events:
        await asyncio.sleep(0.01)
        if task.done():
            task.result()
    took, spent = time.perf_counter() - began, time.process_time() - cpu
    if profile:
        profile.disable()
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    worker.stop.set()
    await task
    rows, rebuilt = await recover(settings, args.partitions, parts)
    done = events - before
    seconds.sort()
    return {
        "engine": "toy" if args.toy else "full",
        "events": done,
        "events_per_second": round(done / took),
        "cpu_us_per_event": round(spent / done * 1e6, 1),
        "transactions": len(seconds),
        "messages": messages,
        "commit_ms_p50": round(seconds[len(seconds) // 2] * 1e3, 1),
        "commit_ms_p99": round(seconds[len(seconds) * 99 // 100] * 1e3, 1),
        "recovered_rows": rows,
        "recovered_rows_per_second": round(rows / rebuilt),
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "chunk": args.chunk,
        "partitions": args.partitions,
        "tickets": args.tickets,
    }


async def recover(settings: Settings, partitions: int, parts: dict[str, Any]) -> tuple[int, float]:
    """Lose the disk and start again; returns changelog records replayed, and the seconds it took."""
    shutil.rmtree(settings.data_dir)
    worker = Worker(settings, **parts)
    worker.books.add(workload.book())
    found: list[Recovered] = []

    def changed(number: int, state: str, recovered: Recovered | None) -> None:
        if recovered is not None:
            found.append(recovered)

    worker._changed = changed  # type: ignore[method-assign]
    task = asyncio.create_task(worker.run())
    while len(found) < partitions:
        await asyncio.sleep(0.005)
        if task.done():
            task.result()
    worker.stop.set()
    await task
    return sum(one.rows for one in found), max(one.seconds for one in found)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=10_000, help="eight events each")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--chunk", type=int, default=Settings.chunk)
    parser.add_argument("--broker", help="else a local one is started")
    parser.add_argument("--toy", action="store_true")
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = args.broker
        if broker is None:
            local = LocalBroker()
            stack.callback(local.stop)
            broker = await asyncio.to_thread(local.start)
        figures = await measure(args, broker, folder)
    print(json.dumps(figures, indent=1))
    if not args.profile:
        known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        known[figures["engine"]] = figures
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
