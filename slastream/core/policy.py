"""What was promised: books, policies, targets, mappings, as immutable values.

`slastream.book` reads them from YAML; nothing here knows about files. Choosing the winner of a
ticket (D21) is `slastream.core.choice`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Literal

from slastream.core.calendar import Calendar
from slastream.core.event import State
from slastream.core.instant import Instant, Millis


def _empty() -> MappingProxyType[Any, Any]:
    return MappingProxyType({})


class Indicator(IntEnum):
    """What is timed (D06)."""

    RESPONSE = 0
    PLAN = 1
    RESOLUTION = 2

    @property
    def label(self) -> str:
        return self.name.lower()


INDICATORS: dict[str, Indicator] = {indicator.label: indicator for indicator in Indicator}


@dataclass(frozen=True, slots=True)
class Target:
    """How long a promise lasts: `amount` covered milliseconds, or `amount` business days (D29)."""

    amount: int
    unit: Literal["ms", "bd"] = "ms"
    text: str = ""
    """As written in the book, for people: `PT4H`, `P2BD`."""


@dataclass(frozen=True, slots=True)
class Level:
    """One threshold of a clock (D31).

    `percent`: amount is a percentage of the target in business time, 75 or 150.
    `remaining`: amount is milliseconds before due. `overdue`: milliseconds of business time after due.
    """

    kind: Literal["percent", "remaining", "overdue"]
    amount: float
    text: str
    """As shown in an alert: `75%`, `PT15M left`, `PT1H over`."""

    def offset(self, target: Millis) -> Millis:
        """Return the elapsed time at which this level is reached, for a target in milliseconds."""
        if self.kind == "percent":
            return round(target * self.amount / 100)
        return (
            target - round(self.amount) if self.kind == "remaining" else target + round(self.amount)
        )


Retarget = Literal[
    "from_creation", "from_change", "carry_elapsed_percent", "strictest_ever", "frozen_at_first"
]
Reopen = Literal["continue", "new_cycle", "new_cycle_after", "include_resolved_time", "ignore"]


@dataclass(frozen=True, slots=True)
class Options:
    """The `opt:` of the decisions, default first. Times in milliseconds."""

    plan_origin: Literal["created", "responded"] = "created"
    unknown_actor: Literal["counts", "ignored"] = "counts"
    note_counts: bool = False
    pause_before_response: bool = False
    reopen: Reopen = "continue"
    new_cycle_after: Target | None = None
    retarget_up: Retarget = "from_creation"
    """When the new target is stricter; `retarget:` in a book sets both."""
    retarget_down: Retarget = "from_creation"
    retarget_breach: Literal["change", "due"] = "change"
    """When an upgrade makes the due date past: breached at the change, or at the due date (D20)."""
    policy_pin: Literal["at_start", "at_each_change", "latest"] = "at_start"
    """Which version of the book judges a clock (D24)."""
    merge: Literal["keep_own", "inherit_earliest_start", "inherit_strictest_target"] = "keep_own"
    unmapped: Literal["keep", "dead_letter"] = "keep"
    grace: Millis = 0
    settle: Millis = 5_000
    enforce_from: Instant | None = None
    business_day_due: Literal["same_time", "end_of_day"] = "same_time"
    start: Literal["immediately", "next_open", "next_day"] = "immediately"
    origin: MappingProxyType[str, str] = field(
        default_factory=lambda: MappingProxyType({"phone": "immediate"})
    )
    """By channel, how a ticket that an agent logged is answered: normal, immediate, skip (D10)."""
    reopen_grace: Millis = 0
    """A reopening that is closed again within this time is no reopening (D17)."""
    verification: Millis = 7 * 86_400_000
    """After this time in RESOLVED an outcome is final (D18)."""
    strictest: bool = False
    """Per indicator, the matching policy with the shortest target wins instead of the ranking (D21)."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One promise: for whom, on which calendar, how long (D21)."""

    name: str
    calendar: str
    when: MappingProxyType[str, tuple[str, ...]] = field(default_factory=_empty)
    """Attribute -> accepted values, both folded by `fold_text`. Empty: everyone."""
    targets: MappingProxyType[Indicator, MappingProxyType[str, Target | None]] = field(
        default_factory=_empty
    )
    """Indicator -> folded priority (or `default`) -> target; None is no target, whatever the default."""
    at_risk: tuple[Level, ...] = ()
    overdue: tuple[Level, ...] = ()
    objective: MappingProxyType[Indicator, float] = field(default_factory=_empty)
    """Indicator -> the attainment that was promised, in percent."""
    rank: int = 0
    """Higher wins before specificity is looked at."""
    options: Options = field(default_factory=Options)
    valid_from: Instant | None = None
    valid_to: Instant | None = None


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a raw status means: a state and, for WAITING or CANCELLED, whose turn it is or why."""

    state: State
    on: str = ""


@dataclass(frozen=True, slots=True)
class SourceMapping:
    """How one source's words are read (D03).

    `statuses` is keyed by (board, status, sub_status), each folded by `fold_text`, with "" for "any";
    the status `*` gives a sub-status that decides where the status is unknown, such as a category.
    """

    statuses: MappingProxyType[tuple[str, str, str], Mapped] = field(default_factory=_empty)
    priorities: MappingProxyType[str, str] = field(default_factory=_empty)
    """Folded raw priority -> the priority of the book's targets."""
    clients: MappingProxyType[str, str] = field(default_factory=_empty)
    """Folded name or id of a client in the source -> the one name that the book has for it."""
    preset: str | None = None
    timezone: str | None = None
    assigned_is_responded: bool = False
    """A ticket in a NEW status that has an assignee counts as RESPONDED."""
    matrix: MappingProxyType[tuple[str, str], str] = field(default_factory=_empty)
    """(impact, urgency) -> priority, where the source gives none (D23)."""


@dataclass(frozen=True, slots=True)
class Book:
    """One version of everything that a tenant promised. Never edited: a change is a new version (D24)."""

    tenant: str
    effective_from: Instant
    version: str
    """`<effective_from>#<first six of the content hash>`, as alerts show it."""
    calendars: MappingProxyType[str, Calendar]
    policies: tuple[Policy, ...]
    sources: MappingProxyType[str, SourceMapping]
    extra: MappingProxyType[str, Any] = field(default_factory=_empty)


def fold_text(text: str) -> str:
    """Return text as it is compared: case folded, runs of blanks made one."""
    return " ".join(text.casefold().split())
