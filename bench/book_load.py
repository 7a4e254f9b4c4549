"""How long a large provider's book takes: 1,000 calendars and 1,000 policies, one per client.

python bench/book_load.py [CLIENTS]
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import TypeVar

from slastream.book import from_published, load, publishable
from slastream.book.lint import lint
from slastream.book.loading import read

T = TypeVar("T")

HEAD = """apiVersion: slastream/v1
effective_from: 2026-01-01T00:00:00Z
tenant: large-msp
sources: {connectwise: {preset: connectwise}}
"""
CALENDAR = """  client-%d:
    timezone: Europe/Paris
    open:
      mon-thu: ["08:30-12:30", "13:30-18:00"]
      fri: ["08:30-12:30", "13:30-17:00"]
    holidays: [{country: FR}, {date: 2026-05-15}]
    exceptions:
      - {date: 2026-12-24, closed: ["12:00-24:00"]}
      - {date: 2026-06-06, open: ["09:00-12:00"]}
"""
POLICY = """  - name: client-%d
    when: {client: client-%d, type: [incident, request]}
    calendar: client-%d
    targets:
      response:   {P1: PT15M, P2: PT1H, default: PT4H}
      plan:       {P1: PT1H,  P2: PT4H, default: P1BD}
      resolution: {P1: PT4H,  P2: PT8H, P3: P2BD, default: P5BD}
    at_risk: ["75%%", "90%%"]
    objective: {response: 95%%, resolution: 90%%}
"""


def book(clients: int) -> str:
    """Return the YAML of a book with one calendar and one policy per client."""
    calendars = "".join(CALENDAR % at for at in range(clients))
    policies = "".join(POLICY % (at, at, at) for at in range(clients))
    return f"{HEAD}calendars:\n{calendars}policies:\n{policies}"


def timed(what: str, work: Callable[[], T]) -> T:
    """Do the work, print how long it took in seconds, and return what came of it."""
    start = perf_counter()
    result = work()
    print(f"{what:<32}{perf_counter() - start:8.3f} s")
    return result


def main(clients: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "book.yaml"
        file.write_text(book(clients))
        print(f"{clients} calendars, {clients} policies, {file.stat().st_size:,} bytes of YAML")
        timed("load, the first time", lambda: load(file))
        timed("load, again", lambda: load(file))
        loaded = read(file)[0]
        timed("lint", lambda: lint(loaded))
        ((_, published),) = timed("load and publish", lambda: publishable(file))
        timed("read back from the topic", lambda: from_published(published))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
