"""Who would have been told what, and when: the alerts that a worker would have announced.

The same steps as a partition's, with rows in memory and a heap of deadlines. The time is the log's:
the latest `occurred_at` so far. What fell due before an event is announced before it is looked at.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from slastream import wire
from slastream.core.alert import announce, has_unannounced
from slastream.core.books import Books, TenantBooks
from slastream.core.event import Event
from slastream.core.instant import MINUTE, Instant, Millis
from slastream.core.key import ticket_key
from slastream.core.shapes import Notice, Row
from slastream.core.ticket import advance
from slastream.engine.judge import add, check_state, known, look, refold, settle
from slastream.offline.run import Trouble

BACKWARDS: Millis = 15 * MINUTE
"""A file in which tickets open so far behind the latest event was not written as things happened."""


class Arrival(NamedTuple):
    """An event with the log time under which a worker would have read it."""

    log_time: Instant
    event: Event


def is_grouped(events: Iterable[Event]) -> bool:
    """Whether the events are sorted by ticket, say, and not in the order in which they were told.

    In a journal a ticket's first event stands near the latest time so far. Where more than one
    ticket in ten opens well before it, the lines are an export.
    """
    seen: set[tuple[str, str, str]] = set()
    latest, behind = -1, 0
    for event in events:
        key = (event.tenant, event.source, event.ticket)
        if key not in seen:
            seen.add(key)
            behind += event.occurred_at < latest - BACKWARDS
        latest = max(latest, event.occurred_at)
    return behind * 10 > len(seen)


def arrivals(events: Sequence[Event], by_time: bool) -> Iterator[Arrival]:
    """Yield events as they would have been appended to the journal.

    In the order of the lines the log's time is the latest so far; by time each arrives as it happened.
    """
    if by_time:
        events = sorted(events, key=lambda event: event.occurred_at)
    log_time = 0
    for event in events:
        log_time = max(log_time, event.occurred_at)
        yield Arrival(log_time, event)


@dataclass
class Ticker:
    """The tickets of a run, and the deadlines at which to look at them again."""

    books: Books
    trouble: Trouble
    rows: dict[str, Row] = field(default_factory=dict)
    heap: list[tuple[Instant, str]] = field(default_factory=list)
    imported: dict[tuple[str, str], Instant] = field(default_factory=dict)
    """By tenant and source, the time of the latest event that was imported."""

    def alerts(self, told: Iterable[Arrival], as_of: Instant) -> Iterator[dict[str, Any]]:
        """Yield alerts as `alert_line` writes them, up to `as_of`.

        An import is appended all at once, after its latest event: what its tickets passed until then
        is measured and not announced (D41).
        """
        told = list(told)
        for _, event in told:
            if event.imported:
                desk = (event.tenant, event.source)
                self.imported[desk] = max(event.occurred_at, self.imported.get(desk, 0))
        for log_time, event in told:
            yield from self.fire(log_time)
            yield from self.take(event, log_time)
        yield from self.fire(as_of)
        yield from self.drain(as_of)

    def take(self, event: Event, now: Instant) -> Iterator[dict[str, Any]]:
        """Fold one event and yield what is to be said about it at once."""
        key = ticket_key(event.tenant, event.source, event.ticket)
        books = self.books.of(event.tenant)
        if key in self.trouble.failed:
            return
        try:
            yield from self._take(key, event, now, books)
        except Exception as error:
            self.trouble.failed[key] = f"{type(error).__name__}: {error}"

    def _take(
        self, key: str, event: Event, now: Instant, books: TenantBooks
    ) -> Iterator[dict[str, Any]]:
        check_state(event)
        row = self.rows.get(key)
        fact = known(row, event, now, books)
        if fact is None:
            return
        row, _ = add(row, fact, event, books)
        if event.imported:
            until = self.imported.get((event.tenant, event.source), -1)
            row.told.quiet_until = max(row.told.quiet_until, until)
        if row.fold.unmapped is not None:
            self.trouble.unmapped[(event.source, *row.fold.unmapped)] += 1
            if books.options_of(row.fold.clocks[0]).unmapped == "dead_letter":
                row.facts.set([other for other in row.facts.all() if other.id != fact.id])
                if not row.facts.count:
                    return
                refold(row, event.source, books)
        self.rows[key] = row
        settle(row, now, books)
        yield from self._look(key, row, now, books)

    def fire(self, until: Instant) -> Iterator[dict[str, Any]]:
        """Yield what falls due at or before `until`, each at its own instant."""
        heap = self.heap
        while heap and heap[0][0] <= until:
            at, key = heapq.heappop(heap)
            row = self.rows[key]
            # The row decides: a deadline that it no longer has was replaced by another one.
            if row.deadline == at and key not in self.trouble.failed:
                yield from self._look(key, row, at, self._books_of(key))

    def drain(self, as_of: Instant) -> Iterator[dict[str, Any]]:
        """Yield what is true at `as_of` and waits only for `settle` or `grace` to be over."""
        waiting = []
        for key, row in self.rows.items():
            advance(row.fold, as_of, self._books_of(key))
            if row.deadline is not None and has_unannounced(row.fold, row.told):
                waiting.append((row.deadline, key))
        while waiting:
            at, key = heapq.heappop(waiting)
            row, books = self.rows[key], self._books_of(key)
            # The fold stays where it is: nothing that becomes true after `as_of` is said.
            said = announce(key, row.fold, row.told, at, books)
            for notice in said.notices:
                yield alert_line(key, row, notice, at, books)
            if said.next is not None and said.next > at and has_unannounced(row.fold, row.told):
                heapq.heappush(waiting, (said.next, key))

    def _look(
        self, key: str, row: Row, now: Instant, books: TenantBooks
    ) -> Iterator[dict[str, Any]]:
        said = look(key, row, now, books)
        if row.deadline is not None:
            heapq.heappush(self.heap, (row.deadline, key))
        for notice in said.notices:
            yield alert_line(key, row, notice, now, books)

    def _books_of(self, key: str) -> TenantBooks:
        return self.books.of(key.split("/", 1)[0])


def alert_line(
    key: str, row: Row, notice: Notice, now: Instant, books: TenantBooks
) -> dict[str, Any]:
    """Return an alert as the alerts topic has it, with the headers that say what it is in front."""
    value, headers = wire.alert(key, row.fold, notice, now, books)
    told = dict(headers)
    return {
        "ce_type": told["ce_type"].decode(),
        "ce_id": told["ce_id"].decode(),
        "ce_time": told["ce_time"].decode(),
        **orjson.loads(value),
    }
