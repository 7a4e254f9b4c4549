"""Znuny, OTRS and OTOBO: what the generic interface's invoker Ticket::Generic sends.

`Ticket` is the whole ticket and `Event` what happened to it. The pass-through invoker sends the
event alone, which is enough for a deletion only.
"""

from __future__ import annotations

from typing import Any

from slastream.core.errors import Rejected
from slastream.core.event import Actor, ActorKind, Comment, Event, Kind, Text
from slastream.sources.delivery import About, Delivery
from slastream.sources.reading import (
    actor,
    arrived,
    as_flag,
    as_instant,
    as_text,
    as_ticket,
    channel_of,
    deleted,
    finished,
    first,
    folded,
    items,
    known,
    maybe_instant,
    merged,
    obj,
    only_told,
    or_unset,
    told,
)

ABOUT = About(
    title="Znuny, OTRS, OTOBO",
    key="TicketID (TicketNumber is shown to people)",
    status="Ticket.State; sub-status: Ticket.StateType",
    event_time="Ticket.Changed",
    order="none: one second clocks, then order of arrival",
    delivery_id="none: a hash of what is told",
    signature="none: Basic, or a header with a secret",
    timezone="UTC unless the source's timezone setting says what OTRSTimeZone is",
    notes=("Send the articles along (deep ticket) to have answers and notes told apart.",),
)

_KINDS: dict[str, Kind] = {
    "TicketCreate": "created",
    "ArticleCreate": "comment",
    "TicketDelete": "deleted",
    "TicketMerge": "merged",
}
_SENDERS: dict[str, ActorKind] = {"agent": "agent", "customer": "customer", "system": "system"}
_ROOT = "1"
"""OwnerID of the account that owns what nobody owns."""


def events(doc: dict[str, Any], delivery: Delivery) -> list[Event]:
    """Return the event of one call of the invoker."""
    ticket = obj(doc, "Ticket")
    happened = obj(doc, "Event")
    name = known(told(happened, "Event")) or (known(told(doc, "Event")) if not happened else "")
    kind = _KINDS.get(name or "", "updated")
    zone = delivery.timezone or "UTC"
    number = first(told(ticket, "TicketID"), told(happened, "TicketID"), told(doc, "TicketID"))
    changed = ticket.get("Changed")
    if kind == "deleted" and not ticket:
        event = Event(
            tenant=delivery.tenant,
            source=delivery.source,
            ticket=as_ticket(known(number), "TicketID"),
            occurred_at=delivery.received_at,
            id="",
        )
        return finished(arrived(deleted(event), None), delivery.header("ce_id"))
    if not ticket and name:
        raise Rejected("no_ticket_data", "the event came without its ticket: use Ticket::Generic")
    event = Event(
        tenant=delivery.tenant,
        source=delivery.source,
        ticket=as_ticket(known(number), "TicketID"),
        occurred_at=as_instant(changed, zone, "Changed"),
        id="",
        created_at=maybe_instant(ticket.get("Created"), zone),
        kind="updated" if kind == "merged" else kind,
        status=told(ticket, "State"),
        sub_status=told(ticket, "StateType"),
        priority=told(ticket, "Priority"),
        board=told(ticket, "Queue"),
        client=told(ticket, "CustomerID"),
        contract=told(ticket, "SLA"),
        service=told(ticket, "Service"),
        type=told(ticket, "Type"),
        team=told(ticket, "Queue"),
        assignee=_owner(ticket),
        number=told(ticket, "TicketNumber"),
        reported=or_unset(_verdict(ticket, zone)),
    )
    if kind == "comment":
        _said(event, ticket, happened)
    _end(event, kind, happened)
    return finished(event, delivery.header("ce_id"))


def _end(event: Event, kind: Kind, happened: dict[str, Any]) -> None:
    """Mark the end of a ticket that was merged, removed or deleted."""
    state = folded(event.sub_status) or folded(event.status)
    if kind == "deleted" or state == "removed":
        deleted(event)
    elif state == "merged":
        main = told(happened, "MainTicketID")
        merged(event, as_ticket(main, "MainTicketID") if isinstance(main, str) else None)


def _owner(ticket: dict[str, Any]) -> Text:
    if told(ticket, "OwnerID") == _ROOT:
        return None
    return told(ticket, "Owner")


def _article(ticket: dict[str, Any], happened: dict[str, Any]) -> dict[str, Any]:
    """Return the article that the event is about, else the last one."""
    articles = ticket.get("Article")
    if isinstance(articles, dict):
        return articles
    found = [each for each in items(ticket, "Article") if isinstance(each, dict)]
    wanted = as_text(happened.get("ArticleID"), "ArticleID")
    for each in found:
        if wanted is not None and as_text(each.get("ArticleID"), "ArticleID") == wanted:
            return each
    return found[-1] if found else {}


def _said(event: Event, ticket: dict[str, Any], happened: dict[str, Any]) -> None:
    """Note who said something and who can read it; without the article, only that it was said."""
    article = _article(ticket, happened)
    visible = as_flag(article.get("IsVisibleForCustomer"))
    sender = folded(told(article, "SenderType"))
    event.comment = Comment(public=bool(visible))
    event.channel = channel_of(told(article, "CommunicationChannel"))
    event.actor = _sender(article, sender)


def _sender(article: dict[str, Any], sender: Text) -> Actor | None:
    kind = _SENDERS.get(sender, "unknown") if isinstance(sender, str) else "unknown"
    return actor(told(article, "CreateBy", "From"), kind)


def _verdict(ticket: dict[str, Any], zone: str) -> dict[str, Any]:
    response = only_told(
        breached=as_flag(ticket.get("FirstResponseTimeEscalation")),
        due=maybe_instant(ticket.get("FirstResponseTimeDestinationDate"), zone),
        reached_at=maybe_instant(ticket.get("FirstResponse"), zone),
    )
    resolution = only_told(
        breached=as_flag(ticket.get("SolutionTimeEscalation")),
        due=maybe_instant(ticket.get("SolutionTimeDestinationDate"), zone),
    )
    late = [each["breached"] for each in (response, resolution) if "breached" in each]
    return only_told(breached=any(late) if late else None, response=response, resolution=resolution)
