"""Complaints about targets: removed, lowered, too short for their levels, changed with the priority.

The 2nd of March 2026 is a Monday; clocks run round the clock unless a test says otherwise.
"""

from __future__ import annotations

import pytest

from slastream.core.policy import Options
from tests.support.desk import AGENT, Desk, book, level, options, policy

BY_PRIORITY = {"P1": "PT2H", "P3": "PT8H"}


def opened(**chosen: object) -> Desk:
    """Return a P3 of 09:00 with eight hours; P1 would have two, any other priority nothing."""
    promise = policy(resolution=BY_PRIORITY, options=options(**chosen))
    return Desk(book(promise)).say("2026-03-02 09:00", "created", state="new", priority="P3")


def test_a_target_lowered_in_mid_life() -> None:
    """P1 after one hour: one hour is left, not two."""
    desk = opened().say("2026-03-02 10:00", priority="P1")

    assert desk.clock("resolution").due == "03-02 11:00"


def test_a_target_lowered_below_what_has_elapsed() -> None:
    """P1 after three hours: breached by the change, at the change, due an hour before it (D20)."""
    desk = opened().until("2026-03-02 12:00").say("2026-03-02 12:00", priority="P1")
    desk.until("2026-03-02 12:01")
    clock, (alert,) = desk.clock("resolution"), desk.alerts

    assert (clock.breached, clock.due) == ("03-02 12:00", "03-02 11:00")
    assert (alert.what, alert.when) == ("breached resolution breach", "03-02 12:00")
    assert alert.value is not None
    assert alert.value["cause"] == "retarget"


def test_a_target_lowered_below_what_has_elapsed_breaches_at_due_if_so_chosen() -> None:
    """`retarget_breach: due` dates the breach back to when the new target ran out."""
    desk = opened(retarget_breach="due").say("2026-03-02 12:00", priority="P1")

    assert desk.clock("resolution").breached == "03-02 11:00"


def test_a_target_raised_after_the_breach_does_not_erase_it() -> None:
    """P1 is breached at 11:00; P3 at 12:00 has time left, and the breach stays as superseded."""
    promise = policy(resolution=BY_PRIORITY, at_risk=("75%",))
    desk = Desk(book(promise)).say("2026-03-02 09:00", "created", state="new", priority="P1")
    desk.until("2026-03-02 12:00").say("2026-03-02 12:00", priority="P3")
    clock = desk.clock("resolution")

    assert (clock.breached, clock.superseded, clock.due) == ("03-02 11:00", True, "03-02 17:00")
    assert desk.told()[-1] == ("cleared resolution breach", "03-02 11:00")

    desk.until("2026-03-02 18:00")

    assert [told for told in desk.told() if not told[0].startswith("cleared")] == [
        ("at_risk resolution 75%", "03-02 10:30"),
        ("breached resolution breach", "03-02 11:00"),
        ("at_risk resolution 75%", "03-02 15:00"),
        ("breached resolution breach", "03-02 17:00"),
    ]
    assert desk.clock("resolution").superseded is False


def test_the_promise_is_removed() -> None:
    """A priority without a target: the clock is measured on, nothing is due, nobody is alarmed."""
    desk = opened().say("2026-03-02 10:00", priority="P9").until("2026-03-09 09:00")
    clock = desk.clock("resolution")

    assert (clock.target_ms, clock.due, clock.outcome) == (None, None, "measured")
    assert desk.told() == []


def test_the_promise_is_removed_after_an_alarm() -> None:
    """The alarm is cleared when there is no promise any more; that it was breached stays on record."""
    desk = opened().until("2026-03-02 18:00").say("2026-03-02 18:00", priority="P9")

    assert [what for what, _ in desk.told()] == [
        "breached resolution breach",
        "cleared resolution breach",
    ]
    assert desk.clock("resolution").breached == "03-02 17:00"


RETARGETS = [
    ("from_creation", "03-02 11:00", "P3 at 09:00, P1 at 10:00: two hours from 09:00"),
    ("from_change", "03-02 12:00", "two hours from 10:00"),
    ("carry_elapsed_percent", "03-02 11:45", "an eighth is used: seven eighths of two hours"),
    ("strictest_ever", "03-02 11:00", "stricter, so as from creation"),
    ("frozen_at_first", "03-02 17:00", "eight hours from 09:00, whatever comes"),
]


@pytest.mark.parametrize(("how", "due", "because"), RETARGETS)
def test_upgrade(how: str, due: str, because: str) -> None:
    """An upgrade in each of its five forms (D19)."""
    desk = opened(retarget_up=how).say("2026-03-02 10:00", priority="P1")

    assert desk.clock("resolution").due == due, because


