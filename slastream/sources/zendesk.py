"""Zendesk: ticket events of an event subscription, and what a trigger's own JSON template sends.

An event's `detail` is the ticket after the whole action, of which each change is an event of its
own. So a comment is not taken to tell the status: the change of status has its own event.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from slastream.core.errors import Rejected
from slastream.core.event import Actor, Comment, Event, Kind, Text
from slastream.sources.delivery import About, Delivery
from slastream.sources.reading import (
    actor,
    arrived,
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
    folded,
    maybe_instant,
    merged,
    named,
    obj,
    occurred,
    told,
)

ABOUT = About(
    title="Zendesk",
    key="detail.id",
    status="detail.status; sub-status: detail.custom_status",
    event_time="time",
    order="event.meta.sequence.position, inside one action",
    delivery_id="id; of a trigger: header x-zendesk-webhook-invocation-id",
    signature="x-zendesk-webhook-signature: base64 HMAC-SHA256 of the timestamp header and the body",
    notes=(
        "Subscribe to ticket created, status, priority, comment, assignment, merge and delete events.",
        "A trigger's JSON: ticket_id, status, priority, group, organization, created_at, updated_at.",
    ),
)

_PREFIX = "zen:event-type:ticket."
_KINDS: dict[str, Kind] = {
    "created": "created",
    "comment_added": "comment",
    "merged": "merged",
    "soft_deleted": "deleted",
    "permanently_deleted": "deleted",
    "marked_as_spam": "deleted",
    "undeleted": "restored",
}
_NOBODY = "-1"
"""The actor of what Zendesk does by itself."""


def events(doc: dict[str, Any], delivery: Delivery) -> list[Event]:
    """Return the events of one delivery of either kind."""
    what = doc.get("type")
    if "detail" not in doc and not (isinstance(what, str) and what.startswith("zen:")):
        return _trigger(doc, delivery)
    if not isinstance(what, str) or not what.startswith(_PREFIX):
        raise Rejected("not_a_ticket", f"an event of type {brief(what)}")
    what = what.removeprefix(_PREFIX)
    detail, change = obj(doc, "detail"), obj(doc, "event")
    kind = _KINDS.get(what, "updated")
    event = Event(
        tenant=delivery.tenant,
        source=delivery.source,
        ticket=as_ticket(detail["id"] if "id" in detail else _subject(doc), "detail.id"),
        occurred_at=as_instant(doc.get("time"), delivery.timezone, "time"),
        id="",
        created_at=maybe_instant(detail.get("created_at"), delivery.timezone),
        sequence=as_number(obj(obj(change, "meta"), "sequence").get("position")),
        kind=kind,
        priority=told(detail, "priority"),
        client=told(detail, "organization_id"),
        board=told(detail, "brand_id"),
        type=folded(told(detail, "type")),
        team=told(detail, "group_id"),
        assignee=told(detail, "assignee_id"),
        channel=channel_of(named(obj(detail, "via"), "channel", "name")),
        actor=_who(detail, change),
    )
    event.number = event.ticket
    if kind != "comment":
        event.status = told(detail, "status")
        event.sub_status = told(detail, "custom_status")
    _apply(event, what, change)
    return finished(event, as_text(doc.get("id"), "id") or delivery.header("ce_id"))


def _subject(doc: dict[str, Any]) -> object:
    subject = doc.get("subject")
    return subject.removeprefix("zen:ticket:") if isinstance(subject, str) else None


def _apply(event: Event, what: str, change: dict[str, Any]) -> None:
    if what == "comment_added":
        event.comment = Comment(public=bool(as_flag(obj(change, "comment").get("is_public"))))
    elif what == "merged":
        target = first(
            told(change, "target_ticket_id", "merged_into_id"), named(change, "target", "id")
        )
        merged(event, as_ticket(target, "the merge's target") if isinstance(target, str) else None)
    elif what == "marked_as_spam":
        deleted(event, "spam")
    elif event.kind == "deleted":
        deleted(event)
    elif what == "next_sla_breach_changed":
        due = maybe_instant(change.get("current"))
        event.reported = UNSET if due is None else {"due": due}


def _who(detail: dict[str, Any], change: dict[str, Any]) -> Actor | None:
    author = obj(obj(change, "comment"), "author")
    staff = as_flag(author.get("is_staff"))
    who = first(told(author, "id"), told(detail, "actor_id"))
    if who == _NOBODY:
        return actor(who, "automation")
    if staff is not None:
        return actor(who, "agent" if staff else "customer")
    if isinstance(who, str):
        if who == told(detail, "assignee_id"):
            return actor(who, "agent")
        if who == told(detail, "requester_id"):
            return actor(who, "customer")
    return actor(who, "unknown")


def _trigger(doc: dict[str, Any], delivery: Delivery) -> list[Event]:
    """Read what a trigger sends: members of the site's own template, most of them optional."""
    when = doc.get("updated_at")
    event = Event(
        tenant=delivery.tenant,
        source=delivery.source,
        ticket=as_ticket(doc.get("ticket_id", doc.get("id")), "ticket_id"),
        occurred_at=occurred(when, delivery, delivery.timezone),
        id="",
        created_at=maybe_instant(doc.get("created_at"), delivery.timezone),
        status=told(doc, "status"),
        sub_status=told(doc, "custom_status"),
        priority=told(doc, "priority"),
        client=_client(doc),
        board=told(doc, "brand"),
        type=folded(told(doc, "type", "ticket_type")),
        team=told(doc, "group"),
        assignee=told(doc, "assignee"),
        channel=channel_of(told(doc, "via")),
        url=told(doc, "url"),
    )
    event.number = event.ticket
    public = as_flag(doc.get("comment_is_public"))
    if public is not None:
        event.comment = Comment(public=public)
        staff = as_flag(doc.get("author_is_staff"))
        if staff is not None:
            event.actor = actor(told(doc, "author"), "agent" if staff else "customer")
    invocation = delivery.header("x-zendesk-webhook-invocation-id")
    return finished(arrived(event, when), invocation or delivery.header("ce_id"))


def _client(doc: dict[str, Any]) -> Text:
    return told(doc, "organization_external_id", "organization", "organization_id")
