"""One stopwatch: ticket x indicator x cycle. It is moved by transitions and by the passing of levels.

A clock knows no ticket system and no present time. Its `phase` follows the ticket's state through
`MODES`; its verdict follows from the levels it has passed and is independent of the phase: a
breached clock keeps running, and no transition takes a breach away (D15).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from slastream.core.books import AT_RISK, BREACH, OVERDUE, Step
from slastream.core.coverage import Coverage
from slastream.core.errors import Misconfigured
from slastream.core.event import State
from slastream.core.instant import Instant, Millis
from slastream.core.policy import Indicator
from slastream.core.shapes import Clock, Hit, Phase


class Mode(IntEnum):
    """What a ticket's state asks of a clock."""

    RUN = 0
    PAUSE = 1
    STOP = 2
    CANCEL = 3


_RUN: Final = Mode.RUN
_PAUSE: Final = Mode.PAUSE
_STOP: Final = Mode.STOP
_CANCEL: Final = Mode.CANCEL

MODES: Final[dict[Indicator, dict[State, Mode]]] = {
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


_WAITING: Final = int(State.WAITING)
_RUNNING: Final = int(Phase.RUNNING)
_PAUSED: Final = int(Phase.PAUSED)
_STOPPED: Final = int(Phase.STOPPED)
_CANCELLED: Final = int(Phase.CANCELLED)


def _modes(indicator: Indicator, answered: bool) -> tuple[Mode, ...]:
    modes = [MODES[indicator][state] for state in State]
    if indicator != Indicator.RESOLUTION:
        modes[_WAITING] = _PAUSE if answered else _RUN
    return tuple(modes)


MODE_TABLE: Final = tuple((_modes(each, False), _modes(each, True)) for each in Indicator)
"""By indicator: what each state asks of a clock before the human response, and after it."""


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


def measure(clock: Clock, coverage: Coverage, at: Instant) -> Millis:
    """Return the elapsed covered milliseconds at an instant not before the last transition."""
    if clock.since is None or at <= clock.since:
        return clock.elapsed
    return clock.elapsed + coverage.covered(at) - coverage.covered(clock.since)


def outside_hours(clock: Clock, coverage: Coverage, due: Instant) -> Instant:
    """Return when time that runs out at `due` is over: where business days end, if nothing opens before."""
    if clock.until is None or clock.until <= due or coverage.measure(due, clock.until):
        return due
    return clock.until


def paused_by(clock: Clock, coverage: Coverage, at: Instant) -> dict[str, Millis]:
    """Return the covered milliseconds spent waiting, by who owed the next action."""
    if clock.paused_since is None or at <= clock.paused_since:
        return clock.paused
    spent = coverage.covered(at) - coverage.covered(clock.paused_since)
    return {**clock.paused, clock.paused_on: clock.paused.get(clock.paused_on, 0) + spent}


def verdict_of(clock: Clock) -> str:
    """on_track, at_risk or breached, whatever the phase."""
    if clock.breached is not None:
        return "breached"
    return "at_risk" if clock.step > 0 else "on_track"


def outcome_of(clock: Clock) -> str:
    """met or missed once decided; else running, paused, cancelled, or measured without a target."""
    if clock.phase == _CANCELLED:
        return "cancelled"
    if clock.target is None:
        return "measured"
    if clock.breached is not None:
        return "missed"
    if clock.phase == _STOPPED:
        return "met"
    return "paused" if clock.phase == _PAUSED else "running"


def superseded(clock: Clock) -> bool:
    """Whether the breach belongs to an earlier target than the present one (D20)."""
    return clock.breached is not None and clock.spent is None


def is_open(clock: Clock) -> bool:
    return clock.phase <= _PAUSED


def live(clocks: list[Clock]) -> list[Clock]:
    """Return the clocks of the current cycles."""
    return [clock for clock in clocks if not clock.old]


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
    clock.next_at = outside_hours(clock, coverage, at) + 1 if step.kind == BREACH else at


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
        clock.due = None if due is None else outside_hours(clock, coverage, due)
    _arm_next(clock, coverage, steps)


def run(clock: Clock, at: Instant, coverage: Coverage, steps: tuple[Step, ...]) -> None:
    """Start or resume. A level that was passed before the pause fires once more, the highest only (D31)."""
    _end_pause(clock, at, coverage)
    clock.phase = _RUNNING
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
    clock.elapsed = measure(clock, coverage, at)
    clock.since = None
    clock.next_at = None


def _end_pause(clock: Clock, at: Instant, coverage: Coverage) -> None:
    if clock.paused_since is not None:
        clock.paused = paused_by(clock, coverage, at)
        clock.paused_since = None
        clock.paused_on = ""


def switch_off(clock: Clock, kinds: tuple[int, ...], reason: str, at: Instant) -> None:
    """Take back the standing levels of these kinds; what was announced is cleared with `reason`."""
    for hit in clock.hits:
        if hit.on and hit.kind in kinds:
            hit.on, hit.off, hit.off_at = False, reason, at


def pause(clock: Clock, at: Instant, on: str, coverage: Coverage) -> None:
    """Stop counting while someone outside owes the next action; a breach stays announced."""
    if clock.phase == _PAUSED:
        if clock.paused_on != on:
            _end_pause(clock, at, coverage)
            clock.paused_since, clock.paused_on = max(at, clock.started), on
        return
    _bank(clock, at, coverage)
    clock.phase = _PAUSED
    clock.due = None
    clock.paused_since, clock.paused_on = max(at, clock.started), on
    switch_off(clock, (AT_RISK,), "paused", at)


def stop(clock: Clock, at: Instant, coverage: Coverage, *, implied: bool = False) -> None:
    """Reach the milestone."""
    _bank(clock, at, coverage)
    _end_pause(clock, at, coverage)
    clock.phase = _STOPPED
    clock.reached = at
    clock.implied = implied
    switch_off(clock, (AT_RISK, BREACH, OVERDUE), "stopped", at)


def cancel(clock: Clock, at: Instant, coverage: Coverage) -> None:
    """End without an outcome: merged, deleted, void."""
    if clock.phase == Phase.PENDING:
        clock.started = at  # it never began, so nothing before this is its time
    _bank(clock, at, coverage)
    _end_pause(clock, at, coverage)
    clock.phase = _CANCELLED
    switch_off(clock, (AT_RISK, BREACH, OVERDUE), "cancelled", at)


def passed_steps(steps: tuple[Step, ...], elapsed: Millis) -> int:
    """Return how many levels lie behind `elapsed`. At the target exactly, the promise is kept (D13)."""
    return sum(
        step.offset < elapsed if step.kind == BREACH else step.offset <= elapsed for step in steps
    )
