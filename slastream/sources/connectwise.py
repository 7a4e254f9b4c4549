"""ConnectWise PSA: callbacks, whose `Entity` is JSON inside JSON, and tickets of its REST API.

What a status means is set on the service board, not on the ticket, so it is the book that says it.
Only `closedFlag`, a merge and a deletion are plain here. `slaStatus` is a display text in the
reader's locale and is never read.
"""

from __future__ import annotations

from typing import Any

import orjson
from msgspec import UNSET

from slastream.core.errors import Rejected
from slastream.core.event import Actor, ActorKind, Event, Text
from slastream.sources.delivery import About, Delivery
from slastream.sources.reading import (
    ARRIVAL,
    actor,
    as_flag,
    as_instant,
    as_text,
    as_ticket,
    brief,
    channel_of,
    deleted,
    finished,
    first,
    known,
    maybe_instant,
    merged,
    named,
    obj,
    only_told,
    or_unset,
    told,
)

ABOUT = About(
    title="ConnectWise PSA",
    key="ID (Entity.id)",
    status="status.name of the board",
    event_time="Entity._info.lastUpdated; a deletion has none, so its arrival",
    order="none: one second clocks, then order of arrival",
    delivery_id="MessageId",
    signature="x-content-signature: base64 HMAC-SHA256 of the body, keyed by the SHA-256 of the "
    "signing key that Metadata.key_url serves",
    timezone="UTC",
    notes=(
        "Register the callback with isSelfSuppressedFlag, so that write-backs do not come back.",
    ),
)

_KINDS = {"added": "created", "updated": "updated", "deleted": "deleted"}
_FROM_OUTSIDE = {"portal", "mail", "chat"}
_MACHINES = {"monitoring", "automate", "api"}
_ROBOTS = ("emailconnector", "workflow", "zadmin", "api", "integrator", "system")


def events(doc: dict[str, Any], delivery: Delivery) -> list[Event]:
    """Return the events of a callback, or of a ticket read from the REST API."""
    if "Entity" not in doc and "Action" not in doc:
        return _ticket_events(doc, {}, "updated", delivery)
    what = doc.get("Type", "ticket")
    if not isinstance(what, str) or what.lower() != "ticket":
        raise Rejected("not_a_ticket", f"a callback about a {brief(what)}")
    action = doc.get("Action")
    kind = _KINDS.get(action.lower()) if isinstance(action, str) else None
    if kind is None:
        raise Rejected("bad_kind", f"Action {brief(action)} is none of {', '.join(_KINDS)}")
    entity = _entity(doc.get("Entity"))
    if kind == "deleted":
        return _deletion(doc, entity, delivery)
    if not entity:
        raise Rejected("not_an_object", f"Entity of an {action} ticket is empty")
    return _ticket_events(entity, doc, kind, delivery)


