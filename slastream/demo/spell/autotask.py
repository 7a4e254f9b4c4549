"""Autotask webhooks: only the fields that changed, numbered; a note is an entity of its own."""

from __future__ import annotations

import random
from typing import Any

from slastream.demo.life import Step
from slastream.demo.spell.common import (
    AGENTS,
    CONTACTS,
    Message,
    Spelled,
    bare,
    client_number,
    said,
    seconds,
)

_STATUSES = {
    "new": "New", "assigned": "Assigned", "working": "In Progress",
    "waiting_client": "Waiting Customer", "waiting_vendor": "Waiting Vendor",
    "resolved": "Resolved", "closed": "Complete", "merged": "Merged",
}  # fmt: skip
_PRIORITIES = {"P1": "Critical", "P2": "High", "P3": "Medium", "P4": "Low"}
_CHANNELS = {"mail": "Email", "portal": "Client Portal", "phone": "Phone", "monitoring": "RMM"}
_ACTIONS = {"created": "Create", "deleted": "Delete"}
_GUID = "5f0c2a10-7d1e-4b6a-9d55-2f6f0d9b1c01"
_ROBOT = 4


def spell(step: Step, rng: random.Random) -> Spelled:
    """Return the callouts of a step: the ticket's, and the note's where something was said."""
    messages = []
    if step.happening != "comment":
        action = _ACTIONS.get(step.happening, "Update")
        messages.append(_callout(step, 0, action, "Ticket", step.ticket.id, _fields(step)))
    if said(step):
        messages.append(
            _callout(step, 1, "Create", "TicketNote", rng.randrange(10**7), _note(step))
        )
    return messages


def _callout(
    step: Step, place: int, action: str, what: str, number: int, fields: dict[str, Any]
) -> Message:
    body = {
        "Action": action,
        "Guid": _GUID,
        "EntityType": what,
        "Id": number,
        "Fields": fields,
        "EventTime": seconds(step.at),
        "SequenceNumber": 2 * step.nth + place + 1,
        "PersonId": _person(step),
    }
    return Message(bare(step.ticket.id), body)


def _person(step: Step) -> int:
    ticket = step.ticket
    people = {"agent": AGENTS[ticket.agent], "customer": CONTACTS[ticket.contact]}
    return people.get(step.who, _ROBOT)


def _fields(step: Step) -> dict[str, Any]:
    """Return what a subscription of the changed fields sends, the ticket's number always with it."""
    ticket = step.ticket
    fields: dict[str, Any] = {
        "TicketNumber": f"T20260303.{ticket.id - ticket.system.first_number:04d}"
    }
    if step.happening == "created":
        fields |= {
            "Title": ticket.subject, "CompanyID": int(ticket.system.client),
            "QueueID": ticket.system.project, "CreateDate": seconds(ticket.created_at),
            "TicketType": ticket.type.title(), "Source": _CHANNELS[ticket.channel],
            "CompanyLocationID": client_number(ticket) * 10,
        }  # fmt: skip
    if step.happening in ("created", "moved", "merged"):
        fields["Status"] = _STATUSES[step.stage]
    if step.happening in ("created", "priority"):
        fields["Priority"] = _PRIORITIES[step.priority]
    if step.happening == "moved" and step.assigned and step.before == "new":
        fields["AssignedResourceID"] = AGENTS[ticket.agent]
    return fields


def _note(step: Step) -> dict[str, Any]:
    author = "CreatorResourceID" if step.who == "agent" else "CreatedByContactID"
    return {"TicketID": step.ticket.id, "Publish": "All Autotask Users", author: _person(step)}
