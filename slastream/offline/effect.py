"""What a new version of a book would do to the tickets that are open now (D56).

The new version is put beside the one in force, as a worker would do: a policy is pinned by the start
of a cycle, a calendar rules each instant from its version on (D24, D28). So a version that takes
effect next month moves no target of today's tickets, and its new holiday moves their due dates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from slastream.core.books import Books
from slastream.core.clock import is_open, live
from slastream.core.event import State
from slastream.core.instant import Instant
from slastream.core.policy import Book
from slastream.core.shapes import Clock
from slastream.offline.attainment import LABELS
from slastream.offline.histories import History
from slastream.offline.lines import stamp
from slastream.offline.run import Judged, Trouble, run


@dataclass
class Effect:
    """The clocks of open tickets that would change."""

    open_tickets: int = 0
    changes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def breaching(self) -> list[str]:
        """The tickets that would be in breach at once and are not now, by key, each once."""
        return list(
            dict.fromkeys(row["key"] for row in self.changes if row["effect"] == "breaches now")
        )

    def counts(self) -> dict[str, int]:
        """Return how many clocks change in which way."""
        found: dict[str, int] = {}
        for row in self.changes:
            found[row["effect"]] = found.get(row["effect"], 0) + 1
        return found


def effect(
    histories: Sequence[History],
    in_force: Sequence[Book],
    new: Sequence[Book],
    as_of: Instant,
    trouble: Trouble,
) -> Effect:
    """Compare every open clock before and after `new` joins the books in force."""
    found = Effect()
    before = run(histories, Books(*in_force), as_of, Trouble())
    after = {
        each.history.key: each for each in run(histories, Books(*in_force, *new), as_of, trouble)
    }
    tenants = {book.tenant for book in new}
    for old in before:
        one = after.get(old.history.key)
        if one is None or old.history.tenant not in tenants or one.fold.state >= State.RESOLVED:
            continue
        found.open_tickets += 1
        olds = {(clock.indicator, clock.cycle): clock for clock in old.fold.clocks}
        for clock in live(one.fold.clocks):
            row = _change(one, olds.get((clock.indicator, clock.cycle)), clock)
            if row is not None:
                found.changes.append(row)
    return found


def _change(ticket: Judged, old: Clock | None, new: Clock) -> dict[str, Any] | None:
    """Return what changes of an open clock; None when nothing does."""
    if not is_open(new) or (old is not None and _said(old) == _said(new)):
        return None
    attributes = ticket.fold.attributes
    return {
        "key": ticket.history.key,
        "ticket": ticket.history.ticket,
        "source": ticket.history.source,
        "client": attributes.get("client"),
        "priority": attributes.get("priority"),
        "indicator": LABELS[new.indicator],
        "cycle": new.cycle,
        "effect": _effect(old, new),
        "policy_before": None if old is None else old.policy or None,
        "policy_after": new.policy or None,
        "target_ms_before": None if old is None else old.target,
        "target_ms_after": new.target,
        "due_before": None if old is None or old.due is None else stamp(old.due),
        "due_after": None if new.due is None else stamp(new.due),
    }


def _said(clock: Clock) -> tuple[Any, ...]:
    return clock.policy, clock.target, clock.due, clock.breached is not None, clock.phase


def _effect(old: Clock | None, new: Clock) -> str:
    """Say in two words what a change means to the people who work on the ticket."""
    was = old is not None and old.breached is not None
    if new.breached is not None and not was:
        return "breaches now"
    if was and new.breached is None:
        return "breach undone"
    if old is None or old.target is None:
        return "judged now" if new.target is not None else "policy changes"
    if new.target is None:
        return "no target"
    if old.due is None or new.due is None:
        shorter, longer = new.target < old.target, new.target > old.target
    else:
        shorter, longer = new.due < old.due, new.due > old.due
    return "due earlier" if shorter else "due later" if longer else "policy changes"
