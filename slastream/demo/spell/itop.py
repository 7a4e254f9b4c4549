"""iTop's webhook template: flat text, in the server's local time."""

from __future__ import annotations

import random
from typing import Any

from slastream.core.instant import Instant
from slastream.demo.life import Step
from slastream.demo.spell.common import NUMBERS, Message, Spelled, bare, local, said

_STATUSES = {
    "new": "new", "assigned": "assigned", "working": "in_progress",
    "waiting_client": "pending", "waiting_vendor": "pending", "resolved": "resolved",
    "closed": "closed", "merged": "rejected",
}  # fmt: skip
"""`in_progress` is a state that this site added; a duplicate is rejected, for want of a merge."""
_REASONS = {"waiting_client": "Waiting for the caller", "waiting_vendor": "Spare part ordered"}
_CHANNELS = {"mail": "mail", "portal": "portal", "phone": "phone", "monitoring": "monitoring"}


def spell(step: Step, rng: random.Random) -> Spelled:
    """Return the template's JSON after a step; the automatic answer is no update of the ticket."""
    if step.happening == "comment" and step.who == "automation":
        return []
    ticket = step.ticket
    incident = ticket.type == "incident"
    ref = f"{'I' if incident else 'R'}-{ticket.id:06d}"
    body: dict[str, Any] = {
        "source": "itop",
        "class": "Incident" if incident else "UserRequest",
        "id": str(ticket.id),
        "ref": ref,
        "status": _STATUSES[step.stage],
        "priority": str(NUMBERS[step.priority]),
        "org": ticket.system.client,
        "service": ticket.team.title(),
        "team": ticket.team.title(),
        "agent": ticket.agent if step.assigned else "",
        "origin": _CHANNELS[ticket.channel],
        "start_date": _time(step, ticket.created_at),
        "last_update": _time(step, step.at),
        "assignment_date": _time(step, step.seen.get("answered")),
        "resolution_date": _time(step, step.seen.get("resolved")),
        "pending_reason": _REASONS.get(step.stage, ""),
    }
    if step.happening == "deleted":
        body["event"] = "deleted"
    elif said(step) and step.who == "agent":
        # The trigger is on what agents write in the public log.
        body |= {"comment_public": True, "comment_author": ticket.agent}
    return [Message(bare(ref), body)]


def _time(step: Step, instant: Instant | None) -> str:
    return "" if instant is None else local(instant, step.ticket.system.zone or "UTC")
