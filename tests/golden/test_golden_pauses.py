"""Complaints about pauses: lost, counted twice, or shown as a breach.

The 2nd of March 2026 is a Monday; the office works from 09:00 to 17:00 UTC.
"""

from __future__ import annotations

from tests.support.desk import AGENT, CUSTOMER, Desk, book, options, policy


def office_desk(**promises: str) -> Desk:
    """Return a desk of office hours."""
    return Desk(book(policy(calendar="office", at_risk=("75%",), **promises)))


def test_a_pause_across_a_weekend_costs_no_working_time() -> None:
    """Friday 16:00 to Monday 10:00 is two hours of pause, and due moves by two hours, not by 66 (D12)."""
    desk = office_desk(resolution="PT8H").say("2026-03-06 12:00", "created", state="new")

    assert desk.clock("resolution").due == "03-09 12:00"

    desk.say("2026-03-06 16:00", state="waiting", waiting_on="client")
    desk.say("2026-03-09 10:00", state="in_progress", actor=AGENT)

    assert desk.clock("resolution").due == "03-09 14:00"
    assert desk.clock("resolution").paused == 120
    assert desk.clock("resolution").minutes == 240


def test_a_paused_clock_has_no_due_and_keeps_what_remains() -> None:
    """While the client is waited for nothing runs out: due is null, what remains stands still."""
    desk = office_desk(resolution="PT4H").say("2026-03-02 09:00", "created", state="new")
    desk.say("2026-03-02 10:00", state="waiting", waiting_on="client")
    desk.say("2026-03-02 15:00", comment=True, actor=CUSTOMER)
    clock = desk.clock("resolution")

    assert (clock.phase, clock.due, clock.remaining_ms) == ("paused", None, 3 * 3_600_000)


def test_paused_past_the_old_due_is_no_breach() -> None:
    """Due was 13:00; paused from 12:00 to 15:00, one hour is left, and nobody is told of a breach."""
    desk = office_desk(resolution="PT4H").say("2026-03-02 09:00", "created", state="new")
    desk.until("2026-03-02 12:00").say("2026-03-02 12:00", state="waiting", waiting_on="client")
    desk.until("2026-03-02 15:00").say("2026-03-02 15:00", state="in_progress", actor=AGENT)

    assert desk.clock("resolution").due == "03-02 16:00"
    assert [what for what, _ in desk.told() if "breached" in what] == []

    desk.until("2026-03-02 15:30").say("2026-03-02 15:30", state="resolved", actor=AGENT)

    assert desk.clock("resolution").outcome == "met"


def test_pause_then_a_change_of_priority() -> None:
    """An open pause survives a change of priority: the new target counts what has elapsed, no more."""
    desk = office_desk_by_priority().say("2026-03-02 09:00", "created", state="new", priority="P3")
    desk.say("2026-03-02 10:00", state="waiting", waiting_on="client")
    desk.say("2026-03-02 12:00", priority="P1")
    desk.say("2026-03-02 14:00", state="in_progress", actor=AGENT)
    clock = desk.clock("resolution")

    assert (clock.minutes, clock.paused, clock.due) == (60, 240, "03-02 15:00")


def office_desk_by_priority() -> Desk:
    """Return a desk that promises two hours for P1 and eight for all others."""
    return Desk(book(policy(calendar="office", resolution={"P1": "PT2H", "default": "PT8H"})))


def test_a_priority_that_makes_it_past_while_paused() -> None:
    """Three hours have elapsed when P1 gives it two: a breach at the change, announced at the resume."""
    desk = office_desk_by_priority().say("2026-03-02 09:00", "created", state="new", priority="P3")
    desk.say("2026-03-02 12:00", state="waiting", waiting_on="client")
    desk.say("2026-03-02 13:00", priority="P1").until("2026-03-02 15:00")

    assert desk.clock("resolution").breached == "03-02 13:00"
    assert desk.told() == []

    desk.say("2026-03-02 15:00", state="in_progress", actor=AGENT)

    assert desk.told() == [("breached resolution breach", "03-02 13:00")]


def test_a_priority_that_makes_it_past_while_paused_is_missed_when_it_is_resolved_at_once() -> None:
    """Paused with three hours used of a new target of two, then resolved: three is more than two."""
    desk = office_desk_by_priority().say("2026-03-02 09:00", "created", state="new", priority="P3")
    desk.say("2026-03-02 12:00", state="waiting", waiting_on="client")
    desk.say("2026-03-02 13:00", priority="P1")
    desk.say("2026-03-02 15:00", state="resolved", actor=AGENT)

    assert desk.clock("resolution").outcome == "missed"
    assert desk.clock("resolution").remaining_ms == -3_600_000


