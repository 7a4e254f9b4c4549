"""ConnectWise callbacks: the whole ticket each time, as JSON inside JSON; a deletion has nothing."""

from __future__ import annotations

import random
from typing import Any

import orjson

from slastream.demo.life import Step
from slastream.demo.spell.common import Message, Spelled, acted, bare, opener, seconds, uuid

_STATUSES = {
    "new": (101, "New"), "assigned": (102, "Assigned"), "working": (103, "In Progress"),
    "waiting_client": (104, "Waiting Client"), "waiting_vendor": (105, "Waiting Vendor"),
    "resolved": (106, "Resolved"), "closed": (107, ">Closed"), "merged": (108, ">Closed (Merged)"),
}  # fmt: skip
_FRENCH = _STATUSES | {
    "new": (201, "Non répondu"), "assigned": (202, "À rappeler"), "working": (203, "Pris en charge"),
    "waiting_client": (204, "Attente client"), "waiting_vendor": (205, "Attente fournisseur"),
    "resolved": (206, "Résolu"), "closed": (207, "Clôturé"),
}  # fmt: skip
_BOARDS = {"Service Desk": _STATUSES, "Projects": _FRENCH}
"""The board of the team in Nantes is named in French, as its book says."""
_PRIORITIES = {
    "P1": (4, "Priority 1 - Emergency"), "P2": (6, "Priority 2 - Quick Response"),
    "P3": (8, "Priority 3 - Normal Response"), "P4": (11, "Priority 4 - Scheduled Maintenance"),
}  # fmt: skip
_CHANNELS = {"mail": "Email Connector", "portal": "Portal", "phone": "Call", "monitoring": "RMM"}
_MILESTONES = {"answered": "dateResponded", "begun": "dateResplan", "resolved": "dateResolved"}
_URL = "api-eu.myconnectwise.net"


def spell(step: Step, rng: random.Random) -> Spelled:
    """Return the callback of a step."""
    ticket = step.ticket
    gone = step.happening == "deleted"
    body = {
        "MessageId": uuid(rng),
        "FromUrl": _URL,
        "CompanyId": "acmemsp",
        "MemberId": acted(step),
        "Action": "added" if step.happening == "created" else "deleted" if gone else "updated",
        "Type": "ticket",
        "ID": ticket.id,
        "ProductInstanceId": "639c0000b2eb5600015d0000",
        "PartnerId": "61dd00007bcddc000100000",
        "Entity": None if gone else orjson.dumps(_entity(step)).decode(),
        "Metadata": {"key_url": f"https://{_URL}/v2025_1//system/callbackkey/index.rails"},
        "CallbackObjectRecId": 26611,
    }
    return [Message(bare(ticket.id), body)]


def _entity(step: Step) -> dict[str, Any]:
    ticket, client, board = step.ticket, step.ticket.client, step.ticket.system.project
    status, name = _BOARDS[board][step.stage]
    priority, priority_name = _PRIORITIES[step.priority]
    entity: dict[str, Any] = {
        "id": ticket.id,
        "summary": ticket.subject,
        "recordType": "ServiceTicket",
        "board": {"id": 3, "name": board},
        "status": {"id": status, "name": name},
        "company": {"id": 250, "identifier": ticket.system.client, "name": client.title},
        "site": {"id": 1201, "name": ticket.site.title()},
        "contactName": ticket.contact,
        "type": {"id": 21 if ticket.type == "incident" else 22, "name": ticket.type.title()},
        "team": {"id": 7, "name": ticket.team.title()},
        "priority": {"id": priority, "name": priority_name, "sort": priority - 3},
        "severity": "Medium",
        "impact": "Medium",
        "source": {"id": 4, "name": _CHANNELS[ticket.channel]},
        "closedFlag": step.stage in ("closed", "merged"),
        "customerUpdatedFlag": step.who == "customer",
        "isInSla": True,
        "sla": {"id": 5, "name": client.contract.title()},
        "_info": {
            "lastUpdated": seconds(step.at), "updatedBy": acted(step),
            "dateEntered": seconds(ticket.created_at), "enteredBy": opener(ticket),
        },
    }  # fmt: skip
    if step.assigned:
        entity["owner"] = {"id": 31, "identifier": ticket.agent, "name": ticket.agent}
    for milestone, member in _MILESTONES.items():
        if milestone in step.seen:
            entity[member] = seconds(step.seen[milestone])
    if step.stage == "closed":
        entity |= {"closedDate": seconds(step.at), "closedBy": ticket.agent}
    if step.merged_into is not None:
        entity["mergedParentTicket"] = {"id": step.merged_into, "summary": ticket.subject}
    return entity
