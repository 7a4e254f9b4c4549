"""Looks through every topic for what is to be erased: which tickets, and how many records of them.

It reads committed records from beginning to end and changes nothing. State and clocks come first,
since they say which tickets there are; what other topics hold is found by those keys, or by the name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiokafka import TopicPartition

from slastream.core.errors import Misconfigured
from slastream.core.instant import Instant
from slastream.engine.row import NOTE, decode_row
from slastream.erasure.scope import Scope, source_name
from slastream.kafka import admin
from slastream.kafka.plan import Found
from slastream.kafka.reading import Consumer, reader, records
from slastream.kafka.security import client_options
from slastream.settings import Settings

JSON = ("clocks", "tickets", "alerts", "outcomes")
"""Topics whose values say whose they are."""
ORDER = ("state", *JSON, "ops", "dlq", "books")


@dataclass
class Trace:
    """What one topic holds of it."""

    short: str
    topic: str
    config: dict[str, str]
    read: int = 0
    found: int = 0
    last: Instant = 0
    """Log time of the last record found."""
    reach: dict[int, int] = field(default_factory=dict)
    """Partition -> the offset behind the last record found in it."""
    below: dict[int, int] = field(default_factory=dict)
    """Partition -> how many records, of whomever, lie below that offset."""
    searched: bool = True
    """False where the words are somebody else's, and nothing says whose they are."""

    @property
    def others(self) -> int:
        """How many records of others lie before the last one found."""
        return sum(self.below.values()) - self.found


@dataclass
class Holding:
    """A ticket, or a note of a partition, that the worker's state or the clocks topic has."""

    partition: int
    row: bool = False
    """Whether the state has a row (or the note) that is not erased already."""
    face: bool = False
    """Whether the clocks topic has a snapshot."""
    now: bool = True
    """Whether it is the client's as it stands; else it was once."""

    @property
    def alive(self) -> bool:
        """Whether there is something to erase."""
        return self.row or self.face


@dataclass
class Findings:
    """What was found, everywhere."""

    scope: Scope
    holdings: dict[bytes, Holding] = field(default_factory=dict)
    traces: list[Trace] = field(default_factory=list)
    told_as: set[str] = field(default_factory=set)
    """What sources call the client."""
    times: dict[int, Instant] = field(default_factory=dict)
    """Journal partition -> its latest log time."""
    clients: set[str] = field(default_factory=set)
    """Names of clients on the clocks topic, for whoever has mistyped one."""
    known_as: set[str] = field(default_factory=set)
    """Where a source uses the name that was asked for: what the book calls that client."""

    def to_erase(self, *, moved: bool = False) -> dict[bytes, int]:
        """Return key -> partition of what the worker is to be asked for, `moved` tickets too."""
        return {
            key: holding.partition
            for key, holding in self.holdings.items()
            if holding.alive and (holding.now or moved)
        }

    def moved(self) -> list[bytes]:
        """Return the keys of tickets that were the client's once and are somebody else's now."""
        return [key for key, each in self.holdings.items() if each.alive and not each.now]

    def tenants(self) -> set[str]:
        """Return the tenants whose tickets were found."""
        keys = (key.decode("utf-8", "replace") for key in self.holdings if not _is_note(key))
        return {key.partition("/")[0] for key in keys}


async def find(settings: Settings, scope: Scope) -> Findings:
    """Look through all topics of these settings. Raises `Misconfigured` when they cannot be read."""
    client = client_options(settings.broker)
    raw = settings.topic("raw.")
    async with admin.connected(client) as asked:
        present = await asked.list_topics()
    names = {short: settings.topic(short) for short in ORDER}
    names |= {f"raw.{name.removeprefix(raw)}": name for name in present if name.startswith(raw)}
    described = await admin.describe(client, list(names.values()))
    missing = [name for name in names.values() if name not in described]
    if missing:
        raise Misconfigured(
            f"not on the broker: {', '.join(missing)}", where=settings.broker,
            hint="slastream topics create, or another --prefix",
        )  # fmt: skip
    found = Findings(scope)
    async with reader(client) as consumer:
        for short, name in names.items():
            found.traces.append(await _look(consumer, short, described[name], found, settings))
            found.scope = found.scope.called(found.told_as)
    return found


