"""The small words of a book: durations, windows, days, percentages, states. Text in, value out.

This file knows no YAML. Everything raises `Wrong` with what is wrong and what to write instead.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

from slastream.book.nodes import Wrong, nearest
from slastream.core.calendar import DAY_SECONDS, Span
from slastream.core.event import CANCELLED_BECAUSE, STATES, WAITING_ON, State
from slastream.core.instant import DAY, Millis, parse_duration
from slastream.core.policy import Level, Mapped, Target

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

LONGEST: Millis = 3_660 * DAY
"""Ten years: what is longer is a slip of the pen."""

_WINDOW = re.compile(r"(\d{2}):(\d{2})(?::(\d{2}))?-(\d{2}):(\d{2})(?::(\d{2}))?")
_BUSINESS_DAYS = re.compile(r"P(\d{1,6})BD")
_SPOKEN = re.compile(r"(\d+)\s*([a-zäöüé]+)\.?")
_UNITS = {
    "PT{}S": ("s", "sec", "secs", "second", "seconds", "seconde", "secondes"),
    "PT{}M": ("m", "min", "mins", "minute", "minutes", "mn"),
    "PT{}H": ("h", "hr", "hrs", "hour", "hours", "heure", "heures"),
    "P{}BD": ("bd", "wd", "jo"),
    "days": ("d", "day", "days", "j", "jour", "jours"),
}
_WHOLE_YEAR = re.compile(r"(\d{1,2})-(\d{1,2})")


@lru_cache(4096)
def duration(text: str) -> Millis:
    """Read a length of time of zero or more: `PT15M`, `P1DT4H`."""
    try:
        length = parse_duration(text)
    except ValueError:
        raise Wrong(f"{text!r} is no duration", _spoken(text)) from None
    if length > LONGEST:
        raise Wrong(f"{text!r} is longer than ten years")
    return length


def hours_only(text: str) -> Millis:
    """Read a length of business time, in which a "day" would mean nothing certain (D29)."""
    length = duration(text)
    if has_days(text):
        raise Wrong(
            f"{text!r} counts days, which business time does not have", "write hours, PT..H"
        )
    return length


def has_days(text: str) -> bool:
    """Whether a duration counts days of 24 hours."""
    return "D" in text and not text.endswith("BD")


@lru_cache(4096)
def target(text: str) -> Target:
    """Read a target: `PT15M`, `PT90S`, `P1DT4H` or `P2BD`. Whether days fit the calendar: D29."""
    days = _BUSINESS_DAYS.fullmatch(text)
    if days is not None:
        if not 0 < int(days[1]) <= 2_600:
            raise Wrong(f"{text!r} must be between 1 and 2600 business days")
        return Target(int(days[1]), "bd", text)
    length = duration(text)
    if length <= 0:
        raise Wrong(f"the target {text!r} is not longer than zero", "leave it out, or write null")
    return Target(length, "ms", text)


def _spoken(text: str) -> str:
    """Return a hint for a duration that is written as one would say it."""
    if text.startswith("-"):
        return "a length of time cannot be negative"
    match = _SPOKEN.fullmatch(text.strip().casefold())
    for form, words in _UNITS.items() if match else ():
        if match and match[2] in words:
            number = match[1]
            if form == "days":
                return f"write P{number}BD for working days, or PT{int(number) * 24}H of 24x7 time"
            return f"write {form.format(number)}"
    return "durations are written PT15M, PT4H or PT90S, working days P2BD"


@lru_cache(4096)
def window(text: str) -> Span:
    """Read a local window `HH:MM-HH:MM[:SS]`; an end before its start is tomorrow's."""
    match = _WINDOW.fullmatch(text.strip())
    if match is None:
        raise Wrong(
            f"{text!r} is no window of time",
            'write "HH:MM-HH:MM" in quotes, as "08:30-12:30"',
        )
    start, end = _seconds(match, 1), _seconds(match, 4)
    if start >= DAY_SECONDS:
        raise Wrong(f"the window {text!r} starts when the day is over", "start it at 00:00")
    if start == end:
        raise Wrong(f"the window {text!r} ends where it starts", 'a whole day is "00:00-24:00"')
    return start, end if end > start else end + DAY_SECONDS


