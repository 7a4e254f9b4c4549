"""What is kept of a ticket: its facts, its clocks, what was announced. Values only; the moves are elsewhere.

Plain classes with constructors of their own, since compiled code reads their members as those of a
C struct. How a row's bytes hold them is the business of `slastream.engine.row`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

from mypy_extensions import mypyc_attr

from slastream.core.fact import Facts
from slastream.core.instant import Instant, Millis
from slastream.core.value import Value

SENT: Final = 0
SKIPPED: Final = 1
CLEARED: Final = 2
CORRECTED: Final = 3
"""How a level was dealt with."""

_RUNNING: Final = 1


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


@mypyc_attr(acyclic=True)
class Hit(Value):
    """A level that a clock has passed. `on` until something takes it back; `off` says what did."""

    def __init__(
        self,
        kind: int,
        text: str,
        at: Instant,
        cause: str = "",
        on: bool = True,
        off: str = "",
        off_at: Instant | None = None,
        undone: bool = False,
    ) -> None:
        self.kind = kind
        self.text = text
        self.at = at
        self.cause = cause
        self.on = on
        self.off = off
        self.off_at = off_at
        self.undone = undone
        """A later target was not there yet: the level may be reached, and told, once more (D20)."""


@mypyc_attr(acyclic=True)
class Clock(Value):
    """The state of one clock. Durations are covered milliseconds, instants epoch milliseconds."""

    def __init__(
        self,
        indicator: int,
        cycle: int,
        started: Instant,
        policy: str,
        book: str,
        calendar: str,
        amount: int | None,
        bd: bool,
        target: Millis | None,
        phase: int = _RUNNING,
        elapsed: Millis = 0,
        since: Instant | None = None,
        step: int = 0,
        next_at: Instant | None = None,
        due: Instant | None = None,
        reached: Instant | None = None,
        implied: bool = False,
        unverified: bool = False,
        breached: Instant | None = None,
        spent: Instant | None = None,
        hits: list[Hit] | None = None,
        paused: dict[str, Millis] | None = None,
        paused_since: Instant | None = None,
        paused_on: str = "",
        mark: tuple[Instant, Millis, Instant | None] | None = None,
        old: bool = False,
        origin: Instant = 0,
        base: Millis = 0,
        until: Instant | None = None,
    ) -> None:
        self.indicator = indicator
        self.cycle = cycle
        self.started = started
        self.policy = policy
        self.book = book
        self.calendar = calendar
        self.amount = amount
        self.bd = bd
        self.target = target
        self.phase = phase
        self.elapsed = elapsed
        """Up to the last transition; while running, add what is covered since `since`."""
        self.since = since
        self.step = step
        """How many levels have been passed under the present target."""
        self.next_at = next_at
        """When the next level is to be looked at: a breach one millisecond after due."""
        self.due = due
        self.reached = reached
        self.implied = implied
        self.unverified = unverified
        self.breached = breached
        """When it was first breached, under whatever target; nothing takes this away (D15)."""
        self.spent = spent
        """When the present target's time ran out; before `breached` when a retarget made it past."""
        self.hits: list[Hit] = [] if hits is None else hits
        self.paused: dict[str, Millis] = {} if paused is None else paused
        self.paused_since = paused_since
        self.paused_on = paused_on
        self.mark = mark
        """At the last reopening: when, elapsed and reached before it (D17)."""
        self.old = old
        """A later cycle has begun."""
        self.origin = origin
        """Nothing before this instant counts; `base` was carried into it by a retarget (D19)."""
        self.base = base
        self.until = until
        """Where business days end, when the same local time lies outside the hours (D29)."""


@mypyc_attr(acyclic=True)
class Interval(Value):
    """One entry of the ledger: a state from an instant until the next entry's."""

    def __init__(self, at: Instant, state: int, on: str = "", cause: int = 0) -> None:
        self.at = at
        self.state = state
        self.on = on
        self.cause = cause


@mypyc_attr(acyclic=True)
class Fold(Value):
    """What the facts of a ticket amount to."""

    def __init__(
        self,
        start: Instant,
        known: bool,
        source: str,
        state: int = 0,
        on: str = "",
        attributes: dict[str, Any] | None = None,
        ledger: list[Interval] | None = None,
        clocks: list[Clock] | None = None,
        reopened: int = 0,
        acknowledged: Instant | None = None,
        responded: bool = False,
        horizon: Instant = 0,
        unmapped: tuple[str, str] | None = None,
    ) -> None:
        self.start = start
        self.known = known
        """Whether its creation was told: a ticket without is measured and never judged (D41)."""
        self.source = source
        self.state = state
        """As the number of a `State`: NEW at first."""
        self.on = on
        self.attributes: dict[str, Any] = {} if attributes is None else attributes
        self.ledger: list[Interval] = [] if ledger is None else ledger
        self.clocks: list[Clock] = [] if clocks is None else clocks
        self.reopened = reopened
        self.acknowledged = acknowledged
        self.responded = responded
        self.horizon = horizon
        """The last instant that is recorded in this fold: an earlier fact needs a new fold."""
        self.unmapped = unmapped
        """Board and status of the last fact, when no mapping knows the status."""


