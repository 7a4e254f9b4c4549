"""A ticket's snapshot on the clocks topic: what its clocks say at one instant."""

from __future__ import annotations

from typing import Final

import msgspec

from slastream.core import ledger
from slastream.core.books import TenantBooks
from slastream.core.clock import measure, outcome_of, paused_by, superseded, verdict_of
from slastream.core.instant import Instant, Millis, format_instant
from slastream.core.key import split_key
from slastream.core.policy import Indicator
from slastream.core.shapes import PHASES, SKIPPED, Announced, Clock, Fold
from slastream.faces import Face, LedgerRow, Next, Sent, Snapshot

LEDGER_ROWS: Final = 50

_INDICATORS: Final = tuple(indicator.label for indicator in Indicator)
_NOBODY: Final[dict[str, Millis]] = {}
_encoder: Final = msgspec.json.Encoder()


def snapshot(
    key: str, fold: Fold, announced: list[Announced], now: Instant, books: TenantBooks
) -> bytes:
    """Return the value of a ticket's record on the clocks topic."""
    tenant, source, ticket = split_key(key)
    told = fold.attributes.get
    return _encoder.encode(
        Snapshot(
            tenant, source, ticket,
            told("number"), told("url"), told("client"), told("contract"), told("priority"),
            told("type"), told("team"),
            ledger.STATE_LABELS[fold.state], fold.on or None,
            told("status"), told("board"), told("assignee"),
            format_instant(fold.start), fold.known, fold.reopened, format_instant(now),
            [face(fold, clock, announced, now, books) for clock in fold.clocks],
        )
    )  # fmt: skip


def face(
    fold: Fold, clock: Clock, announced: list[Announced], now: Instant, books: TenantBooks
) -> Face:
    """Return what one clock says; a stopped one says what it said when it stopped."""
    coverage = books.coverage(clock.calendar)
    at = ledger.end_of(clock, now)
    elapsed, target = measure(clock, coverage, at), clock.target
    due, reached, breached, ahead = clock.due, clock.reached, clock.breached, clock.next_at
    paused = paused_by(clock, coverage, at) or _NOBODY
    rows = ledger.rows(fold, clock, coverage, books.options_of(clock), now)
    return Face(
        _INDICATORS[clock.indicator],
        clock.cycle,
        clock.policy or None,
        clock.book or None,
        clock.calendar,
        target,
        elapsed,
        None if target is None else target - elapsed,
        format_instant(clock.started),
        None if due is None else format_instant(due),
        PHASES[clock.phase],
        verdict_of(clock),
        outcome_of(clock),
        None if reached is None else format_instant(reached),
        None if breached is None else format_instant(breached),
        superseded(clock),
        sum(paused.values()) if paused else 0,
        paused,
        clock.paused_on or None,
        None
        if ahead is None
        else Next(books.steps_for(clock)[clock.step].text, format_instant(ahead)),
        [
            Sent(entry.text, entry.id, format_instant(entry.at))
            for entry in announced
            if entry.indicator == clock.indicator
            and entry.cycle == clock.cycle
            and entry.how != SKIPPED
        ],
        ledger_rows(rows, LEDGER_ROWS),
    )


def ledger_rows(rows: list[ledger.Row], most: int) -> list[LedgerRow]:
    """Return the last rows; the earlier ones are summed into one, so that the sum stays exact."""
    if len(rows) > most:
        early = rows[: 1 - most]
        counted, waited = sum(row.counted for row in early), sum(row.waited for row in early)
        rows = [
            ledger.Row(early[0].start, early[-1].end, "earlier", "", counted, waited),
            *rows[1 - most :],
        ]
    return [
        LedgerRow(
            format_instant(row.start), format_instant(row.end), row.state, row.counted,
            row.on, row.waited,
        )
        if row.on
        else LedgerRow(format_instant(row.start), format_instant(row.end), row.state, row.counted)
        for row in rows
    ]  # fmt: skip
