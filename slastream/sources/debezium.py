"""Debezium rows of a self-hosted desk's database; GLPI 10, which has no webhooks, is the one read here.

Plain and schema envelopes, and rows that the unwrap transformation flattened. A row that a
snapshot read is `imported`: it must not sound an alarm for a ticket of last year.
"""

from __future__ import annotations

from typing import Any

import orjson

from slastream.core.errors import Rejected
from slastream.core.event import Comment, Event, Kind, Text
from slastream.core.instant import Instant, to_datetime
from slastream.sources.delivery import About, Delivery
from slastream.sources.reading import (
    LAST_INSTANT,
    actor,
    as_flag,
    as_instant,
    as_number,
    as_text,
    as_ticket,
    brief,
    deleted,
    finished,
    maybe_instant,
    obj,
    only_told,
    or_unset,
    told,
)

ABOUT = About(
    title="Debezium on a GLPI 10 database",
    key="id of the row in glpi_tickets",
    status="status, its number: 1 new, 2 assigned, 3 planned, 4 pending, 5 solved, 6 closed",
    event_time="date_mod where the change touched it, else source.ts_ms",
    order="binlog file, position and row; or lsn",
    delivery_id="binlog file, position and row; or lsn",
    signature="none on the record: the Kafka principal",
    timezone="UTC; DATETIME columns, which have no zone, take the source's timezone setting",
    preset="glpi",
    notes=("Tables: glpi_tickets, glpi_itilfollowups. Tombstones and deletions mean the same.",),
)

_KINDS: dict[str, Kind] = {"c": "created", "u": "updated", "r": "snapshot", "d": "deleted"}
_TYPES = {"1": "incident", "2": "request"}
_MICROS = 10**14


def events(doc: dict[str, Any], delivery: Delivery) -> list[Event]:
    """Return the events of one change of a row."""
    if "payload" in doc and "op" not in doc:
        doc = obj(doc, "payload")
    flat = "op" not in doc
    op = as_text(doc.get("__op") if flat else doc.get("op"), "op") or delivery.header("__op") or "u"
    if as_flag(doc.get("__deleted")):
        op = "d"
    kind = _KINDS.get(op)
    if kind is None:
        raise Rejected("bad_kind", f"op {brief(op[:20])} is none of {', '.join(_KINDS)}")
    before, after = (doc, doc) if flat else (obj(doc, "before"), obj(doc, "after"))
    origin = _flat_origin(doc) if flat else obj(doc, "source")
    row = before if kind == "deleted" else after
    if not row:
        raise Rejected("not_an_object", f"a change {brief(op)} without its row")
    table = as_text(origin.get("table"), "table") or "glpi_tickets"
    if table == "glpi_itilfollowups":
        event = _followup(row, kind, origin, delivery)
    elif table == "glpi_tickets":
        event = _ticket(row, {} if flat else before, kind, origin, delivery)
    else:
        raise Rejected("not_a_ticket", f"a row of {table[:60]}")
    named, event.sequence = _position(origin)
    return finished(event, None if kind == "snapshot" else named or delivery.header("ce_id"))


def ticket_of_key(key: str) -> str:
    """Return the row's id out of a record's key: JSON, with or without its schema, or bare."""
    try:
        found = orjson.loads(key)
    except orjson.JSONDecodeError:
        raise Rejected("no_ticket", f"key {brief(key)} is no JSON") from None
    if isinstance(found, dict):
        found = (obj(found, "payload") or found).get("id")
    return as_ticket(found, "the key's id")


def _flat_origin(doc: dict[str, Any]) -> dict[str, Any]:
    """Return what the unwrap transformation was told to keep of the origin, `__source_` and all."""
    kept = {name[9:]: v for name, v in doc.items() if name.startswith("__source_")}
    if "__table" in doc:
        kept["table"] = doc["__table"]
    return kept


