"""Jira and Jira Service Management: issue and comment webhooks, and issues of the REST API.

The stable id is `issue.id`: a move to another project changes the key and keeps the id. Names of
statuses are a site's own, so their category travels as the sub-status, for the book to fall back
on; once an issue is resolved, the resolution takes its place there.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from slastream.core.errors import Rejected
from slastream.core.event import Actor, Comment, Event, Kind, Text
from slastream.sources.delivery import About, Delivery
from slastream.sources.reading import (
    actor,
    as_flag,
    as_instant,
    as_number,
    as_text,
    as_ticket,
    brief,
    deleted,
    finished,
    first,
    items,
    known,
    maybe_instant,
    named,
    obj,
    only_told,
    or_unset,
    told,
)

ABOUT = About(
    title="Jira, Jira Service Management",
    key="issue.id (issue.key may move)",
    status="status.name; sub-status: the resolution, else the status category (new, indeterminate, done)",
    event_time="timestamp, in milliseconds",
    order="changelog.id",
    delivery_id="header x-atlassian-webhook-identifier, the same on every retry",
    signature="x-hub-signature: sha256=<hex HMAC-SHA256 of the body>, if a secret was set",
    timezone="times carry their offset",
    notes=("Subscribe to issue created, updated, deleted and to comment created.",),
)

_KINDS: dict[str, Kind] = {
    "jira:issue_created": "created",
    "jira:issue_updated": "updated",
    "jira:issue_deleted": "deleted",
    "comment_created": "comment",
    "comment_updated": "updated",
    "comment_deleted": "updated",
}
_ORGANISATION = {"id", "name", "_links", "uuid", "created", "active", "scimManaged"}


def events(doc: dict[str, Any], delivery: Delivery) -> list[Event]:
    """Return the events of a webhook, or of an issue read from the REST API."""
    issue = obj(doc, "issue")
    if not issue:
        if "webhookEvent" in doc:
            raise Rejected("not_a_ticket", f"webhook {brief(doc['webhookEvent'])} without an issue")
        issue = doc
    name = doc.get("webhookEvent", "")
    kind = _KINDS.get(name) if isinstance(name, str) and name else "updated"
    if kind is None:
        raise Rejected("bad_kind", f"webhookEvent {brief(name)} is none of {', '.join(_KINDS)}")
    fields = obj(issue, "fields")
    occurred_at = doc.get("timestamp")
    changelog = obj(doc, "changelog")
    event = Event(
        tenant=delivery.tenant,
        source=delivery.source,
        ticket=as_ticket(issue.get("id"), "issue.id"),
        occurred_at=as_instant(
            fields.get("updated") if occurred_at is None else occurred_at,
            delivery.timezone,
            "timestamp",
        ),
        id="",
        created_at=maybe_instant(fields.get("created"), delivery.timezone),
        sequence=as_number(changelog.get("id")),
        kind=kind,
        status=named(fields, "status", "name", "id"),
        sub_status=_sub_status(fields),
        board=named(fields, "project", "key", "name"),
        priority=named(fields, "priority", "name", "id"),
        type=_type(fields),
        assignee=named(fields, "assignee", "accountId", "name", "key"),
        actor=_who(doc, fields),
        number=told(issue, "key"),
        url=_url(issue),
    )
    _said(event, doc)
    _custom_fields(event, fields)
    if kind == "deleted":
        # A deletion shows the issue as it was last; its status is no longer anything's state.
        deleted(event)
    return finished(
        event, delivery.header("x-atlassian-webhook-identifier") or delivery.header("ce_id")
    )


def _sub_status(fields: dict[str, Any]) -> Text:
    resolution = named(fields, "resolution", "name", "id")
    if isinstance(resolution, str):
        return resolution
    category = named(obj(fields, "status"), "statusCategory", "key")
    return first(category, resolution)


def _type(fields: dict[str, Any]) -> Text:
    """Return the issue type, without the mark that Service Management puts before its own."""
    name = named(fields, "issuetype", "name")
    return name.removeprefix("[System] ") if isinstance(name, str) else name


def _who(doc: dict[str, Any], fields: dict[str, Any]) -> Actor | None:
    """Tell an agent from a customer: by the account's type, and by whose issue it is.

    People of the client who hold a Jira licence have accounts like any agent's; where one of
    them acts on an issue of their own that is not theirs to solve, they act as a customer.
    """
    user = obj(doc, "user") or obj(obj(doc, "comment"), "author")
    who = told(user, "accountId", "name", "key")
    match user.get("accountType"):
        case "customer":
            return actor(who, "customer")
        case "app":
            return actor(who, "automation")
        case account:
            mine = isinstance(who, str) and who == named(
                fields, "reporter", "accountId", "name", "key"
            )
            if mine and who != named(fields, "assignee", "accountId", "name", "key"):
                return actor(who, "customer")
            return actor(who, "agent" if account == "atlassian" else "unknown")


def _said(event: Event, doc: dict[str, Any]) -> None:
    """Note a comment, and whether the customer can read it."""
    comment = doc.get("comment")
    if not isinstance(comment, dict):
        return
    if event.kind == "updated" and doc.get("issue_event_type_name") == "issue_commented":
        event.kind = "comment"
    if event.kind != "comment":
        return
    public = as_flag(comment.get("jsdPublic"))
    if public is None:
        public = not obj(comment, "visibility")
        for each in items(comment, "properties"):
            if isinstance(each, dict) and each.get("key") == "sd.public.comment":
                public = not as_flag(obj(each, "value").get("internal"))
    event.comment = Comment(public=public)


def _custom_fields(event: Event, fields: dict[str, Any]) -> None:
    """Find the client's organisation and the vendor's clocks by shape: ids differ per site."""
    verdict: dict[str, Any] = {}
    for name, value in fields.items():
        if not name.startswith("customfield_"):
            continue
        if type(value) is list:
            if event.client is UNSET and value and _is_organisation(value[0]):
                event.client = as_text(value[0]["name"], name)
        elif type(value) is dict:
            if "ongoingCycle" in value or "completedCycles" in value:
                _cycle(verdict, value)
            elif "requestType" in value:
                event.service = named(obj(value, "requestType"), "name")
    if verdict:
        flags = [each["breached"] for each in verdict.values() if "breached" in each]
        event.reported = or_unset(only_told(breached=any(flags) if flags else None, **verdict))


def _is_organisation(value: object) -> bool:
    return isinstance(value, dict) and "name" in value and value.keys() <= _ORGANISATION


def _cycle(verdict: dict[str, Any], clock: dict[str, Any]) -> None:
    """Read one clock of Service Management: its running cycle, else its last completed one."""
    name = (known(told(clock, "name")) or "").casefold()
    indicator = "response" if "response" in name else "resolution" if "resolution" in name else name
    done = [each for each in items(clock, "completedCycles") if isinstance(each, dict)]
    cycle = obj(clock, "ongoingCycle") or (done[-1] if done else {})
    read = only_told(
        breached=as_flag(cycle.get("breached")),
        paused=as_flag(cycle.get("paused")),
        due=maybe_instant(obj(cycle, "breachTime").get("epochMillis")),
        reached_at=maybe_instant(obj(cycle, "stopTime").get("epochMillis")),
        elapsed_ms=as_number(obj(cycle, "elapsedTime").get("millis")),
        target_ms=as_number(obj(cycle, "goalDuration").get("millis")),
    )
    if read and indicator and len(verdict) < 16:
        verdict[indicator] = read


def _url(issue: dict[str, Any]) -> Text:
    itself, key = known(told(issue, "self")), known(told(issue, "key"))
    if itself is None or key is None or not itself.startswith("https://"):
        return UNSET
    site, found, _ = itself.partition("/rest/api/")
    return f"{site}/browse/{key}" if found else UNSET
