"""Several versions of a calendar as one: each rules from its instant on (D28).

Time that has passed keeps the hours it had; a holiday announced next month applies to open tickets
from the instant at which its version takes effect.
"""

from __future__ import annotations

from bisect import bisect_right

from slastream.core.coverage_api import Coverage, Note, WorkingDay
from slastream.core.errors import Misconfigured
from slastream.core.instant import DAY, Instant, Millis


class Stitched(Coverage):
    """Versions in order of the instants from which they rule; the first rules the past as well.

    At a seam the covered time of the next version is shifted so that nothing jumps: `covered` stays
    monotone, and its differences are the sums of what each version covered in its own time.

    Of two versions from one instant on, the later in the list rules.

    Raises ValueError without any part, or when the instants descend.
    """

    def __init__(self, parts: list[tuple[Instant, Coverage]]) -> None:
        if not parts:
            raise ValueError("a stitched calendar needs at least one version")
        self._coverages = [coverage for _, coverage in parts]
        # The first version has no beginning, so seam i lies before version i + 1.
        self._seams = [instant for instant, _ in parts[1:]]
        if any(late < early for early, late in zip(self._seams, self._seams[1:], strict=False)):
            raise ValueError("the versions of a calendar must be in order of their instants")
        self.name = self._coverages[-1].name
        self._shifts: list[Millis] = [0]

    def covered(self, instant: Instant) -> Millis:
        i = bisect_right(self._seams, instant)
        return self._shift(i) + self._coverages[i].covered(instant)

    def due(self, start: Instant, left: Millis) -> Instant:
        if left < 0:
            return self._due_before(start, left)
        for i in range(bisect_right(self._seams, start), len(self._seams)):
            within = self._coverages[i].measure(start, self._seams[i])
            if left <= within:
                return self._coverages[i].due(start, left)
            start, left = self._seams[i], left - within
        return self._coverages[-1].due(start, left)

    def _due_before(self, start: Instant, left: Millis) -> Instant:
        for i in range(bisect_right(self._seams, start), 0, -1):
            within = self._coverages[i].measure(self._seams[i - 1], start)
            if -left < within:
                return _first(self._coverages[i], start, left)
            start, left = self._seams[i - 1], left + within
        return _first(self._coverages[0], start, left)

    def is_open(self, instant: Instant) -> bool:
        return self._coverages[bisect_right(self._seams, instant)].is_open(instant)

    def next_open(self, instant: Instant) -> Instant:
        for i in range(bisect_right(self._seams, instant), len(self._seams)):
            try:
                found = self._coverages[i].next_open(instant)
            except Misconfigured:
                found = self._seams[i]  # This version has no more hours; its successor may.
            if found < self._seams[i]:
                return found
            instant = self._seams[i]
        return self._coverages[-1].next_open(instant)

    def windows(self, since: Instant, until: Instant) -> list[tuple[Instant, Instant]]:
        found: list[tuple[Instant, Instant]] = []
        for coverage, start, end in self._pieces(since, until):
            for window in coverage.windows(start, end):
                if found and found[-1][1] == window[0]:
                    window = (found.pop()[0], window[1])
                found.append(window)
        return found

    def working_day(self, instant: Instant, number: int = 1) -> WorkingDay:
        """Count dates; each belongs to the version that rules when it opens."""
        if number < 1:
            raise ValueError(f"{number} business days: there must be at least one")
        day = self._next_day(instant)
        for _ in range(number - 1):
            day = self._next_day(day.opens)
        return day

    def _next_day(self, instant: Instant) -> WorkingDay:
        first = bisect_right(self._seams, instant)
        after = begins = instant
        for coverage, seam in zip(self._coverages[first:], self._seams[first:], strict=False):
            try:
                day = _first_day(coverage, after, begins)
            except Misconfigured:
                day = None  # This version has no more hours; its successor may.
            if day is not None and day.opens < seam:
                return day
            # Two days before the seam no date is missed, whatever the zones of the two versions.
            after, begins = max(instant, seam - 2 * DAY), seam
        return _first_day(self._coverages[-1], after, begins)

    def notes(self, since: Instant, until: Instant) -> list[Note]:
        return [
            note
            for coverage, start, end in self._pieces(since, until)
            for note in coverage.notes(start, end)
        ]

    def _pieces(self, since: Instant, until: Instant) -> list[tuple[Coverage, Instant, Instant]]:
        """Return which version rules where in [since, until)."""
        first, last = bisect_right(self._seams, since), bisect_right(self._seams, until)
        edges = [since, *self._seams[first:last], until]
        return [
            (self._coverages[first + k], edges[k], edges[k + 1])
            for k in range(len(edges) - 1)
            if edges[k] < edges[k + 1]
        ]

    def _shift(self, i: int) -> Millis:
        # Worked out when first needed: a version that no question reaches is never compiled.
        while len(self._shifts) <= i:
            k = len(self._shifts) - 1
            seam = self._seams[k]
            here, there = self._coverages[k].covered(seam), self._coverages[k + 1].covered(seam)
            self._shifts.append(self._shifts[k] + here - there)
        return self._shifts[i]


def _first(coverage: Coverage, start: Instant, left: Millis) -> Instant:
    """Return the first instant whose covered time is that of `start` plus `left` (at most 0)."""
    if left < 0:
        return coverage.due(start, left)
    return coverage.next_open(coverage.due(start, -1)) + 1


def _first_day(coverage: Coverage, after: Instant, begins: Instant) -> WorkingDay:
    """Return the first working date after one instant's date that opens at or after another."""
    day = coverage.working_day(after)
    while day.opens < begins:
        day = coverage.working_day(day.opens)
    return day
