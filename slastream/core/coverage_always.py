"""Coverage of a calendar that never closes: 24x7 without exceptions is arithmetic, not a table."""

from __future__ import annotations

from slastream.core.calendar import Calendar
from slastream.core.coverage_api import Coverage, Note, WorkingDay, clock_notes
from slastream.core.coverage_compiled import HORIZON, LOOK_AHEAD
from slastream.core.errors import Misconfigured
from slastream.core.instant import Instant, Millis
from slastream.core.zones import zone


class Unbroken(Coverage):
    """Every instant there is. Its zone still decides where a business day ends."""

    def __init__(self, calendar: Calendar) -> None:
        self.name = calendar.name
        self.calendar = calendar
        self._zone = zone(calendar.zone)

    def covered(self, instant: Instant) -> Millis:
        return instant

    def due(self, start: Instant, left: Millis) -> Instant:
        return start + left

    def is_open(self, instant: Instant) -> bool:
        return True

    def next_open(self, instant: Instant) -> Instant:
        return instant

    def windows(self, since: Instant, until: Instant) -> list[tuple[Instant, Instant]]:
        return [(since, until)] if since < until else []

    def working_day(self, instant: Instant, number: int = 1) -> WorkingDay:
        if number < 1:
            raise ValueError(f"{number} business days: there must be at least one")
        if number * 86_400_000 > LOOK_AHEAD or instant >= HORIZON:
            raise Misconfigured(
                f"calendar {self.name!r} cannot count {number} working days from {instant}",
                hint="calendars look 15 years ahead, and to the year 2100",
            )
        ordinal = self._zone.local(instant)[0]
        for _ in range(number):
            ordinal += 1
            while not self._zone.exists(ordinal):
                ordinal += 1
        opens, closes = self._zone.instant(ordinal, 0), self._zone.instant(ordinal + 1, 0)
        return WorkingDay(ordinal, opens, closes, self._zone)

    def notes(self, since: Instant, until: Instant) -> list[Note]:
        # A change of the clock moves no deadline of plain elapsed time, yet people look for it.
        return clock_notes(self._zone, min(since, HORIZON), min(until, HORIZON))
