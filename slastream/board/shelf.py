"""Everything the board holds: each open ticket's newest state, its cards, and the views of them.

Bounded: closed tickets and alerts are kept up to a number, newest last. It is fed with records in
the order of their partitions and may not know Kafka, HTTP or what time it is.
"""

from __future__ import annotations

import heapq
import itertools
import zlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from slastream.board.card import FACETS, About, Card, shown
from slastream.board.hours import Hours
from slastream.board.lens import Filter, Lens
from slastream.core.errors import Rejected
from slastream.core.instant import Instant, parse_instant

CLOSED = 20_000
"""Tickets without an open clock that can still be looked at."""


class Held:
    """A ticket: its cards, and its newest value, packed."""

    __slots__ = ("cards", "offset", "packed", "partition", "tenant")

    def __init__(
        self, packed: bytes, cards: tuple[Card, ...], tenant: str, place: tuple[int, int]
    ) -> None:
        self.packed, self.cards, self.tenant = packed, cards, tenant
        self.partition, self.offset = place

    def raw(self) -> bytes:
        """Return the bytes of the ticket's record."""
        return zlib.decompress(self.packed)

    def value(self) -> dict[str, Any]:
        """Return the ticket's value on the clocks topic."""
        found: dict[str, Any] = orjson.loads(self.raw())
        return found


@dataclass
class Counts:
    """How much the board holds, for its own page of health."""

    tickets: int = 0
    cards: int = 0
    closed: int = 0
    lenses: int = 0
    unreadable: int = 0


class Shelf:
    """The board's memory. `put` takes a record in, `advance` lets time pass, `lens` looks at it."""

    def __init__(self, hours: Hours, closed: int = CLOSED) -> None:
        self.hours = hours
        self.now: Instant = 0
        self.newest: Instant = 0
        """The latest instant of any record: the clock of a simulated run."""
        self.unreadable = 0
        self.facets: dict[str, dict[str, Counter[str]]] = {}
        """Tenant -> facet -> value -> open clocks."""
        self.facets_version = 0
        self._open: dict[str, Held] = {}
        self._closed: OrderedDict[str, Held] = OrderedDict()
        self._most_closed = closed
        self._wakes: list[tuple[Instant, int, Card]] = []
        self._alarms = itertools.count()  # of two alarms at one instant, the first set goes first
        self._lenses: dict[Filter, Lens] = {}
        self._cards = 0
        self.on_ticket: Callable[[str], None] = lambda key: None
        """Told of each ticket that has changed."""

    # -- records in --------------------------------------------------------------------------

    def put(self, key: str, data: bytes | None, place: tuple[int, int] = (0, 0)) -> dict[str, Any]:
        """Take in a record of the clocks topic; returns its value, {} when it says nothing."""
        value: dict[str, Any] = {}
        cards: tuple[Card, ...] = ()
        if data is not None:
            try:
                value = orjson.loads(data)
                about = About(key, value)
                cards = tuple(
                    Card(about, clock, self.hours.zone(about.tenant, clock["calendar"]))
                    for clock in value["clocks"]
                    if shown(clock)
                )
            except (ValueError, KeyError, TypeError, AttributeError, Rejected):
                # A value that is not of the contract hides nothing: the last good one stays.
                self.unreadable += 1
                return {}
            self.newest = max(self.newest, about.confirmed)
        self._take_away(key)
        if data is not None:
            held = Held(zlib.compress(data, 1), cards, about.tenant, place)
            if cards:
                self._open[key] = held
            else:
                self._closed[key] = held
                if len(self._closed) > self._most_closed:
                    self._closed.popitem(last=False)
            for card in cards:
                self._come(card)
        self.on_ticket(key)
        return value

    def _take_away(self, key: str) -> None:
        held = self._open.pop(key, None)
        if held is None:
            self._closed.pop(key, None)
            return
        for card in held.cards:
            for lens in self._lenses.values():
                lens.remove(card)
            card.wake = None
            self._cards -= 1
            self._count(card, -1)

    def _come(self, card: Card) -> None:
        card.place(self.now)
        self._cards += 1
        self._count(card, 1)
        self._set_alarm(card)
        for lens in self._lenses.values():
            lens.add(card)

    def _count(self, card: Card, by: int) -> None:
        facets = self.facets.get(card.about.tenant)
        if facets is None:
            facets = self.facets[card.about.tenant] = {name: Counter() for name in FACETS}
        for name, counter in facets.items():
            value = card.value(name)
            if value:
                before = counter[value]
                counter[value] = before + by
                if before == 0 or before + by == 0:
                    self.facets_version += 1
                if before + by == 0:
                    del counter[value]

    # -- time --------------------------------------------------------------------------------

    def _set_alarm(self, card: Card) -> None:
        if card.wake is not None:
            heapq.heappush(self._wakes, (card.wake, next(self._alarms), card))

    def advance(self, now: Instant) -> int:
        """Let time pass: cards whose group changes by itself move. Returns how many were looked at."""
        if now < self.now:
            return 0
        self.now = now
        looked = 0
        wakes = self._wakes
        while wakes and wakes[0][0] <= now:
            at, _, card = heapq.heappop(wakes)
            if card.wake != at:
                continue  # replaced since by a newer state
            looked += 1
            for lens in self._lenses.values():
                lens.remove(card)
            card.place(now)
            self._set_alarm(card)
            for lens in self._lenses.values():
                lens.add(card)
        if len(wakes) > 2 * self._cards + 10_000:
            self._wakes = [each for each in wakes if each[2].wake == each[0]]
            heapq.heapify(self._wakes)
        return looked

    def overdue_news(self, patience: int) -> Instant | None:
        """Return since when the engine owes word of a due that has passed, None when it does not.

        A deadline that goes by without word for longer than `patience` means that no worker works.
        """
        owed = None
        for _, _, card in self._lens_entries():
            if card.breached is not None or card.due is None:
                continue
            if self.now - card.due > patience:
                owed = card.due if owed is None else min(owed, card.due)
        return owed

    def _lens_entries(self) -> list[tuple[Any, ...]]:
        everything = self._lenses.get(Filter())
        return [] if everything is None else everything.groups[0][:50]

    # -- looking -----------------------------------------------------------------------------

    def cards(self) -> Iterator[Card]:
        """Yield every card."""
        for held in self._open.values():
            yield from held.cards

    def lens(self, wanted: Filter) -> Lens:
        """Return the view of a filter; it is kept up to date until `drop`."""
        found = self._lenses.get(wanted)
        if found is None:
            found = Lens(wanted, self.hours)
            found.fill(self.cards())
            self._lenses[wanted] = found
        return found

    def drop(self, wanted: Filter) -> None:
        """Let go of a view that nobody looks at."""
        self._lenses.pop(wanted, None)

    @property
    def lenses(self) -> list[Lens]:
        return list(self._lenses.values())

    def ticket(self, key: str) -> Held | None:
        """Return a ticket, open or lately closed."""
        return self._open.get(key) or self._closed.get(key)

    def clear(self) -> None:
        """Forget all tickets, as when the topic was made anew."""
        for key in [*self._open, *self._closed]:
            self._take_away(key)
        self._wakes.clear()

    def seen_at(self, text: object) -> None:
        """Note the instant of another record, for the clock of a simulated run."""
        try:
            self.newest = max(self.newest, parse_instant(text))
        except Rejected:
            return

    def counts(self) -> Counts:
        """Return how much is held."""
        return Counts(
            len(self._open), self._cards, len(self._closed), len(self._lenses), self.unreadable
        )
