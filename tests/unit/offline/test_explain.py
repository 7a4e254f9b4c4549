"""Why a ticket's clocks say what they say."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from slastream.core.books import Books
from slastream.core.errors import InvariantBroken, Misconfigured, Rejected
from slastream.core.event import Event, State
from slastream.core.policy import Book, Mapped
from slastream.offline import explain as explaining
from slastream.offline.alerts import arrivals
from slastream.offline.explain import explain
from slastream.offline.explain_text import exact, explain_text
from slastream.offline.picture import draw, svg
from tests.support.desk import AGENT, at, book, event, holiday, office, options, policy
from tests.unit.offline.test_run import BOOK, life

GOLD = book(
    policy(
        "gold", "office", when={"contract": "gold"}, at_risk=("75%", "90%"),
        response={"P2": "PT1H"}, resolution={"P1": "PT4H", "P2": "PT8H"},
    ),
    policy("silver", "office", when={"contract": "silver"}, resolution="PT16H"),
    policy("everyone-else", "office"),
    calendars=(office("Europe/Paris", holiday("2026-03-03")),),
    statuses={
        "Open": Mapped(State.IN_PROGRESS),
        "Hold": Mapped(State.WAITING, "client"),
        ("Network", "Hold", ""): Mapped(State.WAITING, "vendor"),
    },
)  # fmt: skip

STORY = [
    event(
        "2026-03-02 09:00", "created", contract="gold", priority="P2", client="dental", number="T-1"
    ),
    event("2026-03-02 10:30", status="Open", actor=AGENT),
    event("2026-03-02 11:00", status="Hold", board="Network", actor=AGENT),
    event("2026-03-02 12:00", status="Open", actor=AGENT),
    event("2026-03-02 15:30", priority="P1", actor=AGENT),
    event("2026-03-04 15:00", state="resolved", actor=AGENT),
]


def told(given: Book, events: list[Event], as_of: str = "2026-03-06 12:00") -> dict[str, Any]:
    known = [each for each in events if each.occurred_at <= at(as_of)]
    return explain(list(arrivals(known, by_time=True)), Books(given), at(as_of))


def clock(found: dict[str, Any], indicator: str) -> dict[str, Any]:
    return next(each for each in found["clocks"] if each["indicator"] == indicator)


def test_the_rows_of_every_ledger_sum_to_the_elapsed_time() -> None:
    """To the millisecond, for two hundred lives."""
    for seed in range(200):
        for each in told(BOOK, life(seed))["clocks"]:
            assert each["elapsed_ms"] == sum(row["counted_ms"] for row in each["ledger"])


def test_the_rows_sum_after_a_reopening_that_was_forgiven_and_retargeted() -> None:
    """What counts may have changed while it was open: found by a random life."""
    kept = options(
        reopen_grace=5 * 3_600_000, retarget_up="from_change", retarget_down="from_change"
    )
    given = book(policy(resolution={"P1": "PT4H", "P2": "PT8H"}, options=kept))
    events = [
        event("2026-03-02 09:00", "created", priority="P2"),
        event("2026-03-02 10:00", state="resolved"),
        event("2026-03-02 11:00", state="in_progress"),
        event("2026-03-02 11:30", priority="P1"),
        event("2026-03-02 12:00", state="resolved"),
    ]
    found = clock(told(given, events), "resolution")

    assert ("met", 0) == (found["outcome"], sum(row["counted_ms"] for row in found["ledger"]))


def test_a_ledger_that_does_not_sum_is_not_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proof that proves nothing is a bug of ours, and is called that."""
    rows = explaining.ledger.rows
    monkeypatch.setattr(explaining.ledger, "rows", lambda *given: rows(*given)[1:])

    with pytest.raises(InvariantBroken, match="sums to"):
        told(GOLD, STORY)


def test_the_winner_and_the_losers_have_their_reasons() -> None:
    """Which condition missed, or what was more specific (D21)."""
    choice = clock(told(GOLD, STORY), "resolution")["choice"]

    assert ("gold", "matches (contract), rank 0") == (choice["winner"], choice["reason"])
    assert [
        ("silver", "contract is 'gold', not silver"),
        ("everyone-else", "less specific than gold"),
    ] == [(loser["policy"], loser["reason"]) for loser in choice["losers"]]


def test_an_indicator_without_a_target_says_so() -> None:
    """Gold promises no plan."""
    found = clock(told(GOLD, STORY), "plan")

    assert "it promises no target here" in found["choice"]["reason"]
    assert "measured" == found["outcome"]


def test_each_status_names_the_rule_that_read_it() -> None:
    """The most specific one: the board's own entry goes before the general one (D03)."""
    rules = [each["rule"] for each in told(GOLD, STORY)["events"]]

    assert "status 'Open' -> in_progress" == rules[1]
    assert "status 'Hold' on board 'Network' -> waiting/vendor" == rules[2]
    assert "says nothing about the state" == rules[4]
    assert "the event says so: state resolved" == rules[5]


def test_an_unmapped_status_is_named() -> None:
    """It kept the state."""
    found = told(GOLD, [*STORY[:2], event("2026-03-02 11:00", status="Mislaid")])

    assert "status 'Mislaid' has no mapping: the state is kept" == found["events"][2]["rule"]


