"""HaloPSA and HaloITSM: the ticket after each change, with the action that changed it if there was one.

Batched deliveries are arrays. Status ids are an instance's own; display names may be sent instead.
"""

from __future__ import annotations

from typing import Any

from slastream.core.event import Actor, Comment, Event, Text
from slastream.sources.delivery import About, Delivery
from slastream.sources.reading import (
    actor,
    as_flag,
    as_instant,
    as_number,
    as_text,
    as_ticket,
    channel_of,
    deleted,
    finished,
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
    title="HaloPSA, HaloITSM",
    key="ticket.id",
    status="ticket.status_id, or the display name where names are sent",
    event_time="action.datetime, else ticket.lastactiondate",
    order="none: order of arrival",
    delivery_id="none: a hash of what is told",
    signature="none of the body: Basic, bearer or a header with a secret",
    timezone="UTC",
    notes=("A custom payload with ids and an offset on every time removes all doubts.",),
)

_UNASSIGNED = 1
"""Halo's agent of this id stands for nobody."""
_SPOKEN = ("email", "note", "reply", "comment", "message", "update")


def events(doc: dict[str, Any], delivery: Delivery) -> list[Event]:
    """Return the events of one ticket, wrapped with an action or bare."""
    ticket = obj(doc, "ticket") or doc
    action = obj(doc, "action")
    zone = delivery.timezone or "UTC"
    when = action.get("datetime") or ticket.get("lastactiondate") or ticket.get("last_update")
    created_at = maybe_instant(ticket.get("dateoccurred"), zone)
    event = Event(
        tenant=delivery.tenant,
        source=delivery.source,
        ticket=as_ticket(ticket.get("id", action.get("ticket_id")), "ticket.id"),
        occurred_at=as_instant(when, zone, "lastactiondate"),
        id="",
        created_at=created_at,
        status=_status(ticket),
        priority=named(ticket, _having(ticket, "priority_id", "priority"), "id", "name"),
        client=told(ticket, "client_name", "client_id"),
        contract=told(ticket, "sla_name", "sla_id"),
        service=told(ticket, "category_1"),
        type=told(ticket, "tickettype_name", "tickettype_id"),
        site=told(ticket, "site_name", "site_id"),
        team=told(ticket, "team"),
        assignee=_assignee(ticket),
        channel=channel_of(told(ticket, "source_name", "source")),
        impact=told(ticket, "impact"),
        urgency=told(ticket, "urgency"),
        actor=_who(action),
        reported=or_unset(_verdict(ticket, zone)),
    )
    event.number = event.ticket
    if not action and event.occurred_at == created_at:
        event.kind = "created"
    if action:
        _said(event, action)
    survivor = as_number(ticket.get("merged_into_id"))
    if survivor:
        merged(event, str(survivor))
    elif as_flag(ticket.get("deleted")):
        deleted(event)
    return finished(event, delivery.header("ce_id"))


def _having(ticket: dict[str, Any], *names: str) -> str:
    return next((name for name in names if name in ticket), names[0])


def _status(ticket: dict[str, Any]) -> Text:
    return named(ticket, _having(ticket, "status_id", "status", "status_name"), "id", "name")


def _assignee(ticket: dict[str, Any]) -> Text:
    if as_number(ticket.get("agent_id")) == _UNASSIGNED:
        return None
    return told(ticket, "agent_id", "agent_name", "agent")


def _who(action: dict[str, Any]) -> Actor | None:
    if not action:
        return None
    who = told(action, "who", "who_agentid")
    if "who_agentid" in action:
        return actor(who, "agent" if as_number(action["who_agentid"]) else "customer")
    return actor(who, "unknown")


def _said(event: Event, action: dict[str, Any]) -> None:
    """Note what an action told the user; moving a ticket about is an action too, and says nothing."""
    outcome = (known(told(action, "outcome")) or "").casefold()
    if any(word in outcome for word in _SPOKEN):
        event.comment = Comment(public=not as_flag(action.get("hiddenfromuser")))
        if as_text(action.get("new_status"), "new_status") is None:
            event.kind = "comment"


def _verdict(ticket: dict[str, Any], zone: str) -> dict[str, Any]:
    response = only_told(
        breached=_out(ticket.get("slaresponsestate")),
        due=maybe_instant(ticket.get("respondbydate"), zone),
        reached_at=maybe_instant(ticket.get("responsedate"), zone),
    )
    resolution = only_told(
        breached=_out(ticket.get("slastate")), due=maybe_instant(ticket.get("fixbydate"), zone)
    )
    out = [each["breached"] for each in (response, resolution) if "breached" in each]
    return only_told(
        breached=any(out) if out else None,
        response=response,
        resolution=resolution,
        excluded=as_flag(ticket.get("excludefromsla")) or None,
    )


def _out(state: object) -> bool | None:
    """Read Halo's letter: I is in, O is out; anything else is not decided."""
    return {"I": False, "O": True}.get(state) if isinstance(state, str) else None
