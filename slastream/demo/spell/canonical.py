"""Our own events: each says what it changes, and states are spelled out."""

from __future__ import annotations

import random
from typing import Any

from slastream.core.instant import format_instant
from slastream.demo.life import Step
from slastream.demo.spell.common import TENANT, Message, Spelled, acted, uuid

_STATES: dict[str, dict[str, str]] = {
    "new": {"state": "new"},
    "assigned": {"state": "responded"},
    "working": {"state": "in_progress"},
    "waiting_client": {"state": "waiting", "waiting_on": "client"},
    "waiting_vendor": {"state": "waiting", "waiting_on": "vendor"},
    "resolved": {"state": "resolved"},
    "closed": {"state": "closed"},
    "merged": {"state": "cancelled"},
}


def spell(step: Step, rng: random.Random) -> Spelled:
    """Return the event of a step."""
    ticket = step.ticket
    kind = {"moved": "updated", "priority": "updated"}.get(step.happening, step.happening)
    event: dict[str, Any] = {
        "tenant": TENANT,
        "source": "canonical",
        "ticket": str(ticket.id),
        "id": uuid(rng),
        "occurred_at": format_instant(step.at),
        "kind": kind,
        "actor": {"id": acted(step), "kind": step.who},
    }
    if step.happening == "created":
        event |= {
            "created_at": format_instant(ticket.created_at), "client": ticket.system.client,
            "contract": ticket.client.contract, "type": ticket.type, "team": ticket.team,
            "site": ticket.site, "channel": ticket.channel, "number": f"NK-{ticket.id}",
            "url": f"https://desk.example/tickets/{ticket.id}", "board": ticket.system.project,
        }  # fmt: skip
    if step.happening in ("created", "priority"):
        event["priority"] = step.priority
    if step.happening in ("created", "moved"):
        event |= _STATES[step.stage]
    if step.happening == "moved" and step.assigned:
        event["assignee"] = ticket.agent
    if step.public and step.happening in ("comment", "moved"):
        event["comment"] = {"public": True}
    if step.merged_into is not None:
        event["merged_into"] = str(step.merged_into)
    return [Message(f"{TENANT}/canonical/{ticket.id}".encode(), event)]
