"""Working time for browsers: how much of it has passed, and the windows to come.

A browser counts down in working time by itself: a row carries the covered time at its due instant, a
calendar the covered time at a recent instant and the windows after it; their difference is what is left.
"""

from __future__ import annotations

from typing import Any

from slastream.core.books import Books
from slastream.core.coverage import Coverage
from slastream.core.errors import Misconfigured, SlastreamError
from slastream.core.instant import DAY, HOUR, MINUTE, Instant, Millis
from slastream.core.policy import Book

FRESH: Millis = 30 * MINUTE
"""A calendar is told anew after this time, long before its windows run out."""
AHEAD: Millis = 2 * DAY


class Hours:
    """The calendars of every tenant's books, as far as the board has read them."""

    def __init__(self) -> None:
        self.books = Books()
        self.generation = 0
        """Grows with every book: what was told before then means nothing any more."""
        self._told: dict[tuple[str, str], tuple[int, dict[str, Any]]] = {}
        self._zones: dict[tuple[str, str], str] = {}

    def add(self, book: Book) -> bool:
        """Take in a version of a book; returns False when it is known."""
        if not self.books.add(book):
            return False
        self.generation += 1
        self._told.clear()
        self._zones.clear()
        return True

    def coverage(self, tenant: str, calendar: str) -> Coverage:
        """Return the opening hours of a calendar; around the clock while no book tells of it."""
        return self.books.of(tenant).coverage(calendar)

    def known(self, tenant: str, calendar: str) -> bool:
        """Whether a book tells the hours of a calendar, or it has none to tell."""
        return calendar == "24x7" or bool(self._zone(tenant, calendar))

    def zone(self, tenant: str, calendar: str) -> str:
        """Return the time zone of a calendar, UTC where nothing is known."""
        return self._zone(tenant, calendar) or "UTC"

    def _zone(self, tenant: str, calendar: str) -> str:
        found = self._zones.get((tenant, calendar))
        if found is None:
            versions = self.books.of(tenant).versions
            rules = [v.book.calendars[calendar] for v in versions if calendar in v.book.calendars]
            found = self._zones[tenant, calendar] = rules[-1].zone if rules else ""
        return found

    def covered(self, tenant: str, calendar: str, instant: Instant) -> Millis:
        """Return the covered time at an instant, as browsers subtract it."""
        try:
            return self.coverage(tenant, calendar).covered(instant)
        except SlastreamError:
            return instant

    def told(self, tenant: str, calendar: str, now: Instant) -> tuple[int, dict[str, Any]]:
        """Return a number that changes when a browser needs it anew, and the calendar for it."""
        slot = now // FRESH
        found = self._told.get((tenant, calendar))
        if found is None or found[0] != slot:
            found = self._told[tenant, calendar] = (
                slot,
                self._tell(tenant, calendar, slot * FRESH),
            )
        return found

    def _tell(self, tenant: str, calendar: str, at: Instant) -> dict[str, Any]:
        coverage = self.coverage(tenant, calendar)
        until = at + AHEAD
        try:
            until = max(until, coverage.next_open(at + HOUR) + DAY)
            covered, windows = coverage.covered(at), coverage.windows(at, until)
        except Misconfigured:  # hours that have run out: nothing is open any more
            covered, windows = 0, []
        return {
            # Around the clock has no local time of its own to show beside the viewer's.
            "zone": "" if windows == [(at, until)] else self.zone(tenant, calendar),
            "known": self.known(tenant, calendar),
            "at": at,
            "covered": covered,
            "windows": windows,
        }
