"""How far `backtest` agrees with the verdict that a ServiceNow instance recorded itself (made_sla).

    python -m bench.incidents_agreement servicenow_incident_log.csv

The log is public ("Incident management process enriched event log", UCI); it holds the verdict and
not the targets behind it, so the targets of `deploy/examples/incidents/book.yaml` were chosen before
the first run and are not fitted. What can be explained of each disagreement is counted here: it is
about targets and calendars that nobody told, and about what the instance's clock did.
Figures go to `bench/results/incidents_agreement.json`.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

from slastream.book import load
from slastream.core.books import Books
from slastream.core.event import State
from slastream.core.policy import Indicator
from slastream.core.shapes import Clock
from slastream.offline.histories import read_histories
from slastream.offline.run import Judged, Trouble, run
from slastream.sources.files import read_events

EXAMPLE = Path(__file__).parent.parent / "deploy" / "examples" / "incidents"
RESULTS = Path(__file__).parent / "results" / "incidents_agreement.json"


def recorded(path: Path) -> dict[str, bool]:
    """Return, by incident, whether the instance said in the end that its SLA was made."""
    with path.open(newline="", encoding="utf-8") as file:
        return {row["number"]: row["made_sla"] == "TRUE" for row in csv.DictReader(file)}


def first_missed(path: Path) -> dict[str, str]:
    """Return, by incident, the state in which the instance first showed a miss."""
    found: dict[str, str] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["made_sla"] == "FALSE":
                found.setdefault(row["number"], row["incident_state"])
    return found


def reason(ticket: Judged, clock: Clock, theirs: bool, shown_in: str | None) -> str:
    """Say, of one disagreement, what the log itself shows to explain it."""
    fold = ticket.fold
    target = clock.target or 0
    reached = clock.reached or 0
    closed = next((each.at for each in fold.ledger if each.state == State.CLOSED), None)
    if theirs:
        if fold.reopened:
            return "ours missed: reopened, and we go on counting where the instance began anew"
        if clock.elapsed <= 2 * target:
            return "ours missed: by less than our target once more (their target is longer)"
        return "ours missed: by far, so no target of this ladder's kind was theirs"
    if reached - clock.started > target:
        return "theirs missed: only our pause while waiting for the client keeps it in time"
    if shown_in == "Closed" and closed is not None and closed - clock.started > target:
        return "theirs missed: shown at closing, days after the fix; their clock ran until then"
    if shown_in in ("New", "Active", "Awaiting User Info", "Awaiting Problem"):
        return "theirs missed: shown before the fix, so their target is shorter than ours"
    return "theirs missed: shown at the fix or after it, so their target is shorter than ours"


def agreement(path: Path) -> dict[str, Any]:
    """Run the example over the log and compare the resolution of each incident."""
    books = Books(*load(EXAMPLE / "book.yaml"))
    reading = read_histories(
        read_events([path], "csv", EXAMPLE / "mapping.yaml", books.tenants()[0]), None, print
    )
    trouble = Trouble()
    theirs, shown = recorded(path), first_missed(path)
    table: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    by_priority: dict[str, Counter[str]] = {}
    for ticket in run(list(reading.histories.values()), books, reading.last or 0, trouble):
        clock = ticket.fold.clocks[Indicator.RESOLUTION]
        number = ticket.history.ticket
        ours, they = clock.outcome == "met", theirs[number]
        agreed = ours == they
        table[f"ours {'met' if ours else 'missed'}, theirs {'met' if they else 'missed'}"] += 1
        priority = str(ticket.fold.attributes.get("priority"))
        by_priority.setdefault(priority, Counter())["agreed" if agreed else "differed"] += 1
        if not agreed:
            reasons[reason(ticket, clock, they, shown.get(number))] += 1
    if trouble.failed:
        raise SystemExit(f"could not be judged: {trouble.failed}")
    total = table.total()
    agreed_count = sum(
        n for key, n in table.items() if key.count("met") == 2 or key.count("missed") == 2
    )
    return {
        "events": reading.events,
        "rejected": reading.bad,
        "incidents": total,
        "agreed": agreed_count,
        "agreed_percent": agreed_count * 10_000 // total / 100,
        "table": dict(sorted(table.items())),
        "by_priority": {name: dict(counts) for name, counts in sorted(by_priority.items())},
        "reasons": dict(reasons.most_common()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    told = agreement(parser.parse_args().log)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(told, indent=2) + "\n")
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
