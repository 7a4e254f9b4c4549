"""Frappe Helpdesk: the document in the site's local time, and the messages on it."""

from __future__ import annotations

import random
from typing import Any

import orjson

from slastream.core.instant import Instant
from slastream.demo.life import Step
from slastream.demo.spell.common import Message, Spelled, bare, local, said

_STATUSES = {
    "new": ("Open", "Open"), "assigned": ("Open", "Open"), "working": ("In Progress", "Open"),
    "waiting_client": ("Replied", "Paused"), "waiting_vendor": ("Awaiting Supplier", "Paused"),
    "resolved": ("Resolved", "Resolved"), "closed": ("Closed", "Resolved"),
    "merged": ("Closed", "Resolved"),
}  # fmt: skip
"""Label and category; `Awaiting Supplier` is this site's own. An assigned one is an open one's agent."""
_PRIORITIES = {"P1": "Urgent", "P2": "High", "P3": "Medium", "P4": "Low"}


def spell(step: Step, rng: random.Random) -> Spelled:
    """Return the documents of a step: the ticket's, and the message's where something was said."""
    messages = []
    key = bare(step.ticket.id)
    if step.happening != "comment":
        messages.append(Message(key, _document(step)))
    if said(step):
        messages.append(Message(key, _communication(step, rng)))
    return messages


def _document(step: Step) -> dict[str, Any]:
    ticket, (status, category) = step.ticket, _STATUSES[step.stage]
    document: dict[str, Any] = {
        "doctype": "HD Ticket",
        "name": str(ticket.id),
        "subject": ticket.subject,
        "status": status,
        "status_category": category,
        "priority": _PRIORITIES[step.priority],
        "ticket_type": ticket.type.title(),
        "customer": ticket.system.client,
        "agent_group": ticket.team.title(),
        "sla": ticket.client.contract.title(),
        "first_responded_on": _time(step, step.seen.get("answered")),
        "resolution_date": _time(step, step.seen.get("resolved")),
        "is_merged": int(step.merged_into is not None),
        "merged_with": None if step.merged_into is None else str(step.merged_into),
        "_assign": orjson.dumps([_mail(ticket.agent)]).decode() if step.assigned else None,
        "creation": _time(step, ticket.created_at),
        "modified": _time(step, step.at),
    }
    if step.happening == "deleted":
        document["event"] = "on_trash"
    return document


def _communication(step: Step, rng: random.Random) -> dict[str, Any]:
    agent = step.who == "agent"
    return {
        "doctype": "Communication",
        "name": f"{rng.getrandbits(40):010x}",
        "reference_doctype": "HD Ticket",
        "reference_name": str(step.ticket.id),
        "communication_type": "Communication",
        "communication_medium": "Email",
        "sent_or_received": "Sent" if agent else "Received",
        "sender": _mail(step.ticket.agent if agent else step.ticket.contact),
        "creation": _time(step, step.at),
    }


def _mail(name: str) -> str:
    return f"{name.replace(' ', '.').lower()}@desk.example"


def _time(step: Step, instant: Instant | None) -> str | None:
    """Return a local time with microseconds, which no clock of ours has."""
    if instant is None:
        return None
    return local(instant, step.ticket.system.zone or "UTC", 6)
