"""Autotask PSA: webhooks, which carry only the fields a site subscribed, and tickets of its REST API.

Picklists arrive as labels or as ids, whichever the site chose; the book's mapping takes both.
"""

from __future__ import annotations

from typing import Any

from slastream.core.errors import Rejected
from slastream.core.event import Comment, Event, Kind, Text
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
    maybe_instant,
    obj,
    only_told,
    or_unset,
    told,
)

ABOUT = About(
    title="Autotask PSA",
    key="Id (TicketNumber is shown to people)",
    status="Fields.Status, label or picklist id",
    event_time="EventTime",
    order="SequenceNumber",
    delivery_id="Guid, Id and SequenceNumber",
    signature="x-hook-signature: sha1=<base64 HMAC-SHA1 of the body as received>",
    timezone="UTC",
    notes=(
        "Subscribe Status, Priority, QueueID, CompanyID; always display TicketNumber and CreateDate.",
        "Ticket notes need TicketID and Publish among their fields.",
    ),
)

_KINDS: dict[str, Kind] = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "deactivate": "deleted",
}
_EVERYBODY = {"1", "all autotask users"}
"""Of a note's Publish: who may read it. Everything else stays inside."""


def events(doc: dict[str, Any], delivery: Delivery) -> list[Event]:
    """Return the events of a webhook, or of a ticket read from the REST API."""
    if "Action" not in doc and "EntityType" not in doc:
        return _rest(obj(doc, "item") or doc, delivery)
    action = doc.get("Action")
    kind = _KINDS.get(action.lower()) if isinstance(action, str) else None
    if kind is None:
        raise Rejected("bad_kind", f"Action {brief(action)} is none of {', '.join(_KINDS)}")
    what = (as_text(doc.get("EntityType"), "EntityType") or "ticket").lower().rstrip("s")
    # Names of fields come as the site's subscription wrote them.
    fields = {name.lower(): value for name, value in obj(doc, "Fields").items()}
    sequence = as_number(doc.get("SequenceNumber"))
    event = Event(
        tenant=delivery.tenant,
        source=delivery.source,
        ticket="",
        occurred_at=as_instant(doc.get("EventTime"), delivery.timezone or "UTC", "EventTime"),
        id="",
        sequence=sequence,
        kind=kind,
        actor=actor(told(doc, "PersonId", "PersonID"), "unknown"),
    )
    if what == "ticketnote":
        event.ticket = as_ticket(fields.get("ticketid"), "Fields.TicketID")
        _note(event, fields, kind)
    elif what == "ticket":
        event.ticket = as_ticket(doc.get("Id"), "Id")
        _tell(event, fields, delivery)
        if kind == "deleted":
            deleted(event)
    else:
        raise Rejected("not_a_ticket", f"an entity of type {brief(what[:40])}")
    guid = as_text(doc.get("Guid"), "Guid")
    named = f"{guid}:{as_text(doc.get('Id'), 'Id')}:{sequence}"
    return finished(event, named if guid and sequence is not None else delivery.header("ce_id"))


def _note(event: Event, fields: dict[str, Any], kind: str) -> None:
    event.kind = "comment" if kind == "created" else "updated"
    if event.kind == "comment":
        publish = as_text(fields.get("publish"), "Publish")
        event.comment = Comment(public=(publish or "").casefold() in _EVERYBODY)
        if as_number(fields.get("creatorresourceid")):
            event.actor = actor(told(fields, "creatorresourceid"), "agent")
        elif as_number(fields.get("createdbycontactid")):
            event.actor = actor(told(fields, "createdbycontactid"), "customer")


def _rest(ticket: dict[str, Any], delivery: Delivery) -> list[Event]:
    fields = {name.lower(): value for name, value in ticket.items()}
    when = fields.get("lasttrackedmodificationdatetime") or fields.get("lastactivitydate")
    event = Event(
        tenant=delivery.tenant,
        source=delivery.source,
        ticket=as_ticket(fields.get("id"), "id"),
        occurred_at=as_instant(when, delivery.timezone or "UTC", "lastActivityDate"),
        id="",
    )
    _tell(event, fields, delivery)
    return finished(event, delivery.header("ce_id"))


def _tell(event: Event, fields: dict[str, Any], delivery: Delivery) -> None:
    zone = delivery.timezone or "UTC"
    event.created_at = maybe_instant(fields.get("createdate"), zone)
    event.status = told(fields, "status")
    event.priority = told(fields, "priority")
    event.board = told(fields, "queueid", "queue")
    event.client = told(fields, "companyid", "accountid", "company")
    event.contract = _sla_or_contract(fields)
    event.service = told(fields, "issuetype")
    event.type = told(fields, "tickettype")
    event.site = told(fields, "companylocationid")
    event.assignee = told(fields, "assignedresourceid")
    event.channel = channel_of(told(fields, "source"))
    event.number = told(fields, "ticketnumber")
    event.reported = or_unset(_verdict(fields, zone))


def _sla_or_contract(fields: dict[str, Any]) -> Text:
    return first(told(fields, "servicelevelagreementid"), told(fields, "contractid"))


def _verdict(fields: dict[str, Any], zone: str) -> dict[str, Any]:
    met = as_flag(fields.get("servicelevelagreementhasbeenmet"))
    return only_told(
        breached=None if met is None else not met,
        response=_milestone(fields, "firstresponse", zone),
        plan=_milestone(fields, "resolutionplan", zone),
        resolution=_milestone(fields, "resolved", zone),
    )


def _milestone(fields: dict[str, Any], name: str, zone: str) -> dict[str, Any]:
    return only_told(
        reached_at=maybe_instant(fields.get(f"{name}datetime"), zone),
        due=maybe_instant(fields.get(f"{name}duedatetime"), zone),
    )
