"""Zammad: the ticket and the article that a trigger or scheduler sends, in its default payload."""

from __future__ import annotations

from typing import Any

from slastream.core.event import Actor, ActorKind, Comment, Event, Text
from slastream.sources.delivery import About, Delivery
from slastream.sources.reading import (
    actor,
    as_flag,
    as_instant,
    as_number,
    as_ticket,
    channel_of,
    deleted,
    finished,
    first,
    folded,
    items,
    maybe_instant,
    merged,
    named,
    obj,
    only_told,
    or_unset,
    told,
)

ABOUT = About(
    title="Zammad",
    key="ticket.id (number is shown to people)",
    status="ticket.state",
    event_time="ticket.updated_at, in milliseconds",
    order="none: order of arrival",
    delivery_id="header x-zammad-delivery",
    signature="x-hub-signature: sha1=<hex HMAC-SHA1 of the body>",
    notes=("One trigger on every ticket action, with no condition on the article.",),
)

_SENDERS: dict[str, ActorKind] = {"agent": "agent", "customer": "customer", "system": "system"}
_NOBODY = 1
"""The user of this id is Zammad itself; as an owner, nobody."""


def events(doc: dict[str, Any], delivery: Delivery) -> list[Event]:
    """Return the event of one delivery."""
    ticket, article = obj(doc, "ticket"), obj(doc, "article")
    zone = delivery.timezone
    event = Event(
        tenant=delivery.tenant,
        source=delivery.source,
        ticket=as_ticket(ticket.get("id", article.get("ticket_id")), "ticket.id"),
        occurred_at=as_instant(ticket.get("updated_at"), zone, "ticket.updated_at"),
        id="",
        created_at=maybe_instant(ticket.get("created_at"), zone),
        status=named(ticket, "state", "name"),
        priority=named(ticket, "priority", "name"),
        board=named(ticket, "group", "name"),
        client=named(ticket, "organization", "name"),
        type=told(ticket, "type"),
        team=named(ticket, "group", "name"),
        assignee=_owner(ticket),
        channel=channel_of(named(ticket, "create_article_type", "name")),
        number=told(ticket, "number"),
        actor=_who(ticket, article),
        reported=or_unset(_verdict(ticket, zone)),
    )
    if article:
        event.comment = Comment(public=not as_flag(article.get("internal")))
        event.kind = "created" if _is_first(ticket, article) else "comment"
    state = folded(event.status)
    if state == "merged":
        # Zammad does not say into which ticket.
        merged(event, None)
    elif state == "removed":
        deleted(event)
    return finished(event, delivery.header("x-zammad-delivery") or delivery.header("ce_id"))


def _is_first(ticket: dict[str, Any], article: dict[str, Any]) -> bool:
    """Tell whether the article is the one that opened the ticket: it answers nobody."""
    number = as_number(article.get("id"))
    articles = [as_number(each) for each in items(ticket, "article_ids")]
    return as_number(ticket.get("article_count")) == 1 and number is not None and number in articles


def _owner(ticket: dict[str, Any]) -> Text:
    if as_number(ticket.get("owner_id")) == _NOBODY:
        return None
    return first(named(ticket, "owner", "login", "email"), told(ticket, "owner_id"))


def _who(ticket: dict[str, Any], article: dict[str, Any]) -> Actor | None:
    who = first(named(ticket, "updated_by", "login"), told(ticket, "updated_by_id"))
    sender = folded(named(article, "sender", "name"))
    if isinstance(sender, str) and sender in _SENDERS:
        who = first(named(article, "created_by", "login"), told(article, "created_by_id"), who)
        return actor(who, _SENDERS[sender])
    changed_by = as_number(ticket.get("updated_by_id"))
    if changed_by is None:
        return actor(who, "unknown")
    if changed_by == _NOBODY:
        return actor(who, "system")
    if changed_by == as_number(ticket.get("owner_id")):
        return actor(who, "agent")
    if changed_by == as_number(ticket.get("customer_id")):
        return actor(who, "customer")
    return actor(who, "unknown")


def _verdict(ticket: dict[str, Any], zone: str | None) -> dict[str, Any]:
    response = _clock(ticket, "first_response", zone)
    resolution = _clock(ticket, "close", zone)
    late = [each["breached"] for each in (response, resolution) if "breached" in each]
    return only_told(breached=any(late) if late else None, response=response, resolution=resolution)


def _clock(ticket: dict[str, Any], name: str, zone: str | None) -> dict[str, Any]:
    spare = ticket.get(f"{name}_diff_in_min")
    return only_told(
        breached=spare < 0 if isinstance(spare, (int, float)) else None,
        due=maybe_instant(ticket.get(f"{name}_escalation_at"), zone),
        reached_at=maybe_instant(ticket.get(f"{name}_at"), zone),
    )