DOWNGRADES = [
    ("from_creation", "03-02 17:00", "P1 at 09:00, P3 at 10:00: eight hours from 09:00"),
    ("from_change", "03-02 18:00", "eight hours from 10:00"),
    ("carry_elapsed_percent", "03-02 14:00", "half is used: half of eight hours"),
    ("strictest_ever", "03-02 11:00", "the stricter one stays"),
    ("frozen_at_first", "03-02 11:00", "the first one stays"),
]


@pytest.mark.parametrize(("how", "due", "because"), DOWNGRADES)
def test_downgrade(how: str, due: str, because: str) -> None:
    """A downgrade in each of its five forms, apart from the upgrade's (D19)."""
    promise = policy(resolution=BY_PRIORITY, options=options(retarget_down=how))
    desk = Desk(book(promise)).say("2026-03-02 09:00", "created", state="new", priority="P1")
    desk.say("2026-03-02 10:00", priority="P3")

    assert desk.clock("resolution").due == due, because


def test_back_to_the_whole_cycle() -> None:
    """Upgraded from the change, downgraded from creation: the downgrade counts the whole cycle."""
    desk = opened(retarget_up="from_change")
    desk.say("2026-03-02 10:00", priority="P1").say("2026-03-02 11:00", priority="P3")

    assert desk.clock("resolution").due == "03-02 17:00"
    assert desk.clock("resolution").minutes == 120


def test_a_target_of_one_minute_with_75_percent_and_15_minutes_before() -> None:
    """Both levels lie before or at the start: the highest is announced once, then the breach."""
    promise = policy(response="PT1M", at_risk=("75%", "PT15M left"))
    desk = Desk(book(promise)).say("2026-03-02 09:00", "created", state="new")
    desk.until("2026-03-02 09:02")

    assert desk.told() == [
        ("at_risk response PT15M left", "03-02 09:00"),
        ("at_risk response 75%", "03-02 09:00:45"),
        ("breached response breach", "03-02 09:01"),
    ]


def test_a_target_of_one_minute_seen_late_announces_the_highest_only() -> None:
    """Looked at after two minutes: one alert, the breach; the levels below it are passed over (D31)."""
    promise = policy(response="PT1M", at_risk=("75%", "PT15M left"))
    desk = Desk(book(promise)).say(
        "2026-03-02 09:00", "created", state="new", arrives="2026-03-02 09:02"
    )

    assert desk.told() == [("breached response breach", "03-02 09:01")]
    assert desk.counts["skipped_levels", "desk"] == 2


def test_equal_is_met() -> None:
    """Resolved in the very millisecond in which it is due: kept (D13)."""
    exact = (
        opened().until("2026-03-02 17:00").say("2026-03-02 17:00", state="resolved", actor=AGENT)
    )
    late = opened().say("2026-03-02 17:00:00.001", state="resolved", actor=AGENT)

    assert exact.clock("resolution").outcome == "met"
    assert exact.told() == []
    assert late.clock("resolution").outcome == "missed"


def test_levels_before_and_after_due() -> None:
    """Percent of the target, time left and time over, each at its own instant of working time."""
    promise = policy(
        resolution="PT4H", at_risk=("50%", "PT30M left"), overdue=("PT1H over", "150%")
    )
    desk = Desk(book(promise)).say("2026-03-02 09:00", "created", state="new")
    desk.until("2026-03-02 16:00")

    assert desk.told() == [
        ("at_risk resolution 50%", "03-02 11:00"),
        ("at_risk resolution PT30M left", "03-02 12:30"),
        ("breached resolution breach", "03-02 13:00"),
        ("breached resolution PT1H over", "03-02 14:00"),
        ("breached resolution 150%", "03-02 15:00"),
    ]


def test_grace_delays_the_announcement_and_not_the_breach() -> None:
    """With a minute of grace the breach of 17:00 is told at 17:01 and stays one of 17:00 (D39)."""
    desk = opened(grace=60_000).until("2026-03-02 17:00:59")

    assert desk.told() == []

    desk.until("2026-03-02 17:02")

    assert desk.told() == [("breached resolution breach", "03-02 17:00")]


def test_grace_saves_a_resolution_that_is_told_late() -> None:
    """Resolved at 16:59:50, told at 17:00:30: with grace there never was an alarm."""
    desk = opened(grace=60_000).until("2026-03-02 17:00:30")
    desk.say("2026-03-02 16:59:50", state="resolved", actor=AGENT, arrives="2026-03-02 17:00:30")
    desk.until("2026-03-02 18:00")

    assert desk.told() == []
    assert desk.clock("resolution").outcome == "met"


def test_levels_as_written() -> None:
    """What a person writes is what an alert shows."""
    assert level("PT15M left").offset(60_000) == 60_000 - 900_000
    assert Options().settle == 5_000
