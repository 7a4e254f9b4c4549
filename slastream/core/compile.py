"""From rules in local time to windows in UTC, one year of local dates at a time.

Knows which hours a date has and why (D25); how to ask questions of many years is
`slastream.core.coverage`. A window is of the date on which it starts, so a year's last window may
end in the next year, and overlapping windows are left as they are: merging needs the neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from slastream.core.calendar import DAY_SECONDS, WHOLE_DAY, Calendar, DayRule, Span
from slastream.core.instant import Instant
from slastream.core.public_holidays import public_holidays
from slastream.core.zones import Zone, zone


class Differs(NamedTuple):
    """What one rule says about one date."""

    dated: bool
    kind: str
    """`holiday` or `exception`."""
    label: str
    open: tuple[Span, ...] | None
    closed: tuple[Span, ...] | None


class Hit(NamedTuple):
    """A rule that changed the hours of a date, and the hull of the hours before and after."""

    kind: str
    label: str
    reach: Span


@dataclass(slots=True)
class Year:
    """One year of local dates, compiled. The three `day_` lists are parallel: the working dates."""

    windows: list[tuple[Instant, Instant]] = field(default_factory=list)
    day_ordinals: list[int] = field(default_factory=list)
    day_opens: list[Instant] = field(default_factory=list)
    day_closes: list[Instant] = field(default_factory=list)


class Rules:
    """The rules of one calendar, asked date by date."""

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar
        self.zone: Zone = zone(calendar.zone)
        # Merged in local time, so that an hour split in two means the same where the clock changes.
        self._hours = tuple(normal(spans) for spans in calendar.hours)
        self._dated: dict[int, list[DayRule]] | None = None
        self._rrules: list[tuple[DayRule, Any]] | None = None
        self._special: dict[int, dict[int, list[Differs]]] = {}

    def compile(self, year: int) -> Year:
        """Return the windows and working dates of one year."""
        compiled = Year()
        special = self.special(year)
        first = date(year, 1, 1).toordinal()
        for ordinal in range(first, date(year, 12, 31).toordinal() + 1):
            spans: Sequence[Span] = self._hours[(ordinal - 1) % 7]
            if ordinal in special:
                spans = normal(self.hours(ordinal, special[ordinal]))
            if spans:
                self._add_date(compiled, ordinal, spans)
        compiled.windows.sort()
        return compiled

    def _add_date(self, compiled: Year, ordinal: int, spans: Sequence[Span]) -> None:
        windows = self.zone.windows(ordinal, spans)
        if windows:
            compiled.windows += windows
            compiled.day_ordinals.append(ordinal)
            # Not the first and the last: what a clock change moves forward may overtake the next.
            compiled.day_opens.append(min(start for start, _ in windows))
            compiled.day_closes.append(max(end for _, end in windows))

    def hours(
        self, ordinal: int, differs: Sequence[Differs], hits: list[Hit] | None = None
    ) -> Sequence[Span]:
        """Return the hours of a date about which rules have something to say, by precedence (D25).

        Appends to `hits` the rules that made a difference.
        """
        spans: Sequence[Span] = self._hours[(ordinal - 1) % 7]
        for dated in (False, True):
            layer = [rule for rule in differs if rule.dated is dated]
            opening = [rule for rule in layer if rule.open is not None]
            before = spans
            if opening:
                spans = [
                    span for rule in opening for span in without(rule.open or (), rule.closed or ())
                ]
                if hits is not None and normal(spans) != normal(before):
                    hits += [Hit(rule.kind, rule.label, hull(before, spans)) for rule in opening]
                continue
            for rule in layer:
                spans = without(spans, rule.closed or ())
                if hits is not None and normal(spans) != normal(before):
                    hits.append(Hit(rule.kind, rule.label, hull(before, spans)))
                before = spans
        return spans

    def special(self, year: int) -> dict[int, list[Differs]]:
        """Return the dates of a year that any rule speaks about."""
        found = self._special.get(year)
        if found is None:
            found = self._special[year] = {}
            for holiday_rule in self.calendar.holidays:
                for ordinal, name in public_holidays(holiday_rule, year).items():
                    rule = Differs(False, "holiday", name, None, (WHOLE_DAY,))
                    found.setdefault(ordinal, []).append(rule)
            for day_rule, ordinals in self._exceptions(year):
                label = day_rule.label or day_rule.when
                rule = Differs(day_rule.dated, "exception", label, day_rule.open, day_rule.closed)
                for ordinal in ordinals:
                    found.setdefault(ordinal, []).append(rule)
        return found

    def _exceptions(self, year: int) -> Iterable[tuple[DayRule, Iterable[int]]]:
        if self._dated is None:
            self._sort_exceptions()
        for rule in (self._dated or {}).get(year, ()):
            if rule.date is not None:
                yield rule, (rule.date.toordinal(),)
        for rule in self.calendar.exceptions:
            if rule.yearly is not None and (rule.yearly != (2, 29) or is_leap(year)):
                yield rule, (date(year, *rule.yearly).toordinal(),)
        for rule, recurrence in self._rrules or ():
            yield rule, dates_of(recurrence, year)

    def _sort_exceptions(self) -> None:
        """Bucket by year, on first use: a calendar from an ICS feed has hundreds of dates."""
        self._dated = {}
        self._rrules = []
        for rule in self.calendar.exceptions:
            if rule.rrule is not None:
                self._rrules.append((rule, rule.recurrence()))
            elif rule.date is not None:
                self._dated.setdefault(rule.date.year, []).append(rule)


def dates_of(recurrence: Any, year: int) -> set[int]:
    """Return the dates of one year of a `dateutil` recurrence."""
    first = datetime.fromordinal(date(year, 1, 1).toordinal())
    last = datetime.fromordinal(date(year, 12, 31).toordinal())
    return {moment.toordinal() for moment in recurrence.between(first, last, inc=True)}


def is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def without(spans: Sequence[Span], closed: Sequence[Span]) -> Sequence[Span]:
    """Return what is left of `spans`. A closed one that reaches 24:00 has no end: see `DayRule`."""
    for start, end in closed:
        until = 2 * DAY_SECONDS if end == DAY_SECONDS else end
        left: list[Span] = []
        for opens, closes in spans:
            if opens < min(closes, start):
                left.append((opens, min(closes, start)))
            if max(opens, until) < closes:
                left.append((max(opens, until), closes))
        spans = left
    return spans


def normal(spans: Sequence[Span]) -> list[Span]:
    """Return spans sorted, with those that touch or overlap merged, fit to be compared."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def hull(*many: Sequence[Span]) -> Span:
    """Return the smallest span around all of them, of which there must be one."""
    every = [span for spans in many for span in spans]
    return min(start for start, _ in every), max(end for _, end in every)
