"""Bytes <-> core types: the journal's events in, alerts, outcomes and clocks out.

Shapes are those of `topics/schemas`. Every published event is a CloudEvent in binary mode:
attributes are headers, data is the value, so a null value stays a tombstone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from slastream.core import ledger
from slastream.core.alert import dedup_key
from slastream.core.books import AT_RISK, BREACH, TenantBooks
from slastream.core.clock import measure
from slastream.core.errors import Rejected
from slastream.core.event import Event
from slastream.core.instant import Instant, Millis, format_instant, json_instant
from slastream.core.key import split_key, ticket_key
from slastream.core.policy import Indicator
from slastream.core.shapes import Announced, Decided, Fold, Notice
from slastream.faces import About
from slastream.snapshot import (
    REMEMBERED,
    Judge,
    Written,
    figures,
    joined,
    ledger_rows,
    names,
    paused,
    quoted,
    reached,
    snapshot,
    when,
)

Headers = list[tuple[str, bytes]]

LATE_AFTER: Final[Millis] = 10_000
"""An alert that is detected this much after it became true is flagged `late`."""

BECAUSE_ROWS: Final = 12

ERASED: Final = "ticket.erased.v1"
"""The type of the one tombstone that the journal takes: forget this ticket, and all that is told of it."""

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Event)
_CONTENT: Final[Headers] = [("content-type", b"application/json")]
_begun: Final[dict[str, dict[str, Headers]]] = {}
"""By source and type, the headers that all its events begin with."""

_KINDS: Final = tuple(Indicator)


def encode_event(event: Event) -> bytes:
    """Return the journal's bytes of an event: JSON, times as epoch milliseconds, absent members absent."""
    return _encoder.encode(event)


def decode_event(data: bytes) -> Event:
    """Return the event of the journal's bytes; raises `Rejected` with reason `bad_event`."""
    try:
        event = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Rejected("bad_event", f"no journal event: {error}") from None
    if not (event.tenant and event.source and event.ticket):
        raise Rejected("no_ticket", "tenant, source and ticket must not be empty")
    return event


def event_headers(event: Event) -> Headers:
    """Return the CloudEvents headers of a journal event."""
    return ce_headers("ticket.v1", event.id, f"{event.tenant}/{event.source}", event.occurred_at)


def ce_headers(kind: str, id_: str, source: str, time: Instant) -> Headers:
    """Return the headers of a CloudEvent of type `io.slastream.<kind>`."""
    known = _begun.get(source)
    if known is None:
        if len(_begun) > REMEMBERED:
            _begun.clear()
        known = _begun[source] = {}
    begin = known.get(kind)
    if begin is None:
        begin = known[kind] = [
            ("ce_specversion", b"1.0"),
            ("ce_type", b"io.slastream." + kind.encode()),
            ("ce_source", b"/slastream/" + source.encode("utf-8", "replace")),
        ]
    id_header = ("ce_id", id_.encode("utf-8", "replace"))
    return [*begin, id_header, ("ce_time", format_instant(time).encode()), *_CONTENT]


def erasure(key: bytes, id_: str, now: Instant) -> Headers:
    """Return the headers of the journal's tombstone that erases a ticket (or a note of the partition)."""
    parts = key.decode("utf-8", "replace").split("/", 2)
    return ce_headers(ERASED, id_, "/".join(parts[:2]), now)


def is_erasure(headers: Sequence[tuple[str, bytes]]) -> bool:
    """Return whether a record without a value is told to erase its ticket, and not there by mistake."""
    return ("ce_type", b"io.slastream." + ERASED.encode()) in headers


def event_key(event: Event) -> bytes:
    """Return the Kafka key of an event's ticket."""
    return ticket_key(event.tenant, event.source, event.ticket).encode("utf-8", "surrogatepass")


def dumps(value: object) -> bytes:
    """Return compact JSON."""
    return _encoder.encode(value)


def _json(value: object) -> str:
    return "null" if value is None else _encoder.encode(value).decode()


def about(tenant: str, source: str, ticket: str, fold: Fold) -> bytes:
    """Return who and what a ticket is, as alerts and outcomes begin."""
    told = fold.attributes
    return _encoder.encode(
        About(
            tenant, source, ticket,
            told.get("number"), told.get("url"), told.get("client"), told.get("contract"),
            told.get("priority"), told.get("type"), told.get("team"),
        )
    )  # fmt: skip


