"""Where a card stands, and the views of many: groups in order, filters, steps that add up."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from slastream.board.card import Group
from slastream.board.hours import Hours
from slastream.board.lens import Filter
from slastream.board.shelf import Shelf
from slastream.core.instant import HOUR, MINUTE, Instant, format_instant
from tests.support.desk import at, book, office, policy

NOON = at("2026-03-03 12:00")


def clock(indicator: str = "response", **told: Any) -> dict[str, Any]:
    """A running clock of an hour's target, due in an hour and a half."""
    due = told.pop("due", NOON + 90 * MINUTE)
    breached, level_at = told.pop("breached_at", None), told.pop("level_at", None)
    return {
        "indicator": indicator, "cycle": 1, "policy": "gold", "book": "0#1", "calendar": "24x7",
        "target_ms": 2 * HOUR, "elapsed_ms": 30 * MINUTE, "remaining_ms": 90 * MINUTE,
        "started_at": format_instant(NOON - 30 * MINUTE),
        "due": None if due is None else format_instant(due), "phase": "running",
        "verdict": "on_track", "outcome": "running", "reached_at": None,
        "breached_at": None if breached is None else format_instant(breached),
        "superseded": False, "paused_ms": 0, "paused_by": {}, "waiting_on": None,
        "next": None if level_at is None else {"level": "75%", "at": format_instant(level_at)},
        "alerts": [], "ledger": [],
    } | told  # fmt: skip


def ticket(number: str = "1", /, *clocks: dict[str, Any], **told: Any) -> tuple[str, bytes]:
    """A record of the clocks topic."""
    about = {
        "tenant": "acme", "source": "desk", "ticket": number, "number": f"T-{number}", "url": None,
        "client": "dental", "contract": "gold", "priority": "P2", "type": "incident",
        "team": "network", "state": "new", "waiting_on": None, "status": None, "board": None,
        "assignee": None, "created_at": format_instant(NOON - 30 * MINUTE), "judged": True,
        "reopen_count": 0, "confirmed_at": format_instant(NOON), "clocks": list(clocks) or [clock()],
    } | told  # fmt: skip
    return f"{about['tenant']}/{about['source']}/{number}", orjson.dumps(about)


def shelf(now: Instant = NOON, *records: tuple[str, bytes]) -> Shelf:
    made = Shelf(Hours())
    made.advance(now)
    for key, data in records:
        made.put(key, data)
    return made


def group(*clocks: dict[str, Any]) -> Group:
    return next(shelf(NOON, ticket("1", *clocks)).cards()).group


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        (Group.OVERDUE, clock(breached_at=NOON - MINUTE, due=NOON - MINUTE)),
        (Group.OVERDUE, clock(breached_at=NOON - MINUTE, due=None, phase="paused")),
        (Group.OVERDUE, clock(due=NOON - 1)),
        (Group.AT_RISK, clock(verdict="at_risk")),
        (Group.AT_RISK, clock(level_at=NOON)),
        (Group.AT_RISK, clock(due=NOON, verdict="at_risk")),
        (Group.HOUR, clock(due=NOON)),
        (Group.HOUR, clock(due=NOON + HOUR)),
        (Group.TODAY, clock(due=NOON + HOUR + 1)),
        (Group.TODAY, clock(due=at("2026-03-03 23:59"))),
        (Group.LATER, clock(due=at("2026-03-04 00:00"))),
        (Group.PAUSED, clock(due=None, phase="paused", verdict="at_risk")),
    ],
)
def test_a_card_stands_where_its_clock_says(expected: Group, told: dict[str, Any]) -> None:
    """A breach outranks a pause; equal to due is still in time; today ends at the calendar's midnight."""
    assert expected == group(told)


@pytest.mark.parametrize(
    "told",
    [clock(phase="stopped"), clock(phase="pending"), clock(target_ms=None), clock(superseded=True)],
)
def test_a_clock_that_cannot_break_has_no_card(told: dict[str, Any]) -> None:
    """The page shows what may break, and nothing else."""
    assert [] == list(shelf(NOON, ticket("1", told)).cards())


