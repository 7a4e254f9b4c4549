"""How many promises were kept today and this month, and where the time went (D45, D35).

A cycle counts when it was decided: when its milestone was reached in time, or when its target was
overrun, in the zone of its calendar. An outcome that is taken back or replaced counts no more.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from slastream.board.card import zone_of
from slastream.board.hours import Hours
from slastream.board.text import plain
from slastream.core.errors import Rejected, SlastreamError
from slastream.core.instant import MINUTE, Instant, Millis, parse_instant
from slastream.offline.attainment import percent

KEPT = 300_000
"""Decided cycles that can still be corrected."""
FLAGGED = 500
NEAR: Millis = 30 * MINUTE
"""A pause with less than this, or a tenth of the target, left to go is near its due."""
DAYS = 32

INDICATORS = ("response", "plan", "resolution")

Group = tuple[str, str, str, float | None]
"""Tenant, client, indicator, objective."""


class Decided(NamedTuple):
    """One cycle's outcome, as it is counted."""

    day: str
    group: Group
    met: bool
    own: Millis
    waited: tuple[tuple[str, Millis], ...]
    closed: Millis


@dataclass
class Tally:
    """The cycles of one group and period."""

    met: int = 0
    missed: int = 0
    own: Millis = 0
    closed: Millis = 0
    waited: Counter[str] = field(default_factory=Counter)

    def count(self, one: Decided, by: int) -> None:
        if one.met:
            self.met += by
        else:
            self.missed += by
        self.own += by * one.own
        self.closed += by * one.closed
        for on, length in one.waited:
            self.waited[on] += by * length

    def add(self, other: Tally) -> None:
        self.met += other.met
        self.missed += other.missed
        self.own += other.own
        self.closed += other.closed
        self.waited.update(other.waited)

    @property
    def decided(self) -> int:
        return self.met + self.missed

    @property
    def percent(self) -> float | None:
        """Met of decided, cut to two decimals and never rounded up."""
        return percent(self.met, self.decided)

    def budget(self, objective: float | None) -> tuple[int, int] | None:
        """Return how many misses the objective allows of so many decided, and how many are left."""
        if objective is None or not self.decided:
            return None
        # In hundredths of a percent, so that no allowed miss is lost to a binary fraction.
        allowed = self.decided * (10_000 - round(objective * 100)) // 10_000
        return allowed, allowed - self.missed


class Flag(NamedTuple):
    """A pause that began just before due and ended after it would have been (D35)."""

    key: str
    tenant: str
    number: str
    client: str
    indicator: str
    paused_at: str
    resumed_at: str
    left: Millis
    on: str


