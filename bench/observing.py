"""What metrics cost a step, as a share of it: `python -m bench.observing [TICKETS]`.

The engine's own part (comparing standings) is switched off and on; the page's part is what the
worker does after each commit. All in one process, in turn, so that a busy machine is fair to both.
"""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext
from functools import partial
from unittest.mock import patch

from bench import workload
from slastream import metrics, wire
from slastream.core.books import Books
from slastream.engine import step
from slastream.engine.effects import Effects, Record
from slastream.engine.partition import Partition
from slastream.engine.store import MemoryStore
from slastream.observe.census import Census, Portion
from slastream.observe.labels import Allowed, Bounded


class Run:
    """One partition in memory that is stepped through a workload, and the CPU seconds of it."""

    def __init__(self) -> None:
        self.partition = Partition(0, MemoryStore(), Books(workload.book()))
        self.seconds = 0.0
        self.steps: list[Effects] = []

    def step(self, records: list[Record]) -> None:
        """Apply some records and fire what is due."""
        partition, store, began = self.partition, self.partition.store, time.process_time()
        for ask in (partial(partition.apply, records), partial(self._fire, partition)):
            effects = ask()
            store.write(effects.rows, effects.deadlines_put, effects.deadlines_del)
            self.steps.append(effects)
        self.seconds += time.process_time() - began

    def _fire(self, partition: Partition) -> Effects:
        return partition.fire(partition.time, 1000)


def observe(steps: list[Effects]) -> float:
    """Return the CPU seconds of counting what these steps did."""
    census = Census(Allowed())
    portion = census.portions[0] = Portion(Bounded(30), Allowed())
    portion.complete = True
    began = time.process_time()
    for effects in steps:
        metrics.record(0, effects, 0.01, 500)
        census.committed(0, effects.standings)
    return time.process_time() - began


def main() -> None:
    tickets = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    told = enumerate(workload.events(tickets))
    records = [Record(n, e.occurred_at, wire.event_key(e), wire.encode_event(e)) for n, e in told]
    bare, counted = Run(), Run()
    for at in range(0, len(records), 500):
        # In turn, and each first every other time: whatever else runs is fair to both.
        for run in (bare, counted) if at % 1000 else (counted, bare):
            with patch.object(step, "standing", _nothing) if run is bare else nullcontext():
                run.step(records[at : at + 500])
    page = min(observe(counted.steps) for _ in range(5))
    standings, each = counted.seconds - bare.seconds, 1e6 / len(records)
    print(f"{len(records)} events; a step without metrics {bare.seconds * each:.1f} us an event")
    print(f"standings {standings * each:+.2f} us, page {page * each:.2f} us")
    print(f"together {(standings + page) / bare.seconds * 100:.1f} % of a step")


def _nothing(row: object) -> None:
    return None


if __name__ == "__main__":
    main()
