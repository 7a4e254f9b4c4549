"""HaloPSA webhooks: the ticket by ids, with the action that changed it. The day sends them in batches."""

from __future__ import annotations

import random
from typing import Any

from slastream.core.instant import Instant, format_instant
from slastream.demo.life import Step
from slastream.demo.spell.common import (
    AGENTS,
    NUMBERS,
    Message,
    Spelled,
    acted,
    client_number,
    said,
)

_STATUSES = {
    "new": 1, "assigned": 1, "working": 2, "waiting_client": 4, "waiting_vendor": 5,
    "resolved": 21, "closed": 9, "merged": 9,
}  # fmt: skip
"""Ids of this instance; the book says what 21 is. Assigned is not a status but an agent's name."""
_NOBODY = 1
_NEVER = "1900-01-01T00:00:00.000Z"
_SOURCES = {"mail": "Email", "portal": "Self-Service", "phone": "Phone", "monitoring": "RMM"}


def spell(step: Step, rng: random.Random) -> Spelled:
    """Return the ticket and its action; a robot's mail is none that Halo tells."""
    if step.happening == "comment" and step.who == "automation":
        return []
    body: dict[str, Any] = {"ticket": _ticket(step)}
    if step.happening not in ("created", "deleted", "merged"):
        body["action"] = _action(step, rng)
    return [Message(None, body)]


def _ticket(step: Step) -> dict[str, Any]:
    ticket, done = step.ticket, step.stage in ("closed", "merged")
    return {
        "id": ticket.id,
        "dateoccurred": format_instant(ticket.created_at),
        "summary": ticket.subject,
        "status_id": _STATUSES[step.stage],
        "tickettype_name": ticket.type.title(),
        "priority_id": NUMBERS[step.priority],
        "client_id": client_number(ticket),
        "client_name": ticket.system.client,
        "site_name": ticket.site.title(),
        "sla_name": ticket.client.contract.title(),
        "team": ticket.team.title(),
        "agent_id": AGENTS[ticket.agent] if step.assigned else _NOBODY,
        "source_name": _SOURCES[ticket.channel],
        "onhold": step.stage.startswith("waiting"),
        "responsedate": format_instant(step.seen["answered"]) if "answered" in step.seen else None,
        "dateclosed": format_instant(step.at) if done else _NEVER,
        "lastactiondate": format_instant(step.at),
        "merged_into_id": step.merged_into or 0,
        "deleted": step.happening == "deleted",
    }


def _action(step: Step, rng: random.Random) -> dict[str, Any]:
    spoken = said(step)
    agent = step.who == "agent"
    outcome = "Change Status" if not spoken else "Email User" if agent else "User Reply"
    return {
        "id": rng.randrange(10**6),
        "ticket_id": step.ticket.id,
        "outcome": outcome,
        "who": acted(step),
        "who_agentid": AGENTS[step.ticket.agent] if agent else 0,
        "datetime": _no_offset(step.at),
        "new_status": str(_STATUSES[step.stage]) if step.happening == "moved" else None,
        "hiddenfromuser": not spoken,
    }


def _no_offset(instant: Instant) -> str:
    """Actions have the same UTC as tickets, and do not say so."""
    return format_instant(instant).removesuffix("Z")
