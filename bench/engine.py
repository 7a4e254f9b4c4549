"""CPU per event of the partition's step, without Kafka: `python -m bench.engine [TICKETS]`."""

from __future__ import annotations

import cProfile
import gc
import pstats
import sys
import time

from bench import workload
from slastream import wire
from slastream.core.books import Books
from slastream.engine.effects import Record
from slastream.engine.partition import Partition
from slastream.engine.store import MemoryStore


def main() -> None:
    tickets = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
    records = [
        Record(i, event.occurred_at, wire.event_key(event), wire.encode_event(event))
        for i, event in enumerate(workload.events(tickets))
    ]
    store = MemoryStore()
    partition = Partition(0, store, Books(workload.book()))
    profile = cProfile.Profile() if "--profile" in sys.argv else None
    if profile:
        profile.enable()
    gc.freeze()  # as a worker does, which does not hold all events at once
    gc.set_threshold(200_000, 20, 20)
    began, messages, fired = time.process_time(), 0, 0
    for at in range(0, len(records), 500):
        effects = partition.apply(records[at : at + 500])
        store.write(effects.rows, effects.deadlines_put, effects.deadlines_del)
        messages += len(effects.messages)
        while True:
            effects = partition.fire(partition.time, 1000)
            store.write(effects.rows, effects.deadlines_put, effects.deadlines_del)
            messages += len(effects.messages)
            fired += len(effects.rows)
            if not effects.more:
                break
    spent = time.process_time() - began
    if profile:
        profile.disable()
        pstats.Stats(profile).sort_stats("tottime").print_stats(60)
    rate = len(records) / spent
    print(
        f"{len(records)} events, {rate:,.0f}/s, {1e6 / rate:.1f} us each,"
        f" {messages} messages, {fired} fired rows"
    )


if __name__ == "__main__":
    main()
