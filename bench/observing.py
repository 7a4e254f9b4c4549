"""What metrics cost a step, as a share of it: `python -m bench.observing [TICKETS]`.

The engine's own part (comparing standings) is switched off and on; the page's part is what the
worker does after each commit. All in one process, in turn, so that a busy machine is fair to both.
"""

from __future__ import annotations

import sys
import time
from statistics import median
from unittest.mock import patch

from bench import workload
from slastream import metrics, wire
from slastream.core.books import Books
from slastream.engine import partition as engine
from slastream.engine.effects import Effects, Record
from slastream.engine.store import MemoryStore
from slastream.observe.census import Census, Portion
from slastream.observe.labels import Allowed, Bounded


def run(records: list[Record]) -> tuple[float, list[Effects]]:
    """Return the CPU seconds of all steps, and what each asked for."""
    store = MemoryStore()
    partition = engine.Partition(0, store, Books(workload.book()))
    done, began = [], time.process_time()
    for at in range(0, len(records), 500):
        effects = partition.apply(records[at : at + 500])
        store.write(effects.rows, effects.deadlines_put, effects.deadlines_del)
        done.append(effects)
        effects = partition.fire(partition.time, 1000)
        store.write(effects.rows, effects.deadlines_put, effects.deadlines_del)
        done.append(effects)
    return time.process_time() - began, done


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
    without, withal, after = [], [], []
    for _ in range(5):
        with patch.object(engine, "standing", lambda row: None):
            without.append(run(records)[0])
        seconds, steps = run(records)
        withal.append(seconds)
        after.append(observe(steps))
    bare, engine_part, page = median(without), median(withal), median(after)
    each = 1e6 / len(records)
    print(f"{len(records)} events; a step without metrics {bare * each:.1f} us an event")
    print(f"standings {(engine_part - bare) * each:+.2f} us, page {page * each:.2f} us")
    print(f"together {(engine_part - bare + page) / bare * 100:.1f} % of a step")


if __name__ == "__main__":
    main()