@mypyc_attr(acyclic=True)
class Announced(Value):
    """A level that was dealt with: sent, or passed over because a higher one was sent."""

    def __init__(
        self,
        indicator: int,
        cycle: int,
        kind: int,
        text: str,
        at: Instant,
        id: str,
        how: int = SENT,
    ) -> None:
        self.indicator = indicator
        self.cycle = cycle
        self.kind = kind
        self.text = text
        self.at = at
        self.id = id
        self.how = how


@mypyc_attr(acyclic=True)
class Published(Value):
    """The outcome of a clock cycle as it was last published."""

    def __init__(
        self,
        indicator: int,
        cycle: int,
        outcome: str,
        final: bool,
        reached: Instant,
        elapsed: Millis,
        id: str,
        retracted: bool = False,
        target: Millis | None = None,
        breached: Instant | None = None,
        paused: dict[str, Millis] | None = None,
    ) -> None:
        self.indicator = indicator
        self.cycle = cycle
        self.outcome = outcome
        self.final = final
        self.reached = reached
        self.elapsed = elapsed
        self.id = id
        self.retracted = retracted
        self.target = target
        self.breached = breached
        self.paused: dict[str, Millis] = {} if paused is None else paused


@mypyc_attr(acyclic=True)
class Told(Value):
    """Everything that was announced about one ticket."""

    def __init__(
        self,
        alerts: list[Announced] | None = None,
        outcomes: list[Published] | None = None,
        hold: Instant | None = None,
        quiet_until: Instant = -1,
    ) -> None:
        self.alerts: list[Announced] = [] if alerts is None else alerts
        self.outcomes: list[Published] = [] if outcomes is None else outcomes
        self.hold = hold
        """Levels that were past when they were armed wait until here (`settle`)."""
        self.quiet_until = quiet_until
        """Levels passed up to here are history that was imported: measured, not announced (D41)."""


@mypyc_attr(acyclic=True)
class Row(Value):
    """Everything that is kept of one ticket."""

    def __init__(
        self,
        fold: Fold,
        facts: Facts | None = None,
        told_attributes: list[dict[str, Any]] | None = None,
        told: Told | None = None,
        books: str = "",
        held: bool = False,
        deadline: Instant | None = None,
        last_log: Instant = 0,
        quarantined: str = "",
        told_bytes: int = 0,
        stranger: bool = False,
        erased: bool = False,
    ) -> None:
        self.fold = fold
        self.facts = Facts() if facts is None else facts
        self.told_attributes: list[dict[str, Any]] = (
            [] if told_attributes is None else told_attributes
        )
        self.told = Told() if told is None else told
        self.books = books
        """Fingerprint of the books that the fold was made with."""
        self.held = held
        """Judged by a book that this worker has not read: facts are kept, nothing is judged or announced."""
        self.deadline = deadline
        self.last_log = last_log
        self.quarantined = quarantined
        self.told_bytes = told_bytes
        self.stranger = stranger
        """First told of longer after its creation than a row is kept: it may have been forgotten, so it
        is measured and never judged."""
        self.erased = erased
        """Erased on request: nothing is kept of the ticket, and nothing that is told of it is taken in."""


@mypyc_attr(acyclic=True)
class Notice(Value):
    """One alert to publish. `hit` is None where a correction leaves nothing."""

    def __init__(
        self,
        type: str,
        id: str,
        clock: Clock,
        hit: Hit | None,
        kind: int,
        text: str,
        reason: str = "",
        before: Announced | None = None,
    ) -> None:
        self.type = type
        self.id = id
        self.clock = clock
        self.hit = hit
        self.kind = kind
        self.text = text
        self.reason = reason
        self.before = before


@mypyc_attr(acyclic=True)
class Decided(Value):
    """One outcome to publish."""

    def __init__(
        self,
        id: str,
        clock: Clock,
        outcome: str,
        finality: str,
        replaces: str | None,
        cycle: int,
    ) -> None:
        self.id = id
        self.clock = clock
        self.outcome = outcome
        self.finality = finality
        self.replaces = replaces
        self.cycle = cycle
        """Whose outcome it is; where that cycle is no longer a fact, `clock` is the latest there is."""


@mypyc_attr(acyclic=True)
class Announcement(Value):
    """What to publish now, how many levels were passed over, and when to look again."""

    def __init__(
        self,
        notices: list[Notice],
        outcomes: list[Decided],
        skipped: int,
        next: Instant | None,
    ) -> None:
        self.notices = notices
        self.outcomes = outcomes
        self.skipped = skipped
        self.next = next
