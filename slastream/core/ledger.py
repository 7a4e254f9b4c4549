"""The interval ledger of a ticket as one clock counts it: the proof behind every figure.

Rows are half-open stretches of one state; what each of them counts, clipped by the calendar, sums
to the clock's elapsed time exactly (D47).
"""

from __future__ import annotations

from typing import Final

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


class Row:
    """A stretch of the ledger as one clock sees it: the state, who was waited for, whether the clock ran,
    paused or stood still; what of it counted and what was waited, in covered milliseconds."""

    __slots__ = ("counted", "end", "mode", "on", "start", "state", "waited")

    def __init__(
        self,
        start: Instant,
        end: Instant,
        state: str,
        on: str,
        counted: Millis = 0,
        waited: Millis = 0,
        mode: Mode = _STOP,
    ) -> None:
        self.start = start
        self.end = end
        self.state = state
        self.on = on
        self.counted = counted
        self.waited = waited
        self.mode = mode


def end_of(clock: Clock, now: Instant) -> Instant:
    """Return where the ledger of a clock ends: at its milestone, at `now` before that."""
    return now if clock.reached is None else min(now, clock.reached)


def stretches(ticket: Fold, clock: Clock, options: Options, until: Instant) -> list[Row]:
    """Return the ledger from the clock's start to `until`, split where the response changed the rules.

    What counted and what was waited is not told yet.
    """
    responded = ticket.clocks[0].reached
    ledger, started = ticket.ledger, clock.started
    before, after = MODE_TABLE[clock.indicator]
    if options.pause_before_response:
        before = after
    counts_resolved = options.reopen == "include_resolved_time"
    found: list[Row] = []
    latest = len(ledger) - 1
    following = ledger[0].at if ledger else until
    for i, interval in enumerate(ledger):
        at = following
        if at > until:
            break
        last = i == latest
        if not last:
            following = ledger[i + 1].at
            last = following > until
        end = until if last else following
        start = at if at > started else started
        if start > end or (start == end and (at < start or last)):
            continue
        state, on = interval.state, interval.on
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
                found.append(Row(start, responded, STATE_LABELS[state], on, 0, 0, before[state]))
                start = responded
            mode = after[state]
        found.append(Row(start, end, STATE_LABELS[state], on, 0, 0, mode))
    return found


def rows(
    ticket: Fold, clock: Clock, coverage: Coverage, options: Options, now: Instant
) -> list[Row]:
    """Return the ledger of a clock, clipped by its calendar, up to its end or `now`."""
    if clock.phase == _PENDING:
        return []
    origin = clock.origin
    found = stretches(ticket, clock, options, end_of(clock, now))
    # A stretch begins where the last one ended, and what is covered up to there is known.
    reached: Instant = -1
    so_far: Millis = 0
    for row in found:
        start, end, mode = row.start, row.end, row.mode
        if mode is _RUN:
            if end <= origin:
                continue
            if start < origin:
                start = origin
        elif mode is not _PAUSE:
            continue
        if start != reached:
            so_far = coverage.covered(start)
        reached, until = end, coverage.covered(end)
        if mode is _RUN:
            row.counted = until - so_far
        else:
            row.waited = until - so_far
        so_far = until
    if clock.base:
        found.insert(0, Row(origin, origin, "carried", "", clock.base))
    return found


def recount(
    ticket: Fold, clock: Clock, coverage: Coverage, options: Options, until: Instant
) -> Millis:
    """Return the elapsed time from the ledger alone, as after a change of calendar."""
    return counted_in(rows(ticket, clock, coverage, options, until))


def counted_in(rows: list[Row]) -> Millis:
    """Return what rows counted together."""
    counted: Millis = 0
    for row in rows:
        counted += row.counted
    return counted


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
    for row in stretches(ticket, clock, options, until):
        if row.mode is not _RUN or row.end <= clock.origin:
            continue
        start = max(row.start, clock.origin)
        counted = coverage.measure(start, row.end)
        if counted >= left:
            return outside_hours(clock, coverage, coverage.due(start, left))
        left -= counted
    return None
