"""Histories and books in, judged tickets out: one fold a ticket, then on to `as_of`.

Facts are put in their order first, so nothing here knows in which order they arrived; who would have
been told what, and when, is `slastream.offline.alerts`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from slastream.core.books import Books, TenantBooks
from slastream.core.event import State
from slastream.core.fact import CREATED, RESTORED, Fact, order
from slastream.core.instant import Instant
from slastream.core.shapes import Fold
from slastream.core.ticket import advance, begin, step, undeleted
from slastream.offline.histories import History


@dataclass
class Trouble:
    """What a run met that its figures do not show."""

    unmapped: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Source, board and status that no mapping knows -> how many events (D04)."""
    failed: dict[str, str] = field(default_factory=dict)
    """Ticket key -> why it could not be judged."""
    bookless: Counter[str] = field(default_factory=Counter)
    """Tenants without a book -> how many tickets, which are measured only."""
    unborn: int = 0
    """Tickets whose creation was never told: they are measured and not judged (D41)."""


@dataclass(slots=True)
class Judged:
    """A ticket as the books see it at `as_of`."""

    history: History
    fold: Fold
    books: TenantBooks


def run(
    histories: Sequence[History], books: Books, as_of: Instant, trouble: Trouble
) -> Iterator[Judged]:
    """Judge tickets one by one. One that cannot be judged is noted and never stops the others."""
    known = set(books.tenants())
    for history in histories:
        if history.tenant not in known:
            trouble.bookless[history.tenant] += 1
        theirs = books.of(history.tenant)
        try:
            fold = judge(history, theirs, as_of, trouble)
        except Exception as error:
            trouble.failed[history.key] = f"{type(error).__name__}: {error}"
            continue
        if fold is not None:
            trouble.unborn += not fold.known
            yield Judged(history, fold, theirs)


def judge(
    history: History, books: TenantBooks, as_of: Instant, trouble: Trouble | None = None
) -> Fold | None:
    """Return the state of one ticket at `as_of`; None when all its events would be dead letters."""
    facts = in_order(history, books)
    told, source = history.told, history.source
    while facts:
        result = begin(facts, told, source, books)
        for fact in facts:
            step(result, fact, told, books)
            if result.unmapped is not None and _refused(history, result, books, trouble):
                facts = [other for other in facts if other is not fact]
                break
        else:
            advance(result, as_of, books)
            return result
    return None


def _refused(history: History, fold: Fold, books: TenantBooks, trouble: Trouble | None) -> bool:
    """Count a status without a mapping; returns whether the event would have been a dead letter."""
    if trouble is not None and fold.unmapped is not None:
        trouble.unmapped[(history.source, *fold.unmapped)] += 1
    return books.options_of(fold.clocks[0]).unmapped == "dead_letter"


def in_order(history: History, books: TenantBooks) -> Sequence[Fact]:
    """Return the facts in the order of folding (D38), each id once, the first telling of it."""
    facts = history.facts
    if len(facts) == 1:
        return facts
    ids = {fact.id for fact in facts}
    if len(ids) != len(facts):
        once: dict[int, Fact] = {}
        for fact in facts:
            once.setdefault(fact.id, fact)
        facts = list(once.values())
    restored = False
    sorted_, tied = True, False
    for one, two in pairwise(facts):
        if two.at < one.at or (two.at == one.at and two.sequence < one.sequence):
            sorted_ = False
            break
        if two.at == one.at and two.sequence == one.sequence:
            tied = True
    if not sorted_ or tied:
        # What events of one instant ask for matters only where there are such, and depends on the
        # mapping, so it is looked up here and not for every event.
        for fact in facts:
            fact.rank = _rank(fact, history, books)
        facts = sorted(facts, key=lambda fact: order(fact))
    for fact in facts:
        if fact.kind == RESTORED:
            restored = True
    return undeleted(facts) if restored else facts


def _rank(fact: Fact, history: History, books: TenantBooks) -> int:
    """Return what `engine.judge.same_instant_rank` says of the event behind a fact."""
    if fact.kind == CREATED:
        return -1
    if fact.state >= 0:
        return fact.state
    if fact.status is None:
        return 0
    board = history.told[fact.told].get("board") if fact.told >= 0 else None
    mapped = books.at(fact.at).state(history.source, board, fact.status, fact.sub)
    return int(State.NEW if mapped is None else mapped.state)