def _seconds(match: re.Match[str], group: int) -> int:
    hours, minutes, seconds = (int(match[group + at] or 0) for at in range(3))
    total = hours * 3600 + minutes * 60 + seconds
    if minutes > 59 or seconds > 59 or total > DAY_SECONDS:
        raise Wrong(f"there is no such time of day in {match[0]!r}", "times go from 00:00 to 24:00")
    return total


def weekdays(text: str) -> tuple[int, ...]:
    """Read `mon`, `mon-thu`, `sat-sun` or `daily` as weekdays, Monday being 0."""
    if text == "daily":
        return tuple(range(7))
    first, dash, last = text.partition("-")
    if first in DAYS and (last in DAYS or not dash):
        start = DAYS.index(first)
        length = (DAYS.index(last) - start) % 7 if dash else 0
        return tuple((start + step) % 7 for step in range(length + 1))
    hint = nearest(text, DAYS) if not dash else None
    raise Wrong(
        f"{text!r} is no day of the week", hint or "write mon ... sun, a range mon-fri, or daily"
    )


def day(text: str) -> date:
    """Read a date `2026-12-24`."""
    try:
        return date.fromisoformat(text) if len(text) == 10 else date.fromisoformat("-")
    except ValueError:
        raise Wrong(f"{text!r} is no date", "write YYYY-MM-DD") from None


def day_of_year(text: str) -> tuple[int, int]:
    """Read a day of every year `12-25` as (month, day); 29 February comes in leap years only."""
    match = _WHOLE_YEAR.fullmatch(text)
    try:
        found = date(2000, int(match[1]), int(match[2])) if match else None
    except ValueError:
        found = None
    if found is None:
        raise Wrong(f"{text!r} is no day of the year", 'write MM-DD, such as "12-25"')
    return found.month, found.day


@lru_cache(1024)
def percentage(text: str) -> float:
    """Read `95%`, `95 %` or `95`: more than nothing."""
    number = text.strip().removesuffix("%").strip()
    if not re.fullmatch(r"\d{1,6}(\.\d{1,4})?", number) or float(number) == 0:
        raise Wrong(f"{text!r} is no percentage", 'write "95%"')
    return float(number)


def objective(text: str) -> float:
    """Read the attainment that was promised, up to 100 percent."""
    value = percentage(text)
    if value > 100:
        raise Wrong(f"nobody attains {text!r}", "an objective is at most 100%")
    return value


def warning(text: str) -> Level:
    """Read a level before the due date: `75%`, or `PT15M` before it."""
    return _level(text, "remaining", "left")


def overdue(text: str) -> Level:
    """Read a level after the due date: `PT1H` after it, or `150%`."""
    return _level(text, "overdue", "over")


@lru_cache(1024)
def _level(text: str, kind: str, suffix: str) -> Level:
    if text.rstrip().endswith("%"):
        percent = percentage(text)
        return Level("percent", percent, f"{percent:g}%")
    if _BUSINESS_DAYS.fullmatch(text):
        raise Wrong(f"a level cannot be counted in business days: {text!r}", "write hours, PT..H")
    length = hours_only(text) if text.startswith("P") else None
    if not length:
        raise Wrong(f"{text!r} is no level", 'write "75%", or a duration such as "PT15M"')
    return Level("remaining" if kind == "remaining" else "overdue", length, f"{text} {suffix}")


_REASONS = {State.WAITING: WAITING_ON, State.CANCELLED: CANCELLED_BECAUSE}


@lru_cache(1024)
def state(text: str) -> Mapped:
    """Read a state: `new`, `in_progress`, `waiting/client`, `cancelled/duplicate`."""
    word, slash, reason = text.partition("/")
    found = STATES.get(word)
    if found is None:
        raise Wrong(
            f"unknown state {text!r}", nearest(word, STATES) or f"one of {', '.join(STATES)}"
        )
    if not slash:
        return Mapped(found, "unknown" if found is State.WAITING else "")
    known = _REASONS.get(found, ())
    if reason not in known:
        hint = nearest(reason, known) or (
            f"one of {', '.join(known)}" if known else f"write {word}"
        )
        raise Wrong(f"{word!r} has no reason {reason!r}", hint)
    return Mapped(found, reason)
