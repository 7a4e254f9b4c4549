"""What happens to clocks when a ticket that was done is open again (D16, D17, D44)."""

from __future__ import annotations

from slastream.core import clock as clocks
from slastream.core.books import BREACH, TenantBooks
from slastream.core.clock import Mode
from slastream.core.coverage import Coverage
from slastream.core.event import State
from slastream.core.instant import Instant
from slastream.core.ledger import crossing, recount
from slastream.core.policy import Options
from slastream.core.retarget import target_length
from slastream.core.shapes import Clock, Fold, Hit, Phase
from slastream.core.terms import PLAN, first_version, new_clock, reconsider


def revive(ticket: Fold, at: Instant, books: TenantBooks) -> None:
    """Let the clocks of a cancelled ticket run on: it is one again (D44)."""
    for clock in clocks.live(ticket.clocks):
        if clock.phase != Phase.CANCELLED:
            continue
        waits = clock.indicator == PLAN and not ticket.responded
        if waits and books.options_of(clock).plan_origin == "responded":
            clock.phase = Phase.PENDING
        else:
            clocks.run(clock, at, books.coverage(clock.calendar), books.steps_for(clock))
        reconsider(ticket, clock, at, books)  # what was told meanwhile counts from now on


def reopen(
    ticket: Fold, clock: Clock, mode: Mode, at: Instant, options: Options, books: TenantBooks
) -> None:
    """Reopen in one of five forms (D16)."""
    coverage = books.coverage(clock.calendar)
    reached = clock.reached if clock.reached is not None else at
    how = options.reopen
    if how == "new_cycle_after":
        limit = options.new_cycle_after
        allowed = target_length(limit, coverage, reached, options) if limit else 0
        how = "new_cycle" if coverage.measure(reached, at) > allowed else "continue"
    if how == "ignore":
        return
    if how == "new_cycle":
        clock.old = True
        version = first_version(ticket.attributes, at, books)
        terms = version.chooser.terms(ticket.attributes, at)[clock.indicator]
        clock = new_clock(ticket, clock.indicator, clock.cycle + 1, at, terms, version, books)
        ticket.clocks.append(clock)
        if mode == Mode.PAUSE:
            clocks.pause(clock, at, ticket.on, coverage)
    else:
        clock.mark = (at, clock.elapsed, clock.reached)
        clock.reached = None
        if how == "include_resolved_time":
            clock.elapsed = recount(ticket, clock, coverage, options, at)
            _overrun(ticket, clock, mode, at, options, books)
        if mode == Mode.PAUSE:
            clocks.pause(clock, at, ticket.on, coverage)
        else:
            clocks.run(clock, at, coverage, books.steps_for(clock))
        reconsider(ticket, clock, at, books)


def _overrun(
    ticket: Fold, clock: Clock, mode: Mode, at: Instant, options: Options, books: TenantBooks
) -> None:
    """Breach a clock whose time ran out while its ticket was resolved, where that time counts."""
    if clock.target is None or clock.spent is not None or clock.elapsed <= clock.target:
        return
    coverage = books.coverage(clock.calendar)
    clock.spent = crossing(ticket, clock, coverage, options, at, clock.target)
    if clock.breached is None:
        clock.breached = at
    if mode == Mode.RUN:
        clock.hits.append(Hit(BREACH, "breach", at, "reopen"))


def forgive(ticket: Fold, clock: Clock, at: Instant, options: Options, coverage: Coverage) -> None:
    """Undo a reopening that was closed again at once: a thank-you mail is no work (D17)."""
    if clock.mark is None or not options.reopen_grace:
        return
    reopened, _, reached = clock.mark
    if at - reopened <= options.reopen_grace and (
        clock.breached is None or clock.breached < reopened
    ):
        ticket.reopened -= 1
        for interval in ticket.ledger:
            if reopened <= interval.at < at:
                interval.state, interval.on = State.RESOLVED, "forgiven"
        # Counted anew and not remembered: a new target may have changed what counts meanwhile.
        clock.reached = reached
        clock.elapsed = recount(
            ticket, clock, coverage, options, at if reached is None else reached
        )
    clock.mark = None
