"""Holidays out of an iCalendar file, as rules for dates. This file knows no YAML and no policy.

An event closes its time: a whole-day event the day, a timed one its hours. Recurring events are
laid out date by date up to a horizon, so that a published book needs its feed no more.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr  # type: ignore[import-untyped]

from slastream.book.nodes import Wrong
from slastream.core.calendar import DAY_SECONDS, WHOLE_DAY, DayRule, Span

MOST = 20_000
"""So many dates one feed may close."""

NO_DAYS = re.compile(r"HOURLY|MINUTELY|SECONDLY|DTSTART|INTERVAL=0*(?!\d)|\n", re.IGNORECASE)
"""What makes a recurrence other than one of days, or one that never gets anywhere."""

_DAY = timedelta(days=1)


def closed_days(path: Path, zone: str, horizon: date) -> list[DayRule]:
    """Return what a feed closes, in the local time of `zone`; raises `Wrong` for a bad file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Wrong(
            f"cannot read {path.name!r}: {error.strerror}", "paths start at the book"
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from icalendar import Calendar

            events = list(Calendar.from_ical(content).walk("VEVENT"))
            rules = list(_rules(events, ZoneInfo(zone), horizon))
    except Wrong:
        raise
    except Exception as error:  # whatever a parser says about a stranger's file is about the file
        raise Wrong(f"{path.name!r} is no iCalendar file that can be read: {error}") from None
    if not events:
        raise Wrong(f"{path.name!r} holds no event")
    return rules


def _rules(events: list[Any], zone: ZoneInfo, horizon: date) -> Iterator[DayRule]:
    moved = {
        (str(event.get("UID")), _moment(event["RECURRENCE-ID"].dt, zone))
        for event in events
        if "RECURRENCE-ID" in event
    }
    found: dict[tuple[date, Span], str] = {}
    for event in events:
        if "DTSTART" not in event or str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        label = str(event.get("SUMMARY", "")).strip()
        length = _length(event)
        for start in _starts(event, zone, horizon):
            moment = _moment(start, zone)
            if "RECURRENCE-ID" not in event and (str(event.get("UID")), moment) in moved:
                continue
            for day, span in _spread(start, length, zone):
                found.setdefault((day, span), label)
            if len(found) > MOST:
                raise Wrong(f"the feed closes more than {MOST} days", "end its recurrences")
    for (day, span), label in sorted(found.items()):
        yield DayRule(date=day, closed=(span,), label=label)


def _length(event: Any) -> timedelta:
    """How long an event lasts; a whole-day event without an end lasts a day."""
    start = event["DTSTART"].dt
    if "DTEND" in event:
        end = event["DTEND"].dt
        if isinstance(end, datetime) != isinstance(start, datetime):
            raise Wrong("an event starts on a date and ends at a time, or the other way round")
        return max(end - start, timedelta())  # type: ignore[no-any-return]
    if "DURATION" in event:
        return event["DURATION"].dt  # type: ignore[no-any-return]
    return timedelta() if isinstance(start, datetime) else _DAY


def _starts(event: Any, zone: ZoneInfo, horizon: date) -> Iterator[date | datetime]:
    """Yield every start of an event: its own, those of its RRULE and RDATE without its EXDATE."""
    first = event["DTSTART"].dt
    whole = not isinstance(first, datetime)
    without = {_moment(day.dt, zone) for part in _parts(event, "EXDATE") for day in part.dts}
    starts: list[date | datetime] = [first]
    for rule in _parts(event, "RRULE"):
        starts += _recurring(rule.to_ical().decode(), first, horizon)
    for part in _parts(event, "RDATE"):
        starts += [day.dt[0] if isinstance(day.dt, tuple) else day.dt for day in part.dts]
    seen = set()
    for start in starts:
        moment = _moment(start, zone)
        if moment not in without and moment not in seen:
            seen.add(moment)
            yield start.date() if whole and isinstance(start, datetime) else start


def _parts(event: Any, name: str) -> list[Any]:
    value = event.get(name)
    return [] if value is None else value if isinstance(value, list) else [value]


def _recurring(rule: str, first: date | datetime, horizon: date) -> Iterator[date | datetime]:
    """Yield the starts of an RRULE up to the horizon, in the local time of its first one."""
    timed = isinstance(first, datetime)
    aware = first.tzinfo if isinstance(first, datetime) else None
    local = datetime.combine(first, first.time() if isinstance(first, datetime) else time())
    if NO_DAYS.search(rule):
        raise Wrong(f"an event recurs by {rule!r}, which does not name days")
    plain = ";".join(_naive_until(part, aware) for part in rule.split(";"))
    for count, start in enumerate(rrulestr(plain, dtstart=local)):
        if start.date() > horizon:
            return
        if count > MOST:
            raise Wrong(f"an event recurs more than {MOST} times", "end its recurrence")
        yield start.replace(tzinfo=aware) if timed else start.date()


def _naive_until(part: str, zone: Any) -> str:
    """Return an UNTIL of an RRULE in the local time in which the rule is laid out."""
    if not part.upper().startswith("UNTIL=") or not part.upper().endswith("Z"):
        return part
    until = datetime.strptime(part[6:-1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    return f"UNTIL={until.astimezone(zone or UTC):%Y%m%dT%H%M%S}"


def _moment(start: date | datetime, zone: ZoneInfo) -> datetime:
    """Return a start as one comparable instant; a floating time is local to the calendar."""
    if not isinstance(start, datetime):
        start = datetime.combine(start, time())
    return (start if start.tzinfo else start.replace(tzinfo=zone)).astimezone(UTC)


def _spread(
    start: date | datetime, length: timedelta, zone: ZoneInfo
) -> Iterator[tuple[date, Span]]:
    """Yield the local dates that an event covers, and of each the part that it closes."""
    if not isinstance(start, datetime):
        for step in range(min(max(length.days, 1), MOST)):
            yield start + step * _DAY, WHOLE_DAY
        return
    begin = _moment(start, zone)
    ends = (begin + length).astimezone(zone).replace(tzinfo=None)
    at = begin.astimezone(zone).replace(tzinfo=None)
    for _ in range(MOST):
        if at >= ends:
            return
        midnight = datetime.combine(at.date() + _DAY, time())
        until = min(ends, midnight)
        opened = int((at - datetime.combine(at.date(), time())).total_seconds())
        closed = opened + int((until - at).total_seconds())
        if closed > opened:
            yield at.date(), (opened, min(closed, DAY_SECONDS))
        at = midnight
