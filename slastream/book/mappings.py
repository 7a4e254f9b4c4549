"""The `sources:` of a book and the shipped presets: how a ticket system's words are read (D03).

This file knows the grammar of a mapping. What a vendor calls things is in `presets/<vendor>.yaml`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from types import MappingProxyType

from yaml import MappingNode, Node

from slastream.book import words
from slastream.book.calendars import zone
from slastream.book.nodes import BookErrors, Reader, compose, nearest
from slastream.core.errors import Misconfigured
from slastream.core.policy import Mapped, SourceMapping, fold_text

StatusKey = tuple[str, str, str]
"""(board, status, sub_status), folded, "" for any."""

_STATUSES = ("statuses", "sub_statuses")
_SHARED = ("timezone", *_STATUSES, "boards", "priorities", "matrix", "assigned_is_responded")
SOURCE_FIELDS = ("preset", *_SHARED, "clients")
PRESET_FIELDS = ("preset", "title", *_SHARED, "unmapped")


@dataclass
class Words:
    """A mapping while it is read, with the words as written and their places for the linter."""

    statuses: dict[StatusKey, Mapped] = field(default_factory=dict)
    priorities: dict[str, str] = field(default_factory=dict)
    matrix: dict[tuple[str, str], str] = field(default_factory=dict)
    clients: dict[str, str] = field(default_factory=dict)
    timezone: str | None = None
    assigned_is_responded: bool = False
    written: dict[StatusKey, tuple[str, str]] = field(default_factory=dict)
    """Of each status: its words as written, and `file:line`."""
    unmapped: tuple[str, ...] = ()
    """Of a preset: words that the vendor uses and for which no state would be right everywhere."""
    title: str = ""


@lru_cache(1)
def presets() -> tuple[str, ...]:
    """Return the names of the shipped presets."""
    folder = resources.files("slastream.book") / "presets"
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


@lru_cache(32)
def preset(name: str) -> Words:
    """Return a shipped preset; raises `BookErrors` if it is broken, which a test rules out."""
    file = resources.files("slastream.book") / "presets" / f"{name}.yaml"
    problems: list[Misconfigured] = []
    reader = Reader(f"presets/{name}.yaml", problems)
    found = Words()
    fields = reader.fields(compose(reader.name, file.read_bytes()), "", PRESET_FIELDS)
    _read_shared(reader, fields, "", found)
    if (node := fields.get("title")) is not None:
        found.title = reader.text(node, "title") or ""
    if (node := fields.get("unmapped")) is not None:
        items = reader.items(node, "unmapped")
        found.unmapped = tuple(reader.text(item, "unmapped") or "" for item in items)
    if problems:
        raise BookErrors(problems)
    return found


def read_source(reader: Reader, node: Node, key: str) -> tuple[SourceMapping, Words]:
    """Read one source: its preset, and what the book says over it."""
    fields = reader.fields(node, key, SOURCE_FIELDS)
    name, base = None, Words()
    if (value := fields.get("preset")) is not None:
        name = reader.choice(value, f"{key}.preset", presets())
        base = preset(name) if name else base
    own = Words(timezone=base.timezone, assigned_is_responded=base.assigned_is_responded)
    _read_shared(reader, fields, key, own)
    _read_clients(reader, fields, key, own)
    mapping = SourceMapping(
        statuses=MappingProxyType(_override(base.statuses, own.statuses)),
        priorities=MappingProxyType(base.priorities | own.priorities),
        preset=name,
        timezone=own.timezone,
        assigned_is_responded=own.assigned_is_responded,
        matrix=MappingProxyType(base.matrix | own.matrix),
        clients=MappingProxyType(own.clients),
    )
    return mapping, own


def _override(
    base: dict[StatusKey, Mapped], own: dict[StatusKey, Mapped]
) -> dict[StatusKey, Mapped]:
    """Return the preset's statuses under the book's.

    A status that the book writes takes the preset's sub-statuses of it away: who maps "On Hold"
    means all of it, unless he writes the sub-statuses too.
    """
    if not own:
        return base
    whole = {(board, status) for board, status, sub in own if not sub}
    kept = {at: mapped for at, mapped in base.items() if at[:2] not in whole}
    return kept | own


def _read_shared(reader: Reader, fields: dict[str, Node], key: str, found: Words) -> None:
    at = f"{key}." if key else ""
    if (node := fields.get("timezone")) is not None:
        found.timezone = reader.word(node, f"{at}timezone", zone)
    if (node := fields.get("assigned_is_responded")) is not None:
        found.assigned_is_responded = bool(reader.boolean(node, f"{at}assigned_is_responded"))
    _read_statuses(reader, fields, at, "", found)
    if (node := fields.get("boards")) is not None:
        for board, _, value in reader.pairs(node, f"{at}boards"):
            inner = f"{at}boards.{board}"
            parts = reader.fields(value, inner, _STATUSES)
            _read_statuses(reader, parts, f"{inner}.", fold_text(board), found)
    if (node := fields.get("priorities")) is not None:
        for raw, _, value in reader.pairs(node, f"{at}priorities"):
            if (name := reader.text(value, f"{at}priorities.{raw}")) is not None:
                found.priorities[fold_text(raw)] = name
    if (node := fields.get("matrix")) is not None:
        for impact, _, row in reader.pairs(node, f"{at}matrix"):
            for urgency, _, value in reader.pairs(row, f"{at}matrix.{impact}"):
                name = reader.text(value, f"{at}matrix.{impact}.{urgency}")
                if name is not None:
                    found.matrix[fold_text(impact), fold_text(urgency)] = name


def _read_clients(reader: Reader, fields: dict[str, Node], key: str, found: Words) -> None:
    """Read `clients`, which no preset has: whom a source serves is a site's own."""
    if (node := fields.get("clients")) is None:
        return
    for raw, name_node, value in reader.pairs(node, f"{key}.clients"):
        inner, folded = f"{key}.clients.{raw}", fold_text(raw)
        if (name := reader.text(value, inner)) is None:
            continue
        if found.clients.setdefault(folded, name) != name:
            message = f"the client is named twice, {found.clients[folded]!r} too"
            reader.wrong(name_node, inner, message, "case and blanks make no difference")


