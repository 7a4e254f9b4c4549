"""What is kept of a ticket: its facts, its clocks, what was announced. Values only; the moves are elsewhere.

These are the structs that a row is encoded from, so an added member goes to the end, with a default.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

from msgspec import Struct, field

from slastream.core.event import State
from slastream.core.instant import Instant, Millis

SENT: Final = 0
SKIPPED: Final = 1
CLEARED: Final = 2
CORRECTED: Final = 3
"""How a level was dealt with."""

UNKNOWN: Final = 4
"""The actor of a fact when nobody said who it was: see `slastream.core.fact.ACTORS`."""


class Fact(Struct, array_like=True, gc=False):
    """One event, as a row keeps it. `told` is an index into the row's list of told attributes."""

    at: Instant
    sequence: int
    rank: int
    id: int
    kind: int
    log: Instant
    told: int = -1
    status: str | None = None
    sub: str | None = None
    state: int = -1
    on: str = ""
    actor: int = UNKNOWN
    comment: int = 0
    created: Instant | None = None
    imported: bool = False
    skewed: bool = False


class Phase(IntEnum):
    """Where a clock stands."""

    PENDING = 0
    RUNNING = 1
    PAUSED = 2
    STOPPED = 3
    CANCELLED = 4

    @property
    def label(self) -> str:
        return self.name.lower()


PHASES = tuple(phase.label for phase in Phase)


class Hit(Struct, array_like=True, gc=False):
    """A level that a clock has passed. `on` until something takes it back; `off` says what did."""

    kind: int
    text: str
    at: Instant
    cause: str = ""
    on: bool = True
    off: str = ""
    off_at: Instant | None = None
    undone: bool = False
    """A later target was not there yet: the level may be reached, and told, once more (D20)."""


class Clock(Struct, array_like=True, gc=False):
    """The state of one clock. Durations are covered milliseconds, instants epoch milliseconds."""

    indicator: int
    cycle: int
    started: Instant
    policy: str
    book: str
    calendar: str
    amount: int | None
    bd: bool
    target: Millis | None
    phase: int = int(Phase.RUNNING)
    elapsed: Millis = 0
    """Up to the last transition; while running, add what is covered since `since`."""
    since: Instant | None = None
    step: int = 0
    """How many levels have been passed under the present target."""
    next_at: Instant | None = None
    """When the next level is to be looked at: a breach one millisecond after due."""
    due: Instant | None = None
    reached: Instant | None = None
    implied: bool = False
    unverified: bool = False
    breached: Instant | None = None
    """When it was first breached, under whatever target; nothing takes this away (D15)."""
    spent: Instant | None = None
    """When the present target's time ran out; before `breached` when a retarget made it past."""
    hits: list[Hit] = []
    paused: dict[str, Millis] = {}
    paused_since: Instant | None = None
    paused_on: str = ""
    mark: tuple[Instant, Millis, Instant | None] | None = None
    """At the last reopening: when, elapsed and reached before it (D17)."""
    old: bool = False
    """A later cycle has begun."""
    origin: Instant = 0
    """Nothing before this instant counts; `base` was carried into it by a retarget (D19)."""
    base: Millis = 0

    until: Instant | None = None
    """Where business days end, when the same local time lies outside the hours (D29)."""


class Interval(Struct, array_like=True, gc=False):
    """One entry of the ledger: a state from an instant until the next entry's."""

    at: Instant
    state: int
    on: str = ""
    cause: int = 0


class Fold(Struct, array_like=True, gc=False):
    """What the facts of a ticket amount to."""

    start: Instant
    known: bool
    """Whether its creation was told: a ticket without is measured and never judged (D41)."""
    source: str
    state: int = int(State.NEW)
    on: str = ""
    attributes: dict[str, Any] = {}
    ledger: list[Interval] = []
    clocks: list[Clock] = []
    reopened: int = 0
    acknowledged: Instant | None = None
    responded: bool = False
    horizon: Instant = 0
    """The last instant that is recorded in this fold: an earlier fact needs a new fold."""
    unmapped: tuple[str, str] | None = None
    """Board and status of the last fact, when no mapping knows the status."""


class Announced(Struct, array_like=True, gc=False):
    """A level that was dealt with: sent, or passed over because a higher one was sent."""

    indicator: int
    cycle: int
    kind: int
    text: str
    at: Instant
    id: str
    how: int = SENT


class Published(Struct, array_like=True, gc=False):
    """The outcome of a clock cycle as it was last published."""

    indicator: int
    cycle: int
    outcome: str
    final: bool
    reached: Instant
    elapsed: Millis
    id: str
    retracted: bool = False
    target: Millis | None = None
    breached: Instant | None = None
    paused: dict[str, Millis] = {}


class Told(Struct, array_like=True, gc=False):
    """Everything that was announced about one ticket."""

    alerts: list[Announced] = []
    outcomes: list[Published] = []
    hold: Instant | None = None
    """Levels that were past when they were armed wait until here (`settle`)."""
    quiet_until: Instant = -1
    """Levels passed up to here are history that was imported: measured, not announced (D41)."""


class Row(Struct, array_like=True, gc=False):
    """Everything that is kept of one ticket."""

    fold: Fold
    facts: list[Fact] = []
    told_attributes: list[dict[str, Any]] = []
    told: Told = field(default_factory=Told)
    books: str = ""
    """Fingerprint of the books that the fold was made with."""
    held: bool = False
    """Judged by a book that this worker has not read: facts are kept, nothing is judged or announced."""
    deadline: Instant | None = None
    last_log: Instant = 0
    quarantined: str = ""
    told_bytes: int = 0
    stranger: bool = False
    """First told of longer after its creation than a row is kept: it may have been forgotten, so it is
    measured and never judged."""
    erased: bool = False
    """Erased on request: nothing is kept of the ticket, and nothing that is told of it is taken in."""


class Notice(Struct, gc=False):
    """One alert to publish. `hit` is None where a correction leaves nothing."""

    type: str
    id: str
    clock: Clock
    hit: Hit | None
    kind: int
    text: str
    reason: str = ""
    before: Announced | None = None


class Decided(Struct, gc=False):
    """One outcome to publish."""

    id: str
    clock: Clock
    outcome: str
    finality: str
    replaces: str | None
    cycle: int
    """Whose outcome it is; where that cycle is no longer a fact, `clock` is the latest there is."""


class Announcement(Struct, gc=False):
    """What to publish now, how many levels were passed over, and when to look again."""

    notices: list[Notice]
    outcomes: list[Decided]
    skipped: int
    next: Instant | None
