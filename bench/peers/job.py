"""The peers' job: what of an SLA any stream processor could be asked for. Standard library alone.

A ticket has three deadlines, by its priority, that stop when it is responded to, worked on and
resolved, and stand still while it waits. Each event publishes the ticket's row; each deadline that
passes publishes an alert, whether a later event or a timer sees it first. There are no calendars, no
book, no at-risk levels, no corrections and no outcomes: that is what slastream's own engine adds.

`streams/` has the same rules in Java. Times are milliseconds since 1970, UTC.
"""

from __future__ import annotations

from typing import Any

MINUTE = 60_000
HOUR = 60 * MINUTE
TARGETS = {
    "P1": (15 * MINUTE, HOUR, 4 * HOUR),
    "P2": (HOUR, 4 * HOUR, 8 * HOUR),
    "P3": (4 * HOUR, 8 * HOUR, 24 * HOUR),
}
"""Priority -> milliseconds to respond, to plan and to resolve."""

HEARTBEAT = b"\x00heartbeat"
"""The key of records that tell of no ticket, only of the time."""

Row = dict[str, Any]
"""`n` events so far, `priority`, three `due` (0: stopped), `paused` since (0: it runs)."""
Alert = dict[str, Any]
"""Which `clock` (0, 1, 2) of a `ticket` was `due` when."""


def step(row: Row | None, event: dict[str, Any]) -> tuple[Row, list[Alert]]:
    """Return the row behind an event, and the alerts that were due before it. Changes `row`."""
    now = event["occurred_at"]
    if row is None:
        priority = event["priority"]
        due = [now + target for target in TARGETS[priority]]
        return {"n": 1, "priority": priority, "due": due, "paused": 0}, []
    alerts = overdue(row, event["ticket"], now)
    row["n"] += 1
    due = row["due"]
    state = event.get("state")
    if state == "waiting":
        row["paused"] = row["paused"] or now
    elif state is not None:
        if row["paused"]:
            row["due"] = due = [at + now - row["paused"] if at else 0 for at in due]
            row["paused"] = 0
        stopped = {"responded": 1, "in_progress": 2}.get(state, 3)
        due[:stopped] = [0] * stopped
    priority = event.get("priority")
    if priority is not None and priority != row["priority"]:
        old, new = TARGETS[row["priority"]], TARGETS[priority]
        row["due"] = [
            at - was + now_ if at else 0 for at, was, now_ in zip(due, old, new, strict=True)
        ]
        row["priority"] = priority
    return row, alerts


def overdue(row: Row, ticket: str, now: int) -> list[Alert]:
    """Return the alerts of what is due at `now`, and stop those clocks in `row`."""
    if row["paused"]:
        return []
    alerts: list[Alert] = []
    due = row["due"]
    for clock, at in enumerate(due):
        if 0 < at <= now:
            due[clock] = 0
            alerts.append({"ticket": ticket, "clock": clock, "due": at})
    return alerts


def earliest(row: Row) -> int:
    """Return the earliest deadline that runs, or 0."""
    return 0 if row["paused"] else min((at for at in row["due"] if at), default=0)
