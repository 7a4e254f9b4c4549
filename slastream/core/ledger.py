"""The interval ledger of a ticket as one clock counts it: the proof behind every figure.

Rows are half-open stretches of one state; what each of them counts, clipped by the calendar, sums
to the clock's elapsed time exactly (D47).
"""

from __future__ import annotations

from typing import NamedTuple

from slastream.core.clock import Clock, Mode, Phase, mode_of
from slastream.core.coverage import Coverage
from slastream.core.event import State
from slastream.core.fold import Fold
from slastream.core.instant import Instant, Millis
from slastream.core.policy import Options

_WAITING = int(State.WAITING)
_RUN, _PAUSE, _STOP = Mode.RUN, Mode.PAUSE, Mode.STOP
STATE_LABELS = tuple(state.label for state in State)


class Stretch(NamedTuple):
    """A part of the ledger as one clock sees it. `mode` says whether it ran, paused or stood still."""

    start: Instant
    end: Instant
    state: int
    on: str
    mode: Mode
    cause: int


class Row(NamedTuple):
    """A stretch with what it counted and what was waited, in covered milliseconds."""

    start: Instant
    end: Instant
    state: str
    on: str
    counted: Millis
    waited: Millis


def end_of(clock: Clock, now: Instant) -> Instant:
    """Return where the ledger of a clock ends: at its milestone, at `now` before that."""
    return now if clock.reached is None else min(now, clock.reached)


def stretches(ticket: Fold, clock: Clock, options: Options, until: Instant) -> list[Stretch]:
    """Return the ledger from the clock's start to `until`, split where the response changed the rules."""
    responded = ticket.clocks[0].reached
    ledger, started, indicator = ticket.ledger, clock.started, clock.indicator
    early_pause = options.pause_before_response
    counts_resolved = options.reopen == "include_resolved_time"
    found: list[Stretch] = []
    latest = len(ledger) - 1
    for i, interval in enumerate(ledger):
        at, state, on, cause = interval.at, interval.state, interval.on, interval.cause
        if at > until:
            break
        last = i == latest or ledger[i + 1].at > until
        end = until if last else ledger[i + 1].at
        start = at if at > started else started
        if start > end or (start == end and (at < start or last)):
            continue
        if responded is not None and state == _WAITING and start < responded < end:
            mode = mode_of(indicator, state, on, False, early_pause)
            found.append(Stretch(start, responded, state, on, mode, cause))
            start = responded
        answered = responded is not None and responded <= start
        mode = mode_of(indicator, state, on, answered, early_pause)
        if mode is _STOP and counts_resolved and not last:
            mode = _RUN
        found.append(Stretch(start, end, state, on, mode, cause))
    return found


def rows(
    ticket: Fold, clock: Clock, coverage: Coverage, options: Options, now: Instant
) -> list[Row]:
    """Return the ledger of a clock, clipped by its calendar, up to its end or `now`."""
    found: list[Row] = []
    if clock.phase == Phase.PENDING:
        return found
    origin, covered = clock.origin, coverage.covered
    if clock.base:
        found.append(Row(origin, origin, "carried", "", clock.base, 0))
    for start, end, state, on, mode, _ in stretches(ticket, clock, options, end_of(clock, now)):
        counted = waited = 0
        if mode is _RUN:
            if origin < end:
                counted = covered(end) - covered(start if start > origin else origin)
        elif mode is _PAUSE:
            waited = covered(end) - covered(start)
        found.append(Row(start, end, STATE_LABELS[state], on, counted, waited))
    return found


def recount(
    ticket: Fold, clock: Clock, coverage: Coverage, options: Options, until: Instant
) -> Millis:
    """Return the elapsed time from the ledger alone, as after a change of calendar."""
    return sum(row.counted for row in rows(ticket, clock, coverage, options, until))


def waited_for(
    ticket: Fold, clock: Clock, coverage: Coverage, options: Options, until: Instant
) -> dict[str, Millis]:
    """Return the covered time spent waiting by who was waited for, from the ledger alone."""
    waited: dict[str, Millis] = {}
    for row in rows(ticket, clock, coverage, options, until):
        if row.waited:
            waited[row.on] = waited.get(row.on, 0) + row.waited
    return waited


def crossing(
    ticket: Fold, clock: Clock, coverage: Coverage, options: Options, until: Instant, limit: Millis
) -> Instant | None:
    """Return the instant at which the elapsed time reached `limit`, or None when it has not."""
    left = limit - clock.base
    if left <= 0:
        return clock.outside_hours(coverage, max(clock.origin, clock.started))
    for stretch in stretches(ticket, clock, options, until):
        if stretch.mode != Mode.RUN or stretch.end <= clock.origin:
            continue
        start = max(stretch.start, clock.origin)
        counted = coverage.measure(start, stretch.end)
        if counted >= left:
            return clock.outside_hours(coverage, coverage.due(start, left))
        left -= counted
    return None
