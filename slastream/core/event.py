"""One thing that a ticket system told us about one ticket, in the words of `docs/contracts.md`.

An event says only what it carries: `UNSET` means "unchanged", None means "cleared". How the bytes
look on a topic is the business of `slastream.wire`; which vendor sent it, of `slastream.sources`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from slastream.core.instant import Instant

Kind = Literal[
    "created", "updated", "comment", "deleted", "merged", "restored", "snapshot", "absorbed"
]
"""`absorbed` is what ingest tells the survivor of a merge about the ticket that went into it."""

ActorKind = Literal["agent", "customer", "automation", "system", "unknown"]


class State(IntEnum):
    """The canonical states (D02), in the order in which same-instant events are applied (D38)."""

    NEW = 0
    RESPONDED = 1
    IN_PROGRESS = 2
    WAITING = 3
    RESOLVED = 4
    CLOSED = 5
    CANCELLED = 6

    @property
    def label(self) -> str:
        return self.name.lower()


STATES: dict[str, State] = {state.label: state for state in State}

WAITING_ON = ("client", "vendor", "third_party", "scheduled_by_client", "provider", "unknown")
"""Who owes the next action. `provider` never pauses a clock, whatever the label says (D36)."""

CANCELLED_BECAUSE = ("merged", "deleted", "spam", "duplicate", "void", "moved")


class Actor(Struct, frozen=True, omit_defaults=True):
    """Who did it. Only a human `agent` can give a response (D09)."""

    id: str | None = None
    kind: ActorKind = "unknown"


class Comment(Struct, frozen=True, omit_defaults=True):
    """That something was said, and whether the client could read it. Never the text."""

    public: bool = True


Text = str | None | UnsetType


class Event(Struct, kw_only=True, omit_defaults=True):
    """A canonical ticket event. Times are epoch milliseconds.

    `ticket` is the stable id in the source system, never the movable number shown to people.
    `id` makes a repeated delivery recognisable; `sequence` orders events of one instant.
    `state` is given, or looked up from `status` by the book's mapping.
    """

    tenant: str
    source: str
    ticket: str
    occurred_at: Instant
    id: str
    created_at: Instant | None = None
    sequence: int | None = None
    kind: Kind = "updated"

    status: Text = UNSET
    sub_status: Text = UNSET
    state: str | None = None
    waiting_on: str | None = None
    reason: str | None = None

    board: Text = UNSET
    channel: Text = UNSET
    priority: Text = UNSET
    impact: Text = UNSET
    urgency: Text = UNSET
    client: Text = UNSET
    contract: Text = UNSET
    service: Text = UNSET
    type: Text = UNSET
    site: Text = UNSET
    team: Text = UNSET
    assignee: Text = UNSET
    number: Text = UNSET
    url: Text = UNSET

    actor: Actor | None = None
    comment: Comment | None = None
    reported: dict[str, Any] | UnsetType = UNSET
    merged_into: str | None = None
    previous_ticket: str | None = None
    imported: bool = False
    attributes: dict[str, Any] | UnsetType = UNSET
    absorbed: dict[str, Any] | UnsetType = UNSET
    """Of a merged ticket, told to its survivor: `ticket`, `created_at`, `priority` (D42)."""


TOLD = (
    "board", "channel", "priority", "impact", "urgency", "client", "contract", "service", "type",
    "site", "team", "assignee", "number", "url",
)  # fmt: skip
"""The plain attributes of a ticket: they select its policy and are shown with its clocks."""
