"""Instants and durations are integer milliseconds. Nothing here knows what time it is now."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from slastream.core.errors import Rejected

Instant = int
"""Milliseconds since 1970-01-01T00:00:00Z."""

Millis = int
"""A length of time in milliseconds."""

SECOND: Final[Millis] = 1_000
MINUTE: Final[Millis] = 60_000
HOUR: Final[Millis] = 3_600_000
DAY: Final[Millis] = 86_400_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLI: Final = timedelta(milliseconds=1)


def from_datetime(moment: datetime) -> Instant:
    """Return the instant of an aware datetime, cut to the millisecond."""
    return (moment - _EPOCH) // _MILLI


def to_datetime(instant: Instant) -> datetime:
    """Return the aware UTC datetime of an instant."""
    return _EPOCH + timedelta(milliseconds=instant)


def parse_instant(value: object) -> Instant:
    """Read an RFC 3339 time with an offset, or integer epoch milliseconds.

    Raises `Rejected` with reason `naive_time` for a time without an offset and `bad_time` for
    anything else, since guessing a zone moves every deadline that hangs on it.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value <= 253_402_300_799_999:
            raise Rejected("bad_time", f"{value} is no epoch time in milliseconds")
        return value
    if not isinstance(value, str):
        raise Rejected("bad_time", f"{value!r} is no RFC 3339 time")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise Rejected("bad_time", f"{value!r} is no RFC 3339 time") from None
    if moment.tzinfo is None:
        raise Rejected("naive_time", f"{value!r} has no offset from UTC, such as Z or +02:00")
    return from_datetime(moment)


_MINUTES: Final = [f"{hour:02d}:{minute:02d}:" for hour in range(24) for minute in range(60)]
_SECONDS: Final = [f"{second:02d}." for second in range(60)]
_MILLIS: Final = [f'{milli:03d}Z"' for milli in range(1000)]
_DATES: Final = [""] * 47_847
"""By days since 1970, up to 2100: what the day's texts begin with, once it was asked for."""


class _Written:
    """An instant and its JSON, in one object so that no thread sees one without the other."""

    __slots__ = ("instant", "text")

    def __init__(self, instant: Instant, text: str) -> None:
        self.instant = instant
        self.text = text


_PLACES: Final = 251
"""How many texts are remembered: those of one ticket. A prime, since many instants are whole seconds."""

_written: Final = [_Written(-1, '"1969-12-31T23:59:59.999Z"')] * _PLACES


def format_instant(instant: Instant) -> str:
    """Write an instant as RFC 3339 in UTC with milliseconds: `2026-03-02T09:02:11.000Z`."""
    return json_instant(instant)[1:-1]


def json_instant(instant: Instant) -> str:
    """Write an instant as JSON has it, in quotes."""
    # A ticket's instants are written again with each of its clocks.
    place = instant % _PLACES
    written = _written[place]
    if written.instant != instant:
        written = _written[place] = _Written(instant, _write(instant))
    return written.text


def _write(instant: Instant) -> str:
    day = instant // DAY
    date = _DATES[day] if 0 <= day < len(_DATES) else _date(day)
    if not date:
        date = _DATES[day] = _date(day)
    rest = instant % DAY
    second = rest % MINUTE
    return f"{date}{_MINUTES[rest // MINUTE]}{_SECONDS[second // SECOND]}{_MILLIS[second % SECOND]}"


def _date(day: int) -> str:
    return to_datetime(day * DAY).strftime('"%Y-%m-%dT')


_DURATION: Final = re.compile(
    r"P(?:(?P<d>\d+)D)?(?:T(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+(?:\.\d{1,3})?)S)?)?"
)


def parse_duration(text: str) -> Millis:
    """Read an ISO 8601 duration of days, hours, minutes and seconds: `PT4H`, `P1DT30M`, `PT90S`.

    A day is 24 hours here. Raises ValueError for anything else; months and years have no length.
    """
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()) or text.endswith("T"):
        raise ValueError(f"{text!r} is no duration such as PT15M, PT4H or P1DT2H")
    days, hours, minutes = (int(match[unit] or 0) for unit in "dhm")
    return days * DAY + hours * HOUR + minutes * MINUTE + round(float(match["s"] or 0) * SECOND)


def format_duration(length: Millis) -> str:
    """Write a length of time for people: `4 h 05 min`, `12 min`, `45 s`, `2 d 3 h`."""
    sign, length = ("-", -length) if length < 0 else ("", length)
    if length >= DAY:
        return f"{sign}{length // DAY} d {length % DAY // HOUR} h"
    if length >= HOUR:
        return f"{sign}{length // HOUR} h {length % HOUR // MINUTE:02d} min"
    if length >= MINUTE:
        return f"{sign}{length // MINUTE} min"
    return f"{sign}{length / SECOND:g} s"
