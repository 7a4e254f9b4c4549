"""A ticket's state as a fold of its facts (D01), judged by the books in force.

Nothing here knows what time it is: `step` moves a ticket to the time of a fact, `Fold.advance` to
any instant. Who is told about it, and whether once, is the business of `slastream.core.alert`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from slastream.core import clock as clocks
from slastream.core.books import BREACH, TenantBooks, Version
from slastream.core.choice import Terms
from slastream.core.clock import Clock, Mode, Phase
from slastream.core.coverage import Coverage
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
from slastream.core.ledger import crossing, recount
from slastream.core.policy import Indicator, Options, Target, fold_text
from slastream.core.retarget import meant, retarget, target_length

RESPONSE, PLAN, RESOLUTION = int(Indicator.RESPONSE), int(Indicator.PLAN), int(Indicator.RESOLUTION)
# Plain integers, since every event of every ticket is compared with them and an enum's members are
# looked up anew each time.
_NEW, _RESPONDED, _IN_PROGRESS = int(State.NEW), int(State.RESPONDED), int(State.IN_PROGRESS)
_RESOLVED, _CANCELLED = int(State.RESOLVED), int(State.CANCELLED)
_WORKED = (_RESPONDED, _IN_PROGRESS)
_DONE = (_RESOLVED, int(State.CLOSED))
_PENDING, _RUNNING, _PAUSED, _STOPPED = map(int, list(Phase)[:4])
_RUN = Mode.RUN


class Interval(Struct, array_like=True):
    """One entry of the ledger: a state from an instant until the next entry's."""

    at: Instant
    state: int
    on: str = ""
    cause: int = 0


class Fold(Struct, array_like=True):
    """What the facts of a ticket amount to."""

    start: Instant
    known: bool
    """Whether its creation was told: a ticket without is measured and never judged (D41)."""
    source: str
    state: int = State.NEW
    on: str = ""
    attributes: dict[str, Any] = {}
    ledger: list[Interval] = []
    clocks: list[Clock] = []
    reopened: int = 0
    acknowledged: Instant | None = None
    responded: bool = False
    horizon: Instant = 0
    """The last instant that is recorded in this fold: an earlier fact needs a new fold."""
    unmapped: tuple[str, str] | None = None
    """Board and status of the last fact, when no mapping knows the status."""

    def advance(self, until: Instant, books: TenantBooks) -> None:
        """Record what running clocks pass up to `until`."""
        for clock in self.clocks:
            if clock.next_at is not None and clock.next_at <= until:
                coverage, steps = books.coverage(clock.calendar), books.steps_for(clock)
                if clocks.advance(clock, until, coverage, steps):
                    last = clock.hits[-1]
                    self.horizon = max(self.horizon, last.at + (last.kind == BREACH))

    def live(self) -> list[Clock]:
        """Return the clocks of the current cycles."""
        return [clock for clock in self.clocks if not clock.old]


def version_of(clock: Clock, books: TenantBooks) -> Version:
    """Return the book version that a clock is pinned to (D24)."""
    return books.named(clock.book) or books.at(clock.started)