async def _look(
    consumer: Consumer, short: str, topic: Found, found: Findings, settings: Settings
) -> Trace:
    """Read one topic to its present end."""
    trace = Trace(short, topic.name, dict(topic.config))
    source = short.removeprefix("raw.") if short.startswith("raw.") else ""
    tenant = settings.tenants.get(source, settings.tenant) if source else ""
    if source and not found.scope.client and not found.scope.tenant:
        trace.searched = False
    look = _Look(found, trace, tenant)
    tps = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    consumer.assign(tps)
    starts, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
    for tp in tps:
        read = 0
        async for record in records(consumer, tp, starts[tp], ends[tp]):
            read += 1
            if look.take(record):
                trace.found += 1
                trace.last = max(trace.last, record.timestamp)
                trace.reach[tp.partition] = record.offset + 1
                trace.below[tp.partition] = read
        trace.read += read
        if not trace.searched and read:
            trace.reach[tp.partition], trace.below[tp.partition] = ends[tp], read
    return trace


class _Look:
    """Says of each record of one topic whether it is meant, and keeps what it learns of tickets."""

    def __init__(self, found: Findings, trace: Trace, tenant: str) -> None:
        self._found, self._scope, self._trace = found, found.scope, trace
        self._needles, self._tenant = found.scope.needles(), tenant
        self._keys = found.holdings
        self._take = {"state": self._state, **dict.fromkeys(JSON, self._json)}.get(
            trace.short, self._words
        )

    def take(self, record: Any) -> bool:
        """Return whether a record is meant."""
        if self._trace.short == "tickets":
            times = self._found.times
            times[record.partition] = max(times.get(record.partition, 0), record.timestamp)
        elif not self._trace.searched:
            self._trace.last = max(self._trace.last, record.timestamp)
            return False
        return self._take(record)

    def _named(self, value: bytes) -> bool:
        lower = value.lower()
        return any(needle in lower for needle in self._needles)

    def _state(self, record: Any) -> bool:
        key, value, scope = record.key, record.value, self._scope
        if not key or key[0] == 0:
            return False
        held = self._keys.get(key)
        text = key.decode("utf-8", "replace")
        if _is_note(key):
            meant = scope.of_note(text)
            if meant:
                self._keys[key] = Holding(record.partition, row=value is not None)
            return meant
        meant = held is not None or scope.has_key(text)
        if value is None:
            if held is not None:
                held.row = False
            return meant
        if not meant and not (scope.client and scope.may_have(text) and self._named(value)):
            return False
        row = decode_row(value)
        now, ever = (True, True) if not scope.client else scope.of_row(row)
        if row.erased or not (meant or ever):
            if held is not None:
                held.row = False
            return meant
        if scope.client:
            raw, named = source_name(row), str(row.fold.attributes.get("client") or "")
            if now and raw:
                self._found.told_as.add(raw)
            elif named and scope.is_client(raw):
                self._found.known_as.add(named)
        self._keys[key] = Holding(record.partition, row=True, now=now)
        return True

    def _json(self, record: Any) -> bool:
        key, value, scope = record.key or b"", record.value, self._scope
        clocks = self._trace.short == "clocks"
        held = self._keys.get(key)
        text = key.decode("utf-8", "replace")
        if value is None:
            if held is not None and clocks:
                held.face = False
            return held is not None
        told: dict[str, Any] | None = None
        if clocks or (scope.client and self._named(value)):
            told = _object(value)
            if clocks and scope.may_have(text):
                self._found.clients.add(str(told.get("client") or ""))
        theirs = told is not None and scope.may_have(text) and scope.of_value(told)
        meant = held is not None or scope.has_key(text) or theirs
        if meant and clocks:
            # Also where the state knows nothing of it: the snapshot may outlive a lost state.
            self._keys.setdefault(key, Holding(record.partition)).face = True
        return meant

    def _words(self, record: Any) -> bool:
        scope, value = self._scope, record.value or b""
        key = (record.key or b"").decode("utf-8", "replace")
        if scope.client:
            named = self._named(value) and scope.in_text(value)
            return named or record.key in self._keys
        if scope.tickets:
            return key in scope.tickets or any(
                f'"{name}"'.encode() in value for name in scope.tickets
            )
        headers = dict(record.headers)
        tenant = headers.get("sla-tenant", b"").decode("utf-8", "replace") or self._tenant
        if scope.tenant in (tenant, key) or scope.has_key(key):
            return True
        return not tenant and f'"{scope.tenant}"'.encode() in value


def _is_note(key: bytes) -> bool:
    return key.startswith(NOTE)


def _object(value: bytes) -> dict[str, Any]:
    try:
        told = orjson.loads(value)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def names_of(keys: Iterable[bytes]) -> list[str]:
    """Return keys as people read them, tickets before notes."""
    return sorted((key.decode("utf-8", "replace") for key in keys), key=lambda k: (k[0] == "!", k))
