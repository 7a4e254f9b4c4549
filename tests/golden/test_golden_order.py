"""Complaints about order: the same instant, the same delivery twice, the end before the beginning.

The 2nd of March 2026 is a Monday; clocks run round the clock unless a test says otherwise.
"""

from __future__ import annotations

from itertools import permutations

import pytest

from slastream.core.event import Event
from slastream.core.policy import Options
from tests.support.desk import AGENT, CUSTOMER, Desk, book, event, policy

PROMISES = policy(at_risk=("75%",), response="PT1H", resolution="PT4H")


def desk() -> Desk:
    """Return a desk with an answer in one hour and a fix in four."""
    return Desk(book(PROMISES))


def test_duplicate_delivery_changes_nothing() -> None:
    """The same event delivered three times is one event, also when it comes after another one."""
    waiting = event("2026-03-02 10:00", state="waiting", waiting_on="client")
    back = event("2026-03-02 11:00", state="in_progress", actor=AGENT)
    twice = desk().say("2026-03-02 09:00", "created", state="new")
    twice.feed(waiting, waiting, back, waiting, back)

    assert twice.clock("resolution").paused == 60
    assert twice.clock("resolution").due == "03-02 14:00"
    assert twice.counts["duplicates", "desk"] == 3


def test_a_duplicate_that_arrives_after_due_announces_the_breach_once() -> None:
    """What a repeated delivery finds due is announced then, and not again by the timer."""
    created = event("2026-03-02 09:00", "created", state="new")
    late = desk().feed(created).feed(created, arrives="2026-03-02 13:30")
    late.until("2026-03-02 14:00")

    assert [what for what, _ in late.told()] == [
        "breached response breach",
        "breached resolution breach",
    ]


def test_closed_before_it_was_opened() -> None:
    """The close arrives first, then the creation: judged from the creation to the close."""
    mixed = desk()
    mixed.feed(event("2026-03-02 12:00", state="closed", actor=AGENT), arrives="2026-03-02 12:00")
    mixed.feed(event("2026-03-02 09:00", "created", state="new"), arrives="2026-03-02 12:30")
    clock = mixed.clock("resolution")

    assert (clock.outcome, clock.minutes, clock.phase) == ("met", 180, "stopped")
    assert mixed.clock("response").breached == "03-02 10:00"


def test_a_resolution_that_arrives_after_the_alarm_takes_it_back() -> None:
    """Resolved at 12:50, told at 13:30: the breach of 13:00 was never a fact, and is corrected."""
    late = desk().say("2026-03-02 09:00", "created", state="new")
    late.say("2026-03-02 09:30", state="in_progress", actor=AGENT).until("2026-03-02 13:30")
    late.say("2026-03-02 12:50", state="resolved", actor=AGENT, arrives="2026-03-02 13:30")
    breach, corrected = late.alerts[1], late.alerts[-1]

    assert [what for what, _ in late.told()] == [
        "at_risk resolution 75%",
        "breached resolution breach",
        "cleared resolution 75%",
        "corrected resolution breach",
    ]
    assert corrected.value is not None
    assert corrected.value["before"]["alert_id"] == breach.id
    assert corrected.value["after"] is None
    assert late.clock("resolution").outcome == "met"


def test_a_fact_that_is_taken_back_twice() -> None:
    """Breached at 13:00; a late pause says no; a late end of the pause says yes: told again, once."""
    late = desk().say("2026-03-02 09:00", "created", state="new")
    late.say("2026-03-02 09:30", state="in_progress", actor=AGENT).until("2026-03-02 13:30")
    late.say("2026-03-02 11:00", state="waiting", waiting_on="client", arrives="2026-03-02 13:31")
    late.say("2026-03-02 11:00", state="in_progress", sequence=2, arrives="2026-03-02 13:32")
    late.until("2026-03-02 14:00")
    breaches = [each for each in late.alerts if each.what == "breached resolution breach"]

    assert [each.when for each in breaches] == ["03-02 13:00", "03-02 13:00"]
    assert breaches[0].id != breaches[1].id
    assert late.clock("resolution").breached == "03-02 13:00"


