"""What an event costs when there are more workers, and more tickets: `python -m bench.scaling`.

The same events through one worker, through two, and through one that has a million open tickets
besides. Every worker is ready and idle before they are written into the journal; its CPU is read from
then until nothing more is committed. The broker's CPU is not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvloop
from aiokafka import AIOKafkaProducer

from bench import bigstate
from bench.process import WorkerProcess
from bench.watching import Watch
from slastream import wire
from slastream.kafka import admin, plan
from slastream.kafka.local import LocalBroker
from slastream.stream.partitioner import partition_of
from slastream.stream.transaction import Item, batches_of

RESULTS = Path(__file__).parent / "results" / "scaling.json"
PARTITIONS = 4
STATE = "sla.state.v1"


async def fill(broker: str, tickets: int) -> int:
    """Write six events of each of so many new tickets into the journal; returns how many."""
    parts: list[list[Item]] = [[] for _ in range(PARTITIONS)]
    now, count = int(time.time() * 1000), 0
    for number in range(tickets):
        for event in bigstate.story(number, now - 86_400_000 + number, f"new-{number}"):
            key = wire.event_key(event)
            parts[partition_of(key, PARTITIONS)].append(Item(key, wire.encode_event(event), []))
            count += 1
    async with AIOKafkaProducer(
        bootstrap_servers=broker, acks="all", max_batch_size=512 * 1024
    ) as producer:
        for number, items in enumerate(parts):
            for batch in batches_of(producer, items):
                await (await producer.send_batch(batch, "sla.tickets.v1", partition=number))
    return count


async def case(
    args: argparse.Namespace, folder: Path, workers: int, besides: int
) -> dict[str, Any]:
    """Return the CPU of an event in one set-up, each with a broker of its own."""
    async with AsyncExitStack() as stack:
        local = LocalBroker()
        stack.callback(local.stop)
        broker = await asyncio.to_thread(local.start)
        wanted = plan.plan(partitions=PARTITIONS, sources=("canonical",))
        await admin.create({"bootstrap_servers": broker}, wanted)
        folder = folder / f"{workers}-{besides}"
        folder.mkdir()
        book, file = bigstate.book(folder)
        if besides:
            kind = bigstate.open_tickets(book, int(time.time() * 1000))
            await bigstate.write(broker, local.cluster_id, kind.tickets(besides), PARTITIONS)
        running = [
            WorkerProcess(
                broker, folder, f"w{n}", "--book", str(file), "--web-port", "0", "--no-ingest"
            )
            for n in range(workers)
        ]
        watch = Watch(broker, [STATE], PARTITIONS, every=0.1)
        for worker in running:
            stack.push_async_callback(worker.stop)
            await worker.start()
        for worker in running:
            await worker.ready()
        await asyncio.sleep(3 + besides / 100_000)  # merging and sweeping is done
        await watch.start()
        await asyncio.sleep(0.5)
        before = [worker.cpu() for worker in running]
        began = time.time()
        events = await fill(broker, args.tickets)
        await watch.quiet(2.0)
        spent = [worker.cpu() - at for worker, at in zip(running, before, strict=True)]
        took = watch.moved - began
        await watch.stop()
    return {
        "workers": workers,
        "open_besides": besides,
        "events": events,
        "events_per_second": round(events / took),
        "cpu_us_per_event": round(sum(spent) / events * 1e6, 1),
    }


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=15_000, help="six events each")
    parser.add_argument("--besides", type=int, default=1_000_000, help="open tickets")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cases = []
        for workers, besides in ((1, 0), (2, 0), (1, args.besides)):
            cases.append(await case(args, folder, workers, besides))
            print(json.dumps(cases[-1]))
    one, two, big = (found["cpu_us_per_event"] for found in cases)
    figures = {
        "command": f"python -m bench.scaling --tickets {args.tickets} --besides {args.besides}",
        "two_workers_over_one": round(two / one, 3),
        "many_tickets_over_none": round(big / one, 3),
        "cases": cases,
    }
    print(json.dumps(figures, indent=1))
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
