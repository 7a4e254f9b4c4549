"""The `policies:` and `options:` of a book. This file knows their grammar, not their meaning.

`slastream.core.policy` says what each option does; `docs/book.md` says it to users.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from types import MappingProxyType
from typing import Any, cast, get_args

from yaml import MappingNode, Node, ScalarNode

from slastream.book import words
from slastream.book.nodes import Reader, Wrong, is_null, nearest
from slastream.core.event import TOLD
from slastream.core.policy import (
    INDICATORS,
    Indicator,
    Level,
    Options,
    Policy,
    Retarget,
    Target,
    fold_text,
)

POLICY_FIELDS = (
    "name", "when", "calendar", "targets", "at_risk", "overdue", "objective", "rank", "options",
    "valid_from", "valid_to",
)  # fmt: skip

WHEN = (*TOLD, "source")
"""What a policy may ask about a ticket, beside `attributes.<name>`."""

_RETARGET = get_args(Retarget)

CHOICES: dict[str, tuple[str, ...]] = {
    "plan_origin": ("created", "responded"),
    "unknown_actor": ("counts", "ignored"),
    "retarget": _RETARGET,
    "retarget_up": _RETARGET,
    "retarget_down": _RETARGET,
    "retarget_breach": ("change", "due"),
    "policy_pin": ("at_start", "at_each_change", "latest"),
    "merge": ("keep_own", "inherit_earliest_start", "inherit_strictest_target"),
    "unmapped": ("keep", "dead_letter"),
    "business_day_due": ("same_time", "end_of_day"),
    "start": ("immediately", "next_open", "next_day"),
}
"""Options that are one word of a few, the default first."""

SWITCHES = ("note_counts", "pause_before_response", "strictest")
LENGTHS = ("grace", "settle", "reopen_grace", "verification")
REOPEN = ("continue", "new_cycle", "new_cycle_after", "include_resolved_time", "ignore")
ORIGIN = ("normal", "immediate", "skip")
Rows = dict[str, Target | None]
"""Folded priority -> target. None is a priority that has none, whatever the default row says."""

OPTION_FIELDS = (*CHOICES, *SWITCHES, *LENGTHS, "reopen", "enforce_from", "origin")


def read_options(reader: Reader, node: Node, key: str, base: Options) -> Options:
    """Read `options:` over the ones of the whole book."""
    changes: dict[str, Any] = {}
    fields = reader.fields(node, key, OPTION_FIELDS)
    for name, value in fields.items():
        inner = f"{key}.{name}"
        if name in CHOICES:
            changes[name] = reader.choice(value, inner, CHOICES[name])
        elif name in SWITCHES:
            changes[name] = reader.boolean(value, inner)
        elif name in LENGTHS:
            changes[name] = reader.word(value, inner, words.duration)
        elif name == "enforce_from":
            changes[name] = reader.instant(value, inner)
        elif name == "origin":
            changes[name] = _read_origin(reader, value, inner, base)
    changes = {name: value for name, value in changes.items() if value is not None}
    both = changes.pop("retarget", None)
    if both is not None:
        changes = {"retarget_up": both, "retarget_down": both} | changes
    if "reopen" in fields:
        changes |= _read_reopen(reader, fields["reopen"], f"{key}.reopen")
    return replace(base, **changes) if changes else base


def _read_origin(reader: Reader, node: Node, key: str, base: Options) -> MappingProxyType[str, str]:
    origin = dict(base.origin)
    for channel, _, value in reader.pairs(node, key):
        if (rule := reader.choice(value, f"{key}.{channel}", ORIGIN)) is not None:
            origin[fold_text(channel)] = rule
    return MappingProxyType(origin)


def _read_reopen(reader: Reader, node: Node, key: str) -> dict[str, Any]:
    if isinstance(node, MappingNode):
        fields = reader.fields(node, key, ("new_cycle_after",))
        if (value := fields.get("new_cycle_after")) is None:
            if not node.value:
                reader.wrong(node, key, "an empty mapping", "write {new_cycle_after: P5BD}")
            return {}
        after = reader.word(value, f"{key}.new_cycle_after", _business_target)
        return {"reopen": "new_cycle_after", "new_cycle_after": after} if after else {}
    choice = reader.choice(node, key, REOPEN)
    if choice == "new_cycle_after":
        reader.wrong(node, key, "new_cycle_after needs a length", "write {new_cycle_after: P5BD}")
        return {}
    return {"reopen": choice, "new_cycle_after": None} if choice else {}


def _business_target(text: str) -> Target:
    found = words.target(text)
    if words.has_days(text):
        raise Wrong(
            f"{text!r} counts days, which business time does not have", "write P5BD or PT40H"
        )
    return found


def read_policy(
    reader: Reader,
    node: Node,
    key: str,
    base: Options,
    known: Collection[str],
    always: Collection[str],
) -> Policy | None:
    """Read one policy; `known` are the book's calendars, `always` those that never close."""
    fields = reader.fields(node, key, POLICY_FIELDS)
    if not isinstance(node, MappingNode):
        return None
    name = _required_text(reader, node, fields, key, "name")
    calendar = _required_text(reader, node, fields, key, "calendar")
    if calendar is not None and calendar not in known:
        hint = nearest(calendar, known) or "declare it under calendars:, or write 24x7"
        reader.wrong(
            fields["calendar"], f"{key}.calendar", f"there is no calendar {calendar!r}", hint
        )
    elapsed = calendar is None or calendar in always or calendar not in known
    options = fields.get("options")
    rank = reader.integer(fields["rank"], f"{key}.rank") if "rank" in fields else 0
    policy = Policy(
        name=name or "",
        calendar=calendar or "",
        when=_read_when(reader, fields.get("when"), f"{key}.when"),
        targets=_read_targets(reader, fields.get("targets"), f"{key}.targets", elapsed),
        at_risk=_read_levels(reader, fields.get("at_risk"), f"{key}.at_risk", words.warning),
        overdue=_read_levels(reader, fields.get("overdue"), f"{key}.overdue", words.overdue),
        objective=_read_objective(reader, fields.get("objective"), f"{key}.objective"),
        rank=rank or 0,
        options=base if options is None else read_options(reader, options, f"{key}.options", base),
        valid_from=_instant(reader, fields, key, "valid_from"),
        valid_to=_instant(reader, fields, key, "valid_to"),
    )
    return policy if name and calendar else None


