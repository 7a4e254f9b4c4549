"""Frappe Helpdesk: documents of HD Ticket and of Communication, as its webhooks send them.

Times are the site's local ones, so the source needs its `timezone`. The status category is the
stable word; labels are a site's own.
"""

from __future__ import annotations

from typing import Any

import orjson

from slastream.core.errors import Rejected
from slastream.core.event import Comment, Event, Text
from slastream.sources.delivery import About, Delivery
from slastream.sources.reading import (
    actor,
    as_flag,
    as_instant,
    as_text,
    as_ticket,
    brief,
    channel_of,
    deleted,
    finished,
    folded,
    maybe_instant,
    merged,
    only_told,
    or_unset,
    shortly_after,
    told,
)

ABOUT = About(
    title="Frappe Helpdesk",
    key="name",
    status="status; sub-status: status_category (Open, Paused, Resolved)",
    event_time="modified, local time of the site",
    order="none, but microseconds",
    delivery_id="name and modified",
    signature="x-frappe-webhook-signature: base64 HMAC-SHA256 of the body as received",
    timezone="the source's timezone setting is required",
    notes=(
        "A webhook on Communication tells answers; without it, an answer is seen where "
        "first_responded_on is the time of the update, which a mere change of status sets too.",
    ),
)

_DONE = {"on_trash", "after_delete"}


def events(doc: dict[str, Any], delivery: Delivery) -> list[Event]:
    """Return the event of one document."""
    what = as_text(doc.get("doctype", "HD Ticket"), "doctype")
    if what == "Communication":
        return _communication(doc, delivery)
    if what != "HD Ticket":
        raise Rejected("not_a_ticket", f"a document of type {brief(what)}")
    zone = delivery.timezone
    modified = doc.get("modified")
    event = Event(
        tenant=delivery.tenant,
        source=delivery.source,
        ticket=as_ticket(doc.get("name"), "name"),
        occurred_at=as_instant(modified, zone, "modified"),
        id="",
        created_at=maybe_instant(doc.get("creation"), zone),
        status=told(doc, "status"),
        sub_status=told(doc, "status_category"),
        priority=told(doc, "priority"),
        client=told(doc, "customer"),
        contract=told(doc, "sla"),
        type=told(doc, "ticket_type"),
        team=told(doc, "agent_group"),
        assignee=_assignee(doc),
        number=told(doc, "name"),
        reported=or_unset(_verdict(doc, zone)),
    )
    if event.occurred_at == event.created_at:
        event.kind = "created"
    if shortly_after(event.occurred_at, maybe_instant(doc.get("first_responded_on"), zone)):
        event.comment, event.actor = Comment(public=True), actor(event.assignee, "agent")
    if as_text(doc.get("event"), "event") in _DONE:
        deleted(event)
    elif as_flag(doc.get("is_merged")):
        survivor = told(doc, "merged_with")
        merged(event, as_ticket(survivor, "merged_with") if isinstance(survivor, str) else None)
    return finished(event, f"{event.ticket}:{as_text(modified, 'modified')}:{event.kind}")


def _communication(doc: dict[str, Any], delivery: Delivery) -> list[Event]:
    """Read a message on a ticket: sent by an agent, or received from the customer."""
    if doc.get("reference_doctype") != "HD Ticket":
        raise Rejected("not_a_ticket", "a communication about something else")
    sent = folded(told(doc, "sent_or_received"))
    event = Event(
        tenant=delivery.tenant,
        source=delivery.source,
        ticket=as_ticket(doc.get("reference_name"), "reference_name"),
        occurred_at=as_instant(doc.get("creation"), delivery.timezone, "creation"),
        id="",
        kind="comment",
        comment=Comment(public=folded(told(doc, "communication_type")) != "comment"),
        channel=channel_of(told(doc, "communication_medium")),
        actor=actor(told(doc, "sender"), "agent" if sent == "sent" else "customer"),
    )
    return finished(event, as_text(doc.get("name"), "name") or delivery.header("ce_id"))


def _assignee(doc: dict[str, Any]) -> Text:
    """Read `_assign`, which is a JSON list inside a text."""
    if "_assign" not in doc:
        return told(doc, "assigned_to")
    value = doc["_assign"]
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return as_text(value, "_assign")
    if isinstance(value, list):
        value = value[0] if value else None
    return as_text(value, "_assign")


def _verdict(doc: dict[str, Any], zone: str | None) -> dict[str, Any]:
    state = folded(told(doc, "agreement_status"))
    return only_told(
        breached={"failed": True, "fulfilled": False}.get(state)
        if isinstance(state, str)
        else None,
        response=only_told(
            due=maybe_instant(doc.get("response_by"), zone),
            reached_at=maybe_instant(doc.get("first_responded_on"), zone),
        ),
        resolution=only_told(
            due=maybe_instant(doc.get("resolution_by"), zone),
            reached_at=maybe_instant(doc.get("resolution_date"), zone),
        ),
    )
