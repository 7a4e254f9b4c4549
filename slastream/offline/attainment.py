"""How many promises were kept: met and missed, by client, indicator and month (D45).

A cycle counts in the period in which it was decided: when the milestone was reached in time, or when
the target was overrun, even if the ticket is open still. Cancelled ones stand apart, and a
percentage never goes without its numerator and denominator, nor is it ever rounded up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from slastream.core.clock import outcome_of
from slastream.core.event import State
from slastream.core.instant import Instant, Millis
from slastream.core.policy import Indicator
from slastream.core.shapes import Clock, Phase
from slastream.core.terms import version_of
from slastream.offline.run import Judged

DIMENSIONS = ("tenant", "source", "client", "type", "priority", "indicator", "policy", "month")
BY = ("client", "indicator", "month")
LABELS = tuple(indicator.label for indicator in Indicator)


@dataclass
class Tally:
    """The cycles of one group."""

    met: int = 0
    missed: int = 0
    missed_open: int = 0
    """Of the missed ones, those whose ticket has not got there yet."""
    cancelled: int = 0
    undecided: int = 0
    """Running or paused within their target. They stand in no month."""

    @property
    def decided(self) -> int:
        return self.met + self.missed


class Attainment:
    """Tallies by the dimensions asked for; groups with different objectives are kept apart."""

    def __init__(self, by: Sequence[str] = BY) -> None:
        self.by = tuple(by)
        self.groups: dict[tuple[Any, ...], Tally] = {}

    def add(self, judged: Judged) -> None:
        """Count the cycles of a ticket that have a target."""
        for clock in judged.fold.clocks:
            if clock.target is None:
                continue
            key = (
                *(self._value(name, judged, clock) for name in self.by),
                objective(judged, clock),
            )
            tally = self.groups.setdefault(key, Tally())
            outcome = outcome_of(clock)
            if outcome == "met":
                tally.met += 1
            elif outcome == "missed":
                tally.missed += 1
                tally.missed_open += clock.phase != Phase.STOPPED
            elif outcome == "cancelled":
                tally.cancelled += 1
            else:
                tally.undecided += 1

    def _value(self, name: str, judged: Judged, clock: Clock) -> str | None:
        if name == "month":
            return month(judged, clock)
        if name == "indicator":
            return LABELS[clock.indicator]
        if name == "policy":
            return clock.policy
        if name in ("tenant", "source"):
            return str(getattr(judged.history, name))
        value: str | None = judged.fold.attributes.get(name)
        return value

    def rows(self) -> list[dict[str, Any]]:
        """Return one row a group, in order of its names, indicators in the order of a ticket's life."""
        place = {name: at for at, name in enumerate(self.by)}
        at = place.get("indicator")

        def order(key: tuple[Any, ...]) -> tuple[Any, ...]:
            parts = [("" if part is None else str(part)) for part in key]
            if at is not None:
                parts[at] = str(LABELS.index(key[at]))
            return tuple(parts)

        return [
            {**dict(zip(self.by, key, strict=False)), **figures(tally), "objective": key[-1]}
            for key, tally in sorted(self.groups.items(), key=lambda item: order(item[0]))
        ]

    def total(self) -> Tally:
        """Return all groups as one."""
        total = Tally()
        for tally in self.groups.values():
            total.met += tally.met
            total.missed += tally.missed
            total.missed_open += tally.missed_open
            total.cancelled += tally.cancelled
            total.undecided += tally.undecided
        return total


def figures(tally: Tally) -> dict[str, Any]:
    """Return the numbers of a tally by their names."""
    return {
        "met": tally.met,
        "missed": tally.missed,
        "missed_open": tally.missed_open,
        "decided": tally.decided,
        "percent": percent(tally.met, tally.decided),
        "cancelled": tally.cancelled,
        "undecided": tally.undecided,
    }


def percent(met: int, decided: int) -> float | None:
    """Return a percentage cut to two decimals: 9,999 of 10,000 are 99.99, never 100."""
    return None if decided == 0 else met * 10_000 // decided / 100


def percent_text(share: float | None) -> str:
    """Write a percentage for people."""
    return "-" if share is None else f"{share:.2f} %"


def objective(judged: Judged, clock: Clock) -> float | None:
    """Return the attainment that was promised for a clock, in percent, or None."""
    policy = judged.books.policy_of(clock)
    return None if policy is None else policy.objective.get(Indicator(clock.indicator))


def month(judged: Judged, clock: Clock) -> str | None:
    """Return the month in which a cycle was decided, in its calendar's zone; None while it is not."""
    at = decided_at(judged, clock)
    return None if at is None else _month(at // 1000, zone_name(judged, clock))


def decided_at(judged: Judged, clock: Clock) -> Instant | None:
    """Return when a cycle was decided or cancelled."""
    if clock.phase == Phase.CANCELLED:
        ledger = judged.fold.ledger
        return next((each.at for each in reversed(ledger) if each.state == State.CANCELLED), None)
    return clock.breached if clock.breached is not None else clock.reached


def zone_name(judged: Judged, clock: Clock) -> str:
    """Return the zone of the calendar that a clock is measured by."""
    calendar = version_of(clock, judged.books).book.calendars.get(clock.calendar)
    return "UTC" if calendar is None else calendar.zone


@lru_cache(maxsize=1000)
def zone(name: str) -> ZoneInfo:
    """Return a time zone, remembered."""
    return ZoneInfo(name)


def _month(second: int, name: str) -> str:
    return datetime.fromtimestamp(second, zone(name)).strftime("%Y-%m")


def breakpoints(judged: Iterable[Judged], share: float) -> dict[tuple[str, str], Breakpoint]:
    """Return, by indicator and priority, the target that `share` percent of the cycles would meet."""
    found: dict[tuple[str, str], Breakpoint] = {}
    for each in judged:
        priority = each.fold.attributes.get("priority") or ""
        for clock in each.fold.clocks:
            key = (LABELS[clock.indicator], priority)
            group = found.get(key)
            if group is None:
                group = found[key] = Breakpoint(share)
            group.add(clock)
    return found


class Breakpoint:
    """The cycles of one indicator and priority, with a target or without."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.targets: set[Millis] = set()
        self._elapsed: list[float] = []

    def add(self, clock: Clock) -> None:
        """Take in a cycle that has ended, or has overrun its target and so will end later than that."""
        if clock.target is not None:
            self.targets.add(clock.target)
        if clock.phase == Phase.STOPPED:
            self._elapsed.append(clock.elapsed)
        elif clock.phase != Phase.CANCELLED and clock.breached is not None:
            self._elapsed.append(math.inf)

    @property
    def cycles(self) -> int:
        return len(self._elapsed)

    def needed(self) -> Millis | None:
        """Return the shortest target that would do; None where too many are open still, or none ended."""
        if not self._elapsed:
            return None
        kept = math.ceil(len(self._elapsed) * self.share / 100)
        needed = sorted(self._elapsed)[max(0, kept - 1)]
        return None if math.isinf(needed) else int(needed)
