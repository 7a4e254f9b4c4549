"""Freshservice: a workflow's webhook in simple or own JSON, tickets of REST v2, and app events.

The simple webhook carries display names, a number with a prefix, and no time but its arrival.
"""

from __future__ import annotations

import re
from typing import Any

from slastream.core.errors import Rejected
from slastream.core.event import Comment, Event, Text
from slastream.core.instant import Instant
from slastream.sources.delivery import About, Delivery
from slastream.sources.reading import (
    actor,
    arrived,
    as_flag,
    as_instant,
    as_text,
    as_ticket,
    brief,
    channel_of,
    deleted,
    finished,
    known,
    maybe_instant,
    named,
    obj,
    occurred,
    only_told,
    or_unset,
    shortly_after,
    told,
)

ABOUT = About(
    title="Freshservice",
    key="the ticket's number, without INC- or SR-",
    status="status, code (2 Open, 3 Pending, 4 Resolved, 5 Closed) or display name",
    event_time="updated_at; of the simple webhook its arrival",
    order="none: order of arrival",
    delivery_id="none: a hash of what is told",
    signature="none: a header with a secret, or Basic",
    timezone="UTC",
    notes=(
        "Use the advanced encoding with id, status, priority, department, group, created_at, updated_at.",
        "An answer is seen where stats.first_responded_at is the time of the update, or in the "
        "simple webhook's triggered_event.",
    ),
)

_NUMBER = re.compile(r"(?:[A-Za-z]{1,8}-)?(\d{1,18})")
_SOURCES = {"1": "mail", "2": "portal", "3": "phone", "4": "chat", "10": "monitoring"}


def events(doc: dict[str, Any], delivery: Delivery) -> list[Event]:
    """Return the events of one delivery of any of the four kinds."""
    simple = obj(doc, "freshdesk_webhook") or obj(doc, "freshservice_webhook")
    if simple:
        return _simple(simple, delivery)
    if "data" in doc and "event" in doc:
        return _app_event(doc, delivery)
    ticket = obj(doc, "ticket") or doc
    when = ticket.get("updated_at")
    event = _event(ticket, occurred(when, delivery, delivery.timezone or "UTC"), delivery)
    return finished(arrived(event, when), delivery.header("ce_id"))


def _number(value: object) -> str:
    match = _NUMBER.fullmatch(as_ticket(value, "the ticket's id"))
    if match is None:
        raise Rejected("bad_ticket", f"{brief(value)} is no number such as 2231 or INC-2231")
    return match[1]


def _event(ticket: dict[str, Any], occurred_at: Instant, delivery: Delivery) -> Event:
    zone = delivery.timezone or "UTC"
    event = Event(
        tenant=delivery.tenant,
        source=delivery.source,
        ticket=_number(ticket.get("id", ticket.get("display_id"))),
        occurred_at=occurred_at,
        id="",
        created_at=maybe_instant(ticket.get("created_at"), zone),
        status=named(ticket, "status", "id", "name"),
        priority=named(ticket, "priority", "id", "name"),
        impact=told(ticket, "impact"),
        urgency=told(ticket, "urgency"),
        board=told(ticket, "workspace", "workspace_id"),
        client=told(ticket, "department", "department_name", "department_id"),
        type=told(ticket, "type", "ticket_type"),
        service=told(ticket, "category"),
        team=told(ticket, "group", "group_name", "group_id"),
        assignee=told(ticket, "agent", "responder_id"),
        channel=_channel(ticket),
        number=told(ticket, "display_id", "id"),
        url=told(ticket, "url"),
        reported=or_unset(_verdict(ticket, zone)),
    )
    answered_at = maybe_instant(obj(ticket, "stats").get("first_responded_at"), zone)
    if shortly_after(occurred_at, answered_at):
        event.comment, event.actor = Comment(public=True), actor(event.assignee, "agent")
    if occurred_at == event.created_at:
        event.kind = "created"
    if as_flag(ticket.get("deleted")):
        deleted(event)
    elif as_flag(ticket.get("spam")):
        deleted(event, "spam")
    return event


def _channel(ticket: dict[str, Any]) -> Text:
    source = told(ticket, "source")
    return channel_of(_SOURCES.get(source, source) if isinstance(source, str) else source)


def _verdict(ticket: dict[str, Any], zone: str) -> dict[str, Any]:
    stats = obj(ticket, "stats")
    return only_told(
        breached=as_flag(ticket.get("is_escalated")),
        response=only_told(
            due=maybe_instant(ticket.get("fr_due_by"), zone),
            reached_at=maybe_instant(stats.get("first_responded_at"), zone),
        ),
        resolution=only_told(
            due=maybe_instant(ticket.get("due_by"), zone),
            reached_at=maybe_instant(stats.get("resolved_at"), zone),
        ),
    )


def _simple(ticket: dict[str, Any], delivery: Delivery) -> list[Event]:
    """Read the simple encoding; `triggered_event` is text that merely looks like JSON."""
    event = Event(
        tenant=delivery.tenant,
        source=delivery.source,
        ticket=_number(ticket.get("ticket_id")),
        occurred_at=delivery.received_at,
        id="",
        status=told(ticket, "ticket_status"),
        priority=told(ticket, "ticket_priority"),
        type=told(ticket, "ticket_type"),
        client=told(ticket, "ticket_department_name", "ticket_company_name"),
        team=told(ticket, "ticket_group_name"),
        assignee=told(ticket, "ticket_agent_name"),
        channel=channel_of(told(ticket, "ticket_source")),
        number=told(ticket, "ticket_id"),
        url=told(ticket, "ticket_url"),
    )
    what = (known(told(ticket, "triggered_event")) or "").replace(" ", "").lower()
    if "ticket_action:created" in what:
        event.kind = "created"
    elif "reply_sent" in what:
        event.kind, event.comment = "comment", Comment(public=True)
        event.actor = actor(event.assignee, "agent")
    elif "note_type:" in what:
        event.kind, event.comment = "comment", Comment(public="note_type:public" in what)
    elif "ticket_action:deleted" in what:
        deleted(event)
    return finished(arrived(event, None), delivery.header("ce_id"))


def _app_event(doc: dict[str, Any], delivery: Delivery) -> list[Event]:
    """Read an event of an app on the platform: onTicketCreate, onTicketUpdate."""
    what = as_text(doc.get("event"), "event") or ""
    data = obj(doc, "data")
    ticket = obj(data, "ticket")
    if not ticket:
        raise Rejected("not_a_ticket", f"event {brief(what[:60])} without a ticket")
    when = doc.get("timestamp")
    if isinstance(when, float) and 0 <= when < 1e11:
        when = int(when)
    if isinstance(when, int) and not isinstance(when, bool) and 0 <= when < 10**11:
        when *= 1_000  # the platform counts seconds
    event = _event(ticket, as_instant(when, delivery.timezone or "UTC", "timestamp"), delivery)
    who = obj(data, "actor")
    kind = known(told(who, "type")) or ""
    if kind in ("agent", "requester"):
        event.actor = actor(told(who, "id"), "agent" if kind == "agent" else "customer")
    if what == "onTicketCreate":
        event.kind = "created"
    return finished(event, delivery.header("ce_id"))
