"""One ticket's step: an event folded into its row, and what is to be announced about it.

Used by a partition, which stores rows and publishes, and offline, where rows stay in memory: the
same events end in the same verdicts in both.
"""

from __future__ import annotations

from typing import Any, Final

from slastream.core.alert import announce, has_unannounced
from slastream.core.books import TenantBooks
from slastream.core.errors import Rejected
from slastream.core.event import STATES, Event
from slastream.core.fact import (
    ABSORBED,
    DELETED,
    MERGED,
    RESTORED,
    Fact,
    fact_of,
    order,
    structural,
    told_by,
)
from slastream.core.instant import Instant
from slastream.core.shapes import Announcement, Fold, Row
from slastream.core.ticket import advance, fold, step, tells_start
from slastream.engine.row import MAX_FACTS

_ENDINGS: Final = {"deleted": DELETED, "merged": MERGED}
"""The kinds of event that cancel a ticket by themselves."""


def known(row: Row | None, event: Event, log_time: Instant, books: TenantBooks) -> Fact | None:
    """Return the fact of an event, or None when its row holds it already."""
    fact = fact_of(event, log_time, same_instant_rank(event, books))
    return None if row is not None and row.facts.holds(fact.id) else fact


def add(row: Row | None, fact: Fact, event: Event, books: TenantBooks) -> tuple[Row, bool]:
    """Fold a new fact into its row; returns the row and whether the fact came late.

    One step when it comes in order, a new fold when it does not. Raises `Rejected` for a ticket
    with more events than a row may hold.
    """
    if row is None:
        row = Row(fold=Fold(0, False, event.source), books=books.fingerprint)
    elif row.facts.count >= MAX_FACTS:
        raise Rejected(
            "too_many_events", f"a ticket with more than {MAX_FACTS} events is not judged"
        )
    told = told_by(event)
    if told:
        fact.told = _intern(row.told_attributes, told)
    if fact.log > row.last_log:
        row.last_log = fact.log
    if fact.imported and fact.log > row.told.quiet_until:
        row.told.quiet_until = fact.log
    facts, state = row.facts, row.fold
    late = facts.add(fact)
    if row.held:
        return row, late
    begins = not state.known and tells_start(fact)
    anew = late or begins or facts.count == 1 or fact.at < state.horizon
    if anew or fact.kind in (RESTORED, ABSORBED):
        refold(row, event.source, books)
        if late:
            row.fold.unmapped = None  # that of the last fact was told of when it came
            if fact.status is not None or fact.sub is not None:
                before = [one for one in facts.all() if order(one) <= order(fact)]
                then = fold(before, row.told_attributes, event.source, books)
                row.fold.unmapped = then.unmapped
    else:
        step(state, fact, row.told_attributes, books)
    return row, late


def renew(row: Row, source: str, books: TenantBooks) -> bool:
    """Fold a row again if other books than these have judged it; returns whether it may be judged.

    A row that was judged by a version which this worker has never read is held, not guessed at: its
    facts are kept, and it is folded when that version arrives.
    """
    if row.books == books.fingerprint:
        return not row.held
    row.held = bool(books.lacks(row.books))
    if not row.held:
        refold(row, source, books)
    return not row.held


def settle(row: Row, now: Instant, books: TenantBooks) -> None:
    """Hold back what was past already when this event armed it: a poll may tell a whole story at once."""
    state = row.fold
    advance(state, now, books)
    if row.told.hold is None and has_unannounced(state, row.told):
        wait = max(books.options_of(clock).settle for clock in state.clocks)
        row.told.hold = now + wait if wait else None


def look(key: str, row: Row, now: Instant, books: TenantBooks) -> Announcement:
    """Return what is to be published about a ticket at `now`, and set its next deadline."""
    advance(row.fold, now, books)
    said = announce(key, row.fold, row.told, now, books)
    row.deadline = said.next
    return said


def refold(row: Row, source: str, books: TenantBooks) -> None:
    """Fold a row's facts anew: after a late event, or under other books."""
    reached = row.fold.horizon
    row.books = books.fingerprint
    row.fold = fold(row.facts.all(), row.told_attributes, source, books)
    # What had come to pass by then has come to pass, whatever else is now different.
    advance(row.fold, reached, books)


def check_state(event: Event) -> None:
    """Raise `Rejected` for a state that is none of ours."""
    if event.state is not None and event.state not in STATES:
        raise Rejected("bad_state", f"{event.state!r} is none of {', '.join(STATES)}")


def same_instant_rank(event: Event, books: TenantBooks) -> int:
    """Return the place of an event among others of its instant: creation first, cancellation last (D38)."""
    if event.kind == "created":
        return -1
    state, _ = structural(event, _ENDINGS.get(event.kind, -1))
    if state >= 0:
        return state
    status = event.status
    if not isinstance(status, str):
        return 0
    board = event.board if isinstance(event.board, str) else None
    sub = event.sub_status if isinstance(event.sub_status, str) else None
    mapped = books.at(event.occurred_at).state(event.source, board, status, sub)
    return 0 if mapped is None else int(mapped.state)


def _intern(seen: list[dict[str, Any]], told: dict[str, Any]) -> int:
    """Return the index of `told` in the row's list, added when it is new: snapshots repeat themselves."""
    for index in range(len(seen) - 1, max(-1, len(seen) - 9), -1):
        if seen[index] == told:
            return index
    seen.append(told)
    return len(seen) - 1