def options_of(clock: Clock, books: TenantBooks) -> Options:
    """Return the options of the policy that judges a clock."""
    return books.options_of(clock)


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
    _tell(result, first, told, version)
    chosen = version.chooser.terms(result.attributes, result.start)
    if chosen[RESOLUTION].options.merge == "inherit_earliest_start":
        _inherit_start(result, facts, told)
    result.ledger.append(Interval(result.start, State.NEW))
    for indicator in Indicator:
        result.clocks.append(
            _new_clock(result, indicator, 1, result.start, chosen[indicator], version, books)
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


def _new_clock(
    ticket: Fold,
    indicator: int,
    cycle: int,
    at: Instant,
    terms: Terms,
    version: Version,
    books: TenantBooks,
) -> Clock:
    coverage = books.coverage(terms.calendar)
    options = terms.options
    started = at
    if cycle == 1 and options.start == "next_open":
        started = coverage.next_open(at)
    elif cycle == 1 and options.start == "next_day":
        started = coverage.next_working_day(at)
    target = terms.target
    clock = Clock(
        indicator=indicator,
        cycle=cycle,
        started=started,
        policy=terms.policy,
        book=version.book.version,
        calendar=terms.calendar,
        amount=target.amount if target else None,
        bd=target is not None and target.unit == "bd",
        target=target_length(target, coverage, started, options)
        if target and ticket.known
        else None,
        until=meant(target, coverage, started, options) if target else None,
    )
    if indicator == PLAN and options.plan_origin == "responded":
        clock.phase = Phase.PENDING
        return clock
    _start(clock, started, books)
    return clock


def _start(clock: Clock, at: Instant, books: TenantBooks) -> None:
    clocks.run(clock, at, books.coverage(clock.calendar), books.steps_for(clock))


def step(ticket: Fold, fact: Fact, told: Sequence[dict[str, Any]], books: TenantBooks) -> None:
    """Move a ticket to the time of a fact and apply it."""
    at = max(fact.at, ticket.start)
    ticket.advance(at, books)
    version = books.at(at)
    changed = _tell(ticket, fact, told, version)
    if changed or fact.kind == ABSORBED or _skips_response(ticket, fact, books):
        for clock in ticket.clocks:
            if clock.open:
                _reconsider(ticket, clock, at, books)
    state, on, stated = _state(ticket, fact, version)
    before = ticket.state
    human = fact.actor in (AGENT, UNKNOWN)
    if state < _RESOLVED and before in _DONE:
        ticket.reopened += 1
    if state != before or on != ticket.on:
        ticket.state, ticket.on = state, on
        ticket.ledger.append(Interval(at, state, on, fact.id))
        if before == _CANCELLED and state != before:
            _revive(ticket, at, books)
    if ticket.acknowledged is None and fact.actor in (AUTOMATION, SYSTEM):
        wrote = fact.comment == PUBLIC and fact.kind != CREATED
        if wrote or (stated and state == State.RESPONDED):
            ticket.acknowledged = at
    _milestones(ticket, fact, at, before, stated, human, books)
    _transitions(ticket, fact, at, books)


def _tell(ticket: Fold, fact: Fact, told: Sequence[dict[str, Any]], version: Version) -> bool:
    """Take over the attributes that a fact tells; returns whether any changed."""
    attributes, changed = ticket.attributes, False
    if not attributes:
        attributes["source"] = ticket.source
    if fact.status is not None:
        attributes["status"] = fact.status
        attributes["sub_status"] = fact.sub
    elif fact.sub is not None:
        attributes["sub_status"] = fact.sub
    if fact.told < 0:
        return False
    for name, value in told[fact.told].items():
        if name == "absorbed":
            _absorb(attributes, value, version, ticket.source)
            continue
        if name == "priority":
            attributes["raw_priority"] = value
            value = _priority(value, version, ticket.source)
        if attributes.get(name) != value:
            attributes[name] = value
            changed = True
    if (
        changed
        and attributes.get("raw_priority") is None
        and attributes.get("impact")
        and attributes.get("urgency")
    ):
        grid = version.mapping(ticket.source).matrix
        pair = fold_text(attributes["impact"]), fold_text(attributes["urgency"])
        attributes["priority"] = grid.get(pair)
    return changed


def _priority(raw: str | None, version: Version, source: str) -> str | None:
    """Return the priority of the book's targets for a source's word."""
    if raw is None:
        return None
    return version.mapping(source).priorities.get(fold_text(raw), raw)


def _absorb(
    attributes: dict[str, Any], absorbed: dict[str, Any] | None, version: Version, source: str
) -> None:
    """Remember the priority of a ticket that was merged into this one (D42)."""
    priority = _priority((absorbed or {}).get("priority"), version, source)
    known = attributes.get("absorbed_priorities", [])
    if priority and priority not in known:
        attributes["absorbed_priorities"] = [*known, priority]


def _state(ticket: Fold, fact: Fact, version: Version) -> tuple[int, str, bool]:
    """Return the state after a fact, who it waits on, and whether the fact stated it."""
    ticket.unmapped = None
    if fact.state >= 0:
        return fact.state, fact.on, True
    if fact.status is None and fact.sub is None:
        if fact.kind == RESTORED and ticket.state == State.CANCELLED:
            return _before_cancelled(ticket)
        return _assigned(ticket, ticket.state, ticket.on, version, False)
    attributes = ticket.attributes
    status = attributes.get("status")
    found = version.state(
        ticket.source, attributes.get("board"), status, attributes.get("sub_status")
    )
    if found is None:
        if status is not None:
            ticket.unmapped = (attributes.get("board") or "", status)
        return ticket.state, ticket.on, False
    return _assigned(ticket, found.state, found.on, version, True)


def _assigned(
    ticket: Fold, state: int, on: str, version: Version, stated: bool
) -> tuple[int, str, bool]:
    if (
        state == _NEW
        and ticket.attributes.get("assignee")
        and version.mapping(ticket.source).assigned_is_responded
    ):
        return State.RESPONDED, "", True
    return state, on, stated


def _before_cancelled(ticket: Fold) -> tuple[int, str, bool]:
    for interval in reversed(ticket.ledger):
        if interval.state != State.CANCELLED:
            return interval.state, interval.on, False
    return State.NEW, "", False


def _milestones(
    ticket: Fold,
    fact: Fact,
    at: Instant,
    before: int,
    stated: bool,
    human: bool,
    books: TenantBooks,
) -> None:
    """Latch what a fact reaches (D07, D09): only a human answers; a jump reaches the earlier ones too."""
    response, plan = ticket.clocks[RESPONSE], ticket.clocks[PLAN]
    if response.phase > _PAUSED and plan.phase > _PAUSED:
        return
    options = options_of(response, books)
    state = ticket.state
    if fact.actor == UNKNOWN and options.unknown_actor == "ignored":
        human = False
    if response.open:
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
    if plan.open and ((human and stated and state == _IN_PROGRESS) or state in _DONE):
        _reach(plan, at, books, implied=state in _DONE)


def _begin_plan(plan: Clock, at: Instant, books: TenantBooks) -> None:
    if plan.target is not None and plan.bd:
        options = options_of(plan, books)
        target = Target(plan.amount or 0, "bd")
        coverage = books.coverage(plan.calendar)
        plan.target = target_length(target, coverage, at, options)
        plan.until = meant(target, coverage, at, options)
    _start(plan, at, books)


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
        or _origin(ticket, fact, options_of(ticket.clocks[RESPONSE], books)) != "skip"
    ):
        return False
    ticket.attributes["response"] = "skip"
    return True


