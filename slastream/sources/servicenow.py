"""ServiceNow: records of the Stream Producer, and of the Table API as a business rule sends them.

The first types its values and says in headers what happened; the second is all text, with
references as objects and times without an offset, in UTC.
"""

from __future__ import annotations

from typing import Any

from slastream.core.errors import Rejected
from slastream.core.event import Actor, Comment, Event, Kind, Text
from slastream.sources.delivery import About, Delivery
from slastream.sources.reading import (
    actor,
    as_flag,
    as_instant,
    as_number,
    as_text,
    as_ticket,
    brief,
    channel_of,
    deleted,
    finished,
    first,
    known,
    maybe_instant,
    obj,
    only_told,
    or_unset,
)

ABOUT = About(
    title="ServiceNow",
    key="sys_id (number is shown to people)",
    status="state, its number; sub-status: hold_reason, else close_code",
    event_time="sys_updated_on; a deletion: header collection_timestamp_ms, else its arrival",
    order="sys_mod_count",
    delivery_id="sys_id, sys_mod_count and action",
    signature="none on the record: the Kafka principal; over HTTP a header with a secret",
    timezone="UTC",
    notes=(
        "There is no state for an answer: set assigned_is_responded in the book, or send comments.",
        "Send comments and work_notes along to have answers and notes told apart.",
    ),
)

_ACTIONS: dict[str, Kind] = {"insert": "created", "update": "updated", "delete": "deleted"}
_NO_TICKETS = ("sys_", "task_sla", "cmn_", "core_", "cmdb_")


def events(doc: dict[str, Any], delivery: Delivery) -> list[Event]:
    """Return the event of one record."""
    record = obj(doc, "result") or obj(doc, "record") or doc
    table = delivery.header("table_name") or ""
    if table.startswith(_NO_TICKETS):
        raise Rejected("not_a_ticket", f"a record of table {table[:60]}")
    zone = delivery.timezone or "UTC"
    ticket = as_ticket(_code(record, "sys_id") or None, "sys_id")
    sequence = as_number(_code(record, "sys_mod_count"))
    action = (delivery.header("action") or ("insert" if sequence == 0 else "update")).lower()
    kind = _ACTIONS.get(action)
    if kind is None:
        raise Rejected("bad_kind", f"action {brief(action[:40])} is none of {', '.join(_ACTIONS)}")
    event = Event(
        tenant=delivery.tenant,
        source=delivery.source,
        ticket=ticket,
        occurred_at=_when(record, kind, delivery, zone),
        id="",
        created_at=_instant(record, zone, "opened_at", "sys_created_on"),
        sequence=sequence,
        kind=kind,
        status=_code(record, "state", "incident_state"),
        sub_status=_sub_status(record),
        priority=_code(record, "priority"),
        impact=_code(record, "impact"),
        urgency=_code(record, "urgency"),
        client=_label(record, "company"),
        contract=_label(record, "contract"),
        service=_label(record, "business_service", "category"),
        type=_type(record, table),
        site=_label(record, "location"),
        team=_label(record, "assignment_group"),
        assignee=_label(record, "assigned_to"),
        channel=channel_of(_code(record, "contact_type")),
        number=_code(record, "number"),
        actor=_who(record, kind),
        comment=_said(record),
    )
    made = as_flag(_plain(record.get("made_sla")))
    event.reported = or_unset(only_told(breached=None if made is None else not made))
    if kind == "deleted":
        deleted(event)
    named = None if sequence is None else f"{ticket}:{sequence}:{action}"
    return finished(event, named or delivery.header("ce_id"))


def _when(record: dict[str, Any], kind: str, delivery: Delivery, zone: str) -> int:
    if kind == "deleted":
        # The record is as it was before somebody deleted it.
        collected = as_number(delivery.header("collection_timestamp_ms"))
        return delivery.received_at if collected is None else as_instant(collected)
    return as_instant(_plain(record.get("sys_updated_on")), zone, "sys_updated_on")


def _plain(value: object) -> object:
    """Return the value of a member that may be a reference `{link, value, display_value}`."""
    return value.get("value") if isinstance(value, dict) else value


def _code(record: dict[str, Any], *names: str) -> Text:
    """Return the first of these members, by its value and not by its label."""
    return first(*(as_text(_plain(record[name]), name) for name in names if name in record))


def _label(record: dict[str, Any], *names: str) -> Text:
    """Return the first of these references, by the label where one was sent along."""
    found: list[Text] = []
    for name in names:
        if name not in record:
            continue
        value = record[name]
        if isinstance(value, dict):
            value = value.get("display_value") or value.get("value")
        found.append(as_text(value, name))
    return first(*found)


def _instant(record: dict[str, Any], zone: str, *names: str) -> int | None:
    for name in names:
        instant = maybe_instant(_plain(record.get(name)), zone)
        if instant is not None:
            return instant
    return None


def _sub_status(record: dict[str, Any]) -> Text:
    """Return why a ticket is on hold, or how it ended: whichever its state has."""
    return first(_code(record, "hold_reason"), _code(record, "close_code"))


def _type(record: dict[str, Any], table: str) -> Text:
    name = _code(record, "sys_class_name")
    return first(name, table) if table else name


def _who(record: dict[str, Any], kind: str) -> Actor | None:
    """Return who changed it: a user name, which does not say whether it is the caller's."""
    created = _code(record, "sys_created_by") if kind == "created" else None
    who = first(created, _code(record, "sys_updated_by"))
    name = known(who)
    return actor(who, "system" if name in ("system", "guest") else "unknown")


def _said(record: dict[str, Any]) -> Comment | None:
    if known(_code(record, "comments")):
        return Comment(public=True)
    return Comment(public=False) if known(_code(record, "work_notes")) else None
