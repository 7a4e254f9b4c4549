"""Bytes <-> core types: the journal's events in, alerts, outcomes and clocks out.

Shapes are those of `topics/schemas`. Every published event is a CloudEvent in binary mode:
attributes are headers, data is the value, so a null value stays a tombstone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from slastream.core import ledger
from slastream.core.alert import dedup_key
from slastream.core.books import AT_RISK, BREACH, TenantBooks
from slastream.core.clock import measure, paused_by, superseded
from slastream.core.errors import Rejected
from slastream.core.event import Event
from slastream.core.instant import Instant, Millis, format_instant
from slastream.core.key import split_key, ticket_key
from slastream.core.policy import Indicator
from slastream.core.shapes import Announced, Clock, Decided, Fold, Notice
from slastream.faces import Outcome
from slastream.snapshot import ledger_rows, snapshot

Headers = list[tuple[str, bytes]]

LATE_AFTER: Final[Millis] = 10_000
"""An alert that is detected this much after it became true is flagged `late`."""

BECAUSE_ROWS: Final = 12

ERASED: Final = "ticket.erased.v1"
"""The type of the one tombstone that the journal takes: forget this ticket, and all that is told of it."""

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Event)
_SPEC: Final = ("ce_specversion", b"1.0")
_JSON: Final = ("content-type", b"application/json")
_KINDS: Final = tuple(Indicator)
_INDICATORS: Final = tuple(indicator.label for indicator in Indicator)
_ROLES: Final = ("number", "url", "client", "contract", "priority", "type", "team")


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
    return [
        _SPEC,
        ("ce_type", b"io.slastream." + kind.encode()),
        ("ce_source", b"/slastream/" + source.encode("utf-8", "replace")),
        ("ce_id", id_.encode("utf-8", "replace")),
        ("ce_time", format_instant(time).encode()),
        _JSON,
    ]


def erasure(key: bytes, id_: str, now: Instant) -> Headers:
    """Return the headers of the journal's tombstone that erases a ticket (or a note of the partition)."""
    source = key.rpartition(b"/")[0].decode("utf-8", "replace")
    return ce_headers(ERASED, id_, source, now)


def is_erasure(headers: Sequence[tuple[str, bytes]]) -> bool:
    """Return whether a record without a value is told to erase its ticket, and not there by mistake."""
    return ("ce_type", b"io.slastream." + ERASED.encode()) in headers


def event_key(event: Event) -> bytes:
    """Return the Kafka key of an event's ticket."""
    return ticket_key(event.tenant, event.source, event.ticket).encode("utf-8", "surrogatepass")


def dumps(value: object) -> bytes:
    """Return compact JSON."""
    return _encoder.encode(value)


def _time(instant: Instant | None) -> str | None:
    return None if instant is None else format_instant(instant)


def about(key: str, fold: Fold) -> dict[str, Any]:
    """Return who and what a ticket is, as every published event begins."""
    tenant, source, ticket = split_key(key)
    told: dict[str, Any] = {"tenant": tenant, "source": source, "ticket": ticket}
    attributes = fold.attributes
    for name in _ROLES:
        told[name] = attributes.get(name)
    return told


def figures(fold: Fold, clock: Clock, books: TenantBooks, now: Instant) -> dict[str, Any]:
    """Return what a clock says at `now`: who judges it, target, elapsed, remaining, due."""
    elapsed = measure(clock, books.coverage(clock.calendar), now)
    return {
        "indicator": _INDICATORS[clock.indicator],
        "cycle": clock.cycle,
        "policy": clock.policy or None,
        "book": clock.book or None,
        "calendar": clock.calendar,
        "target_ms": clock.target,
        "elapsed_ms": elapsed,
        "remaining_ms": None if clock.target is None else clock.target - elapsed,
        "started_at": format_instant(clock.started),
        "due": _time(clock.due),
    }