def test_today_is_the_day_of_the_calendars_zone() -> None:
    """For a calendar of Auckland it is tomorrow already at noon UTC."""
    made = shelf(NOON)
    made.hours.add(book(policy("gold", "office"), calendars=(office("Pacific/Auckland"),)))
    made.put(*ticket("1", clock(calendar="office", due=at("2026-03-03 13:30"))))

    assert [Group.LATER] != [card.group for card in made.cards()]
    made.put(*ticket("1", clock(calendar="office", due=at("2026-03-04 11:30"))))

    assert [Group.LATER] == [card.group for card in made.cards()]


def test_time_alone_moves_a_card_through_its_groups() -> None:
    """Later, today, next hour, at risk, overdue: each at its own instant, not a beat too early."""
    due = at("2026-03-04 02:00")
    made = shelf(NOON, ticket("1", clock(due=due, level_at=due - 30 * MINUTE)))
    seen = []
    for moment in (
        due - 2 * HOUR - 1, due - 2 * HOUR, due - HOUR - 1, due - HOUR, due - 30 * MINUTE - 1,
        due - 30 * MINUTE, due, due + 1,
    ):  # fmt: skip
        made.advance(moment)
        seen.append(next(made.cards()).group)

    assert [
        Group.LATER, Group.TODAY, Group.TODAY, Group.HOUR, Group.HOUR, Group.AT_RISK,
        Group.AT_RISK, Group.OVERDUE,
    ] == seen  # fmt: skip


def test_what_the_board_expects_is_told_apart_from_what_the_engine_said() -> None:
    """A due that passes makes a card overdue at once, and marks it as not yet confirmed."""
    made = shelf(NOON, ticket("1", clock(due=NOON + 10)))
    made.advance(NOON + 11)
    expected = next(made.cards()).expected
    made.put(*ticket("1", clock(due=NOON + 10, breached_at=NOON + 10)))

    assert (True, False) == (expected, next(made.cards()).expected)


def test_a_silent_engine_is_noticed() -> None:
    """A due that has passed without a word for a minute means that no worker works."""
    made = shelf(NOON, ticket("1", clock(due=NOON + 10)))
    made.lens(Filter())
    made.advance(NOON + 60_000)
    patient = made.overdue_news(60_000)
    made.advance(NOON + 60_011)

    assert (None, NOON + 10) == (patient, made.overdue_news(60_000))


def test_a_record_that_is_not_of_the_contract_hides_nothing() -> None:
    """The last good state stays, and the bad record is counted."""
    made = shelf(NOON, ticket("1"))
    for bad in (b"", b"[]", b"{}", b'{"confirmed_at": "yesterday"}', b"\xff", b'{"clocks": 3}'):
        made.put("acme/desk/1", bad)

    assert (1, 6) == (made.counts().cards, made.counts().unreadable)


def test_a_tombstone_takes_a_ticket_away() -> None:
    """A ticket that is forgotten leaves the page, its counts and its facets."""
    made = shelf(NOON, ticket("1"))
    lens = made.lens(Filter())
    lens.flush(NOON)
    made.put("acme/desk/1", None)
    lens.flush(NOON)

    assert (0, None, 0) == (
        made.counts().cards,
        made.ticket("acme/desk/1"),
        len(made.facets["acme"]["client"]),
    )
    assert {"today": {"count": 0, "ids": []}} == orjson.loads(lens.told.change)["groups"]


def test_closed_tickets_are_kept_up_to_a_number() -> None:
    """Memory is bounded by open tickets and a fixed number of closed ones, newest kept."""
    made = Shelf(Hours(), closed=3)
    for number in range(10):
        made.put(*ticket(str(number), clock(phase="stopped")))

    assert 3 == made.counts().closed
    assert made.ticket("acme/desk/9") is not None
    assert made.ticket("acme/desk/6") is None


