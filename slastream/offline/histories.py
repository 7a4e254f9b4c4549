"""What files tell about each ticket, before anything is judged. This file knows no book.

Only facts are kept, not events: a million of them fit into memory, and two books can be run over the
same ones.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from slastream.core.event import Event
from slastream.core.fact import Fact, fact_of, told_by
from slastream.core.instant import Instant
from slastream.core.key import ticket_key
from slastream.engine.row import MAX_FACTS
from slastream.sources.files import Bad

TICK = 1000
"""Progress is told every so many events."""


class History:
    """Everything that was told about one ticket, in the order of telling."""

    __slots__ = ("facts", "source", "tenant", "ticket", "told")

    def __init__(self, tenant: str, source: str, ticket: str) -> None:
        self.tenant = tenant
        self.source = source
        self.ticket = ticket
        self.facts: list[Fact] = []
        self.told: list[dict[str, Any]] = []

    @property
    def key(self) -> str:
        """The ticket's key: `<tenant>/<source>/<ticket>`."""
        return ticket_key(self.tenant, self.source, self.ticket)

    def add(self, event: Event) -> None:
        """Keep an event as a fact. Its log time is its own time: a file has no broker's clock."""
        fact = fact_of(event, event.occurred_at, 0)
        told = told_by(event)
        if told:
            ours = self.told
            for index in range(len(ours) - 1, max(-1, len(ours) - 5), -1):
                if ours[index] == told:
                    fact.told = index
                    break
            else:
                fact.told = len(ours)
                ours.append(told)
        self.facts.append(fact)


@dataclass
class Reading:
    """The histories of some files, and what was not taken into them."""

    histories: dict[tuple[str, str, str], History] = field(default_factory=dict)
    events: int = 0
    bad: int = 0
    after: int = 0
    """Events that lie after `as_of`: not yet known then."""
    too_many: set[str] = field(default_factory=set)
    """Tickets with more events than a row may hold; what came after those was not taken."""
    last: Instant | None = None
    """The time of the latest event that was taken."""

    def tenants(self) -> list[str]:
        """Return the tenants whose tickets were read."""
        return sorted({history.tenant for history in self.histories.values()})


def taken(
    found: Iterable[Event | Bad],
    reading: Reading,
    as_of: Instant | None,
    tell: Callable[[Bad], None],
    advance: Callable[[int], None] = lambda _: None,
) -> Iterator[Event]:
    """Yield the events that are known at `as_of`, count the others, and tell of bad lines."""
    last = -1
    for item in found:
        if isinstance(item, Bad):
            reading.bad += 1
            tell(item)
            continue
        at = item.occurred_at
        if as_of is not None and at > as_of:
            reading.after += 1
            continue
        reading.events += 1
        if reading.events % TICK == 0:
            advance(TICK)
        if at > last:
            reading.last = last = at
        yield item


def read_histories(
    found: Iterable[Event | Bad],
    as_of: Instant | None,
    tell: Callable[[Bad], None],
    advance: Callable[[int], None] = lambda _: None,
) -> Reading:
    """Return the histories of all tickets, in the order in which they first appear."""
    reading = Reading()
    histories = reading.histories
    for event in taken(found, reading, as_of, tell, advance):
        key = (event.tenant, event.source, event.ticket)
        history = histories.get(key)
        if history is None:
            history = histories[key] = History(*key)
        elif len(history.facts) >= MAX_FACTS:
            reading.too_many.add(history.key)
            continue
        history.add(event)
    return reading


@contextmanager
def without_collector() -> Iterator[None]:
    """Keep Python's cycle collector away: millions of small values that never form a cycle."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