def alert(
    key: str, fold: Fold, notice: Notice, now: Instant, books: TenantBooks
) -> tuple[bytes, Headers]:
    """Return value and headers of an alert, a clearing or a correction."""
    clock, hit, before = notice.clock, notice.hit, notice.before
    at = _moment(notice, hit.at if hit is not None else now)
    judge = Judge(clock, books)
    rows = ledger.rows(fold, clock, judge.coverage, judge.options, at)
    due, passed = clock.due, hit.at if hit is not None else None
    if due is None and notice.kind == BREACH:
        due = passed
    if passed is None and before is not None:
        passed = before.at
    cycle = clock.cycle if before is None else before.cycle
    late = now - at > LATE_AFTER + judge.options.grace
    members = (
        f",{figures(clock, judge.names, cycle, ledger.counted_in(rows), due)}"
        f',"threshold":{quoted(notice.text)}'
        f',"severity":"{"warning" if notice.kind == AT_RISK else "critical"}"'
        f',"reached_at":{when(passed)},"detected_at":{json_instant(now)}'
        f',"late":{"true" if late else "false"}'
        f',"dedup_key":{_json(dedup_key(key, clock.indicator, cycle, notice.kind))}'
        f',"because":[{ledger_rows(rows, BECAUSE_ROWS, Written())}]{_why(notice)}}}'
    )
    tenant, source, ticket = split_key(key)
    headers = ce_headers(f"sla.{notice.type}.v1", notice.id, f"{tenant}/{source}", at)
    return joined(about(tenant, source, ticket, fold), members), headers


def _why(notice: Notice) -> str:
    """Return the members that only some alerts have."""
    told = ""
    if notice.reason:
        role = "cause" if notice.type in ("at_risk", "breached") else "reason"
        told = f',"{role}":{quoted(notice.reason)}'
    before, hit = notice.before, notice.hit
    if before is not None:
        told += f',"alert_id":"{before.id}"'
    if notice.type == "corrected":
        was = (
            "null"
            if before is None
            else f'{{{_level(before.text, before.at)},"alert_id":"{before.id}"}}'
        )
        now = "null" if hit is None else f"{{{_level(hit.text, hit.at)}}}"
        told += f',"before":{was},"after":{now}'
    return told


def _level(text: str, at: Instant) -> str:
    return f'"threshold":{quoted(text)},"reached_at":{json_instant(at)}'


def _moment(notice: Notice, reached_at: Instant) -> Instant:
    """Return when a notice became true: a level when it was reached, a clearing when it was taken back."""
    hit = notice.hit
    if notice.type == "cleared" and hit is not None and hit.off_at is not None:
        return hit.off_at
    return reached_at


def outcome(
    key: str, fold: Fold, decided: Decided, now: Instant, books: TenantBooks
) -> tuple[bytes, Headers]:
    """Return value and headers of an outcome."""
    clock = decided.clock
    at = clock.reached if clock.reached is not None else now
    coverage = books.coverage(clock.calendar)
    policy = books.policy_of(clock)
    objective = None if policy is None else policy.objective.get(_KINDS[clock.indicator])
    closed = max(0, at - clock.started - coverage.measure(clock.started, at))
    replaces = "null" if decided.replaces is None else f'"{decided.replaces}"'
    members = (
        f",{figures(clock, names(clock), decided.cycle, measure(clock, coverage, at), clock.due)}"
        f',"outcome":"{decided.outcome}","finality":"{decided.finality}"{reached(clock)}'
        f',"decided_at":{json_instant(now)},"implied":{"true" if clock.implied else "false"}'
        f',"unverified_actor":{"true" if clock.unverified else "false"}'
        f"{paused(clock, coverage, at)}"
        f',"closed_hours_ms":{closed},"reopen_count":{fold.reopened}'
        f',"objective":{_json(objective)}'
        f',"replaces":{replaces},"reported":{_json(fold.attributes.get("reported"))}}}'
    )
    tenant, source, ticket = split_key(key)
    headers = ce_headers("sla.outcome.v1", decided.id, f"{tenant}/{source}", at)
    return joined(about(tenant, source, ticket, fold), members), headers


def clocks(
    key: str, fold: Fold, announced: list[Announced], now: Instant, books: TenantBooks
) -> tuple[bytes, Headers]:
    """Return value and headers of a ticket's snapshot on the clocks topic."""
    tenant, source, _ = split_key(key)
    headers = ce_headers("clocks.v1", f"{key}@{now}", f"{tenant}/{source}", now)
    return snapshot(key, fold, announced, now, books), headers
