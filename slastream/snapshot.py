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
from slastream.core.coverage import Coverage
from slastream.core.instant import Instant, Millis, format_instant, json_instant
from slastream.core.key import split_key
from slastream.core.policy import Indicator
from slastream.core.shapes import PHASES, SKIPPED, Announced, Clock, Fold
from slastream.faces import Standing

LEDGER_ROWS: Final = 50

REMEMBERED: Final = 2_000
"""Texts whose JSON is kept: names of policies, calendars and levels, of which there are few."""

_HEADS: Final = tuple(f'"indicator":"{indicator.label}","cycle":' for indicator in Indicator)
_PHASES: Final = tuple(f',"phase":"{phase}",' for phase in PHASES)
_encoder: Final = msgspec.json.Encoder()
_quoted: Final[dict[str, str]] = {}


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
    faces: list[str] = []
    written = Written()
    judge: Judge | None = None
    for clock in fold.clocks:
        if judge is None or not judge.judges(clock):
            judge = Judge(clock, books)
        faces.append(face(fold, clock, judge, written, announced, now, books))
    return joined(head, f',"clocks":[{",".join(faces)}]}}')


def joined(head: bytes, members: str) -> bytes:
    """Return the JSON of an object with further members: a text from the next comma to the last brace."""
    return head[:-1] + members.encode()


class Judge:
    """What judges a clock: most often the same as the clock before."""

    __slots__ = ("book", "calendar", "coverage", "names", "options", "policy")

    def __init__(self, clock: Clock, books: TenantBooks) -> None:
        self.policy = clock.policy
        self.book = clock.book
        self.calendar = clock.calendar
        self.coverage = books.coverage(clock.calendar)
        self.options = books.options_of(clock)
        self.names = names(clock)

    def judges(self, clock: Clock) -> bool:
        """Return whether it judges this clock too."""
        return (
            clock.policy == self.policy
            and clock.book == self.book
            and clock.calendar == self.calendar
        )


class Written:
    """The rows of the clock before, as they were written: most often those of the next begin alike."""

    __slots__ = ("rows", "texts")

    def __init__(self) -> None:
        self.rows: list[ledger.Row] = []
        self.texts: list[str] = []


def face(
    fold: Fold,
    clock: Clock,
    judge: Judge,
    written: Written,
    announced: list[Announced],
    now: Instant,
    books: TenantBooks,
) -> str:
    """Return what one clock says; a stopped one says what it said when it stopped."""
    coverage = judge.coverage
    at = ledger.end_of(clock, now)
    rows = ledger.rows(fold, clock, coverage, judge.options, now)
    ahead = clock.next_at
    if ahead is None:
        next_level = "null"
    else:
        level = books.steps_for(clock)[clock.step].text
        next_level = f'{{"level":{quoted(level)},"at":{json_instant(ahead)}}}'
    return (
        f"{{{figures(clock, judge.names, clock.cycle, measure(clock, coverage, at), clock.due)}"
        f'{_PHASES[clock.phase]}"verdict":"{verdict_of(clock)}","outcome":"{outcome_of(clock)}"'
        f"{reached(clock)}{paused(clock, coverage, at)}"
        f',"waiting_on":{named(clock.paused_on)},"next":{next_level}'
        f',"alerts":[{sent(clock, announced)}],"ledger":[{ledger_rows(rows, LEDGER_ROWS, written)}]}}'
    )


def names(clock: Clock) -> str:
    """Return by what a clock is judged; no policy, or no book, is none."""
    return (
        f'"policy":{named(clock.policy)},"book":{named(clock.book)}'
        f',"calendar":{quoted(clock.calendar)}'
    )


def figures(clock: Clock, judged_by: str, cycle: int, elapsed: Millis, due: Instant | None) -> str:
    """Return by what a clock is judged, its target, and what has passed of it."""
    target = clock.target
    if target is None:
        promised, remaining = "null", "null"
    else:
        promised, remaining = str(target), str(target - elapsed)
    return (
        f"{_HEADS[clock.indicator]}{cycle},{judged_by}"
        f',"target_ms":{promised},"elapsed_ms":{elapsed},"remaining_ms":{remaining}'
        f',"started_at":{json_instant(clock.started)},"due":{when(due)}'
    )


def reached(clock: Clock) -> str:
    """Return when a clock reached its milestone, and when it was first breached."""
    if clock.reached is None and clock.breached is None:
        return ',"reached_at":null,"breached_at":null'
    return f',"reached_at":{when(clock.reached)},"breached_at":{when(clock.breached)}'


def paused(clock: Clock, coverage: Coverage, at: Instant) -> str:
    """Return whether a breach is of an earlier target, how long a clock stood still, and for whom."""
    by = paused_by(clock, coverage, at)
    over = superseded(clock)
    if not by and not over:
        return ',"superseded":false,"paused_ms":0,"paused_by":{}'
    total: Millis = 0
    parts: list[str] = []
    for who, length in by.items():
        total += length
        parts.append(f"{quoted(who)}:{length}")
    return (
        f',"superseded":{"true" if over else "false"}'
        f',"paused_ms":{total},"paused_by":{{{",".join(parts)}}}'
    )


def sent(clock: Clock, announced: list[Announced]) -> str:
    """Return the levels of a clock that were announced."""
    if not announced:
        return ""
    parts: list[str] = []
    for entry in announced:
        if (
            entry.indicator == clock.indicator
            and entry.cycle == clock.cycle
            and entry.how != SKIPPED
        ):
            parts.append(
                f'{{"level":{quoted(entry.text)},"id":"{entry.id}","reached_at":{json_instant(entry.at)}}}'
            )
    return ",".join(parts)


def ledger_rows(rows: list[ledger.Row], most: int, written: Written) -> str:
    """Return the last rows; the earlier ones are summed into one, so that the sum stays exact."""
    if len(rows) > most:
        rows = [_summed(rows[: 1 - most]), *rows[1 - most :]]
    before, known = written.rows, written.texts
    texts: list[str] = []
    for i, row in enumerate(rows):
        same = i < len(before) and _same(before[i], row)
        texts.append(known[i] if same else _row(row))
    written.rows, written.texts = rows, texts
    return ",".join(texts)


def _same(one: ledger.Row, other: ledger.Row) -> bool:
    return (
        one.start == other.start
        and one.end == other.end
        and one.counted == other.counted
        and one.waited == other.waited
        and one.state == other.state
        and one.on == other.on
    )


def _row(row: ledger.Row) -> str:
    waited = f',"waiting_on":{quoted(row.on)},"waited_ms":{row.waited}' if row.on else ""
    return (
        f'{{"from":{json_instant(row.start)},"to":{json_instant(row.end)},"state":"{row.state}"'
        f',"counted_ms":{row.counted}{waited}}}'
    )


def _summed(rows: list[ledger.Row]) -> ledger.Row:
    waited: Millis = 0
    for row in rows:
        waited += row.waited
    counted = ledger.counted_in(rows)
    return ledger.Row(rows[0].start, rows[-1].end, "earlier", "", counted, waited)


def when(instant: Instant | None) -> str:
    """Return the JSON of an instant."""
    return "null" if instant is None else json_instant(instant)


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
