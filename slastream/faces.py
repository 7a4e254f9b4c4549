"""The shapes of what is published most: a ticket's snapshot, and an outcome; those of `topics/schemas`.

They are written with nearly every event, so these are structs and the order of members is fixed.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from slastream.core.instant import Millis


class About(Struct, gc=False):
    """Who and what a ticket is."""

    tenant: str
    source: str
    ticket: str
    number: Any
    url: Any
    client: Any
    contract: Any
    priority: Any
    type: Any
    team: Any


class LedgerRow(Struct, gc=False, omit_defaults=True, rename={"start": "from", "end": "to"}):
    """One stretch of the ledger, clipped by the clock's calendar. Durations in milliseconds."""

    start: str
    end: str
    state: str
    counted_ms: Millis
    waiting_on: str | UnsetType = UNSET
    waited_ms: Millis | UnsetType = UNSET


class Sent(Struct, gc=False):
    """A level that was announced."""

    level: str
    id: str
    reached_at: str


class Next(Struct, gc=False):
    """The level that the clock reaches next if it goes on running."""

    level: str
    at: str


class Face(Struct, gc=False):
    """One clock."""

    indicator: str
    cycle: int
    policy: str | None
    book: str | None
    calendar: str
    target_ms: Millis | None
    elapsed_ms: Millis
    remaining_ms: Millis | None
    started_at: str
    due: str | None
    phase: str
    verdict: str
    outcome: str
    reached_at: str | None
    breached_at: str | None
    superseded: bool
    paused_ms: Millis
    paused_by: dict[str, Millis]
    waiting_on: str | None
    next: Next | None
    alerts: list[Sent]
    ledger: list[LedgerRow]


class Snapshot(About, gc=False):
    """One ticket: who and what it is, its state, its clocks."""

    state: str
    waiting_on: str | None
    status: Any
    board: Any
    assignee: Any
    created_at: str
    judged: bool
    reopen_count: int
    confirmed_at: str
    clocks: list[Face]


class Outcome(About, gc=False):
    """How one clock ended."""

    indicator: str
    cycle: int
    policy: str | None
    book: str | None
    calendar: str
    target_ms: Millis | None
    elapsed_ms: Millis
    remaining_ms: Millis | None
    started_at: str
    due: str | None
    outcome: str
    finality: str
    reached_at: str | None
    breached_at: str | None
    decided_at: str
    implied: bool
    unverified_actor: bool
    superseded: bool
    paused_ms: Millis
    paused_by: dict[str, Millis]
    closed_hours_ms: Millis
    reopen_count: int
    objective: float | None
    replaces: str | None
    reported: Any
