"""Debezium on a GLPI 10 database: a row before and after, with and without its schema; tombstones."""

from __future__ import annotations

import random
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from slastream.core.instant import SECOND, Instant, from_datetime, to_datetime
from slastream.demo.desk import OPENS
from slastream.demo.life import Step
from slastream.demo.spell.common import AGENTS, Message, Spelled, said
from slastream.demo.spell.glpi import PRIORITIES, STATUSES

_OPERATIONS = {"created": "c", "deleted": "d"}


def spell(step: Step, rng: random.Random) -> Spelled:
    """Return the changes that a step makes in the database; a robot's mail makes none."""
    if step.happening == "comment" and step.who == "automation":
        return []
    key = _key(step.ticket.id)
    operation = _OPERATIONS.get(step.happening, "u")
    row = _row(step)
    messages = [Message(key, _change(step, operation, "glpi_tickets", row, 0))]
    if operation == "d":
        messages.append(Message(key, None))  # for the sake of compaction
    if said(step) and step.who == "agent":
        number = rng.randrange(10**6)
        followup = _change(step, "c", "glpi_itilfollowups", _followup(step, number), 1)
        messages.append(Message(_key(number), followup))
    return messages


def _key(number: int) -> bytes:
    return orjson.dumps({"id": number})


def _change(
    step: Step, operation: str, table: str, row: dict[str, Any], place: int
) -> dict[str, Any]:
    before = None
    if operation == "d":
        before = row
    elif operation == "u":
        # What a step changes is more than this; nobody reads more of it.
        before = row | {"date_mod": row["date_mod"] - 1_000, "status": STATUSES[step.before][0]}
    change = {
        "before": before,
        "after": None if operation == "d" else row,
        "source": {
            "connector": "mysql", "name": "glpi", "db": "glpi", "table": table,
            "snapshot": "false", "ts_ms": step.at // SECOND * SECOND, "file": "binlog.000417",
            "pos": 4 + (step.at - OPENS) * 8, "row": place,
        },
        "op": operation,
        "ts_ms": step.at + 240,
    }  # fmt: skip
    if step.ticket.id % 2:
        return {
            "schema": {"type": "struct", "name": f"glpi.glpi.{table}.Envelope"},
            "payload": change,
        }
    return change


def _row(step: Step) -> dict[str, Any]:
    ticket = step.ticket
    priority = PRIORITIES[step.priority]
    return {
        "id": ticket.id,
        "entities_id": int(ticket.system.client),
        "name": ticket.subject,
        "date": _datetime(step, ticket.created_at),
        "solvedate": _datetime(step, step.seen.get("resolved")),
        "takeintoaccountdate": _datetime(step, step.seen.get("answered")),
        "date_mod": _datetime(step, step.at),
        "status": STATUSES[step.stage][0],
        "priority": priority,
        "urgency": priority,
        "impact": 3,
        "type": 1 if ticket.type == "incident" else 2,
        "is_deleted": int(step.happening == "merged"),
    }


def _followup(step: Step, number: int) -> dict[str, Any]:
    at = _datetime(step, step.at)
    return {
        "id": number, "itemtype": "Ticket", "items_id": step.ticket.id, "is_private": 0,
        "users_id": AGENTS[step.ticket.agent], "date_creation": at, "date_mod": at,
    }  # fmt: skip


def _datetime(step: Step, instant: Instant | None) -> Any:
    """Return a DATETIME as Debezium has it: the local time of day, counted as if it were UTC."""
    if instant is None:
        return None
    moment = to_datetime(instant // SECOND * SECOND)
    shown = moment.astimezone(ZoneInfo(step.ticket.system.zone or "UTC"))
    return from_datetime(shown.replace(tzinfo=moment.tzinfo))