def alert(
    key: str, fold: Fold, notice: Notice, now: Instant, books: TenantBooks
) -> tuple[bytes, Headers]:
    """Return value and headers of an alert, a clearing or a correction."""
    clock, hit, before = notice.clock, notice.hit, notice.before
    at = _moment(notice, hit.at if hit is not None else now)
    options = books.options_of(clock)
    rows = ledger.rows(fold, clock, books.coverage(clock.calendar), options, at)
    told = about(key, fold) | figures(fold, clock, books, at)
    counted = sum(row.counted for row in rows)
    told["elapsed_ms"] = counted
    if clock.target is not None:
        told["remaining_ms"] = clock.target - counted
    cycle = clock.cycle if before is None else before.cycle
    told |= {
        "cycle": cycle,
        "type": notice.type,
        "threshold": notice.text,
        "severity": "warning" if notice.kind == AT_RISK else "critical",
        "reached_at": _time(
            hit.at if hit is not None else before.at if before is not None else None
        ),
        "detected_at": format_instant(now),
        "late": now - at > LATE_AFTER + options.grace,
        "dedup_key": dedup_key(key, clock.indicator, cycle, notice.kind),
        "because": ledger_rows(rows, BECAUSE_ROWS),
    }
    # The ticket's own type must not be lost under the alert's: the alert's is in `ce_type`.
    told["type"] = fold.attributes.get("type")
    if clock.due is None and notice.kind == BREACH and hit is not None:
        told["due"] = format_instant(hit.at)
    if notice.reason:
        told["cause" if notice.type in ("at_risk", "breached") else "reason"] = notice.reason
    if before is not None:
        told["alert_id"] = before.id
    if notice.type == "corrected":
        told["before"] = _fact(before)
        told["after"] = (
            None if hit is None else {"threshold": hit.text, "reached_at": format_instant(hit.at)}
        )
    source = key.rpartition("/")[0]
    return dumps(told), ce_headers(f"sla.{notice.type}.v1", notice.id, source, at)


def _fact(entry: Announced | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    return {"threshold": entry.text, "reached_at": format_instant(entry.at), "alert_id": entry.id}


def _moment(notice: Notice, reached: Instant) -> Instant:
    """Return when a notice became true: a level when it was reached, a clearing when it was taken back."""
    hit = notice.hit
    if notice.type == "cleared" and hit is not None and hit.off_at is not None:
        return hit.off_at
    return reached


def outcome(
    key: str, fold: Fold, decided: Decided, now: Instant, books: TenantBooks
) -> tuple[bytes, Headers]:
    """Return value and headers of an outcome."""
    clock = decided.clock
    at = clock.reached if clock.reached is not None else now
    coverage = books.coverage(clock.calendar)
    paused = paused_by(clock, coverage, at)
    policy = books.policy_of(clock)
    tenant, source, ticket = split_key(key)
    told = fold.attributes.get
    elapsed, target = measure(clock, coverage, at), clock.target
    value = _encoder.encode(
        Outcome(
            tenant, source, ticket,
            told("number"), told("url"), told("client"), told("contract"), told("priority"),
            told("type"), told("team"),
            _INDICATORS[clock.indicator], decided.cycle, clock.policy or None, clock.book or None,
            clock.calendar, target, elapsed, None if target is None else target - elapsed,
            format_instant(clock.started), _time(clock.due),
            decided.outcome, decided.finality, _time(clock.reached), _time(clock.breached),
            format_instant(now), clock.implied, clock.unverified, superseded(clock),
            sum(paused.values()) if paused else 0, paused,
            max(0, at - clock.started - coverage.measure(clock.started, at)), fold.reopened,
            None if policy is None else policy.objective.get(_KINDS[clock.indicator]),
            decided.replaces, told("reported"),
        )
    )  # fmt: skip
    return value, ce_headers("sla.outcome.v1", decided.id, f"{tenant}/{source}", at)


def clocks(
    key: str, fold: Fold, announced: list[Announced], now: Instant, books: TenantBooks
) -> tuple[bytes, Headers]:
    """Return value and headers of a ticket's snapshot on the clocks topic."""
    source = key.rpartition("/")[0]
    headers = ce_headers("clocks.v1", f"{key}@{now}", source, now)
    return snapshot(key, fold, announced, now, books), headers