def test_a_holiday_on_the_way_is_told() -> None:
    """It moved the due date by a day."""
    assert [("2026-03-03", "exception", "holiday")] == [
        (note["date"], note["kind"], note["label"])
        for note in clock(told(GOLD, STORY), "resolution")["notes"]
    ]


def test_a_change_of_priority_tells_both_targets() -> None:
    """From eight hours to four, because P2 became P1."""
    (change,) = clock(told(GOLD, STORY), "resolution")["changes"]

    assert {"priority": ["P2", "P1"]} == change["because"]
    assert [8 * 3_600_000, 4 * 3_600_000] == change["target_ms"]


def test_levels_tell_what_was_announced_and_what_was_not() -> None:
    """The new target was overrun at once, so only the breach was announced."""
    found = clock(told(GOLD, STORY), "resolution")["levels"]
    by_level = {each["level"]: each for each in found}

    assert {"75%": "suppressed", "90%": "suppressed", "breach": "announced"} == {
        name: each["status"] for name, each in by_level.items()
    }
    assert "retarget" == by_level["breach"]["cause"]
    assert "stopped" == by_level["breach"]["taken_back"]["because"]


def test_levels_ahead_tell_when_they_are_expected() -> None:
    """Of a running clock, all of them."""
    found = clock(told(GOLD, STORY, "2026-03-02 12:30"), "resolution")["levels"]

    assert [("75%", "ahead"), ("90%", "ahead"), ("breach", "ahead")] == [
        (each["level"], each["status"]) for each in found
    ]
    assert "2026-03-04T10:00:00.000Z" == found[2]["expected_at"]


def test_imported_history_is_suppressed_for_that_reason() -> None:
    """Measured and not announced (D41)."""
    events = [event("2026-03-02 09:00", "created", contract="gold", priority="P2", imported=True),
              event("2026-03-02 15:00", state="resolved", imported=True)]  # fmt: skip
    found = clock(told(GOLD, events), "response")["levels"]

    assert {"suppressed"} == {each["status"] for each in found if each["reached_at"]}


def test_frozen_at_first_says_that_the_option_keeps_the_policy() -> None:
    """The ranking alone would name another one."""
    kept = options(retarget_up="frozen_at_first", retarget_down="frozen_at_first")
    given = book(
        policy("gold", when={"contract": "gold"}, resolution="PT4H", options=kept),
        policy("silver", when={"contract": "silver"}, resolution="PT8H", options=kept),
    )
    events = [event("2026-03-02 09:00", "created", contract="gold"),
              event("2026-03-02 10:00", contract="silver")]  # fmt: skip
    choice = clock(told(given, events), "resolution")["choice"]

    assert "gold" == choice["winner"]
    assert "its retarget option keeps it" in choice["reason"]


def test_no_event_of_the_ticket_is_wrong_input() -> None:
    """Before it was opened there is nothing to explain."""
    with pytest.raises(Rejected, match="no event"):
        told(GOLD, STORY, "2026-03-01 00:00")


def test_the_text_has_local_times_and_utc_beside_them() -> None:
    """Fit to be pasted into a mail, the sum under the rows."""
    text = explain_text(told(GOLD, STORY))

    assert "Ticket 1 (T-1), dental, priority P1" in text
    assert "Mon 2026-03-02 10:00:00 (09:00:00 UTC)" in text
    assert "RESOLUTION: missed, " in text
    assert "waiting for vendor" in text
    assert "not silver: contract is 'gold', not silver" in text
    assert text.index("together") < text.index("What happened")


@pytest.mark.parametrize(
    ("length", "text"),
    [(0, "0 s"), (45_250, "45.25 s"), (240_000, "4 min"), (14_400_000, "4 h"),
     (3_661_001, "1 h 01 min 1.001 s"), (97_200_000, "27 h")],
)  # fmt: skip
def test_lengths_are_exact_and_hours_are_no_days(length: int, text: str) -> None:
    """27 opening hours are no day and three hours."""

    assert text == exact(length)


def test_the_picture_is_svg_with_a_lane_a_clock() -> None:
    """It parses, names its clocks, and marks due, overrun and the fix."""
    root = ElementTree.fromstring(svg(told(GOLD, STORY)))
    texts = {each.text for each in root.iter("{http://www.w3.org/2000/svg}text")}
    tips = [each.text for each in root.iter("{http://www.w3.org/2000/svg}title")]

    assert {"response", "plan", "resolution", "due"} <= texts
    assert {"overrun", "reached", "due"} <= set(tips)


def test_every_life_can_be_drawn_and_told() -> None:
    """Odd ones too: cancelled at once, reopened, without a target; names are escaped."""
    for seed in range(100):
        events = life(seed)
        events[0].client = "<Dental & Sons>"
        found = told(BOOK, events[: random.Random(seed).randint(1, len(events))])
        explain_text(found)
        ElementTree.fromstring(svg(found))


def test_a_picture_is_written_by_its_ending(tmp_path: Path) -> None:
    """SVG needs nothing; another ending is refused."""
    found = told(GOLD, STORY)
    draw(found, tmp_path / "a.svg")

    assert (tmp_path / "a.svg").read_text().startswith("<svg")
    with pytest.raises(Misconfigured, match=r"a picture is \.svg or \.png"):
        draw(found, tmp_path / "a.gif")
