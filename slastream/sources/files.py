"""Files of ticket events: JSON Lines, vendor exports, tables. For backtest, replay and explain.

A line that cannot be read is told as such and never stops the reading.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson

from slastream.core.errors import Misconfigured, Rejected
from slastream.core.event import Event
from slastream.core.instant import Instant
from slastream.sources import SOURCES, read, read_value
from slastream.sources.delivery import Delivery
from slastream.sources.envelope import MAX_BYTES, decode
from slastream.sources.quick import quick
from slastream.sources.reading import maybe_instant
from slastream.sources.table import Table, load_mapping, table_rows

TABLES = (".csv", ".csv.gz")
_RECORDED = {"body", "headers", "key", "received_at", "timezone", "tenant"}


@dataclass(frozen=True, slots=True)
class Bad:
    """A line that could not be read, and why."""

    path: str
    line: int
    rejected: Rejected

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rejected}"


def read_events(
    paths: Iterable[str | Path],
    source: str = "canonical",
    mapping: Table | str | Path | None = None,
    tenant: str | None = None,
    timezone: str | None = None,
) -> Iterator[Event | Bad]:
    """Yield the events of files in the order of their lines; `-` is the standard input.

    JSON Lines hold one delivery of `source` a line, or a recorded one with what travelled beside
    it: `{"body": ..., "headers": {...}, "key": ..., "received_at": ...}`. Files that end in `.csv`
    need a mapping. Anything may be gzipped (`.gz`). Raises `Misconfigured` for a file that cannot
    be opened, an unknown source or a table without a mapping.
    """
    if source != "csv" and source not in SOURCES:
        raise Misconfigured(
            f"{source!r} is no source", where="--source", hint=f"one of {', '.join(SOURCES)}, csv"
        )
    table = load_mapping(mapping) if isinstance(mapping, (str, Path)) else mapping
    for path in paths:
        if source == "csv" or str(path).lower().endswith(TABLES):
            if table is None:
                raise Misconfigured(
                    "is a table and needs a mapping", where=str(path), hint="--mapping"
                )
            yield from _table(str(path), table, tenant)
        else:
            yield from _lines(str(path), source, tenant or "", timezone)


def _table(path: str, table: Table, tenant: str | None) -> Iterator[Event | Bad]:
    try:
        for line, found in table_rows(path, table, tenant):
            if isinstance(found, Rejected):
                yield Bad(path, line, found)
            else:
                yield from found
    except (OSError, EOFError) as problem:
        raise Misconfigured(f"cannot be read: {problem}", where=path) from None


def _lines(path: str, source: str, tenant: str, timezone: str | None) -> Iterator[Event | Bad]:
    # A line without a time of its own, such as a deletion, happened no earlier than the line
    # before it, and a file has no arrival that would tell more.
    latest: Instant = 0
    number = 0
    alike = Delivery(source, tenant)
    plain = source == "canonical"
    try:
        with _opened(path) as file:
            for number, line in enumerate(_bounded(file), 1):
                if line.isspace():
                    continue
                if plain and (event := quick(line)) is not None:
                    latest = event.occurred_at
                    yield event
                    continue
                try:
                    if source == "canonical":  # whose lines bring all they need
                        events = read_value(line, alike)
                    else:
                        events = read(_delivery(line, source, tenant, latest, timezone))
                except Rejected as rejected:
                    yield Bad(path, number, rejected)
                    continue
                if events:
                    latest = events[-1].occurred_at
                yield from events
    except EOFError:
        yield Bad(path, number + 1, Rejected("truncated", "the gzip file ends in the middle"))
    except OSError as problem:
        raise Misconfigured(f"cannot be read: {problem}", where=path) from None


def _bounded(file: BinaryIO) -> Iterator[bytes]:
    """Yield lines; of one that is longer than any delivery, only enough to be refused."""
    limit = MAX_BYTES + 2
    while line := file.readline(limit):
        if len(line) == limit and not line.endswith(b"\n"):
            while (rest := file.readline(limit)) and not rest.endswith(b"\n"):
                pass
        yield line


def _delivery(
    line: bytes, source: str, tenant: str, latest: Instant, timezone: str | None
) -> Delivery:
    if b'"body"' not in line:
        return Delivery(source, tenant, value=line, received_at=latest, timezone=timezone)
    doc = decode(line)
    if not isinstance(doc, dict) or "body" not in doc or not doc.keys() <= _RECORDED:
        return Delivery(source, tenant, value=line, received_at=latest, timezone=timezone)
    return recorded(doc, source, tenant, latest, timezone)


def recorded(
    doc: dict[str, Any], source: str, tenant: str, latest: Instant = 0, timezone: str | None = None
) -> Delivery:
    """Return the delivery that a recorded one describes; its `body` is JSON, null a tombstone."""
    body, headers, key = doc.get("body"), doc.get("headers"), doc.get("key")
    received_at = maybe_instant(doc.get("received_at"))
    return Delivery(
        source=source,
        tenant=tenant or _text(doc.get("tenant")) or "",
        key=None if key is None else _bytes(key),
        value=None if body is None else _bytes(body, text=False),
        headers={str(k).lower(): _bytes(v) for k, v in headers.items()}
        if isinstance(headers, dict)
        else {},
        received_at=latest if received_at is None else received_at,
        timezone=timezone or _text(doc.get("timezone")),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _bytes(value: object, *, text: bool = True) -> bytes:
    if text and isinstance(value, str):
        return value.encode()
    try:
        return orjson.dumps(value)
    except TypeError:  # orjson reads deeper than it writes
        raise Rejected("too_deep", "the recorded delivery nests too deep") from None


def _opened(path: str) -> BinaryIO:
    if path == "-":
        return sys.stdin.buffer
    if path.endswith(".gz"):
        return cast(BinaryIO, gzip.open(path, "rb"))
    return open(path, "rb")
