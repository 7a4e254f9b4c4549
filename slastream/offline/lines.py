"""A judged clock as the line that `docs/contracts.md` 5 promises: these members, in this order.

Also the instants of those lines: there are five a line, and `strftime` is too slow for millions.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from slastream.core.clock import measure, outcome_of, paused_by, verdict_of
from slastream.core.instant import DAY, Instant, to_datetime
from slastream.core.ledger import end_of
from slastream.core.policy import Indicator
from slastream.core.shapes import Clock, Phase
from slastream.offline.run import Judged

FIELDS = (
    "tenant", "source", "ticket", "client", "priority", "indicator", "cycle", "policy", "calendar",
    "target_ms", "elapsed_ms", "remaining_ms", "started_at", "due", "reached_at", "breached_at",
    "phase", "verdict", "outcome", "paused_ms", "reopen_count",
)  # fmt: skip

_INDICATORS = tuple(indicator.label for indicator in Indicator)
_PHASES = tuple(phase.label for phase in Phase)


def clock_lines(judged: Judged, as_of: Instant) -> Iterator[dict[str, Any]]:
    """Yield one line for each clock cycle of a ticket: by indicator, then by cycle."""
    clocks = judged.fold.clocks
    if len(clocks) > len(_INDICATORS):
        clocks = sorted(clocks, key=lambda clock: (clock.indicator, clock.cycle))
    for clock in clocks:
        yield clock_line(judged, clock, as_of)


def clock_line(judged: Judged, clock: Clock, as_of: Instant) -> dict[str, Any]:
    """Return the line of one clock cycle, read at `as_of` or where the clock ended."""
    history, fold = judged.history, judged.fold
    at = end_of(clock, as_of)
    coverage = judged.books.coverage(clock.calendar)
    elapsed = measure(clock, coverage, at)
    target = clock.target
    return {
        "tenant": history.tenant,
        "source": history.source,
        "ticket": history.ticket,
        "client": fold.attributes.get("client"),
        "priority": fold.attributes.get("priority"),
        "indicator": _INDICATORS[clock.indicator],
        "cycle": clock.cycle,
        "policy": clock.policy or None,
        "calendar": clock.calendar,
        "target_ms": target,
        "elapsed_ms": elapsed,
        "remaining_ms": None if target is None else target - elapsed,
        "started_at": stamp(clock.started),
        "due": None if target is None or clock.due is None else stamp(clock.due),
        "reached_at": None if clock.reached is None else stamp(clock.reached),
        "breached_at": None if clock.breached is None else stamp(clock.breached),
        "phase": _PHASES[clock.phase],
        "verdict": verdict_of(clock),
        "outcome": outcome_of(clock),
        "paused_ms": sum(paused_by(clock, coverage, at).values()),
        "reopen_count": fold.reopened,
    }


def stamp(instant: Instant) -> str:
    """Return what `format_instant` returns, with the date looked up."""
    days, millis = divmod(instant, DAY)
    seconds, millis = divmod(millis, 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{_date(days)}T{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}.{millis:03d}Z"


@lru_cache(maxsize=100_000)
def _date(days: int) -> str:
    return to_datetime(days * DAY).strftime("%Y-%m-%d")
