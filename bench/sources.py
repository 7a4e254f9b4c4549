"""From bytes to events: deliveries a second on one core, for every source.

    python -m bench.sources

The deliveries are the samples that ship, in rotation. Processor time counts, in the best of five
rounds, so that a busy machine does not count against a source. `--json` writes the figures as JSON.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from slastream.sources import SOURCES, Delivery, read
from slastream.sources.files import read_events, recorded
from slastream.sources.samples import samples

AIM = 40_000
RESULTS = Path(__file__).parent / "results" / "sources.json"
FULL = json.dumps(
    {
        "tenant": "acme-msp",
        "source": "connectwise",
        "ticket": "714502",
        "occurred_at": "2026-03-02T09:02:11.000Z",
        "created_at": "2026-03-02T08:58:40.000Z",
        "id": "6dd80001-5e46",
        "sequence": 12,
        "kind": "updated",
        "status": "Waiting Client",
        "board": "Service Desk",
        "channel": "mail",
        "priority": "P2",
        "client": "harbour-dental",
        "contract": "gold",
        "type": "incident",
        "team": "network",
        "assignee": "maalto",
        "actor": {"id": "maalto", "kind": "agent"},
        "number": "T20260302.0012",
    }
).encode()


def rate(deliveries: list[Delivery], rounds: int = 5, seconds: float = 0.3) -> float:
    """Return deliveries a second in the best of some rounds."""
    best = 0.0
    for _ in range(rounds):
        done, started = 0, time.process_time()
        while (spent := time.process_time() - started) < seconds:
            for _ in range(20):
                for delivery in deliveries:
                    read(delivery)
            done += 20 * len(deliveries)
        best = max(best, done / spent)
    return best


def file_rate(events: int = 200_000) -> float:
    """Return events a second through `read_events`, from a file of JSON Lines without ids."""
    line = FULL.replace(b'"id": "6dd80001-5e46", ', b"")
    with TemporaryDirectory() as folder:
        file = Path(folder) / "events.jsonl"
        file.write_bytes((line + b"\n") * events)
        started = time.process_time()
        for _ in islice(read_events([file]), events):
            pass
        return events / (time.process_time() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    figures: dict[str, float] = {}
    for name, module in SOURCES.items():
        if module.endswith(f".{name}"):
            cases = [recorded(it["delivery"], name, "acme-msp", 0) for it in samples(name)]
            figures[name] = rate(cases)
            print(f"{name:18} {figures[name]:10,.0f} deliveries/s")
    median = statistics.median(figures.values())
    print(f"{'median':18} {median:10,.0f} deliveries/s (aim: {AIM:,})")
    full, file = rate([Delivery("canonical", value=FULL)]), file_rate()
    print(f"{'canonical, typical':18} {full:10,.0f} events/s from bytes (aim: 150,000)")
    print(f"{'canonical, a file':18} {file:10,.0f} events/s from JSON Lines, ids made by us")
    if options.json:
        RESULTS.write_text(
            json.dumps(
                {
                    "python": platform.python_version(),
                    "deliveries_per_second": {name: round(it) for name, it in figures.items()},
                    "median": round(median),
                    "canonical_typical": round(full),
                    "canonical_file": round(file),
                },
                indent=2,
            )
            + "\n"
        )


if __name__ == "__main__":
    main()
