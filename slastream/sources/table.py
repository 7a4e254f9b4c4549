"""Tables of ticket events, one row an event, read through a mapping file. Knows no vendor.

A mapping says which column is which member of the canonical event, how times are written and in
which zone, and what words mean. What a row says is then read as strictly as any canonical event.
`deploy/examples/helpdesk/mapping.yaml` is one to start from.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO

import yaml

from slastream.core.errors import Misconfigured, Rejected
from slastream.core.event import TOLD, Event
from slastream.core.instant import Instant, from_datetime
from slastream.sources.canonical import parse
from slastream.sources.reading import as_instant, finished, zone_of

_TIMES = ("occurred_at", "created_at")
_MEMBERS = frozenset((
    *TOLD, *_TIMES, "tenant", "source", "ticket", "id", "sequence", "kind", "status", "sub_status",
    "state", "waiting_on", "reason", "actor.id", "actor.kind", "comment.public",
    "reported.breached", "merged_into", "previous_ticket", "imported",
))  # fmt: skip
_KEYS = frozenset(("tenant", "source", "delimiter", "missing", "skip", "time", "members"))
_RULE_KEYS = frozenset(("column", "constant", "values", "default", "prefix", "strip_prefix"))
FIRST_ROW = "first_row"
"""As the rule of `created_at`: a case begins with its earliest row in this file."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How one member is read: from a column, through a word list, or as a constant."""

    column: str | None = None
    constant: object = None
    values: Mapping[str, object] | None = None
    default: object = None
    prefix: str = ""
    strip_prefix: str = ""

    def read(self, row: Mapping[str, str | None], missing: frozenset[str]) -> object:
        """Return the member's value in a row, or None when the row does not say."""
        if self.column is None:
            return self.constant
        cell = (row.get(self.column) or "").strip()
        if cell in missing:
            return None
        if self.values is not None:
            return self.values.get(cell, self.default)
        return self.prefix + cell.removeprefix(self.strip_prefix)


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping file, checked. `skip` is column -> cells whose rows are none of the ticket's."""

    rules: Mapping[str, Rule]
    time_format: str = "iso"
    zone: str | None = None
    missing: frozenset[str] = frozenset(("",))
    skip: Mapping[str, frozenset[str]] = field(default_factory=dict)
    delimiter: str = ","
    from_first_row: bool = False
    where: str = "mapping"

    def columns(self) -> set[str]:
        """Return the names of all columns that are read."""
        return {rule.column for rule in self.rules.values() if rule.column} | set(self.skip)