def _required_text(
    reader: Reader, node: Node, fields: dict[str, Node], key: str, name: str
) -> str | None:
    if name in fields:
        return reader.text(fields[name], f"{key}.{name}")
    reader.wrong(node, key, f"a policy needs a {name}:")
    return None


def _instant(reader: Reader, fields: dict[str, Node], key: str, name: str) -> int | None:
    return reader.instant(fields[name], f"{key}.{name}") if name in fields else None


def _read_when(
    reader: Reader, node: Node | None, key: str
) -> MappingProxyType[str, tuple[str, ...]]:
    """Read the conditions: attribute -> the values that it may have."""
    found: dict[str, tuple[str, ...]] = {}
    for name, name_node, value in [] if node is None else reader.pairs(node, key):
        inner = f"{key}.{name}"
        if name not in WHEN and not (name.startswith("attributes.") and len(name) > 11):
            hint = nearest(name, WHEN) or f"one of {', '.join(WHEN)}, or attributes.<name>"
            reader.wrong(name_node, inner, f"tickets have no attribute {name!r}", hint)
            continue
        items = reader.one_or_more(value, inner)
        values = [text for item in items if (text := reader.text(item, inner)) is not None]
        if values:
            found[name] = tuple(dict.fromkeys(fold_text(text) for text in values))
        elif not items and not isinstance(value, MappingNode | ScalarNode):
            reader.wrong(value, inner, "an empty list matches no ticket", "leave the line out")
    return MappingProxyType(found)


def _read_targets(
    reader: Reader, node: Node | None, key: str, elapsed: bool
) -> MappingProxyType[Indicator, MappingProxyType[str, Target]]:
    found: dict[Indicator, MappingProxyType[str, Target]] = {}
    if node is None:
        return MappingProxyType(found)
    for label, value in reader.fields(node, key, INDICATORS).items():
        inner = f"{key}.{label}"
        if is_null(value):
            continue
        if isinstance(value, ScalarNode):
            single = _read_target(reader, value, inner, elapsed)
            rows: Rows = {"default": single} if single else {}
        else:
            rows = _read_rows(reader, value, inner, elapsed)
        if rows:
            found[INDICATORS[label]] = MappingProxyType(cast("dict[str, Target]", rows))
    return MappingProxyType(found)


def _read_rows(reader: Reader, node: Node, key: str, elapsed: bool) -> Rows:
    """Read targets by priority. `null` means that this priority has none, whatever the default."""
    rows: dict[str, Target | None] = {}
    for priority, name_node, value in reader.pairs(node, key):
        inner, folded = f"{key}.{priority}", fold_text(priority)
        if folded in rows:
            reader.wrong(name_node, inner, f"the priority {priority!r} is written twice")
        rows[folded] = None if is_null(value) else _read_target(reader, value, inner, elapsed)
    return rows if any(rows.values()) else {}


def _read_target(reader: Reader, node: Node, key: str, elapsed: bool) -> Target | None:
    target = reader.word(node, key, words.target)
    if target is not None and not elapsed and words.has_days(target.text):
        message = f"{target.text!r} counts days of 24 hours, on a calendar that closes"
        hint = f"write {_in_business_days(target.text)} for working days, or hours: PT..H"
        reader.wrong(node, key, message, hint)
        return None
    return target


def _in_business_days(text: str) -> str:
    return f"P{text[1 : text.index('D')]}BD"


def _read_levels(reader: Reader, node: Node | None, key: str, parse: Any) -> tuple[Level, ...]:
    if node is None:
        return ()
    items = reader.one_or_more(node, key)
    levels: list[Level] = []
    for at, item in enumerate(items):
        inner = f"{key}[{at}]"
        level = reader.word(item, inner, parse)
        if level is not None and any(level.text == other.text for other in levels):
            reader.wrong(item, inner, f"the level {level.text!r} is written twice")
        elif level is not None:
            levels.append(level)
    return tuple(levels)


def _read_objective(
    reader: Reader, node: Node | None, key: str
) -> MappingProxyType[Indicator, float]:
    found: dict[Indicator, float] = {}
    if isinstance(node, ScalarNode):
        value = reader.word(node, key, words.objective)
        found = dict.fromkeys(Indicator, value) if value else {}
    elif node is not None:
        for label, value_node in reader.fields(node, key, INDICATORS).items():
            value = reader.word(value_node, f"{key}.{label}", words.objective)
            if value is not None:
                found[INDICATORS[label]] = value
    return MappingProxyType(found)