def _read_statuses(
    reader: Reader, fields: dict[str, Node], at: str, board: str, found: Words
) -> None:
    """Read `statuses` and `sub_statuses` of one board, "" being all of them."""
    if (node := fields.get("statuses")) is not None:
        for status, name_node, value in reader.pairs(node, f"{at}statuses"):
            _add(reader, name_node, value, f"{at}statuses.{status}", (board, status, ""), found)
    if (node := fields.get("sub_statuses")) is None:
        return
    for status, name_node, value in reader.pairs(node, f"{at}sub_statuses"):
        inner = f"{at}sub_statuses.{status}"
        if isinstance(value, MappingNode):
            for sub, sub_node, state in reader.pairs(value, inner):
                _add(reader, sub_node, state, f"{inner}.{sub}", (board, status, sub), found)
            continue
        first, slash, sub = status.partition(" / ")
        if slash and first.strip() and sub.strip():
            _add(reader, name_node, value, inner, (board, first, sub), found)
        else:
            hint = 'write "On Hold / Awaiting Caller": waiting/client'
            reader.wrong(name_node, inner, f"{status!r} names no sub-status", hint)


def _add(
    reader: Reader, name_node: Node, value: Node, key: str, raw: StatusKey, found: Words
) -> None:
    mapped = reader.word(value, key, words.state)
    folded = (fold_text(raw[0]), fold_text(raw[1]), fold_text(raw[2]))
    if folded in found.written:
        other = found.written[folded]
        message = f"the status is mapped twice, here and at {other[1]}"
        reader.wrong(name_node, key, message, "case and blanks make no difference")
    elif mapped is not None:
        found.statuses[folded] = mapped
        label = raw[1] if not raw[2] else f"{raw[1]} / {raw[2]}"
        found.written[folded] = (label, reader.where(name_node))


def suggest_preset(name: str) -> str | None:
    """Return a hint if a source is named like a preset."""
    return nearest(name, presets())
