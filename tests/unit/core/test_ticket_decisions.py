"""Decisions of the semantics that no complaint names: states, mapping, units, origins, moves.

The 2nd of March 2026 is a Monday; the office works from 09:00 to 17:00 UTC.
"""

from __future__ import annotations

from types import MappingProxyType

import pytest

from slastream.core.event import State
from slastream.core.instant import DAY
from slastream.core.policy import Mapped
from tests.support.desk import AGENT, CUSTOMER, ROBOT, Desk, book, options, policy

STATUSES = {
    "Open": Mapped(State.NEW),
    "Assigned": Mapped(State.RESPONDED),
    "Waiting": Mapped(State.WAITING, "client"),
    "With us": Mapped(State.WAITING, "provider"),
    "Done": Mapped(State.RESOLVED),
}


def mapped(**chosen: object) -> Desk:
    """Return a ticket of 09:00 in a desk that knows five statuses."""
    promise = policy(response="PT1H", resolution="PT4H", options=options(**chosen))
    desk = Desk(book(promise, statuses=STATUSES))
    return desk.say("2026-03-02 09:00", "created", status="Open", board="Service")


def test_a_status_without_a_mapping_keeps_the_state_and_is_told_of_once() -> None:
    """Never guessed, never silent (D04)."""
    desk = mapped().say("2026-03-02 09:10", status="Assigned", actor=AGENT)
    desk.say("2026-03-02 09:20", status="Mystery").say("2026-03-02 09:30", status="Mystery")
    told = [each.value for each in desk.said if each.output == "ops"]

    assert desk.snapshot()["state"] == "responded"
    assert desk.snapshot()["status"] == "Mystery"
    assert desk.counts["unmapped_status", "desk"] == 2
    assert [(each["type"], each["status"]) for each in told if each] == [
        ("mapping.unknown", "Mystery")
    ]


def test_a_status_without_a_mapping_goes_to_the_dead_letters_if_so_chosen() -> None:
    """`unmapped: dead_letter`: the event is set aside with its reason, the ticket stays as it was."""
    desk = mapped(unmapped="dead_letter").say("2026-03-02 09:20", status="Mystery", priority="P1")

    assert [each.output for each in desk.said][-1] == "dlq"
    assert desk.snapshot()["status"] == "Open"
    assert desk.counts["rejected", "journal", "unmapped_status"] == 1


def test_a_late_event_with_an_unmapped_status_is_set_aside_as_well() -> None:
    """The order of arrival makes no difference to what is a dead letter."""
    desk = mapped(unmapped="dead_letter").say("2026-03-02 10:00", status="Assigned", actor=AGENT)
    desk.say("2026-03-02 09:20", status="Mystery", priority="P1", arrives="2026-03-02 10:05")

    assert desk.counts["rejected", "journal", "unmapped_status"] == 1
    assert desk.snapshot()["priority"] is None


def test_a_late_event_does_not_blame_the_last_one() -> None:
    """An unmapped status is told of for the event that has it, not for each that comes late."""
    desk = mapped().say("2026-03-02 10:00", status="Mystery")
    desk.say("2026-03-02 09:20", status="Assigned", actor=AGENT, arrives="2026-03-02 10:05")

    assert desk.counts["unmapped_status", "desk"] == 1


def test_the_provider_owes_the_next_action() -> None:
    """A status mapped to waiting on the provider runs (D36)."""
    desk = mapped().say("2026-03-02 09:30", status="With us").until("2026-03-02 14:00")

    assert desk.clock("resolution").breached == "03-02 13:00"


def test_an_assignee_is_a_response_where_the_source_has_no_status_for_it() -> None:
    """`assigned_is_responded`: a new ticket that somebody has taken is answered."""
    promise = policy(response="PT1H")
    desk = Desk(book(promise, statuses=STATUSES, assigned_is_responded=True))
    desk.say("2026-03-02 09:00", "created", status="Open")
    desk.say("2026-03-02 09:30", assignee="maalto", actor=AGENT)

    assert desk.clock("response").reached == "03-02 09:30"


GRID = MappingProxyType({("high", "high"): "P1", ("high", "low"): "P3"})


def test_priority_from_impact_and_urgency() -> None:
    """Where the source has no priority the grid gives one, and follows its two sides (D23)."""
    promise = policy(resolution={"P1": "PT1H", "P3": "PT8H"})
    desk = Desk(book(promise, matrix=GRID))
    desk.say("2026-03-02 09:00", "created", state="new", impact="High", urgency="low")

    assert (desk.snapshot()["priority"], desk.clock("resolution").due) == ("P3", "03-02 17:00")

    desk.say("2026-03-02 09:30", urgency="HIGH")

    assert (desk.snapshot()["priority"], desk.clock("resolution").due) == ("P1", "03-02 10:00")

    desk.say("2026-03-02 09:40", priority="P3")

    assert desk.snapshot()["priority"] == "P3"


