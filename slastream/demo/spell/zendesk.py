"""Zendesk ticket events: one for each change, numbered inside the action that they came from."""

from __future__ import annotations

import random
from typing import Any

from slastream.core.instant import format_instant
from slastream.demo.life import Step
from slastream.demo.spell.common import AGENTS, CONTACTS, Message, Spelled, bare, seconds, uuid

_STATUSES = {
    "new": ("NEW", "4100"), "assigned": ("OPEN", "4101"), "working": ("OPEN", "4102"),
    "waiting_client": ("PENDING", "4103"), "waiting_vendor": ("HOLD", "4104"),
    "resolved": ("SOLVED", "4105"), "closed": ("CLOSED", "4106"), "merged": ("CLOSED", "4106"),
}  # fmt: skip
"""Status and custom status; the book says that 4101 is an open ticket that was only answered."""
_PRIORITIES = {"P1": "URGENT", "P2": "HIGH", "P3": "NORMAL", "P4": "LOW"}
_TYPES = {"incident": "INCIDENT", "request": "TASK"}
_CHANNELS = {"mail": "email", "portal": "web", "phone": "phone", "monitoring": "api"}
_KINDS = {
    "created": "created", "moved": "status_changed", "comment": "comment_added",
    "priority": "priority_changed", "merged": "merged", "deleted": "soft_deleted",
}  # fmt: skip
_NOBODY = "-1"


def spell(step: Step, rng: random.Random) -> Spelled:
    """Return the events of a step: a public move is a comment and a change of status."""
    sequence = uuid(rng)[:8].upper()
    kinds = [_KINDS[step.happening]]
    if step.happening == "moved" and step.public:
        kinds.insert(0, "comment_added")
    return [
        Message(
            bare(step.ticket.id),
            _event(step, kind, {"id": sequence, "position": place}, rng),
            {"x-zendesk-webhook-invocation-id": uuid(rng).encode()},
        )
        for place, kind in enumerate(kinds, 1)
    ]


def _event(step: Step, kind: str, sequence: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    return {
        "account_id": 640,
        "detail": _detail(step),
        "event": {"meta": {"sequence": sequence}, **_change(step, kind, rng)},
        "id": uuid(rng),
        "subject": f"zen:ticket:{step.ticket.id}",
        "time": format_instant(step.at).replace("Z", "417305Z"),  # nanoseconds
        "type": f"zen:event-type:ticket.{kind}",
        "zendesk_event_version": "2022-11-06",
    }


def _detail(step: Step) -> dict[str, Any]:
    ticket, (status, custom) = step.ticket, _STATUSES[step.stage]
    return {
        "id": str(ticket.id),
        "actor_id": _actor(step),
        "assignee_id": str(AGENTS[ticket.agent]) if step.assigned else None,
        "brand_id": "360",
        "created_at": seconds(ticket.created_at),
        "custom_status": custom,
        "group_id": "15",
        "organization_id": ticket.system.client,
        "priority": _PRIORITIES[step.priority],
        "requester_id": str(CONTACTS[ticket.contact]),
        "status": "DELETED" if step.happening == "deleted" else status,
        "subject": ticket.subject,
        "type": _TYPES[ticket.type],
        "updated_at": seconds(step.at),
        "via": {"channel": _CHANNELS[ticket.channel]},
    }


def _change(step: Step, kind: str, rng: random.Random) -> dict[str, Any]:
    if kind == "comment_added":
        author = {"id": _actor(step), "is_staff": step.who == "agent"}
        comment = {"id": str(rng.randrange(10**8)), "is_public": step.public, "author": author}
        return {"comment": comment}
    if kind == "status_changed":
        return {"current": _STATUSES[step.stage][0], "previous": _STATUSES[step.before][0]}
    if kind == "priority_changed":
        before, after = _PRIORITIES[step.priority_before], _PRIORITIES[step.priority]
        return {"current": after, "previous": before}
    if kind == "merged":
        return {"target_ticket_id": str(step.merged_into)}
    return {}


def _actor(step: Step) -> str:
    people = {"agent": AGENTS[step.ticket.agent], "customer": CONTACTS[step.ticket.contact]}
    return str(people[step.who]) if step.who in people else _NOBODY
