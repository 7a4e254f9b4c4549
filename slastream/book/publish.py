"""The published form of a book: self-contained JSON, the same bytes for the same content.

Presets are expanded and ICS feeds laid out, so that a worker needs nothing but these bytes. The
version is part of them and is checked when they are read back. This file knows no YAML.
"""

from __future__ import annotations

import hashlib
from dataclasses import fields
from datetime import date
from types import MappingProxyType
from typing import Any, cast

import orjson

from slastream.core.calendar import Calendar, DayRule, HolidayRule, Span
from slastream.core.errors import Misconfigured
from slastream.core.event import State
from slastream.core.instant import Instant, format_instant
from slastream.core.policy import (
    INDICATORS,
    Book,
    Indicator,
    Level,
    Mapped,
    Options,
    Policy,
    SourceMapping,
    Target,
)

FORMAT = "slastream/book/v1"

_DEFAULTS = Options()
_OPTION_NAMES = tuple(option.name for option in fields(Options))
_JOIN = "\x1f"


def version_of(book: Book) -> str:
    """Return `<effective_from>#<first six of the content hash>`; `book.version` plays no part."""
    return _version(_content(book), book.effective_from)


def to_published(book: Book) -> bytes:
    """Return a book as JSON bytes."""
    return orjson.dumps({**_content(book), "version": book.version}, option=orjson.OPT_SORT_KEYS)


def from_published(published: bytes) -> Book:
    """Return the book of published bytes; raises `Misconfigured` when they are none, or changed."""
    try:
        content = orjson.loads(published)
    except orjson.JSONDecodeError as error:
        raise Misconfigured(f"a published book is not JSON: {error}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise Misconfigured(f"these bytes are no published book of the format {FORMAT}")
    version = content.pop("version", None)
    try:
        if version != _version(content, content["effective_from"]):
            raise Misconfigured(f"the published book {version!r} does not hold what its hash says")
        return _book(content, version)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise Misconfigured(f"the published book {version!r} cannot be read: {error!r}") from None


def _version(content: dict[str, Any], effective_from: Instant) -> str:
    digest = hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return f"{format_instant(effective_from).replace('.000Z', 'Z')}#{digest[:6]}"


# ---------------------------------------------------------------- values to JSON


def _content(book: Book) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "tenant": book.tenant,
        "effective_from": book.effective_from,
        "options": _plain_options(book.extra.get("options", _DEFAULTS)),
        "calendars": {name: _plain_calendar(it) for name, it in book.calendars.items()},
        "sources": {name: _plain_source(it) for name, it in book.sources.items()},
        "policies": [_plain_policy(policy) for policy in book.policies],
    }


def _plain_calendar(calendar: Calendar) -> dict[str, Any]:
    return {
        "zone": calendar.zone,
        "weekly": calendar.weekly,
        "holidays": [[rule.country, rule.subdivision] for rule in calendar.holidays],
        "exceptions": [_plain_rule(rule) for rule in calendar.exceptions],
        "always": calendar.always,
    }


def _plain_rule(rule: DayRule) -> dict[str, Any]:
    plain = {
        "date": rule.date.isoformat() if rule.date else None,
        "yearly": rule.yearly,
        "rrule": rule.rrule,
        "open": rule.open,
        "closed": rule.closed,
        "label": rule.label or None,
    }
    return {name: value for name, value in plain.items() if value is not None}


def _plain_source(source: SourceMapping) -> dict[str, Any]:
    plain = {
        "preset": source.preset,
        "timezone": source.timezone,
        "assigned_is_responded": source.assigned_is_responded,
        "statuses": {
            _JOIN.join(key): f"{mapped.state.label}/{mapped.on}"
            for key, mapped in source.statuses.items()
        },
        "priorities": dict(source.priorities),
        "matrix": {_JOIN.join(key): name for key, name in source.matrix.items()},
    }
    if source.clients:  # younger than the format: a book without it keeps its hash
        plain["clients"] = dict(source.clients)
    return plain


def _plain_policy(policy: Policy) -> dict[str, Any]:
    return {
        "name": policy.name,
        "calendar": policy.calendar,
        "when": dict(policy.when),
        "targets": {
            indicator.label: {name: target and target.text for name, target in rows.items()}
            for indicator, rows in policy.targets.items()
        },
        "amounts": {
            target.text: [target.amount, target.unit]
            for rows in policy.targets.values()
            for target in rows.values()
            if target
        },
        "at_risk": [_plain_level(level) for level in policy.at_risk],
        "overdue": [_plain_level(level) for level in policy.overdue],
        "objective": {indicator.label: share for indicator, share in policy.objective.items()},
        "rank": policy.rank,
        "valid_from": policy.valid_from,
        "valid_to": policy.valid_to,
        "options": _plain_options(policy.options),
    }