SAME_INSTANT = [
    (("in_progress", "resolved"), "resolved"),
    (("waiting", "in_progress"), "waiting"),
    (("resolved", "waiting"), "resolved"),
    (("closed", "cancelled"), "cancelled"),
    (("new", "responded"), "responded"),
]


@pytest.mark.parametrize(("states", "winner"), SAME_INSTANT)
def test_two_events_of_one_instant(states: tuple[str, str], winner: str) -> None:
    """Without a sequence cancel goes over stop over pause over resume, in whatever order they come (D38)."""
    for order in permutations(states):
        both = desk().say("2026-03-02 09:00", "created", state="new")
        for state in order:
            both.say("2026-03-02 10:00", state=state, actor=AGENT)

        assert both.snapshot()["state"] == winner


def test_the_sources_own_sequence_goes_first() -> None:
    """Resolved as number 7 and reopened as number 8 in the same millisecond: it is open."""
    numbered = desk().say("2026-03-02 09:00", "created", state="new", sequence=1)
    numbered.say("2026-03-02 10:00", state="in_progress", actor=AGENT, sequence=8)
    numbered.say("2026-03-02 10:00", state="resolved", actor=AGENT, sequence=7)

    assert numbered.snapshot()["state"] == "in_progress"
    assert numbered.clock("resolution").phase == "running"


def test_a_state_of_no_length_stays_in_the_ledger() -> None:
    """Resolved and reopened within one instant is still seen by whoever reads the proof."""
    ledger = desk().say("2026-03-02 09:00", "created", state="new", sequence=1)
    ledger.say("2026-03-02 10:00", state="resolved", actor=AGENT, sequence=2)
    ledger.say("2026-03-02 10:00", state="in_progress", actor=AGENT, sequence=3)
    states = [row["state"] for row in ledger.clock("resolution").ledger]

    assert "resolved" in states


def story() -> list[Event]:
    """Return a whole life in six events."""
    return [
        event("2026-03-02 09:00", "created", state="new", priority="P2"),
        event("2026-03-02 09:40", "comment", comment=True, actor=AGENT),
        event("2026-03-02 10:00", state="waiting", waiting_on="client"),
        event("2026-03-02 12:00", "comment", comment=True, actor=CUSTOMER, state="in_progress"),
        event("2026-03-02 12:30", priority="P1"),
        event("2026-03-02 14:30", state="resolved", actor=AGENT),
    ]


def test_any_order_of_arrival_ends_in_the_same_verdicts() -> None:
    """All 720 orders in which six events may arrive agree on every figure of every clock."""
    faces = set()
    for order in permutations(story()):
        mixed = desk()
        mixed.feed(*order, arrives="2026-03-02 15:00").until("2026-03-02 16:00")
        clocks = mixed.snapshot()["clocks"]
        faces.add(
            tuple(
                (
                    clock["phase"], clock["outcome"], clock["elapsed_ms"], clock["paused_ms"],
                    clock["due"], clock["breached_at"], clock["reached_at"],
                )
                for clock in clocks
            )
        )  # fmt: skip

    assert len(faces) == 1
    assert mixed.clock("resolution").minutes == 210
    assert mixed.clock("resolution").outcome == "met"


def test_an_event_from_the_future_is_clamped() -> None:
    """A source whose clock is a day ahead cannot move a ticket into tomorrow (D39)."""
    ahead = desk().say("2026-03-02 09:00", "created", state="new")
    ahead.say("2026-03-03 09:30", state="resolved", actor=AGENT, arrives="2026-03-02 09:30")

    assert ahead.clock("resolution").reached == "03-02 09:31"
    assert ahead.counts["skewed", "desk"] == 1


def test_a_whole_story_told_at_once_raises_no_alarm() -> None:
    """A poll that brings created, answered and resolved together five seconds late is quiet."""
    settled = policy(response="PT1H", resolution="PT4H", options=Options())
    told = Desk(book(settled))
    told.feed(*story(), arrives="2026-03-02 20:00").until("2026-03-02 21:00")

    assert told.told() == []
