"""Who was told what: the difference between what is true of a ticket and what was announced.

A fold says which levels stand. This file compares them with the levels that were announced before
and returns what to publish: new alerts, what clears them, what corrects them, and outcomes. Because
it is a difference, a late event needs no case of its own: what is no longer a fact is corrected.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from slastream.core.books import AT_RISK, BREACH, OVERDUE, TenantBooks
from slastream.core.clock import outcome_of
from slastream.core.event import State
from slastream.core.instant import Instant
from slastream.core.policy import INDICATORS, Indicator
from slastream.core.shapes import (
    CLEARED,
    CORRECTED,
    SENT,
    SKIPPED,
    Announced,
    Announcement,
    Clock,
    Decided,
    Fold,
    Hit,
    Notice,
    Phase,
    Published,
    Told,
)

_LABELS: Final = tuple(INDICATORS)
_STOPPED: Final = int(Phase.STOPPED)
_RESOLUTION: Final = int(Indicator.RESOLUTION)
_CLOSED: Final = int(State.CLOSED)


TYPES: Final = ("at_risk", "breached", "breached")
"""By kind of level: an overdue level is a reminder of the breach."""


def fact_id(*parts: object) -> str:
    """Return the deterministic id of a fact: 32 hexadecimal digits of a hash over its parts."""
    return digest("\x1f".join(map(str, parts)))


def digest(text: str) -> str:
    """Return 32 hexadecimal digits of a hash over the parts of a fact, joined by U+001F."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def announce(key: str, ticket: Fold, told: Told, now: Instant, books: TenantBooks) -> Announcement:
    """Return what to publish about a ticket at `now`, and note it in `told`.

    Of several levels that stand unannounced on one clock, the highest is sent and the others are
    passed over (D31, D41).
    """
    notices: list[Notice] = []
    outcomes: list[Decided] = []
    skipped = 0
    wake: Instant | None = None
    held = told.hold is not None and now < told.hold
    waiting = False
    published = len(told.outcomes)
    if told.alerts:
        _take_back(key, ticket, told, notices)
    for clock in ticket.clocks:
        if clock.hits:
            new = _unannounced(clock, told)
            if new:
                ready, later = _ripe(clock, new, now, books)
                wake = _sooner(wake, later)
                if ready and held:
                    waiting = True
                elif ready:
                    skipped += _send(key, clock, ready, told, notices, books)
        if clock.next_at is not None:
            at = clock.next_at + books.options_of(clock).grace
            if wake is None or at < wake:
                wake = at
        if clock.target is None:
            continue
        before = _published(told, clock) if told.outcomes else None
        published -= before is not None
        if before is not None or clock.phase == _STOPPED:
            wake = _sooner(wake, _decide(key, ticket, clock, before, told, now, outcomes, books))
    if published:
        _retract_vanished(key, ticket, told, outcomes)
    if waiting:
        wake = _sooner(wake, told.hold)
    elif not held:
        told.hold = None
    return Announcement(notices, outcomes, skipped, wake)


def withdraw(ticket: Fold, told: Told, now: Instant) -> list[Notice]:
    """Return what clears every alert of a ticket that stands, for one that is erased on request."""
    notices = []
    for entry in told.alerts:
        if entry.how != SENT:
            continue
        clock = _clock_of(ticket, entry.indicator, entry.cycle)
        for hit in clock.hits if clock.cycle == entry.cycle else ():
            if hit.on and _tells(entry, hit):
                hit.on, hit.off, hit.off_at = False, "erased", max(now, hit.at)
                id_ = fact_id(entry.id, "cleared", "erased")
                notices.append(
                    Notice("cleared", id_, clock, hit, entry.kind, entry.text, "erased", entry)
                )
    return notices


def has_unannounced(ticket: Fold, told: Told) -> bool:
    """Return whether a level stands that nobody was told about."""
    return any(clock.hits and _unannounced(clock, told) for clock in ticket.clocks)


def _sooner(one: Instant | None, other: Instant | None) -> Instant | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _unannounced(clock: Clock, told: Told) -> list[Hit]:
    return [hit for hit in clock.hits if hit.on and not _is_announced(hit, clock, told)]


def _is_announced(hit: Hit, clock: Clock, told: Told) -> bool:
    return any(
        entry.how != CORRECTED and _is_of(entry, clock) and _tells(entry, hit)
        for entry in told.alerts
    )


def _ripe(
    clock: Clock, hits: list[Hit], now: Instant, books: TenantBooks
) -> tuple[list[Hit], Instant | None]:
    """Split hits into those whose grace is over, and the instant at which the next one's is (D39)."""
    grace = books.options_of(clock).grace
    ready: list[Hit] = []
    later: Instant | None = None
    for hit in hits:
        at = hit.at + grace + (hit.kind == BREACH)
        if at <= now:
            ready.append(hit)
        else:
            later = _sooner(later, at)
    return ready, later


