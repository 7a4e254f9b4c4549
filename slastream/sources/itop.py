"""iTop with its webhook extension: the JSON that `deploy` shows as a template, or objects of its REST API.

Times are the server's local ones, so the source needs its `timezone`. The states `escalated_tto`
and `escalated_ttr` are set by iTop's own stopwatches and pause nothing.
"""

from __future__ import annotations

from typing import Any

from slastream.core.event import Comment, Event, Text
from slastream.sources.delivery import About, Delivery
from slastream.sources.reading import (
    actor,
    as_flag,
    as_instant,
    as_text,
    as_ticket,
    channel_of,
    deleted,
    finished,
    first,
    folded,
    maybe_instant,
    obj,
    only_told,
    or_unset,
    told,
)

ABOUT = About(
    title="iTop",
    key="ref, else id",
    status="status; sub-status: pending_reason",
    event_time="last_update, local time of the server",
    order="none: one second clocks, then order of arrival",
    delivery_id="none: a hash of what is told",
    signature="none: a header with a secret",
    timezone="the source's timezone setting is required",
    notes=(
        "Template members: class, id, ref, status, priority, org, service, team, agent, start_date, "
        "last_update, pending_reason.",
        "Add `comment_public: true` in the action of a trigger on public log updates.",
    ),
)

_TYPES = {"userrequest": "request", "incident": "incident", "service_request": "request"}


def events(doc: dict[str, Any], delivery: Delivery) -> list[Event]:
    """Return the event of one delivery."""
    fields = obj(doc, "fields")
    ticket = {"class": doc.get("class"), "id": doc.get("key"), **fields} if fields else doc
    zone = delivery.timezone
    created_at = maybe_instant(ticket.get("start_date"), zone)
    event = Event(
        tenant=delivery.tenant,
        source=delivery.source,
        ticket=as_ticket(ticket.get("ref") or ticket.get("id"), "ref"),
        occurred_at=as_instant(ticket.get("last_update"), zone, "last_update"),
        id="",
        created_at=created_at,
        status=told(ticket, "status"),
        sub_status=told(ticket, "pending_reason"),
        priority=told(ticket, "priority"),
        impact=told(ticket, "impact"),
        urgency=told(ticket, "urgency"),
        client=told(ticket, "org", "org_name"),
        service=told(ticket, "service", "service_name"),
        type=_type(ticket),
        site=told(ticket, "site_name"),
        team=told(ticket, "team", "team_name"),
        assignee=told(ticket, "agent", "agent_name"),
        channel=channel_of(told(ticket, "origin")),
        number=told(ticket, "ref"),
        url=told(ticket, "url"),
        reported=or_unset(_verdict(ticket, zone)),
    )
    if event.occurred_at == created_at:
        event.kind = "created"
    public = as_flag(ticket.get("comment_public"))
    if public is not None:
        event.kind, event.comment = "comment", Comment(public=public)
        event.actor = actor(told(ticket, "comment_author"), "unknown")
    if as_text(ticket.get("event"), "event") == "deleted":
        deleted(event)
    return finished(event, delivery.header("ce_id"))


def _type(ticket: dict[str, Any]) -> Text:
    name = folded(first(told(ticket, "request_type"), told(ticket, "class", "finalclass")))
    return _TYPES.get(name, name) if isinstance(name, str) else name


def _verdict(ticket: dict[str, Any], zone: str | None) -> dict[str, Any]:
    """Return iTop's own verdict: a stopwatch that has passed its goal."""
    response = only_told(
        breached=as_flag(ticket.get("sla_tto_passed")),
        reached_at=maybe_instant(ticket.get("assignment_date"), zone),
    )
    resolution = only_told(
        breached=as_flag(ticket.get("sla_ttr_passed")),
        reached_at=maybe_instant(ticket.get("resolution_date"), zone),
    )
    passed = [each["breached"] for each in (response, resolution) if "breached" in each]
    return only_told(
        breached=any(passed) if passed else None, response=response, resolution=resolution
    )
