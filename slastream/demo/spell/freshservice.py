"""Freshservice: the ticket as a workflow's own JSON sends it, codes and statistics included."""

from __future__ import annotations

import random
from typing import Any

from slastream.demo.life import Step
from slastream.demo.spell.common import AGENTS, Message, Spelled, bare, seconds

_STATUSES = {
    "new": 2, "assigned": 2, "working": 6, "waiting_client": 3, "waiting_vendor": 7,
    "resolved": 4, "closed": 5, "merged": 8,
}  # fmt: skip
"""From 6 on they are the site's own; the book says what they mean. Assigned is an open one's agent."""
_PRIORITIES = {"P1": 4, "P2": 3, "P3": 2, "P4": 1}
_SOURCES = {"mail": 1, "portal": 2, "phone": 3, "monitoring": 10}
_MILESTONES = {"answered": "first_responded_at", "resolved": "resolved_at"}


def spell(step: Step, rng: random.Random) -> Spelled:
    """Return the ticket after a step."""
    ticket = step.ticket
    stats = {
        member: seconds(step.seen[milestone])
        for milestone, member in _MILESTONES.items()
        if milestone in step.seen
    }
    body: dict[str, Any] = {
        "id": ticket.id,
        "display_id": f"{'INC' if ticket.type == 'incident' else 'SR'}-{ticket.id}",
        "subject": ticket.subject,
        "status": _STATUSES[step.stage],
        "priority": _PRIORITIES[step.priority],
        "type": "Incident" if ticket.type == "incident" else "Service Request",
        "source": _SOURCES[ticket.channel],
        "department": ticket.system.client,
        "group": ticket.team.title(),
        "responder_id": AGENTS[ticket.agent] if step.assigned else None,
        "spam": False,
        "deleted": step.happening == "deleted",
        "created_at": seconds(ticket.created_at),
        "updated_at": seconds(step.at),
        "stats": stats,
    }
    return [Message(bare(ticket.id), {"ticket": body})]
