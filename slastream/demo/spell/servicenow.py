"""ServiceNow: typed records of the Stream Producer, and now and then the Table API's texts."""

from __future__ import annotations

import random
from typing import Any
from uuid import UUID

from slastream.core.instant import format_instant
from slastream.demo.life import Step
from slastream.demo.spell.common import NUMBERS, Message, Spelled, acted, local, opener, said

_STATES = {
    "new": (1, "", ""), "assigned": (1, "", ""), "working": (2, "", ""),
    "waiting_client": (3, "1", ""), "waiting_vendor": (3, "4", ""),
    "resolved": (6, "", "Solution provided"), "closed": (7, "", "Solution provided"),
    "merged": (8, "", "Duplicate"),
}  # fmt: skip
"""State, hold reason, close code. There is no state for an answer: somebody is assigned."""
_ACTIONS = {"created": "insert", "deleted": "delete"}
_CHANNELS = {"mail": "email", "portal": "self-service", "phone": "phone", "monitoring": "event"}
_SITE = "https://acmemsp.service-now.com/api/now/table"


def spell(step: Step, rng: random.Random) -> Spelled:
    """Return the record of a step, in the form that its ticket's business rule chose."""
    number = f"INC{step.ticket.id:07d}"
    if step.ticket.id % 4 == 0 and step.happening != "deleted":
        return [Message(number.encode(), _texts(step, number), {"origin": b"business rule"})]
    headers = {
        "action": _ACTIONS.get(step.happening, "update").encode(),
        "collection_timestamp_ms": b"%d" % step.at,
        "table_name": b"incident",
    }
    record = _record(step, number)
    return [Message(str(record["sys_id"]).encode(), record, headers)]


def _id(kind: int, number: int) -> str:
    return UUID(int=kind << 96 | 0x11_1227_5000_0251 << 32 | number).hex


def _record(step: Step, number: str) -> dict[str, Any]:
    ticket, (state, hold, code) = step.ticket, _STATES[step.stage]
    return {
        "sys_id": _id(0x0C44, ticket.id),
        "number": number,
        "sys_class_name": "incident",
        "state": state,
        "hold_reason": hold,
        "close_code": code,
        "priority": NUMBERS[step.priority],
        "contract": ticket.client.contract,
        "company": ticket.system.client,
        "location": ticket.site,
        "assignment_group": ticket.team,
        "assigned_to": ticket.agent if step.assigned else "",
        "contact_type": _CHANNELS[ticket.channel],
        "short_description": ticket.subject,
        "opened_at": format_instant(ticket.created_at),
        "sys_created_on": format_instant(ticket.created_at),
        "sys_created_by": opener(ticket),
        # A deleted record is as it was before, and so is its time.
        "sys_updated_on": format_instant(step.at),
        "sys_updated_by": "system" if step.who == "automation" else acted(step),
        "sys_mod_count": step.nth,
    }


def _texts(step: Step, number: str) -> dict[str, Any]:
    """Return the same record as the Table API shows it: text, references, UTC without saying so."""
    record: dict[str, Any] = {name: str(value) for name, value in _record(step, number).items()}
    for name in ("contract", "company", "location", "assignment_group", "assigned_to"):
        if shown := record[name]:
            where = f"{_SITE}/{name}/{shown}".replace(" ", "-").lower()
            record[name] = {"link": where, "value": shown.lower(), "display_value": shown}
    for name, at in (
        ("opened_at", step.ticket.created_at),
        ("sys_created_on", step.ticket.created_at),
        ("sys_updated_on", step.at),
    ):
        record[name] = local(at, "UTC")
    if said(step) and step.who == "agent":
        record["comments"] = "..."
    return record