def _reach(clock: Clock, at: Instant, books: TenantBooks, *, implied: bool) -> None:
    clocks.stop(clock, max(at, clock.started), books.coverage(clock.calendar), implied=implied)


def _transitions(ticket: Fold, fact: Fact, at: Instant, books: TenantBooks) -> None:
    """Let every clock of the current cycles follow the ticket's state."""
    state, on, responded = ticket.state, ticket.on, ticket.responded
    for clock in ticket.live():
        phase, indicator = clock.phase, clock.indicator
        if phase == _PENDING and state != _CANCELLED:
            continue
        if phase == _STOPPED and indicator != RESOLUTION:
            continue
        options = books.options_of(clock)
        mode = clocks.mode_of(indicator, state, on, responded, options.pause_before_response)
        if mode is not _RUN or phase != _RUNNING:
            _follow(ticket, clock, mode, at, options, books)


def _revive(ticket: Fold, at: Instant, books: TenantBooks) -> None:
    """Let the clocks of a cancelled ticket run on: it is one again (D44)."""
    for clock in ticket.live():
        if clock.phase != Phase.CANCELLED:
            continue
        waits = clock.indicator == PLAN and not ticket.responded
        if waits and options_of(clock, books).plan_origin == "responded":
            clock.phase = Phase.PENDING
        else:
            clocks.run(clock, at, books.coverage(clock.calendar), books.steps_for(clock))
        _reconsider(ticket, clock, at, books)  # what was told meanwhile counts from now on


def _follow(
    ticket: Fold, clock: Clock, mode: Mode, at: Instant, options: Options, books: TenantBooks
) -> None:
    coverage = books.coverage(clock.calendar)
    if clock.phase == _STOPPED:
        if mode in (Mode.RUN, Mode.PAUSE):
            _reopen(ticket, clock, mode, at, options, books)
    elif mode == Mode.CANCEL:
        if clock.phase != Phase.CANCELLED:
            clocks.cancel(clock, at, coverage)
    elif mode == Mode.STOP:
        clocks.stop(clock, at, coverage)
        _forgive(ticket, clock, at, options, coverage)
    elif mode == Mode.PAUSE:
        if clock.phase != Phase.PAUSED or clock.paused_on != ticket.on:
            clocks.pause(clock, at, ticket.on, coverage)
    elif clock.phase != Phase.RUNNING:
        clocks.run(clock, at, coverage, books.steps_for(clock))


def _reopen(
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
        version = books.at(at)
        terms = version.chooser.terms(ticket.attributes, at)[clock.indicator]
        clock = _new_clock(ticket, clock.indicator, clock.cycle + 1, at, terms, version, books)
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
        _reconsider(ticket, clock, at, books)


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
        clock.hits.append(clocks.Hit(BREACH, "breach", at, "reopen"))


def _forgive(ticket: Fold, clock: Clock, at: Instant, options: Options, coverage: Coverage) -> None:
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


def _reconsider(ticket: Fold, clock: Clock, at: Instant, books: TenantBooks) -> None:
    """Choose again after a change of attributes, and retarget the clock when its terms changed (D19)."""
    version = version_of(clock, books)
    attributes = ticket.attributes
    terms = version.chooser.terms(attributes, clock.started)[clock.indicator]
    if terms.options.merge == "inherit_strictest_target":
        inherited = [
            version.chooser.terms({**attributes, "priority": priority}, clock.started)
            for priority in attributes.get("absorbed_priorities", ())
        ]
        terms = min(
            [terms, *(other[clock.indicator] for other in inherited)],
            key=lambda each: _length(each, clock, books),
        )
    if clock.indicator == RESPONSE and attributes.get("response") == "skip":
        terms = terms._replace(target=None)
    if retarget(ticket, clock, at, terms, books):
        ticket.horizon = max(ticket.horizon, at)


def _length(terms: Terms, clock: Clock, books: TenantBooks) -> float:
    if terms.target is None:
        return float("inf")
    coverage = books.coverage(terms.calendar)
    return target_length(terms.target, coverage, clock.started, terms.options)
