"""The `calendars:` of a book. This file knows how hours are written, not how they are counted.

Reading goes in two steps, since a calendar may extend one that is written further down: every
calendar is read into a `Draft`, then the drafts are put together.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from dateutil.rrule import rrulestr  # type: ignore[import-untyped]
from yaml import MappingNode, Node, ScalarNode, SequenceNode

from slastream.book import ics, words
from slastream.book.nodes import Reader, Wrong, nearest
from slastream.core.calendar import WHOLE_DAY, Calendar, DayRule, HolidayRule, Span
from slastream.core.errors import Misconfigured

ALWAYS = "24x7"
"""The calendar that every book has without declaring it."""

_FIELDS = ("timezone", "open", "holidays", "exceptions", "extends")
_HOLIDAY = ("country", "subdivision", "date", "yearly", "rrule", "ics", "from", "label")
_EXCEPTION = ("date", "yearly", "rrule", "from", "open", "closed", "label")
_MEANT_ALWAYS = ("24/7", "24*7", "24x7x365", "247", "7x24", "7/7", "always", "24h/24", "24 x 7")


@dataclass
class Draft:
    """One calendar as written: only its own lines, without what it extends."""

    reader: Reader
    node: Node
    key: str
    folder: Path
    always: bool = False
    zone: str | None = None
    days: dict[int, tuple[Span, ...]] = field(default_factory=dict)
    holidays: list[HolidayRule] = field(default_factory=list)
    exceptions: list[DayRule] = field(default_factory=list)
    extends: str | None = None
    extends_node: Node | None = None
    feeds: list[tuple[Node, str, Path]] = field(default_factory=list)
    faulty: bool = False


def draft(reader: Reader, name: str, node: Node, key: str, folder: Path) -> Draft:
    """Read the lines of one calendar; mistakes are noted with `reader`."""
    found = Draft(reader, node, key, folder)
    before = len(reader.problems)
    if name == ALWAYS:
        if not (isinstance(node, ScalarNode) and node.value == ALWAYS):
            reader.wrong(node, key, f"{ALWAYS!r} is built in and means every hour there is")
        found.always = True
    elif isinstance(node, ScalarNode):
        _read_always(found)
    else:
        _read_fields(found)
    found.faulty = len(reader.problems) > before
    return found


def _read_always(found: Draft) -> None:
    text = found.reader.text(found.node, found.key)
    if text == ALWAYS:
        found.always = True
    elif text is not None:
        close = text.casefold().strip() in (*_MEANT_ALWAYS, ALWAYS)
        hint = f"did you mean {ALWAYS!r}?" if close else nearest(text, (ALWAYS,))
        message = f"{text!r} is no calendar"
        found.reader.wrong(
            found.node, found.key, message, hint or f"write {ALWAYS}, or timezone: and open:"
        )


def _read_fields(found: Draft) -> None:
    reader, key = found.reader, found.key
    fields = reader.fields(found.node, key, _FIELDS)
    if (node := fields.get("timezone")) is not None:
        found.zone = reader.word(node, f"{key}.timezone", zone)
    if (node := fields.get("extends")) is not None:
        found.extends = reader.text(node, f"{key}.extends")
        found.extends_node = node
    if (node := fields.get("open")) is not None:
        found.days = _week(reader, node, f"{key}.open")
    if (node := fields.get("holidays")) is not None:
        for at, item in enumerate(reader.items(node, f"{key}.holidays")):
            _read_holiday(found, item, f"{key}.holidays[{at}]")
    if (node := fields.get("exceptions")) is not None:
        for at, item in enumerate(reader.items(node, f"{key}.exceptions")):
            _read_exception(found, item, f"{key}.exceptions[{at}]")


@lru_cache(1024)
def zone(text: str) -> str:
    """Return the name of an IANA time zone; raises `Wrong` for an unknown one."""
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        hint = nearest(text, available_timezones()) or "zones are IANA names such as Europe/Paris"
        raise Wrong(f"unknown time zone {text!r}", hint) from None
    return sys.intern(text)


def _week(reader: Reader, node: Node, key: str) -> dict[int, tuple[Span, ...]]:
    """Read the hours of weekdays. One day goes before a range, a range before `daily`."""
    week: dict[int, tuple[int, str, tuple[Span, ...]]] = {}
    for name, name_node, value in reader.pairs(node, key):
        spans = _spans(reader, value, f"{key}.{name}")
        try:
            days = words.weekdays(name)
        except Wrong as wrong:
            reader.wrong(name_node, f"{key}.{name}", wrong.args[0], wrong.hint)
            continue
        for weekday in days:
            other = week.get(weekday)
            if other is None or len(days) < other[0]:
                week[weekday] = (len(days), name, spans)
            elif len(days) == other[0]:
                message = f"{words.DAYS[weekday]} is in {other[1]!r} already"
                reader.wrong(name_node, f"{key}.{name}", message)
    return {weekday: spans for weekday, (_, _, spans) in week.items()}


def _spans(reader: Reader, node: Node, key: str) -> tuple[Span, ...]:
    """Read a list of windows; they come back in order, those that touch or overlap as one."""
    items = reader.one_or_more(node, key)
    spans = sorted(
        span
        for at, item in enumerate(items)
        if (span := reader.word(item, f"{key}[{at}]" if len(items) > 1 else key, words.window))
    )
    merged: list[Span] = []
    for start, end in spans:
        if merged and start <= merged[-1][1] and max(end, merged[-1][1]) - merged[-1][0] <= 86_400:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _read_holiday(found: Draft, node: Node, key: str) -> None:
    """Read one of `{country: FR}`, `{date: ...}`, `{yearly: ...}`, `{rrule: ...}`, `{ics: ...}`."""
    reader = found.reader
    fields = reader.fields(node, key, _HOLIDAY)
    kinds = [kind for kind in ("country", "date", "yearly", "rrule", "ics") if kind in fields]
    if len(kinds) != 1:
        if isinstance(node, MappingNode):
            reader.wrong(node, key, "a holiday has one of country, date, yearly, rrule and ics")
        return
    if kinds[0] == "country":
        if (rule := _country(reader, fields, key)) is not None:
            found.holidays.append(rule)
    elif kinds[0] == "ics":
        if (path := reader.text(fields["ics"], f"{key}.ics")) is not None:
            found.feeds.append((fields["ics"], f"{key}.ics", found.folder / path))
    else:
        _add_day(found, node, fields, key, None, (WHOLE_DAY,))


def _country(reader: Reader, fields: dict[str, Node], key: str) -> HolidayRule | None:
    country = reader.text(fields["country"], f"{key}.country")
    if country is None:
        return None
    known = countries()
    if country not in known:
        hint = nearest(country, known) or "countries are ISO codes such as FR, GB and US"
        reader.wrong(fields["country"], f"{key}.country", f"no holidays for {country!r}", hint)
        return None
    if (node := fields.get("subdivision")) is None:
        return HolidayRule(country)
    part = reader.text(node, f"{key}.subdivision")
    if part is not None and part not in known[country]:
        parts = known[country]
        hint = nearest(part, parts) or f"known for {country}: {', '.join(parts) or 'none'}"
        message = f"{country} has no subdivision {part!r}"
        reader.wrong(node, f"{key}.subdivision", message, hint)
        return None
    return HolidayRule(country, part)


@lru_cache(1)
def countries() -> dict[str, list[str]]:
    """Return the countries whose public holidays are known, with their subdivisions."""
    import holidays

    return holidays.list_supported_countries()  # type: ignore[no-any-return]


def _read_exception(found: Draft, node: Node, key: str) -> None:
    """Read one date, or day that recurs, with other hours."""
    reader = found.reader
    fields = reader.fields(node, key, _EXCEPTION)
    if not isinstance(node, MappingNode):
        return
    opened: tuple[Span, ...] | None = None
    closed: tuple[Span, ...] | None = None
    if (value := fields.get("open")) is not None:
        opened = _spans(reader, value, f"{key}.open")
        if not opened and isinstance(value, SequenceNode):
            reader.wrong(value, f"{key}.open", "opens nothing", "write closed: true for a day off")
    if (value := fields.get("closed")) is not None:
        if isinstance(value, ScalarNode) and value.value in ("true", "false"):
            if reader.boolean(value, f"{key}.closed"):
                closed = (WHOLE_DAY,)
            else:
                reader.wrong(value, f"{key}.closed", "closed: false says nothing; leave it out")
        else:
            closed = _spans(reader, value, f"{key}.closed")
    if "open" not in fields and "closed" not in fields:
        hint = 'write open: ["09:00-12:00"], closed: ["12:00-24:00"] or closed: true'
        reader.wrong(node, key, "an exception neither opens nor closes anything", hint)
    elif opened or closed:
        _add_day(found, node, fields, key, opened, closed)


def _add_day(
    found: Draft,
    node: Node,
    fields: dict[str, Node],
    key: str,
    opened: tuple[Span, ...] | None,
    closed: tuple[Span, ...] | None,
) -> None:
    """Note a rule for the day or days that `fields` name."""
    reader = found.reader
    kinds = [kind for kind in ("date", "yearly", "rrule") if kind in fields]
    if len(kinds) != 1:
        reader.wrong(node, key, "needs one of date, yearly and rrule to say which day")
        return
    kind = kinds[0]
    label = reader.text(fields["label"], f"{key}.label") if "label" in fields else None
    start: date | None = None
    if (value := fields.get("from")) is not None:
        if kind != "rrule":
            reader.wrong(value, f"{key}.from", "only an rrule has a first day")
        start = reader.word(value, f"{key}.from", words.day)
    value, inner = fields[kind], f"{key}.{kind}"
    rule: DayRule | None = None
    if kind == "date":
        if (day := reader.word(value, inner, words.day)) is not None:
            rule = DayRule(date=day, open=opened, closed=closed, label=label or "")
    elif kind == "yearly":
        if (yearly := reader.word(value, inner, words.day_of_year)) is not None:
            rule = DayRule(yearly=yearly, open=opened, closed=closed, label=label or "")
    elif (rrule := reader.word(value, inner, recurrence)) is not None:
        rule = DayRule(date=start, rrule=rrule, open=opened, closed=closed, label=label or "")
    if rule is not None:
        found.exceptions.append(rule)


@lru_cache(256)
def recurrence(text: str) -> str:
    """Read an RFC 5545 recurrence of days, `FREQ=MONTHLY;BYDAY=1FR`."""
    rule = text.removeprefix("RRULE:")
    hint = "such as FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO"
    if ics.NO_DAYS.search(rule):
        raise Wrong(f"{text!r} does not name days", hint)
    try:
        rrulestr(rule)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError):
        raise Wrong(f"{text!r} is no recurrence rule of RFC 5545", hint) from None
    return rule


def assemble(drafts: dict[str, Draft], horizon: date) -> dict[str, Calendar]:
    """Put every draft together with what it extends; feeds are read up to `horizon`."""
    done: dict[str, Calendar] = {}
    for name in drafts:
        _assemble(name, drafts, horizon, done, ())
    return done


def _assemble(
    name: str,
    drafts: dict[str, Draft],
    horizon: date,
    done: dict[str, Calendar],
    above: tuple[str, ...],
) -> Calendar | None:
    mine = drafts[name]
    if name in done or mine.faulty:
        return done.get(name)
    base: Calendar | None = None
    if mine.extends is not None:
        mine.faulty = True  # until its base is known: a ring of calendars ends here
        base = _base(name, mine, drafts, horizon, done, (*above, name))
        if base is None:
            return None
        mine.faulty = False
    before = len(mine.reader.problems)
    calendar = _calendar(name, mine, base, horizon)
    if calendar is None or len(mine.reader.problems) > before:
        mine.faulty = True
        return None
    done[name] = calendar
    return calendar


def _base(
    name: str,
    mine: Draft,
    drafts: dict[str, Draft],
    horizon: date,
    done: dict[str, Calendar],
    path: tuple[str, ...],
) -> Calendar | None:
    key, extended = f"{mine.key}.extends", str(mine.extends)
    node = mine.extends_node or mine.node
    if extended in path:
        ring = " -> ".join((*path, extended))
        mine.reader.wrong(node, key, f"the calendar extends itself: {ring}")
        return None
    if extended == ALWAYS or (extended in drafts and drafts[extended].always):
        hint = 'write open: {daily: ["00:00-24:00"]} instead'
        mine.reader.wrong(node, key, f"{extended!r} is every hour there is", hint)
        return None
    if extended not in drafts:
        message = f"there is no calendar {extended!r}"
        mine.reader.wrong(node, key, message, nearest(extended, drafts))
        return None
    return _assemble(extended, drafts, horizon, done, path)


def _calendar(name: str, mine: Draft, base: Calendar | None, horizon: date) -> Calendar | None:
    """Return the calendar: a day that this one names goes before its base's, rules come on top."""
    local = mine.zone or (base.zone if base else "UTC")
    exceptions = [*(base.exceptions if base else ()), *mine.exceptions]
    for node, key, path in mine.feeds:
        try:
            exceptions += ics.closed_days(path, local, horizon)
        except Wrong as wrong:
            mine.reader.wrong(node, key, wrong.args[0], wrong.hint)
    if mine.always:
        return Calendar(name, always=True)
    hours = base.hours if base else ((),) * 7
    weekly = tuple(mine.days.get(weekday, hours[weekday]) for weekday in range(7))
    if not any(weekly) and not any(rule.open for rule in exceptions):
        hint = "give it open:, an exception with open:, or write 24x7"
        mine.reader.wrong(mine.node, mine.key, "this calendar never opens", hint)
        return None
    holidays = (*(base.holidays if base else ()), *mine.holidays)
    try:
        return Calendar(name, local, weekly, tuple(dict.fromkeys(holidays)), tuple(exceptions))
    except Misconfigured as problem:
        mine.reader.wrong(mine.node, mine.key, problem.message, problem.hint)
        return None