class Trends:
    """Tallies by day and group, kept up to date outcome by outcome."""

    def __init__(self, hours: Hours, kept: int = KEPT) -> None:
        self._hours, self._kept = hours, kept
        self._decided: OrderedDict[tuple[str, str, int], Decided] = OrderedDict()
        self._days: dict[str, dict[Group, Tally]] = {}
        self._flags: OrderedDict[tuple[str, str, int, str], Flag] = OrderedDict()
        self.version = 0

    def outcome(self, key: str, data: bytes | None) -> None:
        """Take in a record of the outcomes topic."""
        try:
            value = orjson.loads(data or b"")
            cycle = (key, str(value["indicator"]), int(value["cycle"]))
            found = None if value["finality"] == "retracted" else self._read(value)
        except (ValueError, KeyError, TypeError, AttributeError, Rejected):
            return
        before = self._decided.pop(cycle, None)
        if before is not None:
            self._count(before, -1)
        if found is not None:
            self._decided[cycle] = found
            self._count(found, 1)
            if len(self._decided) > self._kept:
                self._decided.popitem(last=False)
        self.version += 1

    def _read(self, value: Mapping[str, Any]) -> Decided | None:
        if value["outcome"] not in ("met", "missed"):
            return None
        at = parse_instant(
            value.get("breached_at") or value.get("reached_at") or value["decided_at"]
        )
        tenant = plain(value["tenant"], 160)
        objective = value.get("objective")
        return Decided(
            day=local_day(at, self._hours.zone(tenant, value["calendar"])),
            group=(
                tenant, plain(value.get("client"), 160), plain(value["indicator"], 40),
                None if objective is None else float(objective),
            ),
            met=value["outcome"] == "met",
            own=int(value["elapsed_ms"]),
            waited=tuple((plain(on, 40), int(ms)) for on, ms in value["paused_by"].items()),
            closed=int(value["closed_hours_ms"]),
        )  # fmt: skip

    def _count(self, one: Decided, by: int) -> None:
        groups = self._days.get(one.day)
        if groups is None:
            groups = self._days[one.day] = {}
            if len(self._days) > DAYS:
                del self._days[min(self._days)]
        groups.setdefault(one.group, Tally()).count(one, by)

    def between(self, first: str, last: str, tenants: frozenset[str] | None) -> dict[Group, Tally]:
        """Return the tallies of the days from first to last, both included."""
        found: dict[Group, Tally] = {}
        for day, groups in self._days.items():
            if first <= day <= last:
                for group, tally in groups.items():
                    if (tenants is None or group[0] in tenants) and tally.decided:
                        found.setdefault(group, Tally()).add(tally)
        return dict(sorted(found.items(), key=lambda item: _order(item[0])))

    # -- pauses near due -----------------------------------------------------------------------

    def ticket(self, key: str, value: Mapping[str, Any]) -> None:
        """Look for pauses of a ticket that began just before due and ended after it."""
        for clock in value["clocks"]:
            if clock.get("paused_ms") and clock.get("target_ms") is not None:
                self._look(key, value, clock)

    def _look(self, key: str, value: Mapping[str, Any], clock: Mapping[str, Any]) -> None:
        target, counted = clock["target_ms"], 0
        near = max(NEAR, target // 10)
        for row in clock["ledger"]:
            left = target - counted
            counted += row["counted_ms"]
            over = row["to"] != value["confirmed_at"] or clock["phase"] != "paused"
            if not row.get("waited_ms") or not over or not 0 <= left <= near:
                continue
            coverage = self._hours.coverage(value["tenant"], clock["calendar"])
            try:
                due = coverage.due(parse_instant(row["from"]), left)
            except SlastreamError:
                continue
            if parse_instant(row["to"]) > due:
                self._flag(key, value, clock, row, left)

    def _flag(
        self, key: str, value: Mapping[str, Any], clock: Mapping[str, Any], row: Any, left: Millis
    ) -> None:
        name = (key, clock["indicator"], clock["cycle"], row["from"])
        self._flags[name] = Flag(
            key, plain(value["tenant"], 160), plain(value.get("number") or value["ticket"], 160),
            plain(value.get("client"), 160), plain(clock["indicator"], 40), row["from"], row["to"],
            left, plain(row.get("waiting_on"), 40),
        )  # fmt: skip
        if len(self._flags) > FLAGGED:
            self._flags.popitem(last=False)
        self.version += 1

    def flags(self, tenants: frozenset[str] | None) -> list[Flag]:
        """Return the flagged pauses, the latest first."""
        found = [each for each in self._flags.values() if tenants is None or each.tenant in tenants]
        return sorted(found, key=lambda each: each.resumed_at, reverse=True)


def local_day(instant: Instant, zone: str) -> str:
    """Return the local date of an instant as `2026-03-02`."""
    return datetime.fromtimestamp(instant // 1000, zone_of(zone)).strftime("%Y-%m-%d")


def _order(group: Group) -> tuple[str, str, int, float]:
    tenant, client, indicator, objective = group
    place = INDICATORS.index(indicator) if indicator in INDICATORS else len(INDICATORS)
    return tenant, client, place, objective or 0.0
