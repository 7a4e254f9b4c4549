"""GLPI 11 webhooks: the ticket as the high-level API shows it, and what hangs on one.

A follow-up, task or solution arrives as the item, with its ticket as `parent_item`; it says that
something was said and not what the status is, which has a delivery of its own.
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
    as_text,
    as_ticket,
    brief,
    channel_of,
    deleted,
    finished,
    first,
    items,
    known,
    maybe_instant,
    named,
    obj,
    told,
)

ABOUT = About(
    title="GLPI 11",
    key="item.id, or parent_item.id of a follow-up",
    status="item.status.id: 1 new, 2 assigned, 3 planned, 4 pending, 5 solved, 6 closed, 10 approval",
    event_time="item.date_mod",
    order="none: one second clocks, then order of arrival",
    delivery_id="none: a hash of what is told",
    signature="x-glpi-signature: hex HMAC-SHA256 of the body and the x-glpi-timestamp header",
    timezone="times carry their offset, else the source's timezone setting",
    notes=(
        "Webhooks leave with GLPI's cron: let it run every minute.",
        "Add webhooks for follow-ups and tasks to have answers seen.",
    ),
)

_KINDS: dict[str, Kind] = {
    "new": "created",
    "update": "updated",
    "delete": "deleted",
    "purge": "deleted",
    "restore": "restored",
}
_TYPES = {"1": "incident", "2": "request"}


def events(doc: dict[str, Any], delivery: Delivery) -> list[Event]:
    """Return the event of one webhook."""
    item, parent = obj(doc, "item"), obj(doc, "parent_item")
    what = doc.get("event", "update")
    kind = _KINDS.get(what) if isinstance(what, str) else None
    if kind is None:
        raise Rejected("bad_kind", f"event {brief(what)} is none of {', '.join(_KINDS)}")
    if not item:
        raise Rejected("not_an_object", "item is missing")
    if parent or "itemtype" in item:
        return _child(item, parent, kind, delivery)
    event = _event(item, item, delivery)
    event.kind = kind
    event.status = named(item, "status", "id", "name")
    if kind == "deleted" or as_flag(item.get("is_deleted")):
        deleted(event)
    return finished(event, delivery.header("ce_id"))


def _child(
    item: dict[str, Any], ticket: dict[str, Any], kind: Kind, delivery: Delivery
) -> list[Event]:
    of = as_text(item.get("itemtype", "Ticket"), "itemtype")
    if of != "Ticket":
        raise Rejected("not_a_ticket", f"belongs to a {brief(of)}")
    event = _event(ticket or {"id": item.get("items_id")}, item, delivery)
    if kind == "created":
        event.kind = "comment"
        event.comment = Comment(public=not as_flag(item.get("is_private")))
        event.actor = _author(item, ticket)
    return finished(event, delivery.header("ce_id"))


def _event(ticket: dict[str, Any], changed: dict[str, Any], delivery: Delivery) -> Event:
    zone = delivery.timezone
    event = Event(
        tenant=delivery.tenant,
        source=delivery.source,
        ticket=as_ticket(ticket.get("id"), "item.id"),
        occurred_at=as_instant(changed.get("date_mod"), zone, "date_mod"),
        id="",
        created_at=maybe_instant(ticket.get("date", ticket.get("date_creation")), zone),
        priority=told(ticket, "priority"),
        impact=told(ticket, "impact"),
        urgency=told(ticket, "urgency"),
        client=named(ticket, "entity", "name", "id"),
        service=named(ticket, "category", "name", "id"),
        type=_type(ticket),
        site=named(ticket, "location", "name", "id"),
        team=_assigned(ticket, "Group"),
        assignee=_assigned(ticket, "User"),
        channel=channel_of(named(ticket, "request_type", "name")),
    )
    event.number = event.ticket
    return event


def _type(ticket: dict[str, Any]) -> Text:
    code = named(ticket, "type", "id", "name")
    return _TYPES.get(code, code) if isinstance(code, str) else code


def _assigned(ticket: dict[str, Any], what: str) -> Text:
    """Return who is assigned; the list is complete, so nobody in it means nobody at all."""
    if not isinstance(ticket.get("team"), list):
        return told({})
    for member in items(ticket, "team"):
        if isinstance(member, dict) and (member.get("type"), member.get("role")) == (
            what,
            "assigned",
        ):
            return first(told(member, "name"), told(member, "id"))
    return None


def _author(item: dict[str, Any], ticket: dict[str, Any]) -> Actor | None:
    """Tell the author's side by their role in the ticket's team, where the author is told at all."""
    who = named(item, "user", "name", "id")
    name = known(who)
    for member in items(ticket, "team"):
        if isinstance(member, dict) and name is not None and member.get("name") == name:
            role = member.get("role")
            if role in ("assigned", "requester"):
                return actor(who, "agent" if role == "assigned" else "customer")
    return actor(who, "unknown")
