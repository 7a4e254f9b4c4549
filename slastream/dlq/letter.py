"""One record of the dead-letter topic as a value: why it is there, where it was, its own bytes.

Two write them. Ingest sets deliveries of a raw topic aside and says which record it was; a worker
sets records of the journal aside and says their offset and log time, the partition being the key's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from slastream.core.instant import Instant
from slastream.stream.partitioner import partition_of

Headers = tuple[tuple[str, bytes], ...]

_INGEST = ("sla-reason", "sla-detail", "sla-topic", "sla-partition", "sla-offset")
_JOURNAL = ("sla-reason", "sla-detail", "sla-offset", "sla-log-time")
RESENT, CORRECTED = "sla-resent", "sla-corrected"
"""What a letter that was sent again carries: which one it was, and whether its bytes are new."""


@dataclass(frozen=True, slots=True)
class Place:
    """A record's place: `sla.raw.jira-0@17`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}@{self.offset}"


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter. `time` is when it was set aside; `headers` are the record's own."""

    at: Place
    time: Instant
    key: bytes | None
    value: bytes | None
    headers: Headers
    reason: str
    detail: str
    origin: Place | None
    """Where it was; None for a record that neither ingest nor a worker wrote."""
    journal: bool
    truncated: int
    """The size of the original whose first bytes these are; 0 for a letter that is whole."""

    def header(self, name: str) -> str:
        """Return the text of one of the record's own headers; "" when there is none."""
        for known, value in reversed(self.headers):
            if known == name:
                return value.decode("utf-8", "replace")
        return ""

    def source(self, raw: str) -> str:
        """Return whose words it is in; `raw` is what names of raw topics begin with."""
        if self.journal:
            return "journal"
        return self.origin.topic.removeprefix(raw) if self.origin else "-"

    def named(self, name: str) -> bool:
        """Tell whether this is the letter of that name: a place of either topic, or an id."""
        places = {str(self.at), f"{self.at.partition}@{self.at.offset}", str(self.origin)}
        return name in places or name in (self.header("sla-delivery"), self.header("ce_id"))


def letter_of(record: Any, journal: str, journal_partitions: int) -> Letter:
    """Return a record of the dead-letter topic as a letter.

    The last headers are those of whoever set it aside. Only they are believed: a record of a raw
    topic may have brought headers of the same names.
    """
    headers = tuple(record.headers)
    truncated = 0
    if headers and headers[-1][0] == "sla-truncated":
        truncated = _number(headers[-1][1])
        headers = headers[:-1]
    names = tuple(name for name, _ in headers)
    origin: Place | None = None
    told: dict[str, bytes] = {}
    if names[-len(_INGEST) :] == _INGEST:
        told = dict(headers[-len(_INGEST) :])
        headers = headers[: -len(_INGEST)]
        origin = Place(
            told["sla-topic"].decode("utf-8", "replace"),
            _number(told["sla-partition"]),
            _number(told["sla-offset"]),
        )
    elif names[-len(_JOURNAL) :] == _JOURNAL:
        told = dict(headers[-len(_JOURNAL) :])
        headers = headers[: -len(_JOURNAL)]
        partition = partition_of(record.key or b"", journal_partitions)
        origin = Place(journal, partition, _number(told["sla-offset"]))
    return Letter(
        at=Place(record.topic, record.partition, record.offset),
        time=record.timestamp,
        key=record.key,
        value=record.value,
        headers=headers,
        reason=told.get("sla-reason", b"unknown").decode("utf-8", "replace"),
        detail=told.get("sla-detail", b"").decode("utf-8", "replace"),
        origin=origin,
        journal=origin is not None and origin.topic == journal and "sla-log-time" in told,
        truncated=truncated,
    )


def resent_headers(letter: Letter, corrected: bool, tenant: str) -> list[tuple[str, bytes]]:
    """Return the headers with which a letter goes back; `tenant` replaces its own unless empty."""
    dropped = {RESENT, CORRECTED, *(["sla-tenant"] if tenant else [])}
    headers = [each for each in letter.headers if each[0] not in dropped]
    if tenant:
        headers.append(("sla-tenant", tenant.encode()))
    headers.append((RESENT, str(letter.at).encode()))
    if corrected:
        headers.append((CORRECTED, b"true"))
    return headers


def plain(text: str, most: int = 0) -> str:
    """Return a text fit for a terminal: what would steer it is written as an escape."""
    cut = text[:most] + "..." if most and len(text) > most else text
    return "".join(
        c if c in "\n\t" or c.isprintable() else c.encode("unicode_escape").decode() for c in cut
    )


def readable(value: bytes | None) -> str:
    """Return a record's bytes for people: its text, or its hexadecimal digits."""
    if value is None:
        return "(null: a tombstone)"
    try:
        return plain(value.decode("utf-8"))
    except UnicodeDecodeError:
        return "\n".join(_hex_lines(value))


def _hex_lines(value: bytes, most: int = 4096) -> Sequence[str]:
    lines = []
    for at in range(0, min(len(value), most), 16):
        row = value[at : at + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{at:08x}  {row.hex(' '):<47}  {text}")
    if len(value) > most:
        lines.append(f"... and {len(value) - most} bytes more")
    return lines


def _number(text: bytes) -> int:
    try:
        return int(text)
    except ValueError:
        return -1