# -- views ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "query"),
    [
        (["1", "2", "3"], {}),
        (["1"], {"client": ["dental"]}),
        (["1", "2"], {"client": ["dental", "law"]}),
        (["3"], {"tenant": ["other"]}),
        (["2"], {"q": ["t-2"]}),
        ([], {"client": ["dental"], "priority": ["P1"]}),
        (["1", "2", "3"], {"indicator": ["response"]}),
        ([], {"indicator": ["plan"]}),
    ],
)
def test_a_view_shows_what_its_address_says(
    expected: list[str], query: dict[str, list[str]]
) -> None:
    """Values of one facet are alternatives, facets narrow one another."""
    made = shelf(
        NOON, ticket("1"), ticket("2", client="law"), ticket("3", client="zoo", tenant="other")
    )
    lens = made.lens(Filter.of(query, None))
    lens.flush(NOON)
    rows = orjson.loads(lens.whole(NOON))["rows"]

    assert expected == sorted(row["number"][2:] for row in rows)


def test_a_viewer_never_gets_another_tenants_row() -> None:
    """Asking for a tenant by name gives nothing when it is not one's own."""
    made = shelf(NOON, ticket("1"), ticket("2", tenant="other"))
    lens = made.lens(Filter.of({"tenant": ["other"]}, frozenset({"acme"})))
    lens.flush(NOON)

    assert [] == orjson.loads(lens.whole(NOON))["rows"]


def test_steps_add_up_to_the_whole() -> None:
    """A browser that follows every change shows exactly what one that just came is given."""
    rng = random.Random(11)
    made = shelf(NOON)
    lenses = [
        made.lens(Filter(rows=5)),
        made.lens(Filter.of({"client": ["a"], "rows": ["4"]}, None)),
    ]
    shown: list[tuple[dict[str, Any], dict[str, Any]]] = [({}, {}) for _ in lenses]
    for beat in range(400):
        now = NOON + beat * MINUTE
        for _ in range(rng.randrange(6)):
            number = str(rng.randrange(40))
            if rng.random() < 0.1:
                made.put(f"acme/desk/{number}", None)
                continue
            due = now + rng.randrange(-2 * HOUR, 20 * HOUR)
            phase = rng.choice(["running", "running", "paused", "stopped"])
            breached = due if due < now else None
            told = clock(phase=phase, due=None if phase == "paused" else due, breached_at=breached)
            made.put(
                *ticket(number, told, client=rng.choice("abc"), confirmed_at=format_instant(now))
            )
        made.advance(now)
        for lens, (groups, rows) in zip(lenses, shown, strict=True):
            before = lens.told.version
            if lens.flush(now):
                told = orjson.loads(lens.told.change or lens.whole(now))
                groups.update(told["groups"])
                rows.update({row["id"]: row for row in told["rows"]})
                assert before + 1 == lens.told.version
    for lens, (groups, rows) in zip(lenses, shown, strict=True):
        whole = orjson.loads(lens.whole(NOON))

        assert whole["groups"] == groups
        assert all(row == rows[row["id"]] for row in whole["rows"])
        assert sum(each["count"] for each in groups.values()) > 5


def test_a_book_that_comes_later_is_told_to_every_browser() -> None:
    """Working time counted without its calendar means nothing once the calendar is known."""
    made = shelf(NOON, ticket("1", clock(calendar="office")))
    lens = made.lens(Filter())
    lens.flush(NOON)
    unknown = orjson.loads(lens.whole(NOON))["calendars"]["acme/office"]["known"]
    made.hours.add(book(policy("gold", "office")))

    assert lens.flush(NOON)
    assert (False, True, b"") == (
        unknown, orjson.loads(lens.whole(NOON))["calendars"]["acme/office"]["known"], lens.told.change,
    )  # fmt: skip


def test_a_browser_can_count_working_time_by_itself() -> None:
    """Due minus now, in covered time, is what the engine would say is left: nights cost nothing."""
    made = shelf(NOON)
    made.hours.add(book(policy("gold", "office")))
    due = at("2026-03-04 10:00")
    made.put(*ticket("1", clock(calendar="office", due=due)))
    lens = made.lens(Filter())
    lens.flush(NOON)
    told = orjson.loads(lens.whole(NOON))
    calendar, row = told["calendars"]["acme/office"], told["rows"][0]

    def left(now: Instant) -> int:
        passed = sum(max(0, min(closes, now) - opens) for opens, closes in calendar["windows"])
        return int(row["covered"] - calendar["covered"] - passed)

    assert 6 * HOUR == left(NOON)
    assert HOUR == left(at("2026-03-03 20:00")) == left(at("2026-03-04 09:00"))
    assert 0 == left(due)
