"""Coverage of a calendar with hours: sorted lists of windows with running sums, asked by bisection.

Years are compiled when a question first reaches them. Whatever has been compiled, an answer is the
same: differences never change when the range is extended, to the left or to the right.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import date
from typing import Final

from slastream.core.calendar import Calendar
from slastream.core.compile import Hit, Rules, Year
from slastream.core.coverage_api import Coverage, Note, WorkingDay, clock_notes
from slastream.core.errors import Misconfigured
from slastream.core.instant import DAY, Instant, Millis, to_datetime

FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2100
"""Before and after these a calendar has no hours: one absurd date must not cost a day of work."""

LOOK_AHEAD: Final[Millis] = 15 * 366 * DAY
"""How far a question may look for hours before the calendar is called too empty."""

HORIZON: Final[Instant] = 4_133_980_800_000
"""2101-01-01T00:00:00Z."""

_FAR: Final[Instant] = 1 << 62
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()


class Compiled(Coverage):
    """Opening hours of one calendar.

    Of window i, `_ends[i]` is its end, `_done[i]` what is covered up to there, and `_shift[i]` the
    difference of the two, so that inside the window covered is `_shift[i] + instant`. A last window
    at the end of time, without length, spares every question the case of no window ahead.
    `_by_day[k]` is the first window that ends after the start of UTC day `_first_day + k`.
    """

    def __init__(self, calendar: Calendar) -> None:
        self.name = calendar.name
        self.calendar = calendar
        self._rules = Rules(calendar)
        self._years: dict[int, Year] = {}
        self._first = self._last = 0
        self._origin: Instant = 0
        # Answers hold within [_from, _to), where covered time goes from _floor to _cap.
        self._from: Instant = _FAR
        self._to: Instant = -_FAR
        self._floor: Millis = 0
        self._cap: Millis = 0
        self._starts: list[Instant] = []
        self._ends: list[Instant] = []
        self._done: list[Millis] = []
        self._shift: list[Millis] = []
        self._first_day = 0
        self._by_day: list[int] = []
        self._day_ordinals: list[int] = []
        self._day_opens: list[Instant] = []
        self._day_closes: list[Instant] = []

    def covered(self, instant: Instant) -> Millis:
        if not self._from <= instant < self._to:
            self._reach(instant)
        i = self._window(instant)
        start = self._starts[i]
        return self._shift[i] + (instant if instant > start else start)

    def due(self, start: Instant, left: Millis) -> Instant:
        if not self._from <= start < self._to:
            self._reach(start)
        i = self._window(start)
        opening = self._starts[i]
        wanted = self._shift[i] + (start if start > opening else opening) + left
        if left <= 0:
            return self._look_back(start, wanted) if left else start
        if wanted > self._cap:
            self._look_ahead(start, wanted, left)
        # `covered` is flat across a gap, so many instants have the wanted value. bisect_left finds
        # the window that ends with it, and so the first of them.
        i = bisect_left(self._done, wanted)
        instant = wanted - self._shift[i]
        if instant - start > LOOK_AHEAD:
            raise self._too_empty(start, f"{left} ms of opening hours")
        return instant

    def is_open(self, instant: Instant) -> bool:
        if not self._from <= instant < self._to:
            self._reach(instant)
        return self._starts[self._window(instant)] <= instant

    def next_open(self, instant: Instant) -> Instant:
        self._reach(instant)
        while True:
            start = max(instant, self._starts[self._window(instant)])
            if start < self._to and start - instant <= LOOK_AHEAD:
                return start
            if not self._grow_until(instant + LOOK_AHEAD):
                raise self._too_empty(instant, "any opening hours")

    def windows(self, since: Instant, until: Instant) -> list[tuple[Instant, Instant]]:
        if since >= until:
            return []
        self._reach(since)
        self._reach(until)
        i = self._window(since)
        found: list[tuple[Instant, Instant]] = []
        while self._starts[i] < until:
            found.append((max(since, self._starts[i]), min(until, self._ends[i])))
            i += 1
        return found

    def working_day(self, instant: Instant, number: int = 1) -> WorkingDay:
        if number < 1:
            raise ValueError(f"{number} business days: there must be at least one")
        self._reach(instant)
        here = self._rules.zone.local(min(instant, HORIZON))[0]
        while True:
            i = bisect_right(self._day_ordinals, here) + number - 1
            if i < len(self._day_ordinals):
                if self._day_opens[i] - instant > LOOK_AHEAD:
                    raise self._too_empty(instant, f"{number} working days")
                return WorkingDay(
                    self._day_ordinals[i], self._day_opens[i], self._day_closes[i], self._rules.zone
                )
            if not self._grow_until(instant + LOOK_AHEAD):
                raise self._too_empty(instant, f"{number} working days")

    def notes(self, since: Instant, until: Instant) -> list[Note]:
        zone = self._rules.zone
        since, until = min(since, HORIZON), min(until, HORIZON)
        found = clock_notes(zone, since, until)
        # Hours may run past midnight, so the date before the first one may matter too.
        for ordinal in range(zone.local(since)[0] - 1, zone.local(until)[0] + 1):
            day = date.fromordinal(ordinal)
            differs = self._rules.special(day.year).get(ordinal)
            if differs is None or not zone.exists(ordinal):
                continue
            hits: list[Hit] = []
            self._rules.hours(ordinal, differs, hits)
            for hit in hits:
                start = zone.instant(ordinal, hit.reach[0])
                if start < until and zone.instant(ordinal, hit.reach[1], last=True) > since:
                    found.append(Note(max(start, since), day, hit.kind, hit.label))
        return sorted(found)

    def _window(self, instant: Instant) -> int:
        """Return the first window that ends after an instant."""
        day = instant // DAY - self._first_day
        by_day, ends = self._by_day, self._ends
        i = 0 if day < 0 else by_day[day] if day < len(by_day) else by_day[-1]
        while ends[i] <= instant:
            i += 1
        return i

    def _reach(self, instant: Instant) -> None:
        """Compile years until answers hold at an instant."""
        if self._from <= instant < self._to:
            return
        # At the edges windows of the dates beyond may be missing: whatever the zone, those of 31
        # December end before 3 January, and those of 1 January start a day before new year at most.
        first, last = year_of(instant - 2 * DAY), year_of(instant + DAY)
        if not self._years:
            self._first, self._last = first, last
            self._origin = year_start(first) + 2 * DAY
        self._load(first, last)

    def _grow_until(self, limit: Instant) -> bool:
        """Compile one more year; returns whether there was one that begins before the limit."""
        if self._to > limit or self._last >= LAST_YEAR:
            return False
        self._load(self._first, self._last + 1)
        return True

    def _look_ahead(self, start: Instant, wanted: Millis, left: Millis) -> None:
        while wanted > self._cap:
            if not self._grow_until(start + LOOK_AHEAD):
                raise self._too_empty(start, f"{left} ms of opening hours")

    def _look_back(self, start: Instant, wanted: Millis) -> Instant:
        while wanted <= self._floor:
            if self._first <= FIRST_YEAR or self._from < start - LOOK_AHEAD:
                raise self._too_empty(start, "so many opening hours before it")
            self._load(self._first - 1, self._last)
        instant = wanted - self._shift[bisect_left(self._done, wanted)]
        if start - instant > LOOK_AHEAD:
            raise self._too_empty(start, "so many opening hours before it")
        return instant

    def _load(self, first: int, last: int) -> None:
        """Make answers hold for these years too: compile what is missing, join, sum up again."""
        self._first, self._last = min(first, self._first), max(last, self._last)
        windows: list[tuple[Instant, Instant]] = []
        self._day_ordinals, self._day_opens, self._day_closes = [], [], []
        for year in range(self._first, self._last + 1):
            compiled = self._years.get(year)
            if compiled is None:
                compiled = self._years[year] = self._rules.compile(year)
            windows += compiled.windows
            self._day_ordinals += compiled.day_ordinals
            self._day_opens += compiled.day_opens
            self._day_closes += compiled.day_closes
        self._sum_up(merge(windows))
        self._from = year_start(self._first) + 2 * DAY if self._first > FIRST_YEAR else -_FAR
        self._to = year_start(self._last + 1) - DAY if self._last < LAST_YEAR else _FAR
        self._floor = self.covered(self._from)
        self._cap = self.covered(self._to - 1)

    def _sum_up(self, windows: list[tuple[Instant, Instant]]) -> None:
        windows.append((_FAR, _FAR))
        # What is covered at the origin stays 0, so earlier windows have sums below it.
        total = -sum(
            min(end, self._origin) - start for start, end in windows if start < self._origin
        )
        self._starts, self._ends, self._done, self._shift = [], [], [], []
        for start, end in windows:
            total += end - start
            self._starts.append(start)
            self._ends.append(end)
            self._done.append(total)
            self._shift.append(total - end)
        self._index_days()

    def _index_days(self) -> None:
        self._first_day, self._by_day = 0, [0]
        if len(self._ends) == 1:
            return
        self._first_day, self._by_day = self._starts[0] // DAY, []
        i = 0
        for day in range(self._first_day, self._ends[-2] // DAY + 2):
            while self._ends[i] <= day * DAY:
                i += 1
            self._by_day.append(i)

    def _too_empty(self, instant: Instant, what: str) -> Misconfigured:
        return Misconfigured(
            f"calendar {self.name!r} has not {what} within 15 years of {to_datetime(instant):%F}",
            hint="its hours or its exceptions leave too little time open",
        )


def year_of(instant: Instant) -> int:
    """Return the UTC year of an instant, or the nearest one that calendars know."""
    return to_datetime(max(0, min(instant, HORIZON - 1))).year


def year_start(year: int) -> Instant:
    """Return the instant at which a UTC year begins."""
    return (date(year, 1, 1).toordinal() - _EPOCH_ORDINAL) * DAY


def merge(windows: list[tuple[Instant, Instant]]) -> list[tuple[Instant, Instant]]:
    """Return windows sorted, with those that touch or overlap made one."""
    merged: list[tuple[Instant, Instant]] = []
    for start, end in sorted(windows):
        if merged and start <= merged[-1][1]:
            if end > merged[-1][1]:
                merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged
