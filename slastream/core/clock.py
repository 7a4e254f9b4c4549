"""One stopwatch: ticket x indicator x cycle. It is moved by transitions and by the passing of levels.

A clock knows no ticket system and no present time. Its `phase` follows the ticket's state through
`MODES`; its verdict follows from the levels it has passed and is independent of the phase: a
breached clock keeps running, and no transition takes a breach away (D15).
"""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct

from slastream.core.books import AT_RISK, BREACH, OVERDUE, Step
from slastream.core.coverage import Coverage
from slastream.core.errors import Misconfigured
from slastream.core.event import State
from slastream.core.instant import Instant, Millis
from slastream.core.policy import Indicator


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


class Mode(IntEnum):
    """What a ticket's state asks of a clock."""

    RUN = 0
    PAUSE = 1
    STOP = 2
    CANCEL = 3


_RUN, _PAUSE, _STOP, _CANCEL = Mode.RUN, Mode.PAUSE, Mode.STOP, Mode.CANCEL

MODES: dict[Indicator, dict[State, Mode]] = {
    Indicator.RESPONSE: {
        State.NEW: _RUN,
        State.RESPONDED: _RUN,  # by a robot: only a human's move stops it (D09)
        State.IN_PROGRESS: _RUN,
        State.WAITING: _RUN,  # unless `pause_before_response` (D11)
        State.RESOLVED: _STOP,
        State.CLOSED: _STOP,
        State.CANCELLED: _CANCEL,
    },
    Indicator.PLAN: {
        State.NEW: _RUN,
        State.RESPONDED: _RUN,
        State.IN_PROGRESS: _RUN,  # a human's move stops it
        State.WAITING: _PAUSE,  # once the response is there, see `mode_of`
        State.RESOLVED: _STOP,
        State.CLOSED: _STOP,
        State.CANCELLED: _CANCEL,
    },
    Indicator.RESOLUTION: {
        State.NEW: _RUN,
        State.RESPONDED: _RUN,
        State.IN_PROGRESS: _RUN,
        State.WAITING: _PAUSE,
        State.RESOLVED: _STOP,
        State.CLOSED: _STOP,
        State.CANCELLED: _CANCEL,
    },
}
"""The transition table. The diagram in `docs/semantics.md` is drawn from it."""


_WAITING = int(State.WAITING)


def _modes(indicator: Indicator, answered: bool) -> tuple[Mode, ...]:
    modes = [MODES[indicator][state] for state in State]
    if indicator != Indicator.RESOLUTION:
        modes[_WAITING] = _PAUSE if answered else _RUN
    return tuple(modes)


MODE_TABLE = tuple((_modes(each, False), _modes(each, True)) for each in Indicator)
"""By indicator: what each state asks of a clock before the human response, and after it."""
PHASES = tuple(phase.label for phase in Phase)


def mode_of(
    indicator: int, state: int, on: str, responded: bool, pause_before_response: bool
) -> Mode:
    """Return what a state asks of a clock.

    WAITING pauses only while someone outside owes the next action (D36). Before the human response
    it pauses neither response nor plan, else a robot's "waiting for client" would hide a missing
    answer (D11).
    """
    if state == _WAITING and on == "provider":
        return _RUN
    return MODE_TABLE[indicator][responded or pause_before_response][state]


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


def advance(clock: Clock, until: Instant, coverage: Coverage, steps: tuple[Step, ...]) -> bool:
    """Record the levels that a running clock passes up to `until`; returns whether there were any."""
    passed = False
    while clock.next_at is not None and clock.next_at <= until:
        step = steps[clock.step]
        at = clock.next_at - 1 if step.kind == BREACH else clock.next_at
        clock.hits.append(Hit(step.kind, step.text, at))
        if step.kind == BREACH:
            clock.spent = at
            if clock.breached is None:
                clock.breached = at
        clock.step += 1
        passed = True
        _arm_next(clock, coverage, steps)
    return passed


def _arm_next(clock: Clock, coverage: Coverage, steps: tuple[Step, ...]) -> None:
    if clock.since is None or clock.step >= len(steps):
        clock.next_at = None
        return
    step = steps[clock.step]
    if step.kind == BREACH and clock.spent is not None:  # a change of target made it past
        clock.step += 1
        _arm_next(clock, coverage, steps)
        return
    at = _when(coverage, clock.since, max(0, step.offset - clock.elapsed))
    if at is None:
        clock.next_at = None
        return
    clock.next_at = clock.outside_hours(coverage, at) + 1 if step.kind == BREACH else at


