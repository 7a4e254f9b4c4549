"""Opening hours as rules in local time: plain values, checked when they are made.

Nothing here knows an instant, a date's UTC offset or the `holidays` package: turning rules into
windows of UTC time is `slastream.core.compile`, asking questions of them `slastream.core.coverage`.
A book may hold many thousand calendars, so making one must cost next to nothing.

A window belongs to the local date on which it starts. A night shift of the 24th, 20:00 to 06:00,
is therefore wholly the 24th's: a holiday on the 25th leaves it alone, and a holiday on the 24th
takes all of it away, the hours after midnight too.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from slastream.core.errors import Misconfigured

Span = tuple[int, int]
"""Seconds since local midnight, [start, end); `end` beyond 86400 runs past midnight."""

DAY_SECONDS = 86_400

WHOLE_DAY: Span = (0, DAY_SECONDS)
"""As a closed span: every window that starts on that date goes."""

WEEK = (
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
)

_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_WITHIN_A_DAY = re.compile(r"FREQ=(HOURLY|MINUTELY|SECONDLY)|BY(HOUR|MINUTE|SECOND)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class DayRule:
    """What is different on certain dates: one date, a day of every year, or an RFC 5545 `rrule`.

    With `rrule`, `date` is its first day (DTSTART); without one it counts from 1970-01-01.
    Otherwise exactly one of `date` and `yearly` (month, day) is given; 29 February comes in leap
    years only.

    `open` replaces the hours of the date and `closed` takes time away; a rule with both means
    `open` without `closed`. A closed span that reaches 24:00 takes the hours after midnight of the
    same window too, since they belong to this date.

    Raises `Misconfigured` for a rule without a day or without an effect.
    """

    date: date | None = None
    yearly: tuple[int, int] | None = None
    open: tuple[Span, ...] | None = None
    closed: tuple[Span, ...] | None = None
    label: str = ""
    rrule: str | None = None

    def __post_init__(self) -> None:
        if self.rrule is not None:
            if self.yearly is not None:
                raise Misconfigured("an exception has a day of the year or an rrule, not both")
            self.recurrence()
        elif (self.date is None) == (self.yearly is None):
            raise Misconfigured("an exception needs one of: a date, a day of the year, an rrule")
        if self.yearly is not None:
            month, day = self.yearly
            if not (1 <= month <= 12 and 1 <= day <= _MONTH_DAYS[month - 1]):
                raise Misconfigured(f"there is no day {month:02d}-{day:02d} in any year")
        if self.open is None and self.closed is None:
            raise Misconfigured(f"the exception on {self.when} neither opens nor closes anything")
        for span in (*(self.open or ()), *(self.closed or ())):
            _check_span(span, self.when)

    @property
    def when(self) -> str:
        """Which dates are meant, for people: `2026-12-24`, `every 12-24`, `FREQ=...`."""
        if self.rrule is not None:
            return self.rrule
        if self.yearly is not None:
            return f"every {self.yearly[0]:02d}-{self.yearly[1]:02d}"
        return str(self.date)

    @property
    def dated(self) -> bool:
        """Whether the rule is about one date only, and so goes before every rule that recurs."""
        return self.rrule is None and self.yearly is None

    def recurrence(self) -> Any:
        """Return the `dateutil` recurrence of `rrule`, which yields midnights of the dates meant.

        Raises `Misconfigured` for text that is no recurrence of dates.
        """
        rule = self.rrule or ""
        if _WITHIN_A_DAY.search(rule):
            raise Misconfigured(f"the rrule {rule!r} names times of day; an exception names dates")
        first = (self.date or date(1970, 1, 1)).toordinal()
        # Imported here since few calendars have one, and everybody imports this module.
        reader: Any = importlib.import_module("dateutil.rrule")
        try:
            return reader.rrulestr(
                rule, dtstart=datetime.fromordinal(first), cache=True, ignoretz=True
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Misconfigured(f"{rule!r} is no RFC 5545 rrule: {error}") from None


@dataclass(frozen=True, slots=True)
class HolidayRule:
    """The public holidays of a country, or of one of its subdivisions: `DE`, `BY`."""

    country: str
    subdivision: str | None = None


@dataclass(frozen=True, slots=True)
class Calendar:
    """When somebody works: hours by weekday in a time zone, and the dates that differ.

    For one date the first of these that speaks decides (D25): a dated `open`, a dated `closed`, a
    rule that recurs (yearly, rrule, public holidays; there too `open` goes before `closed`), the
    weekly hours. A `closed` takes its time from what the lower ones leave.

    `always` stands for the weekly hours 00:00-24:00 on every day.

    Raises `Misconfigured` for an unknown zone, a bad window, and a calendar that can never open.
    """

    name: str
    zone: str = "UTC"
    weekly: tuple[tuple[Span, ...], ...] = ()
    """Seven lists of windows, Monday first; () for none at all."""
    holidays: tuple[HolidayRule, ...] = ()
    exceptions: tuple[DayRule, ...] = ()
    always: bool = False

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise Misconfigured(
                f"calendar {self.name!r} has an unknown time zone {self.zone!r}",
                hint="zones are IANA names such as Europe/Paris",
            ) from None
        if len(self.weekly) not in (0, 7):
            raise Misconfigured(f"calendar {self.name!r} has {len(self.weekly)} weekdays, not 7")
        for day, spans in zip(WEEK, self.weekly, strict=False):
            for span in spans:
                _check_span(span, f"{day} of calendar {self.name!r}")
        opens = self.always or any(self.weekly) or any(rule.open for rule in self.exceptions)
        if not opens:
            raise Misconfigured(
                f"calendar {self.name!r} never opens, so nothing could ever fall due on it",
                hint="give it weekly hours, an exception with `open`, or 24x7",
            )

    @property
    def hours(self) -> tuple[tuple[Span, ...], ...]:
        """The weekly hours as seven lists, also where they were left out."""
        if self.always:
            return ((WHOLE_DAY,),) * 7
        return self.weekly or ((),) * 7

    @property
    def unbroken(self) -> bool:
        """Whether it is simply every instant there is."""
        return self.always and not self.holidays and not self.exceptions


def _check_span(span: Span, where: str) -> None:
    start, end = span
    if not 0 <= start < DAY_SECONDS:
        raise Misconfigured(f"a window on {where} starts at {clock_text(start)}, outside the day")
    if not start < end <= start + DAY_SECONDS:
        raise Misconfigured(
            f"the window {clock_text(start)}-{clock_text(end)} on {where} must end after it starts"
            " and last 24 hours at the most"
        )


def clock_text(seconds: int) -> str:
    """Write seconds since midnight as `HH:MM`, or `HH:MM:SS` where there are seconds."""
    minutes, rest = divmod(seconds, 60)
    text = f"{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{text}:{rest:02d}" if rest else text
