"""Znuny's invoker Ticket::Generic: the deep ticket in local time, and the event; gone is gone."""

from __future__ import annotations

import random
from typing import Any

from slastream.demo.life import Step
from slastream.demo.spell.common import AGENTS, Message, Spelled, acted, bare, local

_STATES = {
    "new": ("new", "new"), "assigned": ("new", "new"), "working": ("open", "open"),
    "waiting_client": ("pending reminder", "pending reminder"),
    "waiting_vendor": ("pending supplier", "pending reminder"),
    "resolved": ("pending auto close+", "pending auto"),
    "closed": ("closed successful", "closed"), "merged": ("merged", "merged"),
}  # fmt: skip
"""`pending supplier` is a state that this site added; an assigned ticket is a new one's owner."""
_PRIORITIES = {"P1": "5 very high", "P2": "4 high", "P3": "3 normal", "P4": "2 low"}
_EVENTS = {
    "created": "TicketCreate", "moved": "TicketStateUpdate", "priority": "TicketPriorityUpdate",
    "merged": "TicketMerge", "comment": "ArticleCreate",
}  # fmt: skip
_CHANNELS = {"mail": "Email", "portal": "Internal", "phone": "Phone", "monitoring": "Internal"}


def spell(step: Step, rng: random.Random) -> Spelled:
    """Return the calls of a step: a public move is an article and a change of state."""
    ticket, key = step.ticket, bare(step.ticket.id)
    if step.happening == "deleted":
        return [Message(key, {"Event": {"Event": "TicketDelete", "TicketID": str(ticket.id)}})]
    events = [_EVENTS[step.happening]]
    if step.happening == "moved" and step.public:
        events.insert(0, "ArticleCreate")
    return [Message(key, {"Ticket": _ticket(step), "Event": _event(step, name)}) for name in events]


def _event(step: Step, name: str) -> dict[str, str]:
    event = {"Event": name, "TicketID": str(step.ticket.id)}
    if name == "ArticleCreate":
        event["ArticleID"] = str(step.ticket.id * 100 + step.nth)
    if name == "TicketMerge":
        event["MainTicketID"] = str(step.merged_into)
    return event


def _ticket(step: Step) -> dict[str, Any]:
    ticket, zone = step.ticket, step.ticket.system.zone or "UTC"
    state, kind = _STATES[step.stage]
    article = {
        "ArticleID": str(ticket.id * 100 + step.nth),
        "SenderType": {"automation": "system"}.get(step.who, step.who),
        "IsVisibleForCustomer": int(step.public or step.happening == "created"),
        "CreateBy": acted(step),
        "CommunicationChannel": _CHANNELS[ticket.channel],
    }
    return {
        "TicketID": str(ticket.id),
        "TicketNumber": str(1_010_000 + ticket.id - ticket.system.first_number),
        "Title": ticket.subject,
        "State": state,
        "StateType": kind,
        "Priority": _PRIORITIES[step.priority],
        "Queue": ticket.system.project,
        "CustomerID": ticket.system.client,
        "Owner": ticket.agent if step.assigned else "root@localhost",
        "OwnerID": str(AGENTS[ticket.agent]) if step.assigned else "1",
        "Type": ticket.type.title(),
        "SLA": ticket.client.contract.title(),
        "Service": ticket.team.title(),
        "Created": local(ticket.created_at, zone),
        "Changed": local(step.at, zone),
        "Article": [article],
    }
