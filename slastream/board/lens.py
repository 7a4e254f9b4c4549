"""One view of the cards: a filter, its groups in order, and what changed since it was last told.

Browsers with the same filter share a lens, so that 200 wall screens cost one. It may not know Kafka,
HTTP or who is looking; a shelf tells it of every card that comes, goes or moves.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from slastream.board.card import FACETS, GROUPS, About, Card
from slastream.board.hours import Hours
from slastream.core.instant import Instant

ROWS = 20
"""Rows that a group shows when nothing else is asked for."""
MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class Filter:
    """What a viewer may see, and wants to. Empty means everything."""

    tenants: frozenset[str] | None = None
    """Those that the viewer may see at all; None for all."""
    wanted: tuple[tuple[str, frozenset[str]], ...] = ()
    """Facet -> accepted values."""
    search: str = ""
    rows: int = ROWS

    @classmethod
    def of(cls, query: Mapping[str, Iterable[str]], tenants: frozenset[str] | None) -> Filter:
        """Read a filter from an address: facets may be repeated, `q` searches, `rows` limits."""
        wanted = []
        for name in FACETS:
            values = frozenset(value[:200] for value in list(query.get(name, ()))[:50] if value)
            if values:
                wanted.append((name, values))
        search = next(iter(query.get("q", ())), "").strip().casefold()[:100]
        rows = next(iter(query.get("rows", ())), "")
        limit = int(rows) if rows.isascii() and rows.isdigit() and len(rows) < 5 else ROWS
        return cls(tenants, tuple(wanted), search, min(max(limit, 1), MOST_ROWS))

    def takes(self, card: Card) -> bool:
        """Whether a card is in this view."""
        return self.takes_ticket(card.about) and self.takes_clock(card)

    def takes_ticket(self, about: About) -> bool:
        """Whether a ticket is in this view, as far as its clocks do not matter."""
        if self.tenants is not None and about.tenant not in self.tenants:
            return False
        if self.search and self.search not in about.search:
            return False
        for name, values in self.wanted:
            if name != "indicator" and getattr(about, name) not in values:
                return False
        return True

    def takes_clock(self, card: Card) -> bool:
        """Whether a clock of a ticket in this view is in it as well."""
        indicators = dict(self.wanted).get("indicator") if self.wanted else None
        return indicators is None or card.indicator in indicators

    def takes_told(self, told: Mapping[str, str]) -> bool:
        """Whether an announcement is about something in this view."""
        if self.tenants is not None and told["tenant"] not in self.tenants:
            return False
        if self.search and self.search not in told["number"].casefold():
            return False
        return all(told[name] in values for name, values in self.wanted)


@dataclass
class Told:
    """One version of a view, as bytes ready to send."""

    version: int = 0
    change: bytes = b""
    """What turns the version before into this one; empty when only the whole will do."""


@dataclass
class Lens:
    """The cards of one filter. `changes` tells what to send; `whole` what a new browser needs."""

    filter: Filter
    hours: Hours
    groups: list[list[tuple[Any, ...]]] = field(default_factory=lambda: [[] for _ in GROUPS])
    dirty: bool = True
    told: Told = field(default_factory=Told)
    _shown: list[list[Card]] = field(default_factory=lambda: [[] for _ in GROUPS])
    _counts: list[int] = field(default_factory=lambda: [0 for _ in GROUPS])
    _calendars: dict[tuple[str, str], int] = field(default_factory=dict)
    _generation: int = -1
    _whole: tuple[int, bytes] = (-1, b"")

    def fill(self, cards: Iterable[Card]) -> None:
        """Take in all cards at once: much cheaper than one by one."""
        takes_ticket, takes_clock = self.filter.takes_ticket, self.filter.takes_clock
        about, taken = None, False
        for card in cards:
            if card.about is not about:  # the cards of a ticket follow one another
                about, taken = card.about, takes_ticket(card.about)
            if taken and takes_clock(card):
                self.groups[card.group].append(card.entry)
        for group in self.groups:
            group.sort()
        self.dirty = True

    def add(self, card: Card) -> None:
        """Take in a card, if it is one of ours."""
        if self.filter.takes(card):
            insort(self.groups[card.group], card.entry)
            self.dirty = True

    def remove(self, card: Card) -> None:
        """Let go of a card; call it before the card is placed elsewhere."""
        if self.filter.takes(card):
            group = self.groups[card.group]
            at = bisect_left(group, card.entry[:2])
            if at < len(group) and group[at][2] is card:
                del group[at]
                self.dirty = True

    def flush(self, now: Instant) -> bool:
        """Make a new version when anything that is shown has changed; returns whether there is one."""
        fresh = self._generation != self.hours.generation
        if not self.dirty and not fresh:
            return False
        self.dirty = False
        before = {} if fresh else {id(card): card for cards in self._shown for card in cards}
        groups: dict[str, Any] = {}
        rows: list[dict[str, Any]] = []
        for number, (name, entries) in enumerate(zip(GROUPS, self.groups, strict=True)):
            cards = [entry[2] for entry in entries[: self.filter.rows]]
            if fresh or cards != self._shown[number] or len(entries) != self._counts[number]:
                groups[name] = {"count": len(entries), "ids": [card.id for card in cards]}
                rows += [self._row(card) for card in cards if id(card) not in before]
                self._shown[number], self._counts[number] = cards, len(entries)
        if not groups and self.told.version:
            return False
        calendars = self._new_calendars(now, fresh)
        self._generation = self.hours.generation
        message = self._message(now, groups, rows, calendars)
        version = self.told.version + 1
        self.told = Told(version, b"" if fresh else message)
        if fresh:
            self._whole = (version, message)
        return True

    def whole(self, now: Instant) -> bytes:
        """Return all that is shown in the present version."""
        if self._whole[0] != self.told.version:
            groups = {
                name: {"count": self._counts[n], "ids": [card.id for card in self._shown[n]]}
                for n, name in enumerate(GROUPS)
            }
            rows = [self._row(card) for cards in self._shown for card in cards]
            calendars = {
                _name(key): self.hours.told(*key, now)[1] for key in self._calendars_in_use()
            }
            message = self._message(now, groups, rows, calendars, self.told.version)
            self._whole = (self.told.version, message)
        return self._whole[1]

    def stale_calendars(self, now: Instant) -> bool:
        """Whether browsers need windows that lie further ahead: then the next flush is a whole one."""
        old = any(
            self.hours.told(*key, now)[0] != slot for key, slot in list(self._calendars.items())
        )
        if old:
            self._generation = -1
        return old

    def _message(
        self,
        now: Instant,
        groups: dict[str, Any],
        rows: list[dict[str, Any]],
        calendars: dict[str, Any],
        version: int | None = None,
    ) -> bytes:
        return orjson.dumps(
            {
                "version": self.told.version + 1 if version is None else version,
                "now": now,
                "groups": groups,
                "rows": rows,
                "calendars": calendars,
            }
        )

    def _calendars_in_use(self) -> Iterator[tuple[str, str]]:
        yield from {
            (card.about.tenant, card.calendar): None for cards in self._shown for card in cards
        }

    def _new_calendars(self, now: Instant, fresh: bool) -> dict[str, Any]:
        before = {} if fresh else self._calendars
        found: dict[str, Any] = {}
        self._calendars = {}
        for key in self._calendars_in_use():
            slot, told = self.hours.told(*key, now)
            self._calendars[key] = slot
            if before.get(key) != slot:
                found[_name(key)] = told
        return found

    def _row(self, card: Card) -> dict[str, Any]:
        about = card.about
        row: dict[str, Any] = {
            "id": card.id,
            "key": about.key,
            "number": about.number,
            "url": about.url,
            "tenant": about.tenant,
            "client": about.client,
            "priority": about.priority,
            "team": about.team,
            "indicator": card.indicator,
            "cycle": card.cycle,
            "verdict": card.verdict,
            "paused": card.paused,
            "breached": card.breached,
            "on": card.waiting_on,
            "left": card.remaining,
            "target": card.target,
            "due": card.due,
            "calendar": _name((about.tenant, card.calendar)),
            "at": about.confirmed,
        }
        if card.due is not None and not card.paused:
            row["covered"] = self.hours.covered(about.tenant, card.calendar, card.due)
        return row


def _name(key: tuple[str, str]) -> str:
    return f"{key[0]}/{key[1]}"