def _when(coverage: Coverage, since: Instant, left: Millis) -> Instant | None:
    """Return when time runs out, or None on a calendar that has not so many hours left: it never does."""
    try:
        return coverage.due(since, left)
    except Misconfigured:
        return None


def arm(clock: Clock, coverage: Coverage, steps: tuple[Step, ...]) -> None:
    """Compute due and the next level of a clock that has begun to run or has a new target."""
    if clock.target is None or clock.since is None:
        clock.next_at = None
        if clock.target is None:
            clock.due = None
        return
    if clock.spent is not None:
        clock.due = clock.spent
    elif clock.elapsed <= clock.target:
        due = _when(coverage, clock.since, clock.target - clock.elapsed)
        clock.due = None if due is None else clock.outside_hours(coverage, due)
    _arm_next(clock, coverage, steps)


def run(clock: Clock, at: Instant, coverage: Coverage, steps: tuple[Step, ...]) -> None:
    """Start or resume. A level that was passed before the pause fires once more, the highest only (D31)."""
    _end_pause(clock, at, coverage)
    clock.phase = Phase.RUNNING
    clock.since = max(at, clock.started)
    if clock.spent is not None:
        _breached_in_a_pause(clock, at)
    elif clock.step:
        highest = steps[clock.step - 1]
        if not any(hit.on and hit.text == highest.text for hit in clock.hits):
            clock.hits.append(Hit(highest.kind, highest.text, at, "resume"))
    arm(clock, coverage, steps)


def _breached_in_a_pause(clock: Clock, at: Instant) -> None:
    """Announce the breach of a target that a clock was given while it stood still (D20, D31)."""
    told = [hit for hit in clock.hits if hit.kind == BREACH]
    if all(hit.undone for hit in told):
        since = at if told or clock.breached is None else clock.breached
        clock.hits.append(Hit(BREACH, "breach", since, "resume"))


def _bank(clock: Clock, at: Instant, coverage: Coverage) -> None:
    clock.elapsed = clock.measure(coverage, at)
    clock.since = None
    clock.next_at = None


def _end_pause(clock: Clock, at: Instant, coverage: Coverage) -> None:
    if clock.paused_since is not None:
        clock.paused = clock.paused_by(coverage, at)
        clock.paused_since = None
        clock.paused_on = ""


def switch_off(clock: Clock, kinds: tuple[int, ...], reason: str, at: Instant) -> None:
    """Take back the standing levels of these kinds; what was announced is cleared with `reason`."""
    for hit in clock.hits:
        if hit.on and hit.kind in kinds:
            hit.on, hit.off, hit.off_at = False, reason, at


def pause(clock: Clock, at: Instant, on: str, coverage: Coverage) -> None:
    """Stop counting while someone outside owes the next action; a breach stays announced."""
    if clock.phase == Phase.PAUSED:
        if clock.paused_on != on:
            _end_pause(clock, at, coverage)
            clock.paused_since, clock.paused_on = max(at, clock.started), on
        return
    _bank(clock, at, coverage)
    clock.phase = Phase.PAUSED
    clock.due = None
    clock.paused_since, clock.paused_on = max(at, clock.started), on
    switch_off(clock, (AT_RISK,), "paused", at)


def stop(clock: Clock, at: Instant, coverage: Coverage, *, implied: bool = False) -> None:
    """Reach the milestone."""
    _bank(clock, at, coverage)
    _end_pause(clock, at, coverage)
    clock.phase = Phase.STOPPED
    clock.reached = at
    clock.implied = implied
    switch_off(clock, (AT_RISK, BREACH, OVERDUE), "stopped", at)


def cancel(clock: Clock, at: Instant, coverage: Coverage) -> None:
    """End without an outcome: merged, deleted, void."""
    if clock.phase == Phase.PENDING:
        clock.started = at  # it never began, so nothing before this is its time
    _bank(clock, at, coverage)
    _end_pause(clock, at, coverage)
    clock.phase = Phase.CANCELLED
    switch_off(clock, (AT_RISK, BREACH, OVERDUE), "cancelled", at)


def passed_steps(steps: tuple[Step, ...], elapsed: Millis) -> int:
    """Return how many levels lie behind `elapsed`. At the target exactly, the promise is kept (D13)."""
    return sum(
        step.offset < elapsed if step.kind == BREACH else step.offset <= elapsed for step in steps
    )
