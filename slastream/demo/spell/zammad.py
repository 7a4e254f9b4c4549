"""Zammad's default payload: the ticket, and the article where one was written."""

from __future__ import annotations

import random
from typing import Any

from slastream.core.instant import format_instant
from slastream.demo.life import Step
from slastream.demo.spell.common import AGENTS, CONTACTS, Message, Spelled, bare, uuid

_STATES = {
    "new": (1, "new"), "assigned": (1, "new"), "working": (2, "open"),
    "waiting_client": (3, "pending reminder"), "waiting_vendor": (8, "pending supplier"),
    "resolved": (7, "pending close"), "closed": (4, "closed"), "merged": (5, "merged"),
}  # fmt: skip
"""`pending supplier` is a state that this site added; an assigned ticket is a new one's owner."""
_PRIORITIES = {
    "P1": (4, "4 urgent"),
    "P2": (3, "3 high"),
    "P3": (2, "2 normal"),
    "P4": (1, "1 low"),
}
_CHANNELS = {"mail": "email", "portal": "web", "phone": "phone", "monitoring": "api"}
_SENDERS = {"agent": "Agent", "customer": "Customer", "automation": "System"}
_NOBODY = 1


def spell(step: Step, rng: random.Random) -> Spelled:
    """Return the webhook of a step."""
    spoken = step.happening in ("created", "comment") or (step.happening == "moved" and step.public)
    body = {"ticket": _ticket(step), "article": _article(step) if spoken else None}
    headers = {"x-zammad-trigger": b"All ticket actions", "x-zammad-delivery": uuid(rng).encode()}
    return [Message(bare(step.ticket.id), body, headers)]


def _person(step: Step) -> int:
    people = {"agent": AGENTS[step.ticket.agent], "customer": CONTACTS[step.ticket.contact]}
    return people.get(step.who, _NOBODY)


def _ticket(step: Step) -> dict[str, Any]:
    ticket, client = step.ticket, step.ticket.system
    state, name = (6, "removed") if step.happening == "deleted" else _STATES[step.stage]
    priority, priority_name = _PRIORITIES[step.priority]
    owner = AGENTS[ticket.agent] if step.assigned else _NOBODY
    answered = step.seen.get("answered")
    return {
        "id": ticket.id,
        "number": str(24_000 + ticket.id - client.first_number),
        "title": ticket.subject,
        "group_id": 2,
        "group": {"id": 2, "name": client.project},
        "priority_id": priority,
        "priority": {"id": priority, "name": priority_name},
        "state_id": state,
        "state": name,
        "organization": {"id": 5, "name": client.client},
        "owner_id": owner,
        "owner": {"id": owner, "login": ticket.agent if step.assigned else "-"},
        "customer_id": CONTACTS[ticket.contact],
        "article_count": step.nth + 1,
        "article_ids": [_article_id(step, nth) for nth in range(step.nth + 1)],
        "create_article_type": _CHANNELS[ticket.channel],
        "first_response_at": format_instant(answered) if answered else None,
        "created_by_id": CONTACTS[ticket.contact],
        "created_at": format_instant(ticket.created_at),
        "updated_by_id": _person(step),
        "updated_at": format_instant(step.at),
    }


def _article_id(step: Step, nth: int) -> int:
    return step.ticket.id * 100 + nth


def _article(step: Step) -> dict[str, Any]:
    return {
        "id": _article_id(step, step.nth),
        "ticket_id": step.ticket.id,
        "sender": _SENDERS[step.who],
        "type": "email",
        "internal": not (step.public or step.happening == "created"),
        "created_by_id": _person(step),
        "created_at": format_instant(step.at),
    }