def _send(
    key: str, clock: Clock, ready: list[Hit], told: Told, notices: list[Notice], books: TenantBooks
) -> int:
    """Announce the highest of the ready levels, if any may be announced; returns how many were passed over."""
    enforce = books.options_of(clock).enforce_from
    quiet = max(told.quiet_until, -1 if enforce is None else enforce - 1)
    above = _standing(clock, told)
    loud = [
        hit
        for hit in ready
        if hit.at > quiet
        and not (hit.kind == AT_RISK and clock.spent is not None)
        and clock.hits.index(hit) > above
    ]
    top = max(loud, key=lambda hit: (hit.kind, hit.at), default=None)
    if top is not None and top.kind != OVERDUE:
        # The order in which levels were recorded is the order of their height.
        top = [hit for hit in loud if hit.kind == top.kind][-1]
    for hit in ready:
        id_ = alert_id(key, clock, hit, told)
        sent = hit is top
        told.alerts.append(
            Announced(
                clock.indicator,
                clock.cycle,
                hit.kind,
                hit.text,
                hit.at,
                id_,
                SENT if sent else SKIPPED,
            )
        )
        if sent:
            notices.append(Notice(TYPES[hit.kind], id_, clock, hit, hit.kind, hit.text, hit.cause))
    return len(ready) - (top is not None)


def _standing(clock: Clock, told: Told) -> int:
    """Return the place of the last level of a clock that was sent and still stands, or -1."""
    for place in range(len(clock.hits) - 1, -1, -1):
        hit = clock.hits[place]
        for entry in told.alerts:
            if entry.how == SENT and _is_of(entry, clock) and _tells(entry, hit):
                return place
    return -1


def _is_of(entry: Announced, clock: Clock) -> bool:
    return entry.indicator == clock.indicator and entry.cycle == clock.cycle


def _tells(entry: Announced, hit: Hit) -> bool:
    return entry.at == hit.at and entry.kind == hit.kind and entry.text == hit.text


def alert_id(key: str, clock: Clock, hit: Hit, told: Told) -> str:
    """Return the id of an alert: the same fact has the same id whoever announces it, and how often (D32).

    A fact that was taken back by mistake, and turns out to be one, is announced under a new id:
    a consumer that drops repeats would miss it under the old one.
    """
    again = 0
    for entry in told.alerts:
        if entry.how == CORRECTED and _is_of(entry, clock) and _tells(entry, hit):
            again += 1
    return digest(
        f"{key}\x1f{clock.indicator}\x1f{clock.cycle}\x1f{clock.policy}\x1f{clock.target}\x1f{hit.kind}"
        f"\x1f{hit.text}\x1f{hit.at}" + (f"\x1f{again}" if again else "")
    )


def _take_back(key: str, ticket: Fold, told: Told, notices: list[Notice]) -> None:
    """Clear what no longer stands, and correct what turned out never to have been."""
    corrected: set[tuple[int, int]] = set()
    for entry in told.alerts:  # a correction appends what is true instead, which is looked at next
        if entry.how not in (SENT, CLEARED):
            continue
        clock = _clock_of(ticket, entry.indicator, entry.cycle)
        hit: Hit | None = None
        same: list[Hit] = []
        for other in clock.hits if clock.cycle == entry.cycle else []:
            if other.kind == entry.kind and other.text == entry.text:
                same.append(other)
                if hit is None and other.at == entry.at:
                    hit = other
        if hit is None:
            if entry.how == SENT or entry.kind == BREACH:
                _correct(key, clock, entry, same, told, notices)
                corrected.add((entry.indicator, entry.cycle))
        elif not hit.on and entry.how == SENT:
            entry.how = CLEARED
            id_ = fact_id(entry.id, "cleared", hit.off, hit.off_at)
            notices.append(
                Notice("cleared", id_, clock, hit, entry.kind, entry.text, hit.off, entry)
            )
        elif hit.on and entry.how == CLEARED:
            entry.how = CORRECTED  # cleared by mistake: it is announced again
    if len(notices) > 1:
        # One incident may have been announced at two instants that never were: whoever folds by
        # `dedup_key` must hear last of what stands.
        notices.sort(key=_still_stands)
    if corrected:  # what was passed over for these is looked at again
        told.alerts[:] = [
            entry
            for entry in told.alerts
            if entry.how != SKIPPED or (entry.indicator, entry.cycle) not in corrected
        ]


def _still_stands(notice: Notice) -> bool:
    return notice.type == "corrected" and notice.hit is not None and notice.hit.on


