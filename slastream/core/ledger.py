"""The interval ledger of a ticket as one clock counts it: the proof behind every figure.

Rows are half-open stretches of one state; what each of them counts, clipped by the calendar, sums
to the clock's elapsed time exactly (D47).
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from slastream.core.clock import MODE_TABLE, Mode, outside_hours
from slastream.core.coverage import Coverage
from slastream.core.event import State
from slastream.core.instant import Instant, Millis
from slastream.core.policy import Options
from slastream.core.shapes import Clock, Fold, Phase

_WAITING: Final = int(State.WAITING)
_PENDING: Final = int(Phase.PENDING)
_RUN: Final = Mode.RUN
_PAUSE: Final = Mode.PAUSE
_STOP: Final = Mode.STOP
STATE_LABELS: Final = tuple(state.label for state in State)


Stretch = tuple[Instant, Instant, int, str, Mode]
"""A part of the ledger as one clock sees it: start, end, state, who was waited for, and whether the
clock ran, paused or stood still. Plain, since every clock of every event's ticket has several."""


class Row(Struct, gc=False):
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
    ledger, started = ticket.ledger, clock.started
    before, after = MODE_TABLE[clock.indicator]
    if options.pause_before_response:
        before = after
    counts_resolved = options.reopen == "include_resolved_time"
    found: list[Stretch] = []
    latest = len(ledger) - 1
    for i, interval in enumerate(ledger):
        at, state, on = interval.at, interval.state, interval.on
        if at > until:
            break
        last = i == latest or ledger[i + 1].at > until
        end = until if last else ledger[i + 1].at
        start = at if at > started else started
        if start > end or (start == end and (at < start or last)):
            continue
        if state != _WAITING:
            mode = after[state]
            if mode is _STOP and counts_resolved and not last:
                mode = _RUN
        elif on == "provider":
            mode = _RUN
        elif responded is None or (responded > start and responded >= end):
            mode = before[state]
        else:
            if start < responded:
                found.append((start, responded, state, on, before[state]))
                start = responded
            mode = after[state]
        found.append((start, end, state, on, mode))
    return found


def rows(
    ticket: Fold, clock: Clock, coverage: Coverage, options: Options, now: Instant
) -> list[Row]:
    """Return the ledger of a clock, clipped by its calendar, up to its end or `now`."""
    found: list[Row] = []
    if clock.phase == _PENDING:
        return found
    origin = clock.origin
    if clock.base:
        found.append(Row(origin, origin, "carried", "", clock.base, 0))
    # A stretch begins where the last one ended, and what is covered up to there is known.
    reached: Instant | None = None
    so_far: Millis = 0
    for start, end, state, on, mode in stretches(ticket, clock, options, end_of(clock, now)):
        counted = waited = 0
        if mode is _PAUSE or (mode is _RUN and origin < end):
            since = start if mode is _PAUSE or start > origin else origin
            if since != reached:
                so_far = coverage.covered(since)
            reached, until = end, coverage.covered(end)
            if mode is _RUN:
                counted = until - so_far
            else:
                waited = until - so_far
            so_far = until
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
        return outside_hours(clock, coverage, max(clock.origin, clock.started))
    for began, end, _, _, mode in stretches(ticket, clock, options, until):
        if mode is not _RUN or end <= clock.origin:
            continue
        start = max(began, clock.origin)
        counted = coverage.measure(start, end)
        if counted >= left:
            return outside_hours(clock, coverage, coverage.due(start, left))
        left -= counted
    return None
