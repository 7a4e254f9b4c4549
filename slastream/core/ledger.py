"""The interval ledger of a ticket as one clock counts it: the proof behind every figure.

Rows are half-open stretches of one state; what each of them counts, clipped by the calendar, sums
to the clock's elapsed time exactly (D47).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from slastream.core.clock import Clock, Mode, Phase, mode_of
from slastream.core.coverage import Coverage
from slastream.core.event import State
from slastream.core.instant import Instant, Millis
from slastream.core.policy import Options

if TYPE_CHECKING:
    from slastream.core.ticket import Fold


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
    """Return where the ledger of a clock ends: its milestone, its cancellation, or `now`."""
    return clock.reached if clock.reached is not None else now


def stretches(ticket: Fold, clock: Clock, options: Options, until: Instant) -> Iterator[Stretch]:
    """Yield the ledger from the clock's start to `until`, split where the response changed the rules."""
    responded = ticket.clocks[0].reached
    ledger = ticket.ledger
    for i, interval in enumerate(ledger):
        end = min(until, ledger[i + 1].at if i + 1 < len(ledger) else until)
        start = max(interval.at, clock.started)
        last = i + 1 == len(ledger) or ledger[i + 1].at > until
        if start > end or (start == end and (interval.at < start or last)):
            continue
        cuts = [start, end]
        if responded is not None and start < responded < end and interval.state == State.WAITING:
            cuts.insert(1, responded)
        for left, right in pairwise(cuts):
            answered = responded is not None and responded <= left
            mode = mode_of(
                clock.indicator,
                interval.state,
                interval.on,
                answered,
                options.pause_before_response,
            )
            if mode == Mode.STOP and options.reopen == "include_resolved_time" and not last:
                mode = Mode.RUN
            yield Stretch(left, right, interval.state, interval.on, mode, interval.cause)


def rows(
    ticket: Fold, clock: Clock, coverage: Coverage, options: Options, now: Instant
) -> list[Row]:
    """Return the ledger of a clock, clipped by its calendar, up to its end or `now`."""
    found: list[Row] = []
    until = end_of(clock, now)
    if clock.phase == Phase.PENDING:
        return found
    if clock.base:
        found.append(Row(clock.origin, clock.origin, "carried", "", clock.base, 0))
    for stretch in stretches(ticket, clock, options, until):
        counted = waited = 0
        if stretch.mode == Mode.RUN:
            start = max(stretch.start, clock.origin)
            counted = coverage.measure(start, stretch.end) if start < stretch.end else 0
        elif stretch.mode == Mode.PAUSE:
            waited = coverage.measure(stretch.start, stretch.end)
        label = State(stretch.state).label
        found.append(Row(stretch.start, stretch.end, label, stretch.on, counted, waited))
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
    for stretch in stretches(ticket, clock, options, until):
        if stretch.mode != Mode.RUN or stretch.end <= clock.origin:
            continue
        start = max(stretch.start, clock.origin)
        counted = coverage.measure(start, stretch.end)
        if counted >= left:
            return coverage.due(start, max(0, left))
        left -= counted
    return None
