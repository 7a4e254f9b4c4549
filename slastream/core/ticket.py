"""A ticket's state as a fold of its facts (D01), judged by the books in force.

Nothing here knows what time it is: `step` moves a ticket to the time of a fact, `advance` to
any instant. Who is told about it, and whether once, is the business of `slastream.core.alert`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from slastream.core import clock as clocks
from slastream.core.books import BREACH, TenantBooks
from slastream.core.clock import Mode
from slastream.core.event import State
from slastream.core.fact import (
    ABSORBED,
    AGENT,
    AUTOMATION,
    CREATED,
    DELETED,
    MERGED,
    PUBLIC,
    RESTORED,
    SYSTEM,
    UNKNOWN,
    Fact,
)
from slastream.core.instant import Instant
from slastream.core.policy import Indicator, Options, Target, fold_text
from slastream.core.reopening import forgive, reopen, revive
from slastream.core.retarget import meant, target_length
from slastream.core.shapes import Clock, Fold, Interval, Phase
from slastream.core.telling import state_after, tell
from slastream.core.terms import first_version, new_clock, reconsider, start

RESPONSE: Final = int(Indicator.RESPONSE)
PLAN: Final = int(Indicator.PLAN)
RESOLUTION: Final = int(Indicator.RESOLUTION)
# Plain integers, since every event of every ticket is compared with them and an enum's members are
# looked up anew each time.
_NEW: Final = int(State.NEW)
_RESPONDED: Final = int(State.RESPONDED)
_IN_PROGRESS: Final = int(State.IN_PROGRESS)
_RESOLVED: Final = int(State.RESOLVED)
_CANCELLED: Final = int(State.CANCELLED)
_WORKED: Final = (_RESPONDED, _IN_PROGRESS)
_DONE: Final = (_RESOLVED, int(State.CLOSED))
_PENDING: Final = int(Phase.PENDING)
_RUNNING: Final = int(Phase.RUNNING)
_PAUSED: Final = int(Phase.PAUSED)
_STOPPED: Final = int(Phase.STOPPED)
_RUN: Final = Mode.RUN


def fold(
    facts: Sequence[Fact], told: Sequence[dict[str, Any]], source: str, books: TenantBooks
) -> Fold:
    """Fold facts, given in their order, into the state of a ticket."""
    facts = undeleted(facts)
    result = begin(facts, told, source, books)
    for fact in facts:
        step(result, fact, told, books)
    return result


def undeleted(facts: Sequence[Fact]) -> Sequence[Fact]:
    """Return the facts without the deletions and merges that a later `restored` undoes (D42, D44)."""
    last = max((i for i, fact in enumerate(facts) if fact.kind == RESTORED), default=-1)
    if last < 0:
        return facts
    kept = [fact for i, fact in enumerate(facts) if i > last or fact.kind not in (DELETED, MERGED)]
    return kept or facts


def begin(
    facts: Sequence[Fact], told: Sequence[dict[str, Any]], source: str, books: TenantBooks
) -> Fold:
    """Start a ticket: NEW since its creation, with the attributes that its first fact tells."""
    first = facts[0]
    tells = next((fact for fact in facts if tells_start(fact)), None)
    created = None if tells is None else tells.at if tells.created is None else tells.created
    result = Fold(
        start=first.at if created is None else created, known=created is not None, source=source
    )
    version = books.at(result.start)
    tell(result, first, told, version)
    version = first_version(result.attributes, result.start, books)
    chosen = version.chooser.terms(result.attributes, result.start)
    if chosen[RESOLUTION].options.merge == "inherit_earliest_start":
        _inherit_start(result, facts, told)
    result.ledger.append(Interval(result.start, _NEW))
    for indicator in Indicator:
        result.clocks.append(
            new_clock(result, indicator, 1, result.start, chosen[indicator], version, books)
        )
    return result


def tells_start(fact: Fact) -> bool:
    """Whether a fact tells when the ticket was created; the first that does is believed."""
    return fact.created is not None or fact.kind == CREATED


def _inherit_start(result: Fold, facts: Sequence[Fact], told: Sequence[dict[str, Any]]) -> None:
    for fact in facts:
        if fact.kind == ABSORBED and fact.told >= 0:
            created = (told[fact.told].get("absorbed") or {}).get("created_at")
            if isinstance(created, int):
                result.start = min(result.start, created)


def advance(ticket: Fold, until: Instant, books: TenantBooks) -> None:
    """Record what running clocks pass up to `until`."""
    for clock in ticket.clocks:
        if clock.next_at is not None and clock.next_at <= until:
            coverage, steps = books.coverage(clock.calendar), books.steps_for(clock)
            if clocks.advance(clock, until, coverage, steps):
                last = clock.hits[-1]
                ticket.horizon = max(ticket.horizon, last.at + (last.kind == BREACH))


def step(ticket: Fold, fact: Fact, told: Sequence[dict[str, Any]], books: TenantBooks) -> None:
    """Move a ticket to the time of a fact and apply it."""
    at = max(fact.at, ticket.start)
    advance(ticket, at, books)
    version = books.at(at)
    changed = tell(ticket, fact, told, version)
    if changed or fact.kind == ABSORBED or _skips_response(ticket, fact, books):
        for clock in ticket.clocks:
            if clocks.is_open(clock):
                reconsider(ticket, clock, at, books)
    state, on, stated = state_after(ticket, fact, version)
    before = ticket.state
    human = fact.actor in (AGENT, UNKNOWN)
    if state < _RESOLVED and before in _DONE:
        ticket.reopened += 1
    if state != before or on != ticket.on:
        ticket.state, ticket.on = state, on
        ticket.ledger.append(Interval(at, state, on, fact.id))
        if before == _CANCELLED and state != before:
            revive(ticket, at, books)
    if ticket.acknowledged is None and fact.actor in (AUTOMATION, SYSTEM):
        wrote = fact.comment == PUBLIC and fact.kind != CREATED
        if wrote or (stated and state == _RESPONDED):
            ticket.acknowledged = at
    _milestones(ticket, fact, at, stated, human, books)
    _transitions(ticket, at, books)


def _milestones(
    ticket: Fold,
    fact: Fact,
    at: Instant,
    stated: bool,
    human: bool,
    books: TenantBooks,
) -> None:
    """Latch what a fact reaches (D07, D09): only a human answers; a jump reaches the earlier ones too."""
    response, plan = ticket.clocks[RESPONSE], ticket.clocks[PLAN]
    if response.phase > _PAUSED and plan.phase > _PAUSED:
        return
    options = books.options_of(response)
    state = ticket.state
    if fact.actor == UNKNOWN and options.unknown_actor == "ignored":
        human = False
    if clocks.is_open(response):
        spoke = fact.comment == PUBLIC or (fact.comment and options.note_counts)
        answered = human and spoke and fact.kind != CREATED
        worked = human and stated and state in _WORKED
        at_once = fact.kind == CREATED and _origin(ticket, fact, options) == "immediate"
        if answered or worked or at_once or state in _DONE:
            implied = not (answered or at_once) and state != _RESPONDED
            _reach(response, at, books, implied=implied)
            response.unverified = fact.actor == UNKNOWN and state not in _DONE
            ticket.responded = True
    if plan.phase == _PENDING and ticket.responded:
        # An answer that came before the clocks start is one of their first instant (D30).
        plan.started = at if response.reached is None else response.reached
        _begin_plan(plan, plan.started, books)
    if clocks.is_open(plan) and ((human and stated and state == _IN_PROGRESS) or state in _DONE):
        _reach(plan, at, books, implied=state in _DONE)


def _begin_plan(plan: Clock, at: Instant, books: TenantBooks) -> None:
    if plan.target is not None and plan.bd:
        options = books.options_of(plan)
        target = Target(plan.amount or 0, "bd")
        coverage = books.coverage(plan.calendar)
        plan.target = target_length(target, coverage, at, options)
        plan.until = meant(target, coverage, at, options)
    start(plan, at, books)


def _origin(ticket: Fold, fact: Fact, options: Options) -> str:
    """Return how a ticket that an agent logged is answered, by its channel (D10)."""
    channel = ticket.attributes.get("channel")
    if fact.kind != CREATED or fact.actor != AGENT or not channel:
        return "normal"
    return options.origin.get(fold_text(channel), "normal")


def _skips_response(ticket: Fold, fact: Fact, books: TenantBooks) -> bool:
    """Note that nobody waits for an answer to this ticket; returns whether that is so (D10)."""
    if (
        fact.kind != CREATED
        or _origin(ticket, fact, books.options_of(ticket.clocks[RESPONSE])) != "skip"
    ):
        return False
    ticket.attributes["response"] = "skip"
    return True


def _reach(clock: Clock, at: Instant, books: TenantBooks, *, implied: bool) -> None:
    clocks.stop(clock, max(at, clock.started), books.coverage(clock.calendar), implied=implied)


def _transitions(ticket: Fold, at: Instant, books: TenantBooks) -> None:
    """Let every clock of the current cycles follow the ticket's state."""
    state, on, responded = ticket.state, ticket.on, ticket.responded
    for clock in clocks.live(ticket.clocks):
        phase, indicator = clock.phase, clock.indicator
        if phase == _PENDING and state != _CANCELLED:
            continue
        if phase == _STOPPED and indicator != RESOLUTION:
            continue
        options = books.options_of(clock)
        mode = clocks.mode_of(indicator, state, on, responded, options.pause_before_response)
        if mode is not _RUN or phase != _RUNNING:
            _follow(ticket, clock, mode, at, options, books)


def _follow(
    ticket: Fold, clock: Clock, mode: Mode, at: Instant, options: Options, books: TenantBooks
) -> None:
    coverage = books.coverage(clock.calendar)
    if clock.phase == _STOPPED:
        if mode in (Mode.RUN, Mode.PAUSE):
            reopen(ticket, clock, mode, at, options, books)
    elif mode == Mode.CANCEL:
        if clock.phase != Phase.CANCELLED:
            clocks.cancel(clock, at, coverage)
    elif mode == Mode.STOP:
        clocks.stop(clock, at, coverage)
        forgive(ticket, clock, at, options, coverage)
    elif mode == Mode.PAUSE:
        if clock.phase != _PAUSED or clock.paused_on != ticket.on:
            clocks.pause(clock, at, ticket.on, coverage)
    elif clock.phase != _RUNNING:
        clocks.run(clock, at, coverage, books.steps_for(clock))
