"""What is kept of a ticket: its facts, its clocks, what was announced. Values only; the moves are elsewhere.

These are the structs that a row is encoded from, so an added member goes to the end, with a default.
"""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct

from slastream.core.coverage import Coverage
from slastream.core.instant import Instant, Millis

SENT, SKIPPED, CLEARED, CORRECTED = range(4)
"""How a level was dealt with."""

UNKNOWN = 4
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

    @property
    def order(self) -> tuple[Instant, int, int, int]:
        return self.at, self.sequence, self.rank, self.id


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
    phase: int = Phase.RUNNING
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

    def measure(self, coverage: Coverage, at: Instant) -> Millis:
        """Return the elapsed covered milliseconds at an instant not before the last transition."""
        if self.since is None or at <= self.since:
            return self.elapsed
        return self.elapsed + coverage.covered(at) - coverage.covered(self.since)

    def outside_hours(self, coverage: Coverage, due: Instant) -> Instant:
        """Return when time that runs out at `due` is over: where business days end, if nothing opens before."""
        if self.until is None or self.until <= due or coverage.measure(due, self.until):
            return due
        return self.until

    def paused_by(self, coverage: Coverage, at: Instant) -> dict[str, Millis]:
        """Return the covered milliseconds spent waiting, by who owed the next action."""
        if self.paused_since is None or at <= self.paused_since:
            return self.paused
        spent = coverage.covered(at) - coverage.covered(self.paused_since)
        return {**self.paused, self.paused_on: self.paused.get(self.paused_on, 0) + spent}

    @property
    def verdict(self) -> str:
        """on_track, at_risk or breached, whatever the phase."""
        if self.breached is not None:
            return "breached"
        return "at_risk" if self.step > 0 else "on_track"

    @property
    def outcome(self) -> str:
        """met or missed once decided; else running, paused, cancelled, or measured without a target."""
        if self.phase == Phase.CANCELLED:
            return "cancelled"
        if self.target is None:
            return "measured"
        if self.breached is not None:
            return "missed"
        if self.phase == Phase.STOPPED:
            return "met"
        return "paused" if self.phase == Phase.PAUSED else "running"

    @property
    def superseded(self) -> bool:
        """Whether the breach belongs to an earlier target than the present one (D20)."""
        return self.breached is not None and self.spent is None

    @property
    def open(self) -> bool:
        return self.phase <= Phase.PAUSED


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


