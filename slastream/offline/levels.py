"""What became of each level of a clock: announced, suppressed and why, cleared, or ahead (D31, D47).

Whether anybody was told is found by running the ticket as a worker would.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slastream.core.books import BREACH, Books
from slastream.core.clock import is_open
from slastream.core.errors import InvariantBroken
from slastream.core.instant import Instant
from slastream.core.shapes import CORRECTED, SKIPPED, Announced, Clock, Hit, Phase, Row
from slastream.offline.alerts import Arrival, Ticker
from slastream.offline.lines import stamp
from slastream.offline.run import Judged, Trouble


def announced(
    told: Sequence[Arrival], books: Books, as_of: Instant, key: str
) -> tuple[Row | None, dict[str, str]]:
    """Run the ticket as a worker would; returns its row, and when each alert was detected, by id."""
    ticker = Ticker(books, Trouble())
    alerts = {line["ce_id"]: line["detected_at"] for line in ticker.alerts(told, as_of)}
    if key in ticker.trouble.failed:
        raise InvariantBroken(f"{key}: {ticker.trouble.failed[key]}")
    return ticker.rows.get(key), alerts


def levels_of(
    judged: Judged, clock: Clock, row: Row | None, alerts: dict[str, str]
) -> list[dict[str, Any]]:
    """Return what became of each level: announced, suppressed and why, or ahead."""
    entries: list[Announced] = [] if row is None else row.told.alerts
    ours = [e for e in entries if (e.indicator, e.cycle) == (clock.indicator, clock.cycle)]
    found = [_reached(judged, clock, hit, ours, row, alerts) for hit in clock.hits]
    if clock.breached is not None and not any(hit.kind == BREACH for hit in clock.hits):
        found.append(_silent_breach(clock, clock.breached))
    steps = judged.books.steps_for(clock)
    coverage = judged.books.coverage(clock.calendar)
    for level in steps[clock.step :]:
        if level.kind == BREACH and clock.breached is not None:
            continue
        at = None
        if clock.since is not None:
            at = coverage.due(clock.since, max(0, level.offset - clock.elapsed))
            if level.kind == BREACH and clock.due is not None:
                at = clock.due  # business days may fall due outside opening hours
        found.append(
            {
                "level": level.text,
                "reached_at": None,
                "status": "ahead" if is_open(clock) else "not reached",
                "expected_at": None if at is None else stamp(at),
                "reason": _not_reached(clock),
            }
        )
    found += _corrected(ours, alerts)
    return found


def _reached(
    judged: Judged,
    clock: Clock,
    hit: Hit,
    ours: list[Announced],
    row: Row | None,
    alerts: dict[str, str],
) -> dict[str, Any]:
    entry = next((e for e in ours if (e.kind, e.text, e.at) == (hit.kind, hit.text, hit.at)), None)
    said: dict[str, Any] = {
        "level": hit.text,
        "reached_at": stamp(hit.at),
        "cause": hit.cause or None,
        "taken_back": None
        if hit.on or hit.off_at is None
        else {"at": stamp(hit.off_at), "because": hit.off},
    }
    if entry is None:
        said["status"], said["reason"] = (
            ("waiting", "held until settle or grace is over")
            if hit.on
            else ("suppressed", f"it was {hit.off} before it could be announced")
        )
    elif entry.how == SKIPPED:
        said["status"], said["reason"] = "suppressed", _why_skipped(judged, clock, hit, row)
    else:
        said["status"] = "announced"
        said["announced_at"] = alerts.get(entry.id)
        said["alert_id"] = entry.id
    return said


def _silent_breach(clock: Clock, at: Instant) -> dict[str, Any]:
    """Return a breach that stands and that no level tells: a new target made it past in a pause."""
    return {
        "level": "breach",
        "reached_at": stamp(at),
        "status": "suppressed",
        "reason": "the clock was paused when a new target was overrun"
        + ("; it is announced on resume" if is_open(clock) else ""),
    }


def _why_skipped(judged: Judged, clock: Clock, hit: Hit, row: Row | None) -> str:
    enforce = judged.books.options_of(clock).enforce_from
    if enforce is not None and hit.at < enforce:
        return f"alerts are enforced from {stamp(enforce)} on (enforce_from)"
    if row is not None and hit.at <= row.told.quiet_until:
        return "imported history is measured and not announced"
    if hit.kind != BREACH and clock.breached is not None:
        return "the target was overrun already"
    return "a higher level was reached at the same time, and only that one was announced"


def _not_reached(clock: Clock) -> str | None:
    if clock.phase == Phase.PAUSED:
        return "the clock is paused"
    if clock.phase == Phase.STOPPED:
        return "the clock stopped before"
    if clock.phase == Phase.CANCELLED:
        return "the clock was cancelled before"
    return None


def _corrected(ours: list[Announced], alerts: dict[str, str]) -> list[dict[str, Any]]:
    """Return what was announced and turned out, by a late event, never to have been (D38)."""
    return [
        {
            "level": entry.text,
            "reached_at": stamp(entry.at),
            "status": "corrected",
            "announced_at": alerts.get(entry.id),
            "alert_id": entry.id,
            "reason": "a late event showed that it had not been so",
        }
        for entry in ours
        if entry.how == CORRECTED
    ]
