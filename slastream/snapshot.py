"""A ticket's snapshot on the clocks topic: what its clocks say at one instant.

What is published with nearly every event is written as text, member by member in a fixed order. Texts
that may need escaping go through `quoted`; labels, ids and times never do.
"""

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
from slastream.faces import Standing

LEDGER_ROWS: Final = 50

REMEMBERED: Final = 2_000
"""Texts whose JSON is kept: names of policies, calendars and levels, of which there are few."""

_HEADS: Final = tuple(f'"indicator":"{indicator.label}","cycle":' for indicator in Indicator)
_encoder: Final = msgspec.json.Encoder()
_quoted: Final[dict[str, str]] = {}
_judges: Final[dict[tuple[str, str, str], str]] = {}


def snapshot(
    key: str, fold: Fold, announced: list[Announced], now: Instant, books: TenantBooks
) -> bytes:
    """Return the value of a ticket's record on the clocks topic."""
    tenant, source, ticket = split_key(key)
    told = fold.attributes
    head = _encoder.encode(
        Standing(
            tenant, source, ticket,
            told.get("number"), told.get("url"), told.get("client"), told.get("contract"),
            told.get("priority"), told.get("type"), told.get("team"),
            ledger.STATE_LABELS[fold.state], fold.on or None,
            told.get("status"), told.get("board"), told.get("assignee"),
            format_instant(fold.start), fold.known, fold.reopened, format_instant(now),
        )
    )  # fmt: skip
    faces = ",".join([face(fold, clock, announced, now, books) for clock in fold.clocks])
    return joined(head, f'"clocks":[{faces}]')


def joined(head: bytes, members: str) -> bytes:
    """Return the JSON of an object with further members."""
    return head[:-1] + f",{members}}}".encode()


def face(
    fold: Fold, clock: Clock, announced: list[Announced], now: Instant, books: TenantBooks
) -> str:
    """Return what one clock says; a stopped one says what it said when it stopped."""
    coverage = books.coverage(clock.calendar)
    at = ledger.end_of(clock, now)
    rows = ledger.rows(fold, clock, coverage, books.options_of(clock), now)
    ahead = clock.next_at
    if ahead is None:
        next_level = "null"
    else:
        level = books.steps_for(clock)[clock.step].text
        next_level = f'{{"level":{quoted(level)},"at":"{format_instant(ahead)}"}}'
    return (
        f"{{{figures(clock, clock.cycle, measure(clock, coverage, at), clock.due)},"
        f'"phase":"{PHASES[clock.phase]}","verdict":"{verdict_of(clock)}",'
        f'"outcome":"{outcome_of(clock)}",'
        f'"reached_at":{when(clock.reached)},"breached_at":{when(clock.breached)},'
        f'"superseded":{"true" if superseded(clock) else "false"},'
        f"{paused(paused_by(clock, coverage, at))},"
        f'"waiting_on":{named(clock.paused_on)},"next":{next_level},'
        f'"alerts":[{sent(clock, announced)}],"ledger":[{ledger_rows(rows, LEDGER_ROWS)}]}}'
    )


def figures(clock: Clock, cycle: int, elapsed: Millis, due: Instant | None) -> str:
    """Return who judges a clock, its target, and what has passed of it."""
    target = clock.target
    if target is None:
        promised, remaining = "null", "null"
    else:
        promised, remaining = str(target), str(target - elapsed)
    return (
        f"{_HEADS[clock.indicator]}{cycle},{judge(clock.policy, clock.book, clock.calendar)}"
        f',"target_ms":{promised},"elapsed_ms":{elapsed},"remaining_ms":{remaining}'
        f',"started_at":"{format_instant(clock.started)}","due":{when(due)}'
    )


def judge(policy: str, book: str, calendar: str) -> str:
    """Return by what a clock is judged; no policy, or no book, is none."""
    found = _judges.get((policy, book, calendar))
    if found is None:
        if len(_judges) > REMEMBERED:
            _judges.clear()
        found = _judges[policy, book, calendar] = (
            f'"policy":{named(policy)},"book":{named(book)},"calendar":{quoted(calendar)}'
        )
    return found


def paused(by: dict[str, Millis]) -> str:
    """Return how long a clock stood still, and by who was waited for."""
    if not by:
        return '"paused_ms":0,"paused_by":{}'
    total: Millis = 0
    parts: list[str] = []
    for who, length in by.items():
        total += length
        parts.append(f"{quoted(who)}:{length}")
    return f'"paused_ms":{total},"paused_by":{{{",".join(parts)}}}'


def sent(clock: Clock, announced: list[Announced]) -> str:
    """Return the levels of a clock that were announced."""
    parts: list[str] = []
    for entry in announced:
        if (
            entry.indicator == clock.indicator
            and entry.cycle == clock.cycle
            and entry.how != SKIPPED
        ):
            at = format_instant(entry.at)
            parts.append(f'{{"level":{quoted(entry.text)},"id":"{entry.id}","reached_at":"{at}"}}')
    return ",".join(parts)


def ledger_rows(rows: list[ledger.Row], most: int) -> str:
    """Return the last rows; the earlier ones are summed into one, so that the sum stays exact."""
    if len(rows) > most:
        rows = [_summed(rows[: 1 - most]), *rows[1 - most :]]
    parts: list[str] = []
    end: Instant = -1
    until = ""
    for row in rows:
        # A row begins where the last one ended.
        since = until if row.start == end else format_instant(row.start)
        end = row.end
        until = format_instant(end)
        waited = f',"waiting_on":{quoted(row.on)},"waited_ms":{row.waited}' if row.on else ""
        parts.append(
            f'{{"from":"{since}","to":"{until}","state":"{row.state}",'
            f'"counted_ms":{row.counted}{waited}}}'
        )
    return ",".join(parts)


def _summed(rows: list[ledger.Row]) -> ledger.Row:
    waited: Millis = 0
    for row in rows:
        waited += row.waited
    counted = ledger.counted_in(rows)
    return ledger.Row(rows[0].start, rows[-1].end, "earlier", "", counted, waited)


def when(instant: Instant | None) -> str:
    """Return the JSON of an instant."""
    return "null" if instant is None else f'"{format_instant(instant)}"'


def named(text: str) -> str:
    """Return the JSON of a name; an empty one is none."""
    return quoted(text) if text else "null"


def quoted(text: str) -> str:
    """Return the JSON of a text that is likely to come again."""
    found = _quoted.get(text)
    if found is None:
        if len(_quoted) > REMEMBERED:
            _quoted.clear()
        found = _quoted[text] = _encoder.encode(text).decode()
    return found
