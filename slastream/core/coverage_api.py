"""What may be asked of opening hours, whatever keeps the answers.

Everything here is in UTC milliseconds and half-open: a window [start, end) covers its start and not
its end. Only differences of `covered` mean anything. They hold for the life of the object; the
values themselves count from wherever the object began and are never to be stored.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import date
from typing import NamedTuple

from slastream.core.instant import Instant, Millis
from slastream.core.zones import Zone


class WorkingDay(NamedTuple):
    """A local date on which at least one window starts. Half days count (D29)."""

    ordinal: int
    opens: Instant
    """The start of the first window that belongs to the date."""
    closes: Instant
    """The end of the last one, which may lie after midnight."""
    zone: Zone

    def at_time_of(self, instant: Instant) -> Instant:
        """Return when this date's clock shows what the local clock showed at `instant`.

        The answer is a deadline, so a time that comes twice means the last occurrence.
        """
        second, millis = divmod(self.zone.local(instant)[1], 1_000)
        return self.zone.instant(self.ordinal, second, last=True) + millis


class Note(NamedTuple):
    """Something that moved a deadline and deserves to be told: for `explain`."""

    at: Instant
    """When it began to matter: the change of the clock, or the start of the hours concerned."""
    date: date
    """The local date."""
    kind: str
    """`holiday`, `exception` or `clock`."""
    label: str


class Coverage(ABC):
    """The opening hours of one calendar, as one monotone function of time and its inverse."""

    name: str
    """The calendar's name, for messages."""

    @abstractmethod
    def covered(self, instant: Instant) -> Millis:
        """Return covered milliseconds up to an instant, counted from an origin of its own."""

    @abstractmethod
    def due(self, start: Instant, left: Millis) -> Instant:
        """Return the first instant at which `left` covered milliseconds have passed since `start`.

        Lands on the end of a window, not on the start of the next: work that runs out on Friday at
        17:00 is late on Friday. With nothing left that is `start`, open or not. A negative `left`
        looks back: the instant at which a budget that is overdrawn at `start` was used up.

        Raises `Misconfigured` when the calendar has not that many hours within 15 years.
        """

    @abstractmethod
    def is_open(self, instant: Instant) -> bool:
        """Whether a window covers this instant."""

    @abstractmethod
    def next_open(self, instant: Instant) -> Instant:
        """Return the first covered instant at or after this one."""

    @abstractmethod
    def windows(self, since: Instant, until: Instant) -> list[tuple[Instant, Instant]]:
        """Return the windows within [since, until), clipped to it, sorted, none touching."""

    @abstractmethod
    def working_day(self, instant: Instant, number: int = 1) -> WorkingDay:
        """Return the `number`th working date strictly after the local date of an instant.

        Raises ValueError for a number below 1 and `Misconfigured` when 15 years have not so many.
        """

    @abstractmethod
    def notes(self, since: Instant, until: Instant) -> list[Note]:
        """Return the holidays and exceptions that changed hours in [since, until), and the changes
        of the clock, in order of time. A holiday on a date without hours is not worth a note."""

    def measure(self, since: Instant, until: Instant) -> Millis:
        """Return the covered milliseconds of [since, until)."""
        return self.covered(until) - self.covered(since)

    def add_business_days(self, instant: Instant, number: int, end_of_day: bool = False) -> Instant:
        """Return when `number` business days (`P2BD`) have passed since an instant (D29).

        A business day is a step to the next local date with hours of its own, half days and one
        Saturday on included. Counting starts after the local date of `instant`, whatever that date
        is: from Friday evening, Saturday or Sunday, one business day ends on Monday. The answer is
        the same local time on that date, even when that lies outside its hours (a ticket of 20:00
        is due at 20:00), or with `end_of_day` the end of that date's last window.
        """
        day = self.working_day(instant, number)
        return day.closes if end_of_day else day.at_time_of(instant)

    def next_working_day(self, instant: Instant) -> Instant:
        """Return the opening of the first working date strictly after the instant's local date."""
        return self.working_day(instant).opens


def clock_notes(zone: Zone, since: Instant, until: Instant) -> list[Note]:
    """Return a note for each change of a zone's clock in [since, until)."""
    return [
        Note(at, date.fromordinal(zone.local(at)[0]), "clock", change_text(before, after))
        for at, before, after in zone.changes(since, until)
    ]


def change_text(before: int, after: int) -> str:
    """Say what a change of the clock does: `clocks go forward 1:00 (UTC+01:00 to UTC+02:00)`."""
    way = "forward" if after > before else "back"
    minutes = abs(after - before) // 60
    return (
        f"clocks go {way} {minutes // 60}:{minutes % 60:02d}"
        f" ({offset_text(before)} to {offset_text(after)})"
    )


def offset_text(seconds: int) -> str:
    """Write an offset from UTC: `UTC+02:00`."""
    minutes = abs(seconds) // 60
    return f"UTC{'-' if seconds < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"