def _correct(
    key: str, clock: Clock, entry: Announced, same: list[Hit], told: Told, notices: list[Notice]
) -> None:
    entry.how = CORRECTED
    ours = [other for other in told.alerts if _is_of(other, clock)]
    known = {(other.kind, other.text, other.at) for other in ours if other.how in (SENT, CLEARED)}
    instead = next((hit for hit in same if (hit.kind, hit.text, hit.at) not in known), None)
    if instead is None:
        id_ = fact_id(entry.id, "corrected")
    else:
        # The correction is how the new fact is announced, so it bears that fact's id.
        id_ = alert_id(key, clock, instead, told)
        told.alerts.append(
            Announced(
                clock.indicator, clock.cycle, instead.kind, instead.text, instead.at, id_, SENT
            )
        )
    notices.append(
        Notice("corrected", id_, clock, instead, entry.kind, entry.text, "late_event", entry)
    )


def _clock_of(ticket: Fold, indicator: int, cycle: int) -> Clock:
    """Return the clock of an announcement, or its indicator's latest when that cycle is no longer a fact."""
    latest = ticket.clocks[indicator]
    for clock in ticket.clocks:
        if clock.indicator == indicator:
            if clock.cycle == cycle:
                return clock
            latest = clock
    return latest


def _published(told: Told, clock: Clock) -> Published | None:
    for published in told.outcomes:
        if published.indicator == clock.indicator and published.cycle == clock.cycle:
            return published
    return None


def _decide(
    key: str,
    ticket: Fold,
    clock: Clock,
    before: Published | None,
    told: Told,
    now: Instant,
    outcomes: list[Decided],
    books: TenantBooks,
) -> Instant | None:
    """Publish the outcome of a stopped clock when it is new, and retract that of a reopened one (D16, D18)."""
    if clock.phase != _STOPPED or clock.reached is None:
        if before is not None and not before.retracted:
            _retract(key, clock, before, outcomes)
        return None
    if before is not None and before.final and not _differs(before, clock, outcome_of(clock), True):
        return None
    final_at = clock.reached + books.options_of(clock).verification
    final = (
        clock.indicator != _RESOLUTION or clock.old or ticket.state == _CLOSED or now >= final_at
    )
    outcome = outcome_of(clock)
    if before is not None and before.final and not before.retracted:
        same = (before.outcome, before.reached, before.elapsed)
        final = final or same == (outcome, clock.reached, clock.elapsed)
    if before is None or _differs(before, clock, outcome, final):
        finality = "final" if final else "provisional"
        id_ = digest(
            f"{key}\x1foutcome\x1f{clock.indicator}\x1f{clock.cycle}\x1f{outcome}\x1f{finality}"
            f"\x1f{clock.reached}\x1f{clock.elapsed}"
            + ("" if before is None else f"\x1f{before.id}")
        )
        replaces = before.id if before is not None and not before.retracted else None
        outcomes.append(Decided(id_, clock, outcome, finality, replaces, clock.cycle))
        if before is not None:
            told.outcomes.remove(before)
        told.outcomes.append(
            Published(
                clock.indicator, clock.cycle, outcome, final, clock.reached, clock.elapsed, id_,
                False, clock.target, clock.breached, clock.paused,
            )
        )  # fmt: skip
    return None if final else final_at


def _differs(before: Published, clock: Clock, outcome: str, final: bool) -> bool:
    """Whether an outcome says something else than the one that was published."""
    return (
        before.retracted
        or before.outcome != outcome
        or before.final != final
        or before.reached != clock.reached
        or before.elapsed != clock.elapsed
        or before.target != clock.target
        or before.breached != clock.breached
        or before.paused != clock.paused
    )


def _retract(key: str, clock: Clock, before: Published, outcomes: list[Decided]) -> None:
    before.retracted = True
    id_ = fact_id(before.id, "retracted")
    outcomes.append(Decided(id_, clock, before.outcome, "retracted", before.id, before.cycle))


def _retract_vanished(key: str, ticket: Fold, told: Told, outcomes: list[Decided]) -> None:
    """Retract the outcome of a cycle that a late event has undone."""
    cycles = {(clock.indicator, clock.cycle) for clock in ticket.clocks if clock.target is not None}
    for before in told.outcomes:
        if (before.indicator, before.cycle) not in cycles and not before.retracted:
            _retract(key, _clock_of(ticket, before.indicator, before.cycle), before, outcomes)


def dedup_key(key: str, indicator: int, cycle: int, kind: int) -> str:
    """Return what folds an alert with what clears it: at most 200 ASCII bytes, ending in the kind."""
    tail = f"/{_LABELS[indicator]}/{cycle}/{'at_risk' if kind == AT_RISK else 'breached'}"
    if len(key) + len(tail) <= 200 and key.isascii():
        return key + tail
    return fact_id(key) + tail