def _entity(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as problem:
            raise Rejected("not_json", f"Entity: {problem.msg}"[:200]) from None
    if value is None or isinstance(value, dict):
        return value or {}
    raise Rejected("not_an_object", "Entity is neither an object nor the text of one")


def _deletion(doc: dict[str, Any], entity: dict[str, Any], delivery: Delivery) -> list[Event]:
    info = obj(entity, "_info")
    occurred_at = maybe_instant(info.get("lastUpdated"), delivery.timezone or "UTC")
    event = Event(
        tenant=delivery.tenant, source=delivery.source,
        ticket=as_ticket(doc["ID"] if "ID" in doc else entity.get("id"), "ID"),
        occurred_at=delivery.received_at if occurred_at is None else occurred_at,
        id="", actor=actor(told(doc, "MemberId"), "agent"),
    )  # fmt: skip
    if occurred_at is None:
        event.attributes = dict(ARRIVAL)
    return finished(deleted(event), _delivery_id(doc, delivery))


def _delivery_id(doc: dict[str, Any], delivery: Delivery) -> str | None:
    return as_text(doc.get("MessageId"), "MessageId") or delivery.header("ce_id")


def _ticket_events(
    ticket: dict[str, Any], doc: dict[str, Any], kind: str, delivery: Delivery
) -> list[Event]:
    zone = delivery.timezone or "UTC"
    info = obj(ticket, "_info")
    channel = channel_of(named(ticket, "source", "name"))
    event = Event(
        tenant=delivery.tenant,
        source=delivery.source,
        ticket=as_ticket(doc["ID"] if "ID" in doc else ticket.get("id"), "ID"),
        occurred_at=as_instant(info.get("lastUpdated"), zone, "_info.lastUpdated"),
        id="",
        created_at=maybe_instant(info.get("dateEntered", ticket.get("dateEntered")), zone),
        kind="created" if kind == "created" else "updated",
        status=named(ticket, "status", "name", "id"),
        board=named(ticket, "board", "name", "id"),
        channel=channel,
        priority=named(ticket, "priority", "name", "id"),
        impact=told(ticket, "impact"),
        urgency=told(ticket, "severity"),
        client=named(ticket, "company", "identifier", "name"),
        contract=first(named(ticket, "sla", "name"), named(ticket, "agreement", "name")),
        service=named(ticket, "subType", "name"),
        type=named(ticket, "type", "name"),
        site=first(named(ticket, "site", "name"), told(ticket, "siteName")),
        team=named(ticket, "team", "name"),
        assignee=named(ticket, "owner", "identifier", "name"),
        actor=_who(ticket, doc, info, kind, known(channel)),
        reported=or_unset(_verdict(ticket, zone)),
    )
    event.number = event.ticket
    event.url = _url(doc, event.ticket)
    parent = ticket.get("mergedParentTicket")
    if isinstance(parent, dict):
        merged(event, as_ticket(parent.get("id"), "mergedParentTicket.id"))
    elif as_flag(ticket.get("closedFlag")):
        event.state = "closed"
    return finished(event, _delivery_id(doc, delivery))


def _who(
    ticket: dict[str, Any],
    doc: dict[str, Any],
    info: dict[str, Any],
    kind: str,
    channel: str | None,
) -> Actor | None:
    """Tell who it was: a callback names a member even where a contact or a robot acted."""
    who = told(info, "enteredBy", "updatedBy") if kind == "created" else told(info, "updatedBy")
    who = first(who, told(doc, "MemberId"))
    name = (known(who) or "").casefold()
    acted: ActorKind = "agent" if name else "unknown"
    if name.startswith(_ROBOTS):
        acted = "automation"
    elif kind == "created" and channel in _FROM_OUTSIDE:
        acted = "customer"
    elif kind == "created" and channel in _MACHINES:
        acted = "automation"
    elif kind != "created" and as_flag(ticket.get("customerUpdatedFlag")):
        acted = "customer"
    return actor(who, acted)


def _verdict(ticket: dict[str, Any], zone: str) -> dict[str, Any]:
    """Return ConnectWise's verdict (D59): one word for three promises, and its milestones."""
    in_sla = as_flag(ticket.get("isInSla"))
    return only_told(
        breached=None if in_sla is None else not in_sla,
        response=_reached(ticket, "dateResponded", zone),
        plan=_reached(ticket, "dateResplan", zone),
        resolution=_reached(ticket, "dateResolved", zone),
    )


def _reached(ticket: dict[str, Any], member: str, zone: str) -> dict[str, Any] | None:
    reached_at = maybe_instant(ticket.get(member), zone)
    return None if reached_at is None else {"reached_at": reached_at}


def _url(doc: dict[str, Any], ticket: str) -> Text:
    host = known(told(doc, "FromUrl")) or ""
    name = host.removesuffix(".myconnectwise.net").removeprefix("api-")
    if name == host or not (name.isascii() and name.replace("-", "").isalnum()):
        return UNSET
    page = "v4_6_release/services/system_io/Service/fv_sr100_request.rails"
    return f"https://{name}.myconnectwise.net/{page}?service_recid={ticket}"
