"""Complaints about who answered: the robot, the agent who logged the call, the note nobody could read.

The 2nd of March 2026 is a Monday; clocks run round the clock.
"""

from __future__ import annotations

from types import MappingProxyType

from slastream.core.event import Actor
from tests.support.desk import AGENT, CUSTOMER, ROBOT, Desk, book, options, policy


def opened(actor: Actor = CUSTOMER, channel: str = "mail", **chosen: object) -> Desk:
    """Return a ticket of 09:00 that wants an answer within an hour."""
    promise = policy(response="PT1H", plan="PT2H", resolution="PT8H", options=options(**chosen))
    return Desk(book(promise)).say(
        "2026-03-02 09:00", "created", state="new", actor=actor, channel=channel
    )


def test_an_automatic_acknowledgement_is_no_response_and_a_human_is() -> None:
    """The robot answers in a minute, a person at 10:30: the promise of an hour is broken."""
    desk = opened()
    desk.say("2026-03-02 09:01", "comment", comment=True, actor=ROBOT, state="responded")
    desk.until("2026-03-02 10:30").say("2026-03-02 10:30", "comment", comment=True, actor=AGENT)
    clock = desk.clock("response")

    assert (clock.reached, clock.breached, clock.outcome) == (
        "03-02 10:30",
        "03-02 10:00",
        "missed",
    )


def test_the_customers_own_mail_is_no_response() -> None:
    """Whoever asks twice has not been answered."""
    desk = opened().say("2026-03-02 09:10", "comment", comment=True, actor=CUSTOMER)

    assert desk.clock("response").phase == "running"


def test_a_note_is_no_response_unless_the_policy_says_so() -> None:
    """An internal note counts only with `note_counts` (D09)."""
    note = {"comment": False, "actor": AGENT}
    plain = opened().say("2026-03-02 09:10", "comment", **note)
    counts = opened(note_counts=True).say("2026-03-02 09:10", "comment", **note)

    assert plain.clock("response").phase == "running"
    assert counts.clock("response").reached == "03-02 09:10"


def test_an_unknown_actor_counts_and_is_flagged() -> None:
    """A source that does not say who it was: counted, marked as unverified, or ignored by choice."""
    counts = opened().say("2026-03-02 09:10", state="responded")
    ignored = opened(unknown_actor="ignored").say("2026-03-02 09:10", state="responded")

    assert counts.clock("response").reached == "03-02 09:10"
    assert (counts.outcomes[0].value or {})["unverified_actor"] is True
    assert ignored.clock("response").phase == "running"


def test_a_ticket_that_an_agent_logs_on_the_phone_is_answered_at_once() -> None:
    """The client was on the line: response is immediate for the phone, and only for an agent (D10)."""
    phone = opened(AGENT, "phone")
    mail = opened(AGENT, "mail")
    asked = opened(CUSTOMER, "phone")

    assert phone.clock("response").reached == "03-02 09:00"
    assert phone.clock("plan").phase == "running"
    assert mail.clock("response").phase == "running"
    assert asked.clock("response").phase == "running"


def test_a_ticket_that_nobody_waits_for_an_answer_to() -> None:
    """`origin: {walk-in: skip}`: measured, without a promise of an answer (D10)."""
    rules = MappingProxyType({"walk-in": "skip"})
    desk = opened(AGENT, "Walk-In", origin=rules).until("2026-03-02 10:30")
    desk.say("2026-03-02 10:31", priority="P1").until("2026-03-02 11:30")

    assert desk.clock("response").outcome == "measured"
    assert [what for what, _ in desk.told()] == ["breached plan breach"]


def test_the_first_words_of_a_ticket_are_no_answer_to_it() -> None:
    """A comment that comes with the creation describes the problem, whoever typed it."""
    promise = policy(response="PT1H")
    desk = Desk(book(promise)).say(
        "2026-03-02 09:00", "created", state="new", actor=AGENT, comment=True
    )

    assert desk.clock("response").phase == "running"


def test_a_jump_reaches_what_lies_before() -> None:
    """From new straight to resolved: answered, planned and resolved at once, the first two implied (D07)."""
    desk = opened().say("2026-03-02 09:30", state="resolved", actor=AGENT)
    implied = {
        value["indicator"]: value["implied"]
        for value in (each.value or {} for each in desk.outcomes)
    }

    assert desk.clock("response").reached == desk.clock("plan").reached == "03-02 09:30"
    assert implied == {"response": True, "plan": True, "resolution": False}


def test_going_back_to_new_undoes_nothing() -> None:
    """Answered once is answered (D07)."""
    desk = opened().say("2026-03-02 09:30", state="responded", actor=AGENT)
    desk.say("2026-03-02 09:40", state="new").until("2026-03-02 12:00")

    assert desk.clock("response").reached == "03-02 09:30"
    assert desk.clock("response").outcome == "met"


def test_the_plan_counts_from_creation_or_from_the_answer() -> None:
    """`plan_origin: responded` starts the plan's two hours with the answer (D08)."""
    created = opened().say("2026-03-02 09:30", state="responded", actor=AGENT)
    responded = opened(plan_origin="responded")

    assert responded.clock("plan").phase == "pending"

    responded.say("2026-03-02 09:30", state="responded", actor=AGENT)

    assert created.clock("plan").due == "03-02 11:00"
    assert responded.clock("plan").due == "03-02 11:30"


def test_starting_the_work_reaches_the_plan() -> None:
    """A technician's "in progress" is the plan; a robot's is not."""
    robot = opened().say("2026-03-02 09:30", state="in_progress", actor=ROBOT)
    human = opened().say("2026-03-02 09:30", state="in_progress", actor=AGENT)

    assert robot.clock("plan").phase == "running"
    assert human.clock("plan").reached == "03-02 09:30"
    assert human.clock("response").reached == "03-02 09:30"


def test_each_indicator_is_reported_apart() -> None:
    """An answer too late and a fix in time are two outcomes, never one (D46)."""
    desk = (
        opened().until("2026-03-02 10:30").say("2026-03-02 10:30", state="in_progress", actor=AGENT)
    )
    desk.say("2026-03-02 11:00", state="closed", actor=AGENT)

    assert desk.decided() == ["response missed final", "plan met final", "resolution met final"]
