"""What a step publishes, as messages with their headers and the metrics they count."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import Final

from slastream import wire
from slastream.core.alert import fact_id
from slastream.core.books import Books, TenantBooks
from slastream.core.event import Event
from slastream.core.instant import Instant
from slastream.core.key import split_key
from slastream.core.policy import Indicator
from slastream.core.shapes import Decided, Fold, Notice, Row
from slastream.engine.decisions import count_notice, count_outcome
from slastream.engine.effects import Effects, Message, Output, Record

_INDICATORS: Final = tuple(indicator.label for indicator in Indicator)


def _add(
    effects: Effects, output: Output, key: bytes, value: bytes | None, headers: wire.Headers
) -> None:
    # Past the named tuple's own constructor, which is a Python function, more than once an event.
    effects.messages.append(tuple.__new__(Message, (output, key, value, headers)))


def publish_notices(
    effects: Effects,
    key: bytes,
    name: str,
    fold: Fold,
    notices: Sequence[Notice],
    now: Instant,
    books: TenantBooks,
) -> None:
    """Publish alerts, clearings and corrections."""
    for notice in notices:
        value, headers = wire.alert(name, fold, notice, now, books)
        _add(effects, "alerts", key, value, headers)
        tenant, source, _ = name.split("/", 2)
        priority = fold.attributes.get("priority") or ""
        indicator = _INDICATORS[notice.clock.indicator]
        effects.counts["alerts", tenant, source, indicator, priority, notice.type, notice.text] += 1
        count_notice(effects, key, tenant, fold, notice, now)


def publish_decided(
    effects: Effects,
    key: bytes,
    name: str,
    fold: Fold,
    outcomes: Sequence[Decided],
    now: Instant,
    books: TenantBooks,
) -> None:
    """Publish outcomes."""
    for decided in outcomes:
        value, headers = wire.outcome(name, fold, decided, now, books)
        _add(effects, "outcomes", key, value, headers)
        tenant, source, _ = name.split("/", 2)
        indicator = _INDICATORS[decided.clock.indicator]
        priority = fold.attributes.get("priority") or ""
        effects.counts[
            "outcomes", tenant, source, indicator, priority, decided.outcome, decided.finality
        ] += 1
        count_outcome(effects, tenant, source, fold, decided, now, books)


def publish_clocks(
    effects: Effects, key: bytes, name: str, row: Row | None, now: Instant, books: Books
) -> None:
    """Publish the snapshot of a ticket's clocks, or its tombstone."""
    tenant, source, _ = split_key(name)
    if row is None:
        headers = wire.ce_headers("clocks.v1", f"{name}@{now}", f"{tenant}/{source}", now)
        _add(effects, "clocks", key, None, headers)
        return
    value, headers = wire.clocks(name, row.fold, row.told.alerts, now, books.of(tenant))
    _add(effects, "clocks", key, value, headers)


def publish_rejected(effects: Effects, record: Record, reason: str, detail: str) -> None:
    """Send a record to the dead letters: its original bytes, and why."""
    headers = [
        *record.headers,
        ("sla-reason", reason.encode()),
        ("sla-detail", detail.encode("utf-8", "replace")[:2000]),
        ("sla-offset", str(record.offset).encode()),
        ("sla-log-time", str(record.log_time).encode()),
    ]
    _add(effects, "dlq", record.key or b"", record.value, headers)
    effects.counts["rejected", "journal", reason] += 1


def publish_trouble(effects: Effects, key: bytes, offset: int | None, detail: str) -> None:
    """Tell operators that a ticket is quarantined: a bug of ours met it."""
    name = key.decode("utf-8", "replace")
    _ops(effects, name.partition("/")[0], "ticket.quarantined", fact_id(name, offset, detail), {
        "ticket": name, "offset": offset, "detail": detail, "trace": traceback.format_exc()[-4000:],
    })  # fmt: skip
    effects.counts["quarantined",] += 1


def publish_held(effects: Effects, key: bytes, versions: Sequence[str], now: Instant) -> None:
    """Tell operators of a ticket that waits for a book version which this worker has not read (D24)."""
    name = key.decode("utf-8", "replace")
    _ops(effects, name.partition("/")[0], "ticket.held", fact_id(name, *versions), {
        "ticket": name, "versions": list(versions),
        "detail": "judged by a book that is not on the books topic: publish that version again",
    }, now)  # fmt: skip
    effects.counts["held",] += 1


def publish_unmapped(effects: Effects, event: Event, board: str, status: str, now: Instant) -> None:
    """Tell operators, once, of a status that no mapping knows (D04)."""
    id_ = fact_id(event.tenant, event.source, board, status)
    _ops(effects, event.tenant, "mapping.unknown", id_, {
        "source": event.source, "board": board or None, "status": status, "ticket": event.ticket,
        "detail": f"status {status!r} has no mapping: the ticket keeps its state; add it under sources."
        f"{event.source}.statuses of the book",
    }, now)  # fmt: skip


def _ops(
    effects: Effects, tenant: str, what: str, id_: str, told: dict[str, object], now: Instant = 0
) -> None:
    value = wire.dumps({"tenant": tenant, "type": what, **told})
    headers = wire.ce_headers("ops.v1", id_, tenant, now)
    _add(effects, "ops", tenant.encode("utf-8", "replace"), value, headers)