def _position(origin: dict[str, Any]) -> tuple[str | None, int | None]:
    """Return a change's place in the database's log, as an id and as a number that grows."""
    lsn = as_number(origin.get("lsn"))
    if lsn is not None:
        return f"lsn:{lsn}", lsn
    file, pos = as_text(origin.get("file"), "file"), as_number(origin.get("pos"))
    if file is None or pos is None:
        return None, None
    row = as_number(origin.get("row")) or 0
    digits = file.rpartition(".")[2]
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 0
    # 20 bits of file, 32 of position, 11 of row: the order in the log for a million files.
    return f"{file}:{pos}:{row}", (number % 2**20) << 43 | (pos % 2**32) << 11 | (row % 2**11)


def _ticket(
    row: dict[str, Any],
    before: dict[str, Any],
    kind: Kind,
    origin: dict[str, Any],
    delivery: Delivery,
) -> Event:
    zone = delivery.timezone
    event = Event(
        tenant=delivery.tenant,
        source=delivery.source,
        ticket=as_ticket(row.get("id"), "id"),
        occurred_at=_when(row, before, kind, origin, zone),
        id="",
        created_at=_instant(row.get("date"), zone),
        kind=kind,
        status=told(row, "status"),
        priority=told(row, "priority"),
        impact=told(row, "impact"),
        urgency=told(row, "urgency"),
        client=told(row, "entities_id"),
        service=told(row, "itilcategories_id"),
        type=_type(row),
        site=told(row, "locations_id"),
        reported=or_unset(_verdict(row, zone)),
        imported=kind == "snapshot",
    )
    event.number = event.ticket
    if kind == "deleted" or as_flag(row.get("is_deleted")):
        deleted(event)
    elif kind == "updated" and as_flag(before.get("is_deleted")):
        event.kind = "restored"
    return event


def _followup(row: dict[str, Any], kind: Kind, origin: dict[str, Any], delivery: Delivery) -> Event:
    if row.get("itemtype", "Ticket") != "Ticket":
        raise Rejected("not_a_ticket", "a follow-up of something else")
    event = Event(
        tenant=delivery.tenant,
        source=delivery.source,
        ticket=as_ticket(row.get("items_id"), "items_id"),
        occurred_at=_when(row, {}, kind, origin, delivery.timezone),
        id="",
        imported=kind == "snapshot",
    )
    if kind in ("created", "snapshot"):
        event.kind = "comment"
        event.comment = Comment(public=not as_flag(row.get("is_private")))
        event.actor = actor(told(row, "users_id"), "unknown")
    return event


def _type(row: dict[str, Any]) -> Text:
    code = told(row, "type")
    return _TYPES.get(code, code) if isinstance(code, str) else code


def _when(
    row: dict[str, Any],
    before: dict[str, Any],
    kind: Kind,
    origin: dict[str, Any],
    zone: str | None,
) -> Instant:
    """Return when it happened: the row's own time, unless this change left that as it was."""
    modified = row.get("date_mod")
    scalar = isinstance(modified, (str, int))
    stale = kind == "deleted" or (bool(before) and scalar and before.get("date_mod") == modified)
    committed = as_number(origin.get("ts_ms"))
    if committed is not None and (stale or modified is None):
        return as_instant(committed, None, "source.ts_ms")
    if isinstance(modified, int) and not isinstance(modified, bool):
        return as_instant(_instant(modified, zone), None, "date_mod")
    return as_instant(modified, zone or "UTC", "date_mod")


def _instant(value: object, zone: str | None) -> Instant | None:
    """Read a column's time: ISO text, or a DATETIME's local time counted as if it were UTC."""
    if isinstance(value, int) and not isinstance(value, bool):
        if value >= _MICROS:
            value //= 1_000
        if not 0 <= value <= LAST_INSTANT:
            return None
        if zone is None:
            return value
        return maybe_instant(to_datetime(value).replace(tzinfo=None).isoformat(), zone)
    return maybe_instant(value, zone or "UTC")


def _verdict(row: dict[str, Any], zone: str | None) -> dict[str, Any]:
    return only_told(
        response=only_told(
            due=_instant(row.get("time_to_own"), zone),
            reached_at=_instant(row.get("takeintoaccountdate"), zone),
        ),
        resolution=only_told(
            due=_instant(row.get("time_to_resolve"), zone),
            reached_at=_instant(row.get("solvedate"), zone),
        ),
    )
