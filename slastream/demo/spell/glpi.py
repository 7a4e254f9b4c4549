"""GLPI 11 webhooks: the ticket as its API shows it; a follow-up comes with its ticket as the parent."""

from __future__ import annotations

import random
from typing import Any

from slastream.core.instant import Instant, to_datetime
from slastream.demo.desk import ZONE
from slastream.demo.life import Step
from slastream.demo.spell.common import (
    AGENTS,
    CONTACTS,
    Message,
    Spelled,
    bare,
    client_number,
    said,
)

STATUSES = {
    "new": (1, "Nouveau"), "assigned": (2, "En cours (Attribué)"),
    "working": (3, "En cours (Planifié)"), "waiting_client": (4, "En attente"),
    "waiting_vendor": (10, "Approbation"), "resolved": (5, "Résolu"), "closed": (6, "Clos"),
    "merged": (6, "Clos"),
}  # fmt: skip
"""GLPI's seven codes are all there is; the book says how this site uses 3 and 10."""
PRIORITIES = {"P1": 5, "P2": 4, "P3": 3, "P4": 2}
_EVENTS = {"created": "new", "deleted": "delete", "merged": "delete"}
"""What goes into another ticket is thrown away; GLPI does not say that it was a merge."""
_CHANNELS = {"mail": "E-Mail", "portal": "Helpdesk", "phone": "Phone", "monitoring": "Monitoring"}


def spell(step: Step, rng: random.Random) -> Spelled:
    """Return the webhooks of a step: the ticket's, and the follow-up's where something was said."""
    item, key = _ticket(step), bare(step.ticket.id)
    messages = []
    if step.happening != "comment":
        event = _EVENTS.get(step.happening, "update")
        messages.append(Message(key, {"item": item, "event": event}))
    if said(step):
        child = {
            "id": rng.randrange(10**6),
            "itemtype": "Ticket",
            "items_id": step.ticket.id,
            "is_private": False,
            "user": _person(step, step.who),
            "date_creation": _time(step.at),
            "date_mod": _time(step.at),
        }
        messages.append(Message(key, {"item": child, "event": "new", "parent_item": item}))
    return messages


def _ticket(step: Step) -> dict[str, Any]:
    ticket, (status, name) = step.ticket, STATUSES[step.stage]
    priority = PRIORITIES[step.priority]
    team = [{**_person(step, "customer"), "type": "User", "role": "requester"}]
    if step.assigned:
        team.append({**_person(step, "agent"), "type": "User", "role": "assigned"})
        team.append({"id": 6, "name": ticket.team.title(), "type": "Group", "role": "assigned"})
    return {
        "id": ticket.id,
        "name": ticket.subject,
        "is_deleted": step.happening in ("deleted", "merged"),
        "category": {"id": 4, "name": ticket.team.title()},
        "location": {"id": 2, "name": ticket.site.title()},
        "urgency": priority,
        "impact": 3,
        "priority": priority,
        "date_creation": _time(ticket.created_at),
        "date_mod": _time(step.at),
        "date": _time(ticket.created_at),
        "type": 1 if ticket.type == "incident" else 2,
        "request_type": {"id": 2, "name": _CHANNELS[ticket.channel]},
        "status": {"id": status, "name": name},
        "entity": {"id": client_number(ticket), "name": ticket.system.client},
        "team": team,
    }


def _person(step: Step, who: str) -> dict[str, Any]:
    ticket = step.ticket
    if who == "agent":
        return {"id": AGENTS[ticket.agent], "name": ticket.agent}
    return {"id": CONTACTS[ticket.contact], "name": ticket.contact}


def _time(instant: Instant) -> str:
    """Return a time with the offset of the server, to the second."""
    return to_datetime(instant).astimezone(ZONE).isoformat(timespec="seconds")
