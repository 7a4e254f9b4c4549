"""Attainment counts what was decided, when it was decided, once; pauses near due are flagged."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from slastream.board.hours import Hours
from slastream.board.trends import Tally, Trends
from slastream.board.trends_page import body
from slastream.board.words import Words
from slastream.core.instant import HOUR, MINUTE
from tests.support.desk import at, book, office, policy

KEY = "acme/desk/1"
DAY = ("2026-03-03", "2026-03-03")


def outcome(outcome: str = "met", finality: str = "final", **told: Any) -> bytes:
    return orjson.dumps({
        "tenant": "acme", "client": "dental", "indicator": "resolution", "cycle": 1,
        "calendar": "office", "outcome": outcome, "finality": finality,
        "reached_at": "2026-03-03T10:00:00.000Z", "breached_at": None,
        "decided_at": "2026-03-03T10:00:00.000Z", "elapsed_ms": HOUR,
        "paused_by": {"client": 2 * HOUR}, "closed_hours_ms": 3 * HOUR, "objective": 90.0,
    } | told)  # fmt: skip


def tally(trends: Trends, tenants: frozenset[str] | None = None) -> list[tuple[int, int]]:
    return [(each.met, each.missed) for each in trends.between(*DAY, tenants).values()]


def test_an_outcome_counts_once_whatever_is_said_of_it_later() -> None:
    """Provisional, repeated, replaced, retracted: the last word counts."""
    trends = Trends(Hours())
    seen = []
    for told in (
        outcome("missed", "provisional"), outcome("missed", "provisional"), outcome("met"),
        outcome("met", "retracted"), outcome("missed"),
    ):  # fmt: skip
        trends.outcome(KEY, told)
        seen.append(tally(trends))

    assert [[(0, 1)], [(0, 1)], [(1, 0)], [], [(0, 1)]] == seen


def test_a_miss_counts_on_the_day_of_its_due_in_the_calendars_zone() -> None:
    """What breaks in Auckland on Wednesday morning is no miss of Tuesday."""
    hours = Hours()
    hours.add(book(policy("gold", "office"), calendars=(office("Pacific/Auckland"),)))
    trends = Trends(hours)
    late = "2026-03-03T13:00:00.000Z"
    trends.outcome(KEY, outcome("missed", breached_at=late, reached_at="2026-03-09T00:00:00.000Z"))

    assert [] == tally(trends)
    assert 1 == len(trends.between("2026-03-04", "2026-03-04", None))


def test_another_tenants_attainment_is_not_shown() -> None:
    """A viewer's tallies are those of the viewer's tenants."""
    trends = Trends(Hours())
    trends.outcome(KEY, outcome())
    trends.outcome("other/desk/1", outcome(tenant="other", client="secret-client"))
    page = body(
        Words("en"), trends, trends._hours, frozenset({"acme"}), at("2026-03-03 12:00"), loaded=True
    )

    assert ("dental" in page, "secret-client" in page) == (True, False)


@pytest.mark.parametrize(
    "value", [b"", b"[]", b"{}", b"\xff", outcome(decided_at=7, breached_at="x")]
)
def test_a_record_that_is_no_outcome_counts_nothing(value: bytes) -> None:
    """A bad record does not stop the page."""
    trends = Trends(Hours())
    trends.outcome(KEY, value)

    assert [] == tally(trends)


@pytest.mark.parametrize(
    ("expected", "met", "missed", "objective"),
    [
        ((10, 9), 99, 1, 90.0), ((10, 10), 100, 0, 90.0), ((3, 0), 57, 3, 95.0),
        ((0, -1), 8, 1, 97.0), ((1, 1), 1000, 0, 99.9), (None, 5, 5, None), (None, 0, 0, 90.0),
    ],
)  # fmt: skip
def test_the_budget_is_the_misses_that_the_objective_allows(
    expected: tuple[int, int] | None, met: int, missed: int, objective: float | None
) -> None:
    """Allowed misses are cut, as attainment is; what is overspent is negative."""
    assert expected == Tally(met, missed).budget(objective)


def snapshot(paused: str, resumed: str, counted: int, phase: str = "running") -> dict[str, Any]:
    rows = [
        {"from": "2026-03-03T09:00:00.000Z", "to": f"2026-03-03T{paused}:00.000Z", "state": "new",
         "counted_ms": counted},
        {"from": f"2026-03-03T{paused}:00.000Z", "to": f"2026-03-03T{resumed}:00.000Z",
         "state": "waiting", "counted_ms": 0, "waiting_on": "client", "waited_ms": HOUR},
    ]  # fmt: skip
    return {
        "tenant": "acme", "ticket": "1", "number": "T-1", "client": "dental",
        "confirmed_at": "2026-03-03T16:00:00.000Z",
        "clocks": [{"indicator": "resolution", "cycle": 1, "calendar": "office", "phase": phase,
                    "target_ms": 4 * HOUR, "paused_ms": HOUR, "ledger": rows}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("flagged", "told"),
    [
        (True, snapshot("12:50", "14:00", 4 * HOUR - 10 * MINUTE)),
        (False, snapshot("12:50", "12:55", 4 * HOUR - 10 * MINUTE)),
        (False, snapshot("10:00", "15:00", HOUR)),
        (False, snapshot("12:50", "16:00", 4 * HOUR - 10 * MINUTE, "paused")),
    ],
)
def test_a_pause_just_before_due_that_ends_after_it_is_flagged(
    flagged: bool, told: dict[str, Any]
) -> None:
    """Little time left when it began, past due when it ended, and over."""
    trends = Trends(Hours())
    trends.ticket(KEY, told)

    assert flagged == bool(trends.flags(None))
    assert [] == trends.flags(frozenset({"other"}))


def test_memory_is_bounded() -> None:
    """Old outcomes can no longer be corrected; they still count."""
    trends = Trends(Hours(), kept=10)
    for number in range(50):
        trends.outcome(f"acme/desk/{number}", outcome())

    assert ([(50, 0)], 10) == (tally(trends), len(trends._decided))