def test_raw_priorities_are_mapped() -> None:
    """The source's words for priorities become the book's."""
    words = MappingProxyType({"priority 1 - emergency": "P1"})
    desk = Desk(book(policy(resolution={"P1": "PT1H"}), priorities=words))
    desk.say("2026-03-02 09:00", "created", state="new", priority="Priority 1 -  Emergency")

    assert desk.clock("resolution").due == "03-02 10:00"


def test_a_client_is_read_by_the_book_in_force_at_its_event() -> None:
    """A name of the source's stays until an event tells whose the ticket is under a book that knows."""
    names = MappingProxyType({"14": "Maison Verte"})
    desk = Desk(book(policy(), version="old"))
    desk.books.add(book(policy(), effective_from="2026-03-04 00:00", version="new", clients=names))
    desk.say("2026-03-02 09:00", "created", state="new", client="14")
    desk.say("2026-03-05 09:00", state="in_progress")

    assert desk.snapshot()["client"] == "14"

    desk.say("2026-03-05 10:00", "snapshot", client="14")

    assert desk.snapshot()["client"] == "Maison Verte"

    desk.say("2026-03-05 11:00", client=None)

    assert desk.snapshot()["client"] is None


BUSINESS_DAYS = [
    ("2026-03-02 10:00", "P2BD", "same_time", "03-04 10:00"),
    ("2026-03-06 10:00", "P1BD", "same_time", "03-09 10:00"),  # Friday to Monday
    (
        "2026-03-06 20:00",
        "P1BD",
        "same_time",
        "03-09 20:00",
    ),  # after hours: the same time, closed or not
    ("2026-03-07 08:00", "P1BD", "same_time", "03-09 08:00"),  # a Saturday, due before Monday opens
    ("2026-03-02 10:00", "P2BD", "end_of_day", "03-04 17:00"),
    ("2026-03-07 08:00", "P1BD", "end_of_day", "03-09 17:00"),
]


@pytest.mark.parametrize(("created", "length", "how", "due"), BUSINESS_DAYS)
def test_business_days(created: str, length: str, how: str, due: str) -> None:
    """N working dates on, at the same local time or at the end of that day (D29)."""
    promise = policy(calendar="office", resolution=length, options=options(business_day_due=how))
    desk = Desk(book(promise)).say(created, "created", state="new").until("2026-03-12 09:00")
    clock = desk.clock("resolution")

    assert (clock.due, clock.breached) == (due, due)


def test_a_pause_moves_business_days_by_working_time() -> None:
    """Two business days from Monday 10:00, paused for two hours: Wednesday noon."""
    desk = Desk(book(policy(calendar="office", resolution="P2BD")))
    desk.say("2026-03-02 10:00", "created", state="new")
    desk.say("2026-03-02 16:00", state="waiting", waiting_on="client")
    desk.say("2026-03-03 10:00", state="in_progress", actor=AGENT)

    assert desk.clock("resolution").due == "03-04 12:00"


STARTS = [
    ("2026-03-02 10:00", "immediately", "03-02 10:00", "03-02 12:00"),
    ("2026-03-02 18:00", "immediately", "03-02 18:00", "03-03 11:00"),
    ("2026-03-02 18:00", "next_open", "03-03 09:00", "03-03 11:00"),
    ("2026-03-02 10:00", "next_open", "03-02 10:00", "03-02 12:00"),
    ("2026-03-02 10:00", "next_day", "03-03 09:00", "03-03 11:00"),
    ("2026-03-06 10:00", "next_day", "03-09 09:00", "03-09 11:00"),
]


@pytest.mark.parametrize(("created", "how", "started", "due"), STARTS)
def test_where_a_clock_starts(created: str, how: str, started: str, due: str) -> None:
    """`start`: at once, at the next opening, or on the next working day (D30)."""
    promise = policy(calendar="office", resolution="PT2H", options=options(start=how))
    clock = Desk(book(promise)).say(created, "created", state="new").clock("resolution")

    assert (clock.started_at[5:16].replace("T", " "), clock.due) == (started, due)


def test_an_answer_before_the_clock_starts_is_no_time_at_all() -> None:
    """Created and answered in the evening, counted from the next day: zero, and met."""
    promise = policy(calendar="office", response="PT1H", options=options(start="next_day"))
    desk = Desk(book(promise)).say("2026-03-02 18:00", "created", state="new")
    desk.say("2026-03-02 18:30", state="responded", actor=AGENT)

    assert (desk.clock("response").minutes, desk.clock("response").outcome) == (0, "met")


