"""What the facts of a ticket amount to: its state, its ledger, its clocks. Shapes; the moves are elsewhere."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from slastream.core import clock as clocks
from slastream.core.books import BREACH, TenantBooks
from slastream.core.event import State
from slastream.core.instant import Instant
from slastream.core.shapes import Clock


class Interval(Struct, array_like=True, gc=False):
    """One entry of the ledger: a state from an instant until the next entry's."""

    at: Instant
    state: int
    on: str = ""
    cause: int = 0


class Fold(Struct, array_like=True, gc=False):
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
