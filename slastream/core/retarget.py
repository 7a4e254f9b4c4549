"""What a change of priority, client or contract does to a clock that is under way (D19, D20)."""

from __future__ import annotations

from slastream.core.books import AT_RISK, BREACH, Step, TenantBooks
from slastream.core.choice import Terms
from slastream.core.clock import arm, measure, passed_steps
from slastream.core.coverage import Coverage
from slastream.core.instant import Instant, Millis
from slastream.core.ledger import crossing, recount, waited_for
from slastream.core.policy import Options, Target
from slastream.core.shapes import Clock, Fold, Hit, Phase


def target_length(target: Target, coverage: Coverage, start: Instant, options: Options) -> Millis:
    """Return the covered milliseconds that a target allows from `start` on.

    Business days are counted on the calendar's working dates, then measured: from there on a clock
    of two business days pauses and resumes like any other (D29).
    """
    if target.unit == "ms":
        return target.amount
    end_of_day = options.business_day_due == "end_of_day"
    return coverage.measure(start, coverage.add_business_days(start, target.amount, end_of_day))


def meant(target: Target, coverage: Coverage, start: Instant, options: Options) -> Instant | None:
    """Return the local time that business days end at, which may lie outside the hours, else None."""
    if target.unit == "ms" or options.business_day_due == "end_of_day":
        return None
    return coverage.add_business_days(start, target.amount)


def retarget(
    ticket: Fold, clock: Clock, at: Instant, terms: Terms, book: str, books: TenantBooks
) -> bool:
    """Give a clock the terms that its ticket has now, of a book version; returns whether any changed."""
    target = terms.target
    amount = target.amount if target else None
    bd = target is not None and target.unit == "bd"
    now = (terms.policy, book, terms.calendar, amount, bd)
    if (clock.policy, clock.book, clock.calendar, clock.amount, clock.bd) == now:
        return False
    options, old = terms.options, clock.target
    coverage = books.coverage(terms.calendar)
    length = (
        target_length(target, coverage, clock.started, options) if target and ticket.known else None
    )
    stricter = old is None or (length is not None and length < old)
    how = options.retarget_up if stricter else options.retarget_down
    if old is not None and (how == "frozen_at_first" or (how == "strictest_ever" and not stricter)):
        return False
    elapsed = measure(clock, books.coverage(clock.calendar), at)
    moved = clock.calendar != terms.calendar
    clock.policy, clock.book, clock.calendar, clock.amount, clock.bd = now
    clock.target = length
    clock.until = meant(target, coverage, clock.started, options) if target else None
    if how == "from_change" and old is not None:
        clock.origin, clock.base, elapsed = at, 0, 0
        if target and bd and ticket.known:
            clock.target = target_length(target, coverage, at, options)
            clock.until = meant(target, coverage, at, options)
    elif how == "carry_elapsed_percent" and old and length is not None:
        elapsed = round(elapsed / old * length)
        clock.origin, clock.base, clock.until = at, elapsed, None
    elif moved or clock.origin:
        clock.origin, clock.base = 0, 0
        elapsed = recount(ticket, clock, coverage, options, at)
        clock.paused = waited_for(ticket, clock, coverage, options, at)
        if clock.paused_since is not None:
            clock.paused_since = max(at, clock.started)
    clock.elapsed = elapsed
    if clock.phase == Phase.RUNNING:
        clock.since = max(at, clock.started)
    _judge_anew(ticket, clock, at, options, coverage, books.steps_for(clock))
    return True


def _judge_anew(
    ticket: Fold,
    clock: Clock,
    at: Instant,
    options: Options,
    coverage: Coverage,
    steps: tuple[Step, ...],
) -> None:
    """Compare what has elapsed with the levels of the new target."""
    passed = passed_steps(steps, clock.elapsed)
    breach = next((i for i, step in enumerate(steps) if step.kind == BREACH), 0)
    running = clock.phase == Phase.RUNNING
    # Nothing is announced while a clock is paused: what the new target made past waits for the resume.
    clock.step = passed if running else min(passed, breach)
    reached = {(step.kind, step.text) for step in steps[:passed]}
    for hit in clock.hits:
        if (hit.kind, hit.text) not in reached:
            hit.undone = True
            if hit.on:
                hit.on, hit.off, hit.off_at = False, "retargeted", at
    clock.spent = None
    moment = at
    if clock.target is not None and clock.elapsed > clock.target:
        clock.spent = crossing(ticket, clock, coverage, options, at, clock.target)
        if options.retarget_breach == "due" and clock.spent is not None:
            moment = clock.spent
        if clock.breached is None:
            clock.breached = moment
    if running:
        _hit_anew(clock, at, steps[: clock.step], moment)
        arm(clock, coverage, steps)


def _hit_anew(clock: Clock, at: Instant, passed: tuple[Step, ...], breached: Instant) -> None:
    """Record the levels that the new target, not the passing of time, has reached."""
    standing = {
        (hit.kind, hit.text)
        for hit in clock.hits
        if hit.on or (hit.kind != AT_RISK and not hit.undone)
    }
    for step in passed:
        if (step.kind, step.text) in standing:
            continue
        if step.kind == AT_RISK and (BREACH, "breach") in standing:
            continue
        moment = breached if step.kind == BREACH else at
        clock.hits.append(Hit(step.kind, step.text, moment, "retarget"))