def load_mapping(path: str | Path) -> Table:
    """Return a mapping file. Raises `Misconfigured` with file and key."""
    where = str(path)
    try:
        doc = yaml.safe_load(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as problem:
        raise Misconfigured(f"cannot be read: {problem}", where=where) from None
    except yaml.YAMLError as problem:
        line = getattr(getattr(problem, "problem_mark", None), "line", None)
        place = where if line is None else f"{where}:{line + 1}"
        raise Misconfigured("is no valid YAML", where=place) from None
    return table_of(doc, where)


def table_of(doc: object, where: str = "mapping") -> Table:
    """Return the mapping that a decoded YAML document describes. Raises `Misconfigured`."""
    doc = _section(doc, where, "", _KEYS)
    members = _section(doc.get("members"), where, "members", _MEMBERS)
    rules = {name: _rule(members[name], where, f"members.{name}") for name in members}
    for name in ("tenant", "source"):
        if doc.get(name) is not None:
            rules.setdefault(name, Rule(constant=str(doc[name])))
    for name in ("source", "ticket", "occurred_at"):
        if name not in rules:
            raise Misconfigured("is missing", where=where, key=f"members.{name}")
    first_row = members.get("created_at") == FIRST_ROW
    if first_row:
        del rules["created_at"]
    time = _section(doc.get("time") or {}, where, "time", frozenset(("format", "zone")))
    zone = time.get("zone")
    if zone is not None:
        try:
            zone_of(str(zone))
        except Rejected as problem:
            raise Misconfigured(problem.detail, where=where, key="time.zone") from None
    skip = _section(doc.get("skip") or {}, where, "skip", None)
    return Table(
        rules=rules,
        time_format=str(time.get("format", "iso")),
        zone=None if zone is None else str(zone),
        missing=frozenset(("", *map(str, doc.get("missing") or ()))),
        skip={str(name): frozenset(map(str, cells or ())) for name, cells in skip.items()},
        delimiter=str(doc.get("delimiter", ",")),
        from_first_row=first_row,
        where=where,
    )


def _section(doc: object, where: str, key: str, allowed: frozenset[str] | None) -> dict[str, Any]:
    if not isinstance(doc, dict):
        raise Misconfigured("must be a mapping of names to values", where=where, key=key or None)
    for name in doc:
        if allowed is not None and name not in allowed:
            raise Misconfigured(
                "is not known here", where=where, key=f"{key}.{name}".lstrip("."),
                hint=f"one of {', '.join(sorted(allowed))}",
            )  # fmt: skip
    return doc


def _rule(spec: object, where: str, key: str) -> Rule:
    if isinstance(spec, str):
        return Rule(column=spec)
    spec = _section(spec, where, key, _RULE_KEYS)
    if ("column" in spec) == ("constant" in spec):
        raise Misconfigured("needs either column or constant", where=where, key=key)
    values = spec.get("values")
    if values is not None:
        values = {str(word): what for word, what in _section(values, where, key, None).items()}
    return Rule(
        column=spec.get("column"),
        constant=spec.get("constant"),
        values=values,
        default=spec.get("default"),
        prefix=str(spec.get("prefix", "")),
        strip_prefix=str(spec.get("strip_prefix", "")),
    )


def read_table(path: str | Path, mapping: Table, tenant: str | None = None) -> Iterator[Event]:
    """Yield the events of a table in the order of its rows. Raises `Rejected` at a bad one."""
    for line, found in table_rows(path, mapping, tenant):
        if isinstance(found, Rejected):
            raise Rejected(found.reason, f"{path}:{line}: {found.detail}")
        yield from found


def table_rows(
    path: str | Path, mapping: Table, tenant: str | None = None
) -> Iterator[tuple[int, list[Event] | Rejected]]:
    """Yield each row's line number with its events, or with why it has none.

    Raises `Misconfigured` where the table has not the columns that the mapping names.
    """
    begun = _first_rows(path, mapping) if mapping.from_first_row else {}
    opened: set[str] = set()
    for line, row in _rows(path, mapping):
        if isinstance(row, Rejected):
            yield line, row
            continue
        try:
            doc = _members(row, mapping, tenant)
            ticket = str(doc.get("ticket"))
            if ticket in begun:
                doc["created_at"] = begun[ticket]
                if doc["occurred_at"] == begun[ticket] and ticket not in opened:
                    opened.add(ticket)
                    doc.setdefault("kind", "created")
            yield line, finished(parse(doc))
        except Rejected as problem:
            yield line, problem


def _members(row: Mapping[str, str | None], mapping: Table, tenant: str | None) -> dict[str, Any]:
    doc: dict[str, Any] = {}
    for name, rule in mapping.rules.items():
        value = rule.read(row, mapping.missing)
        if value is None:
            continue
        if name in _TIMES:
            value = _instant(str(value), mapping)
        elif name == "sequence":
            if not str(value).isdecimal() or len(str(value)) > 18:
                raise Rejected("bad_type", f"sequence {str(value)[:40]!r} is no number")
            value = int(str(value))
        outer, dot, inner = name.partition(".")
        if dot:
            doc.setdefault(outer, {})[inner] = value
        else:
            doc[name] = value
    if tenant is not None:
        doc["tenant"] = tenant
    if "occurred_at" not in doc:
        raise Rejected("no_time", "the row says no time")
    return doc


@lru_cache(maxsize=4096)
def _parsed(text: str, time_format: str, zone: str | None) -> Instant:
    if time_format == "iso":
        return as_instant(text, zone)
    if time_format in ("epoch_s", "epoch_ms"):
        if not text.isdecimal() or len(text) > 15:
            raise Rejected("bad_time", f"{text[:40]!r} is no epoch time")
        return as_instant(int(text) * (1000 if time_format == "epoch_s" else 1))
    try:
        moment = datetime.strptime(text, time_format)  # noqa: DTZ007 (the zone follows)
    except ValueError:
        raise Rejected("bad_time", f"{text[:40]!r} is not written as {time_format}") from None
    if moment.tzinfo is None:
        if zone is None:
            raise Rejected("naive_time", f"{text[:40]!r} has no zone; give the mapping time.zone")
        moment = moment.replace(tzinfo=zone_of(zone))
    return as_instant(from_datetime(moment))


def _instant(text: str, mapping: Table) -> Instant:
    return _parsed(text, mapping.time_format, mapping.zone)


def _first_rows(path: str | Path, mapping: Table) -> dict[str, Instant]:
    """Return the earliest time of each case: rows need not be in order, so it takes a pass."""
    begun: dict[str, Instant] = {}
    for _, row in _rows(path, mapping):
        if isinstance(row, Rejected):
            continue
        ticket = mapping.rules["ticket"].read(row, mapping.missing)
        text = mapping.rules["occurred_at"].read(row, mapping.missing)
        try:
            instant = _instant(str(text), mapping) if ticket and text else None
        except Rejected:
            continue
        if instant is not None:
            begun[str(ticket)] = min(instant, begun.get(str(ticket), instant))
    return begun


def _rows(
    path: str | Path, mapping: Table
) -> Iterator[tuple[int, Mapping[str, str | None] | Rejected]]:
    with _opened(path) as file:
        reader = csv.DictReader(file, delimiter=mapping.delimiter)
        try:
            header = reader.fieldnames
        except csv.Error as problem:
            raise Misconfigured(f"has no header row: {problem}", where=f"{path}:1") from None
        if absent := mapping.columns() - set(header or ()):
            raise Misconfigured(
                f"has no column {', '.join(sorted(absent))}", where=f"{path}:1",
                hint=f"{mapping.where} names it; it has {', '.join(header or ('none',))}",
            )  # fmt: skip
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as problem:
                yield reader.line_num, Rejected("bad_row", str(problem))
                continue
            if any(row.get(name) in cells for name, cells in mapping.skip.items()):
                continue
            if None in row or any(cell is None for cell in row.values()):
                yield reader.line_num, Rejected("bad_row", "has not as many cells as the header")
            elif any("\udc80" <= letter <= "\udcff" for letter in "".join(row.values())):
                yield reader.line_num, Rejected("bad_row", "is not UTF-8")
            else:
                yield reader.line_num, row


def _opened(path: str | Path) -> TextIO:
    raw = gzip.open(path, "rb") if str(path).endswith(".gz") else open(path, "rb")  # noqa: SIM115
    return io.TextIOWrapper(raw, "utf-8-sig", errors="surrogateescape", newline="")