def test_an_outcome_is_final_after_the_verification() -> None:
    """`verification`: resolved is provisional, and final a day later, or when it is closed (D18)."""
    promise = policy(resolution="PT4H", options=options(verification=DAY))
    waits = Desk(book(promise)).say("2026-03-02 09:00", "created", state="new")
    waits.say("2026-03-02 10:00", state="resolved", actor=AGENT).until("2026-03-03 09:59")

    assert waits.decided() == ["resolution met provisional"]

    waits.until("2026-03-03 10:00")

    assert waits.decided() == ["resolution met provisional", "resolution met final"]

    closed = Desk(book(promise)).say("2026-03-02 09:00", "created", state="new")
    closed.say("2026-03-02 10:00", state="closed", actor=AGENT)

    assert closed.decided() == ["resolution met final"]


def test_a_move_to_another_client_chooses_again() -> None:
    """Another client is another promise, on another calendar, for the whole cycle (D43, D19)."""
    desk = Desk(
        book(
            policy("leith", "office", when={"client": "leith"}, resolution="PT4H"),
            policy("lyon", "always", when={"client": "lyon"}, resolution="PT6H"),
        )
    )
    desk.say("2026-03-02 07:00", "created", state="new", client="leith")

    assert desk.clock("resolution").due == "03-02 13:00"

    desk.say("2026-03-02 10:00", client="lyon")
    clock = desk.clock("resolution")

    assert (clock.policy, clock.minutes, clock.due) == ("lyon", 180, "03-02 13:00")


def test_a_move_to_another_board_reads_the_status_by_its_words() -> None:
    """The same label on another board may mean another state (D03, D43)."""
    statuses = {**STATUSES, ("projects", "waiting", ""): Mapped(State.IN_PROGRESS)}
    desk = Desk(book(policy(resolution="PT4H"), statuses=statuses))
    desk.say("2026-03-02 09:00", "created", status="Waiting", board="Service")

    assert desk.snapshot()["state"] == "waiting"

    desk.say("2026-03-02 10:00", status="Waiting", board="Projects")

    assert desk.snapshot()["state"] == "in_progress"


def test_every_indicator_is_measured_without_a_promise() -> None:
    """All three are measured, always; judged only with a target (D06)."""
    desk = Desk(book(policy("everyone-else"))).say("2026-03-02 09:00", "created", state="new")
    desk.say("2026-03-02 10:00", state="in_progress", actor=AGENT)
    desk.say("2026-03-02 12:00", state="closed", actor=AGENT)
    told = [(each["indicator"], each["elapsed_ms"] / 60_000, each["outcome"])
            for each in desk.snapshot()["clocks"]]  # fmt: skip

    assert told == [
        ("response", 60, "measured"), ("plan", 60, "measured"), ("resolution", 180, "measured"),
    ]  # fmt: skip
    assert desk.outcomes == []


def test_an_acknowledgement_is_recorded() -> None:
    """A robot's public mail is when it was acknowledged, and no more (D09)."""
    from slastream.engine.row import decode_row
    from tests.support.desk import at

    desk = Desk(book(policy(response="PT1H"))).say("2026-03-02 09:00", "created", actor=CUSTOMER)
    desk.say("2026-03-02 09:01", "comment", comment=True, actor=ROBOT)
    data = desk.store.get(b"acme/desk/1")
    assert data is not None

    assert decode_row(data).fold.acknowledged == at("2026-03-02 09:01")
    assert desk.clock("response").phase == "running"


def test_cancelled_and_taken_up_again() -> None:
    """Spam that was none: what was cancelled does not count, the rest goes on."""
    desk = mapped().say("2026-03-02 10:00", state="cancelled", reason="spam")
    desk.say("2026-03-02 12:00", state="in_progress", actor=AGENT)

    assert desk.clock("resolution").due == "03-02 15:00"
    assert desk.clock("response").reached == "03-02 12:00"


def test_a_priority_told_of_a_cancelled_ticket_counts_when_it_is_taken_up_again() -> None:
    """Revived as P1, or P1 while it lay in the trash: P1's promise applies."""
    promise = policy(resolution={"P1": "PT2H", "default": "PT8H"})
    desk = Desk(book(promise)).say("2026-03-02 09:00", "created", state="new")
    desk.say("2026-03-02 09:30", state="cancelled").say("2026-03-02 10:00", priority="P1")
    desk.say("2026-03-02 10:30", state="in_progress", actor=AGENT)

    assert desk.clock("resolution").due == "03-02 12:00"
