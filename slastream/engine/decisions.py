"""What a step decided, counted while it is known: promises kept and missed, and how close it was.

A promise counts once: as missed when its breach is announced, as met with the first outcome of its
milestone. Reminders, corrections and what follows the first outcome count no more.
"""

from __future__ import annotations

from typing import Final

from slastream.core.books import TenantBooks
from slastream.core.clock import measure
from slastream.core.instant import Instant
from slastream.core.policy import Indicator
from slastream.core.shapes import Clock, Decided, Fold, Notice
from slastream.engine.effects import Effects

_INDICATORS: Final = tuple(indicator.label for indicator in Indicator)


def count_notice(
    effects: Effects, key: bytes, tenant: str, fold: Fold, notice: Notice, now: Instant
) -> None:
    """Count how late an alert was detected, and the promise that is missed with a breach."""
    hit = notice.hit
    if hit is not None and notice.type in ("at_risk", "breached"):
        effects.delays.append((notice.type, now - hit.at, key))
    if notice.type == "breached" and notice.text == "breach":
        _decided(effects, tenant, fold, notice.clock, "missed")


def count_outcome(
    effects: Effects, tenant: str, source: str, fold: Fold, told: Decided, now: Instant,
    books: TenantBooks,
) -> None:  # fmt: skip
    """Count an outcome, if nothing was published before about its milestone."""
    if told.replaces is not None or told.finality == "retracted":
        return
    clock = told.clock
    indicator = _INDICATORS[clock.indicator]
    if told.outcome == "met":
        _decided(effects, tenant, fold, clock, "met")
    if clock.target:
        at = clock.reached if clock.reached is not None else now
        elapsed = measure(clock, books.coverage(clock.calendar), at)
        effects.ratios.append((tenant, indicator, elapsed / clock.target))
    if clock.implied:
        effects.counts["implied", source, indicator] += 1


def _decided(effects: Effects, tenant: str, fold: Fold, clock: Clock, outcome: str) -> None:
    client, policy = fold.attributes.get("client") or "", clock.policy
    effects.counts["decisions", tenant, client, policy, _INDICATORS[clock.indicator], outcome] += 1