def _plain_level(level: Level) -> list[Any]:
    return [level.kind, level.amount, level.text]


def _plain_options(options: Options) -> dict[str, Any]:
    """Return what differs from the defaults, so that a new option leaves old hashes alone."""
    plain: dict[str, Any] = {}
    for name in _OPTION_NAMES:
        value = getattr(options, name)
        if value != getattr(_DEFAULTS, name):
            if isinstance(value, Target):
                value = [value.amount, value.unit, value.text]
            plain[name] = dict(value) if isinstance(value, MappingProxyType) else value
    return plain


# ---------------------------------------------------------------- JSON to values


def _book(content: dict[str, Any], version: str) -> Book:
    return Book(
        tenant=content["tenant"],
        effective_from=content["effective_from"],
        version=version,
        calendars=MappingProxyType(
            {name: _calendar(name, it) for name, it in content["calendars"].items()}
        ),
        policies=tuple(_policy(it) for it in content["policies"]),
        sources=MappingProxyType({name: _source(it) for name, it in content["sources"].items()}),
        extra=MappingProxyType({"options": _options(content["options"])}),
    )


def _calendar(name: str, plain: dict[str, Any]) -> Calendar:
    return Calendar(
        name=name,
        zone=plain["zone"],
        weekly=tuple(_spans(day) for day in plain["weekly"]),
        holidays=tuple(HolidayRule(*rule) for rule in plain["holidays"]),
        exceptions=tuple(_rule(rule) for rule in plain["exceptions"]),
        always=plain["always"],
    )


def _spans(plain: list[list[int]]) -> tuple[Span, ...]:
    return tuple((start, end) for start, end in plain)


def _rule(plain: dict[str, Any]) -> DayRule:
    yearly = plain.get("yearly")
    return DayRule(
        date=date.fromisoformat(plain["date"]) if "date" in plain else None,
        yearly=(yearly[0], yearly[1]) if yearly else None,
        open=_spans(plain["open"]) if "open" in plain else None,
        closed=_spans(plain["closed"]) if "closed" in plain else None,
        label=plain.get("label", ""),
        rrule=plain.get("rrule"),
    )


def _source(plain: dict[str, Any]) -> SourceMapping:
    statuses = {}
    for key, word in plain["statuses"].items():
        board, status, sub = key.split(_JOIN)
        label, _, on = word.partition("/")
        statuses[board, status, sub] = Mapped(State[label.upper()], on)
    matrix = {}
    for key, name in plain["matrix"].items():
        impact, urgency = key.split(_JOIN)
        matrix[impact, urgency] = name
    return SourceMapping(
        statuses=MappingProxyType(statuses),
        priorities=MappingProxyType(plain["priorities"]),
        preset=plain["preset"],
        timezone=plain["timezone"],
        assigned_is_responded=plain["assigned_is_responded"],
        matrix=MappingProxyType(matrix),
        clients=MappingProxyType(plain.get("clients", {})),
    )


def _policy(plain: dict[str, Any]) -> Policy:
    amounts = {
        text: Target(amount, unit, text) for text, (amount, unit) in plain["amounts"].items()
    }
    targets: dict[Indicator, MappingProxyType[str, Target]] = {
        INDICATORS[label]: MappingProxyType(
            {name: cast(Target, text and amounts[text]) for name, text in rows.items()}
        )
        for label, rows in plain["targets"].items()
    }
    return Policy(
        name=plain["name"],
        calendar=plain["calendar"],
        when=MappingProxyType({name: tuple(values) for name, values in plain["when"].items()}),
        targets=MappingProxyType(targets),
        at_risk=tuple(Level(*level) for level in plain["at_risk"]),
        overdue=tuple(Level(*level) for level in plain["overdue"]),
        objective=MappingProxyType(
            {INDICATORS[label]: share for label, share in plain["objective"].items()}
        ),
        rank=plain["rank"],
        options=_options(plain["options"]),
        valid_from=plain["valid_from"],
        valid_to=plain["valid_to"],
    )


def _options(plain: dict[str, Any]) -> Options:
    changes = dict(plain)
    if "new_cycle_after" in changes:
        changes["new_cycle_after"] = Target(*changes["new_cycle_after"])
    if "origin" in changes:
        changes["origin"] = MappingProxyType(changes["origin"])
    return Options(**changes)