def test_pause_then_resolved_directly() -> None:
    """From waiting straight to resolved: the pause ends, nothing of it counts, the promise is kept."""
    desk = office_desk(resolution="PT2H").say("2026-03-02 09:00", "created", state="new")
    desk.say("2026-03-02 10:30", state="waiting", waiting_on="vendor")
    desk.say("2026-03-03 10:30", state="resolved", actor=AGENT)
    clock = desk.clock("resolution")

    assert (clock.outcome, clock.minutes, clock.paused) == ("met", 90, 480)
    assert desk.outcomes[-1].value is not None
    assert desk.outcomes[-1].value["paused_by"] == {"vendor": 480 * 60_000}


def test_reply_and_pending_in_one_event() -> None:
    """An answer that also sets the ticket to pending answers it, and pauses the rest."""
    desk = office_desk(response="PT1H", resolution="PT4H")
    desk.say("2026-03-02 09:00", "created", state="new")
    desk.say(
        "2026-03-02 09:20", "comment",
        comment=True, actor=AGENT, state="waiting", waiting_on="client",
    )  # fmt: skip

    assert desk.clock("response").reached == "03-02 09:20"
    assert desk.clock("response").outcome == "met"
    assert desk.clock("resolution").phase == "paused"


def test_waiting_without_an_answer_hides_nothing() -> None:
    """A status set to waiting by a rule does not stop the clock of the answer that nobody gave."""
    desk = office_desk(response="PT1H").say("2026-03-02 09:00", "created", state="new")
    desk.say("2026-03-02 09:10", state="waiting", waiting_on="client").until("2026-03-02 11:00")

    assert desk.clock("response").breached == "03-02 10:00"


def test_no_level_fires_while_paused_and_once_at_the_resume() -> None:
    """75 % was announced, the pause clears it, the resume says it once more, and only once."""
    desk = office_desk(resolution="PT4H").say("2026-03-02 09:00", "created", state="new")
    desk.until("2026-03-02 12:10").say("2026-03-02 12:10", state="waiting", waiting_on="client")
    desk.until("2026-03-02 14:00").say("2026-03-02 14:00", state="in_progress", actor=AGENT)
    desk.until("2026-03-02 14:30")

    assert desk.told() == [
        ("at_risk resolution 75%", "03-02 12:00"),
        ("cleared resolution 75%", "03-02 12:00"),
        ("at_risk resolution 75%", "03-02 14:00"),
    ]


def test_a_breached_clock_that_pauses_stays_breached() -> None:
    """A pause after the breach neither clears the alarm nor the verdict."""
    desk = office_desk(resolution="PT1H").say("2026-03-02 09:00", "created", state="new")
    desk.until("2026-03-02 10:30").say("2026-03-02 10:30", state="waiting", waiting_on="client")

    assert desk.clock("resolution").verdict == "breached"
    assert [what for what, _ in desk.told() if "cleared resolution breach" in what] == []


def test_a_pause_within_closed_hours_costs_nothing() -> None:
    """Waiting from 18:00 to 08:00 pauses no working time."""
    desk = office_desk(resolution="PT12H").say("2026-03-02 09:00", "created", state="new")
    desk.say("2026-03-02 18:00", state="waiting", waiting_on="client")
    desk.say("2026-03-03 08:00", state="in_progress", actor=AGENT)

    assert desk.clock("resolution").due == "03-03 13:00"
    assert desk.clock("resolution").paused == 0


def test_waiting_on_the_provider_never_pauses() -> None:
    """Scheduled by ourselves, to be called back, escalated: whoever owes the action, the clock runs (D36)."""
    desk = office_desk(resolution="PT4H").say("2026-03-02 09:00", "created", state="new")
    desk.say("2026-03-02 10:00", state="waiting", waiting_on="provider").until("2026-03-02 14:00")

    assert desk.clock("resolution").breached == "03-02 13:00"


def test_pause_before_response_when_the_policy_says_so() -> None:
    """`pause_before_response` pauses the answer's clock as well (D11)."""
    promise = policy(
        calendar="office", response="PT1H", options=options(pause_before_response=True)
    )
    desk = Desk(book(promise)).say("2026-03-02 09:00", "created", state="new")
    desk.say("2026-03-02 09:10", state="waiting", waiting_on="client").until("2026-03-02 16:00")

    assert (desk.clock("response").phase, desk.clock("response").minutes) == ("paused", 10)
