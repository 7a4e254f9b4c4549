"""Jira webhooks: the issue after the step, and a changelog of what the step changed."""

from __future__ import annotations

import random
from typing import Any

from slastream.core.instant import Instant, format_instant
from slastream.demo.life import Step
from slastream.demo.spell.common import Message, Spelled, acted, bare, opener, uuid

_STATUSES = {
    "new": ("10100", "Waiting for support", "new"), "assigned": ("10103", "Assigned", "new"),
    "working": ("3", "In Progress", "indeterminate"),
    "waiting_client": ("10101", "Waiting for customer", "indeterminate"),
    "waiting_vendor": ("10102", "Pending", "indeterminate"),
    "resolved": ("5", "Resolved", "done"), "closed": ("6", "Closed", "done"),
    "merged": ("10104", "Canceled", "done"),
}  # fmt: skip
_PRIORITIES = {
    "P1": ("1", "Highest"),
    "P2": ("2", "High"),
    "P3": ("3", "Medium"),
    "P4": ("4", "Low"),
}
_CATEGORIES = {"new": 2, "indeterminate": 4, "done": 3}
_RESOLUTIONS = {
    "resolved": ("10000", "Done"), "closed": ("10000", "Done"), "merged": ("10002", "Duplicate"),
}  # fmt: skip
_TYPES = {"incident": "[System] Incident", "request": "[System] Service request"}
_EVENTS = {
    "created": "issue_created", "moved": "issue_generic", "comment": "issue_commented",
    "priority": "issue_updated", "merged": "issue_generic", "deleted": "issue_deleted",
}  # fmt: skip


def spell(step: Step, rng: random.Random) -> Spelled:
    """Return the webhook of a step."""
    ticket = step.ticket
    event = {"created": "jira:issue_created", "deleted": "jira:issue_deleted"}
    body: dict[str, Any] = {
        "timestamp": step.at,
        "webhookEvent": event.get(step.happening, "jira:issue_updated"),
        "issue_event_type_name": _EVENTS[step.happening],
        "user": _user(acted(step), step.who),
        "issue": {
            "id": str(ticket.id),
            "self": f"https://acme-msp.atlassian.net/rest/api/2/{ticket.id}",
            "key": f"{ticket.system.project}-{ticket.id - ticket.system.first_number}",
            "fields": _fields(step),
        },
    }
    if step.happening == "comment":
        body["comment"] = {
            "id": str(rng.randrange(10**6)), "body": "...", "jsdPublic": step.public,
            "author": body["user"], "created": _time(step.at),
        }  # fmt: skip
    elif items := _items(step):
        body["changelog"] = {"id": str(step.at // 100), "items": items}
    headers = {
        "x-atlassian-webhook-identifier": uuid(rng).encode(),
        "x-atlassian-webhook-flow": b"Primary",
    }
    return [Message(bare(ticket.id), body, headers)]


def _fields(step: Step) -> dict[str, Any]:
    ticket = step.ticket
    status, name, category = _STATUSES[step.stage]
    resolution = _RESOLUTIONS.get(step.stage)
    resolved = step.seen.get("resolved")
    return {
        "issuetype": {"id": "10014", "name": _TYPES[ticket.type], "subtask": False},
        "project": {"id": "10007", "key": ticket.system.project, "name": ticket.client.title,
                    "projectTypeKey": "service_desk"},
        "summary": ticket.subject,
        "created": _time(ticket.created_at),
        "updated": _time(step.at),
        "resolution": {"id": resolution[0], "name": resolution[1]} if resolution else None,
        "resolutiondate": _time(resolved) if resolution and resolved else None,
        "priority": dict(zip(("id", "name"), _PRIORITIES[step.priority], strict=True)),
        "labels": [ticket.team],
        "status": {"id": status, "name": name, "description": "", "statusCategory": {
            "id": _CATEGORIES[category], "key": category}},
        "assignee": _user(ticket.agent, "agent") if step.assigned else None,
        "reporter": _user(ticket.contact, "customer"),
        "creator": _user(opener(ticket), "customer"),
        "customfield_10002": [{"id": "31", "name": ticket.system.client}],
    }  # fmt: skip


def _items(step: Step) -> list[dict[str, Any]]:
    """Return the changelog of a step; one move may change status, resolution and assignee."""
    if step.happening == "priority":
        before, after = _PRIORITIES[step.priority_before], _PRIORITIES[step.priority]
        return [_item("priority", before, after)]
    if step.happening not in ("moved", "merged"):
        return []
    items = [_item("status", _STATUSES[step.before], _STATUSES[step.stage])]
    was, is_ = _RESOLUTIONS.get(step.before), _RESOLUTIONS.get(step.stage)
    if was != is_:
        items.insert(0, _item("resolution", was, is_))
    if step.before == "new" and step.assigned:
        items.append(_item("assignee", None, (step.ticket.agent, step.ticket.agent)))
    return items


def _item(
    name: str, before: tuple[str, ...] | None, after: tuple[str, ...] | None
) -> dict[str, Any]:
    return {
        "field": name, "fieldtype": "jira", "fieldId": name,
        "from": before and before[0], "fromString": before and before[1],
        "to": after and after[0], "toString": after and after[1],
    }  # fmt: skip


def _user(name: str, who: str) -> dict[str, Any]:
    kind = {"agent": "atlassian", "customer": "customer", "automation": "app"}[who]
    return {"accountId": f"712020:{name.replace(' ', '.').lower()}", "displayName": name,
            "active": True, "timeZone": "Europe/Paris", "accountType": kind}  # fmt: skip


def _time(instant: Instant) -> str:
    return format_instant(instant)[:-1] + "+0000"
