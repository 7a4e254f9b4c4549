"""A second opinion on opening hours: walk every minute of some weeks and count. Slow, and plain.

It shares the rule values with the program and nothing else: hours of a date are sets of minutes, and
a clock change is whatever the sequence of local minutes shows. `python -m
tests.property.calendar_oracle N` asks N random questions and exits 1 on the first difference.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from random import Random
from zoneinfo import ZoneInfo

import holidays

from slastream.core.calendar import WHOLE_DAY, Calendar, DayRule, HolidayRule, Span
from slastream.core.coverage import Coverage, coverage

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_MINUTES = 1440
MINUTE_MS = 60_000
BEFORE, AFTER = 3, 21
"""Days that are walked before and after the date in question."""

ZONES = (
    "UTC",
    "Europe/Paris",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Havana",
    "Africa/Casablanca",
    "Asia/Tehran",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Antarctica/Troll",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Apia",
)


@dataclass(frozen=True)
class Walk:
    """Every minute of a stretch of time, with what the local clock showed at each."""

    first: int
    """The first minute, counted from the epoch in UTC."""
    local: list[int]
    """What the clock showed, in minutes since 1970-01-01 00:00 local."""
    earliest: dict[int, int]
    latest: dict[int, int]

    def minute(self, shown: int, *, last: bool) -> int:
        """Return the UTC minute at which the clock shows something (D26)."""
        if shown not in self.earliest:
            edge = shown
            while edge not in self.latest:
                edge -= 1
            after = self.local[self.latest[edge] + 1 - self.first]
            shown += after - edge - 1
        return (self.latest if last else self.earliest)[shown]


@lru_cache(maxsize=64)
def walk(zone: str, day: date) -> Walk:
    """Look at a local clock each minute."""
    here = ZoneInfo(zone)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=BEFORE)
    first = (start - EPOCH) // timedelta(minutes=1)
    local, earliest, latest = [], {}, {}
    for u in range(first, first + (BEFORE + AFTER) * DAY_MINUTES):
        moment = datetime.fromtimestamp(u * 60, tz=here)
        shown = (moment.toordinal() - 719_163) * DAY_MINUTES + moment.hour * 60 + moment.minute
        local.append(shown)
        earliest.setdefault(shown, u)
        latest[shown] = u
    return Walk(first, local, earliest, latest)


def minutes(spans: tuple[Span, ...]) -> set[int]:
    return {m for start, end in spans for m in range(start // 60, end // 60)}


def closed_minutes(spans: tuple[Span, ...]) -> set[int]:
    return minutes(tuple((start, 172_800 if end == 86_400 else end) for start, end in spans))


def speaks(rule: DayRule, day: date) -> bool:
    """Whether a rule is about a date. Knows only the recurrences that `random_rule` makes."""
    if rule.rrule == "FREQ=WEEKLY;INTERVAL=2;BYDAY=FR":
        monday = rule.date - timedelta(days=rule.date.weekday())
        return day >= rule.date and day.weekday() == 4 and (day - monday).days % 14 < 7
    if rule.rrule == "FREQ=MONTHLY;BYDAY=1MO":
        return day >= rule.date and day.weekday() == 0 and day.day <= 7
    if rule.yearly is not None:
        return (day.month, day.day) == rule.yearly
    return day == rule.date


def hours(calendar: Calendar, day: date) -> set[int]:
    """Return the minutes since midnight that a date is open, by the precedence of D25."""
    rules = [rule for rule in calendar.exceptions if speaks(rule, day)]
    dated = [rule for rule in rules if rule.yearly is None and rule.rrule is None]
    yearly = [rule for rule in rules if rule not in dated]
    for layer in (dated, yearly):
        if any(rule.open is not None for rule in layer):
            found: set[int] = set()
            for rule in layer:
                if rule.open is not None:
                    found |= minutes(rule.open) - closed_minutes(rule.closed or ())
            if layer is yearly:
                for rule in dated:
                    found -= closed_minutes(rule.closed or ())
            return found
    found = minutes(calendar.hours[day.weekday()])
    for rule in rules:
        found -= closed_minutes(rule.closed or ())
    for rule in calendar.holidays:
        if day in holidays.country_holidays(rule.country, subdiv=rule.subdivision):
            return set()
    return found


class Oracle:
    """Answers about one calendar around one date, in UTC milliseconds; None where the walk ends."""

    def __init__(self, calendar: Calendar, day: date) -> None:
        self.walk = walk(calendar.zone, day)
        self.end = self.walk.first + (BEFORE + AFTER) * DAY_MINUTES
        self.open = [False] * len(self.walk.local)
        self.days: list[tuple[date, int, int]] = []
        for n in range(1 - BEFORE, AFTER - 4):
            self._open_date(calendar, day + timedelta(days=n))

    def _open_date(self, calendar: Calendar, day: date) -> None:
        midnight = (day.toordinal() - 719_163) * DAY_MINUTES
        if not any(
            shown in self.walk.earliest for shown in range(midnight, midnight + DAY_MINUTES)
        ):
            return
        found = hours(calendar, day)
        starts = sorted(m for m in found if m - 1 not in found)
        ends = sorted(m + 1 for m in found if m + 1 not in found)
        opened = []
        for start, end in zip(starts, ends, strict=True):
            low = self.walk.minute(midnight + start, last=False)
            high = self.walk.minute(midnight + end, last=True)
            for u in range(low, high):
                self.open[u - self.walk.first] = True
            if low < high:
                opened += [low, high]
        if opened:
            self.days.append((day, min(opened) * MINUTE_MS, max(opened) * MINUTE_MS))

    def is_open(self, t: int) -> bool:
        return self.open[t // MINUTE_MS - self.walk.first]

    def measure(self, a: int, b: int) -> int:
        return sum(
            min(b, (u + 1) * MINUTE_MS) - max(a, u * MINUTE_MS)
            for u in range(a // MINUTE_MS, -(-b // MINUTE_MS))
            if self.open[u - self.walk.first]
        )

    def due(self, start: int, left: int) -> int | None:
        t = start
        while left > 0:
            u = t // MINUTE_MS
            if u >= self.end - 5 * DAY_MINUTES:
                return None
            step = (u + 1) * MINUTE_MS - t
            if self.open[u - self.walk.first]:
                if left <= step:
                    return t + left
                left -= step
            t += step
        return t

    def next_open(self, t: int) -> int | None:
        for u in range(t // MINUTE_MS, self.end - 5 * DAY_MINUTES):
            if self.open[u - self.walk.first]:
                return max(t, u * MINUTE_MS)
        return None

    def windows(self, a: int, b: int) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        for u in range(a // MINUTE_MS, -(-b // MINUTE_MS)):
            if self.open[u - self.walk.first]:
                start, end = max(a, u * MINUTE_MS), min(b, (u + 1) * MINUTE_MS)
                if found and found[-1][1] == start:
                    start = found.pop()[0]
                found.append((start, end))
        return found

    def business_days(self, t: int, n: int, end_of_day: bool) -> int | None:
        shown = self.walk.local[t // MINUTE_MS - self.walk.first]
        today = date.fromordinal(shown // DAY_MINUTES + 719_163)
        later = [found for found in self.days if found[0] > today]
        if len(later) < n or later[n - 1][0] > today + timedelta(days=12):
            return None
        day, _, closes = later[n - 1]
        if end_of_day:
            return closes
        wanted = (day.toordinal() - 719_163) * DAY_MINUTES + shown % DAY_MINUTES
        return self.walk.minute(wanted, last=True) * MINUTE_MS + t % MINUTE_MS


def random_spans(rng: Random) -> tuple[Span, ...]:
    """Return up to three windows, which may overlap, touch, or run past midnight."""
    spans = []
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3))):
        step = rng.choice((1, 5, 15, 30, 60))
        start = rng.randrange(0, DAY_MINUTES, step)
        end = rng.choice((DAY_MINUTES, start + rng.randrange(step, DAY_MINUTES + 1, step)))
        kind = rng.random()
        if kind < 0.25:  # Clocks change in the small hours.
            start = rng.randrange(0, 240, step)
            end = start + rng.randrange(step, DAY_MINUTES + 1 - start, step)
        elif kind < 0.5:
            end = start + (rng.randrange(0, 240, step) - start - 1) % DAY_MINUTES + 1
        spans.append((start * 60, end * 60))
    return tuple(spans)


def random_rule(rng: Random, day: date) -> DayRule:
    """Return an exception that falls near a date."""
    near = day + timedelta(days=rng.choice((-1, 0, 0, 1, 1, 2, 2, 3, 4, 6)))
    closed = rng.choice(((WHOLE_DAY,), random_spans(rng)))
    effect = rng.choice(("open", "closed", "both"))
    opens = None if effect == "closed" else random_spans(rng)
    closes = None if effect == "open" else closed
    kind = rng.choice(("dated", "dated", "dated", "yearly", "rrule"))
    if kind == "yearly":
        return DayRule(yearly=(near.month, near.day), open=opens, closed=closes)
    if kind == "rrule":
        rrule = rng.choice(("FREQ=WEEKLY;INTERVAL=2;BYDAY=FR", "FREQ=MONTHLY;BYDAY=1MO"))
        begin = near - timedelta(days=rng.randrange(0, 60))
        return DayRule(date=begin, rrule=rrule, open=opens, closed=closes)
    return DayRule(date=near, open=opens, closed=closes)


def random_day(rng: Random, zone: str) -> date:
    """Return a date, preferably one at which something goes wrong."""
    if zone == "Pacific/Apia" and rng.random() < 0.5:
        return date(2011, 12, 28)
    day = date(2010, 1, 1) + timedelta(days=rng.randrange(365 * 22))
    kind = rng.random()
    if kind < 0.15:
        return date(day.year, 12, rng.randrange(26, 32))
    if kind < 0.2:
        return date(rng.choice((2012, 2016, 2020, 2024, 2028)), 2, rng.randrange(25, 30))
    if kind < 0.75:
        here = ZoneInfo(zone)
        for n in range(250):
            noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC) + timedelta(days=n)
            if (
                noon.astimezone(here).utcoffset()
                != (noon + timedelta(days=1)).astimezone(here).utcoffset()
            ):
                return noon.date() - timedelta(days=rng.randrange(0, 3))
    return day


def random_calendar(rng: Random, zone: str, day: date) -> Calendar:
    style = rng.choice(("office", "night", "any", "always", "bare"))
    weekly: tuple[tuple[Span, ...], ...] = ()
    if style == "office":
        weekly = (((30_600, 45_000), (48_600, 64_800)),) * 5 + ((), ())
    elif style == "night":
        weekly = (((72_000, 108_000),),) * rng.choice((5, 7))
        weekly += ((),) * (7 - len(weekly))
    elif style == "any":
        weekly = tuple(random_spans(rng) if rng.random() < 0.7 else () for _ in range(7))
    public = rng.choice(
        ((), (), (HolidayRule("FR"),), (HolidayRule("US", "CA"),), (HolidayRule("AU"),))
    )
    exceptions = tuple(random_rule(rng, day) for _ in range(rng.choice((0, 0, 1, 2, 4, 8))))
    if style != "always" and not any(weekly) and not any(rule.open for rule in exceptions):
        exceptions += (DayRule(date=day, open=random_spans(rng)),)
    return Calendar("random", zone, weekly, public, exceptions, always=style == "always")


Question = tuple[str, tuple[int, ...]]


def random_question(rng: Random, day: date) -> Question:
    """Return the name of a question and its arguments."""
    noon = (day.toordinal() - 719_163) * DAY_MINUTES * MINUTE_MS
    unit = rng.choice((1, 1_000, MINUTE_MS, 15 * MINUTE_MS))
    a = noon + rng.randrange(0, 4 * 86_400_000, unit)
    b = a + rng.randrange(0, 6 * 86_400_000, unit)
    name = rng.choice(
        ("due", "due", "due", "measure", "measure", "open", "next", "windows", "days")
    )
    if name == "due":
        return name, (a, rng.randrange(0, rng.choice((3_600_000, 100_000_000)), unit))
    if name in ("measure", "windows"):
        return name, (a, b)
    if name == "days":
        return name, (a, rng.randrange(1, 6), rng.randrange(2))
    return name, (a,)


def ask(coverage: Coverage, oracle: Oracle, question: Question) -> tuple[object, object]:
    """Return both answers: the walk's (None when it knows none) and the program's."""
    name, given = question
    answers: dict[str, tuple[Callable[..., object], Callable[..., object]]] = {
        "due": (oracle.due, coverage.due),
        "measure": (oracle.measure, coverage.measure),
        "open": (oracle.is_open, coverage.is_open),
        "next": (oracle.next_open, coverage.next_open),
        "windows": (oracle.windows, coverage.windows),
        "days": (
            lambda t, n, end: oracle.business_days(t, n, bool(end)),
            lambda t, n, end: coverage.add_business_days(t, n, bool(end)),
        ),
    }
    expected = answers[name][0](*given)
    return expected, None if expected is None else answers[name][1](*given)


def random_case(rng: Random) -> tuple[Calendar, date]:
    zone = rng.choice(ZONES)
    day = random_day(rng, zone)
    return random_calendar(rng, zone, day), day


def stretch(rng: Random, coverage: Coverage, day: date) -> None:
    """Have years before or after compiled, which must not change any answer."""
    noon = (day.toordinal() - 719_163) * 86_400_000
    for _ in range(rng.randrange(3)):
        coverage.covered(noon + rng.randrange(-1_000, 1_000) * 86_400_000)


def main(number: int, seed: int = 0, per_case: int = 40) -> int:
    """Ask questions until so many were answered by both; returns 1 on the first difference."""
    began = shown = time.monotonic()
    asked = cases = 0
    while asked < number:
        rng = Random(seed + cases)
        calendar, day = random_case(rng)
        subject, oracle = coverage(calendar), Oracle(calendar, day)
        for _ in range(per_case):
            stretch(rng, subject, day) if rng.random() < 0.1 else None
            question = random_question(rng, day)
            expected, actual = ask(subject, oracle, question)
            if expected != actual:
                print(
                    f"seed {seed + cases}: {question} on {calendar}\n  walk {expected}\n  core {actual}"
                )
                return 1
            asked += expected is not None
        cases += 1
        if time.monotonic() - shown > 5:
            shown = time.monotonic()
            print(f"{asked:,} of {number:,} questions, {cases:,} calendars", file=sys.stderr)
    took = time.monotonic() - began
    print(f"{asked:,} questions on {cases:,} calendars agree with the walk, in {took:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
