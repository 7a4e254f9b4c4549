"""Complaints about how a ticket ends, and ends again: reopened, merged, deleted, imported.

The 2nd of March 2026 is a Monday; the office works from 09:00 to 17:00 UTC.
"""

from __future__ import annotations

from slastream.core.instant import DAY, MINUTE
from tests.support.desk import AGENT, CUSTOMER, ROBOT, Desk, book, event, options, policy, target


def resolved(**chosen: object) -> Desk:
    """Return a ticket with a promise of four hours, resolved after three."""
    promise = policy(calendar="office", resolution="PT4H", options=options(**chosen))
    desk = Desk(book(promise)).say("2026-03-02 09:00", "created", state="new")
    return desk.until("2026-03-02 12:00").say("2026-03-02 12:00", state="resolved", actor=AGENT)


def test_resolved_then_reopened_after_a_month() -> None:
    """The month in which the client was content is not ours: one of the four hours is left (D16)."""
    desk = resolved().until("2026-04-02 10:00")
    desk.say("2026-04-02 10:00", state="in_progress", actor=AGENT)

    assert desk.clock("resolution").due == "04-02 11:00"
    assert desk.clock("resolution").minutes == 180
    assert desk.decided() == [
        "resolution met provisional",
        "resolution met final",
        "resolution met retracted",
    ]


def test_reopened_within_the_verification_takes_the_outcome_back() -> None:
    """Met becomes provisional, is retracted by the reopening, and decided again at the second fix."""
    desk = resolved().say("2026-03-02 14:00", state="in_progress", actor=CUSTOMER)
    desk.until("2026-03-02 16:00").say("2026-03-02 16:00", state="closed", actor=AGENT)

    assert desk.decided() == [
        "resolution met provisional",
        "resolution met retracted",
        "resolution missed final",
    ]
    assert desk.clock("resolution").breached == "03-02 15:00"
    assert desk.snapshot()["reopen_count"] == 1


def test_reopened_as_a_new_cycle() -> None:
    """`new_cycle` leaves the first outcome alone and promises the whole time once more."""
    desk = resolved(reopen="new_cycle").say("2026-03-03 09:00", state="in_progress", actor=AGENT)

    assert desk.clock("resolution", cycle=1).outcome == "met"
    assert (desk.clock("resolution").cycle, desk.clock("resolution").due) == (2, "03-03 13:00")
    assert desk.decided() == ["resolution met provisional", "resolution met final"]


def test_reopened_as_a_new_cycle_only_after_a_while() -> None:
    """`new_cycle_after: P5BD`: the next day continues, the next week begins anew."""
    chosen = {"reopen": "new_cycle_after", "new_cycle_after": target("P5BD")}
    soon = resolved(**chosen).say("2026-03-03 12:00", state="new")
    late = resolved(**chosen).say("2026-03-10 12:00", state="new")

    assert soon.clock("resolution").cycle == 1
    assert late.clock("resolution").cycle == 2


def test_reopened_with_the_resolved_time_counted() -> None:
    """`include_resolved_time`: reopened on the next day, the four hours are long over."""
    desk = resolved(reopen="include_resolved_time").until("2026-03-03 09:00")
    desk.say("2026-03-03 09:00", state="in_progress", actor=AGENT).until("2026-03-03 09:01")

    assert desk.told() == [("breached resolution breach", "03-03 09:00")]
    assert desk.clock("resolution").due == "03-02 13:00"
    assert desk.clock("resolution").elapsed_ms == 8 * 3_600_000 + 1  # read 1 ms after the reopening


def test_reopened_and_ignored() -> None:
    """`ignore`: a closed book stays closed, whatever the ticket does next."""
    desk = resolved(reopen="ignore").say("2026-03-03 09:00", state="in_progress", actor=AGENT)
    desk.until("2026-03-06 09:00")

    assert (desk.clock("resolution").outcome, desk.clock("resolution").minutes) == ("met", 180)
    assert desk.told() == []


def test_a_thank_you_is_no_reopening() -> None:
    """Reopened by a mail and closed again within ten minutes: nothing happened (D17)."""
    desk = resolved(reopen_grace=10 * MINUTE)
    desk.say("2026-03-02 14:00", state="in_progress", actor=CUSTOMER)
    desk.say("2026-03-02 14:05", state="resolved", actor=ROBOT)
    clock = desk.clock("resolution")

    assert (clock.minutes, clock.reached, clock.outcome) == (180, "03-02 12:00", "met")
    assert desk.snapshot()["reopen_count"] == 0


def test_a_breach_is_not_erased_by_closing() -> None:
    """Closing takes the alarm away, never the breach (D15)."""
    desk = Desk(book(policy(calendar="office", resolution="PT1H")))
    desk.say("2026-03-02 09:00", "created", state="new").until("2026-03-02 11:00")
    desk.say("2026-03-02 11:00", state="closed", actor=AGENT)

    assert desk.told() == [
        ("breached resolution breach", "03-02 10:00"),
        ("cleared resolution breach", "03-02 10:00"),
    ]
    assert desk.clock("resolution").breached == "03-02 10:00"
    assert desk.decided()[-1] == "resolution missed final"


def test_a_reopened_breach_stays_a_breach_and_pages_nobody_again() -> None:
    """Already breached stays breached; the same level is not announced twice."""
    desk = Desk(book(policy(calendar="office", resolution="PT1H")))
    desk.say("2026-03-02 09:00", "created", state="new").until("2026-03-02 11:00")
    desk.say("2026-03-02 11:00", state="resolved", actor=AGENT)
    desk.say("2026-03-02 12:00", state="in_progress", actor=CUSTOMER).until("2026-03-04 12:00")

    assert [what for what, _ in desk.told() if what.startswith("breached")] == [
        "breached resolution breach"
    ]
    assert desk.clock("resolution").outcome == "missed"


def test_a_merged_ticket_is_silent() -> None:
    """The child is cancelled: its alarm is cleared, it has no outcome, and nothing falls due any more."""
    desk = Desk(book(policy(calendar="office", at_risk=("75%",), resolution="PT4H")))
    desk.say("2026-03-02 09:00", "created", state="new").until("2026-03-02 12:30")
    desk.say("2026-03-02 12:30", "merged", merged_into="2").until("2026-03-05 09:00")

    assert [what for what, _ in desk.told()] == ["at_risk resolution 75%", "cleared resolution 75%"]
    assert desk.clock("resolution").outcome == "cancelled"
    assert desk.decided() == []


def test_the_survivor_keeps_its_own_time() -> None:
    """By default a merge changes nothing for the ticket that lives on (D42)."""
    desk = Desk(book(policy(calendar="office", resolution="PT4H")))
    desk.say("2026-03-02 11:00", "created", ticket="2", state="new")
    desk.feed(absorbed("2026-03-02 12:00"))

    assert desk.clock("resolution", "2").due == "03-02 15:00"


def absorbed(when: str, priority: str | None = None):  # type: ignore[no-untyped-def]
    """Return what a survivor is told about the ticket of 09:00 that was merged into it."""
    from tests.support.desk import at

    told = {"ticket": "1", "created_at": at("2026-03-02 09:00"), "priority": priority}
    return event(when, "absorbed", ticket="2", absorbed=told)


def test_the_survivor_inherits_the_earliest_start() -> None:
    """`inherit_earliest_start`: who merges an old ticket into a new one wins no time."""
    promise = policy(
        calendar="office", resolution="PT4H", options=options(merge="inherit_earliest_start")
    )
    desk = Desk(book(promise)).say("2026-03-02 11:00", "created", ticket="2", state="new")
    desk.feed(absorbed("2026-03-02 12:00"))

    assert desk.clock("resolution", "2").due == "03-02 13:00"


def test_the_survivor_inherits_the_strictest_target_and_keeps_it() -> None:
    """`inherit_strictest_target`: P1's two hours stay, also when the ticket changes hands afterwards."""
    promise = policy(
        calendar="office",
        resolution={"P1": "PT2H", "default": "PT8H"},
        options=options(merge="inherit_strictest_target"),
    )
    desk = Desk(book(promise)).say("2026-03-02 11:00", "created", ticket="2", state="new")
    desk.feed(absorbed("2026-03-02 11:30", "P1"))

    assert desk.clock("resolution", "2").due == "03-02 13:00"

    desk.say("2026-03-02 12:00", ticket="2", team="network")

    assert desk.clock("resolution", "2").due == "03-02 13:00"


def test_a_tombstone_ends_the_clocks() -> None:
    """A deleted ticket is cancelled, and its timers go with it (D44)."""
    desk = Desk(book(policy(calendar="office", response="PT1H", resolution="PT4H")))
    desk.say("2026-03-02 09:00", "created", state="new")
    desk.say("2026-03-02 09:30", "deleted").until("2026-03-05 09:00")

    assert desk.snapshot()["state"] == "cancelled"
    assert desk.told() == []


def test_undeleted_is_as_if_it_had_never_been_deleted() -> None:
    """Restored after the old due: the breach is a fact again, at the instant at which it was due."""
    desk = Desk(book(policy(calendar="office", resolution="PT1H")))
    desk.say("2026-03-02 09:00", "created", state="new")
    desk.say("2026-03-02 09:30", "deleted").until("2026-03-02 11:00")
    desk.say("2026-03-02 11:00", "restored").until("2026-03-02 11:01")

    assert desk.told() == [("breached resolution breach", "03-02 10:00")]
    assert desk.clock("resolution").phase == "running"


def test_an_alarm_that_deletion_cleared_is_raised_again_by_restoring() -> None:
    """Breached, deleted, restored: whoever was told that it is over is told that it is not."""
    desk = Desk(book(policy(calendar="office", resolution="PT1H")))
    desk.say("2026-03-02 09:00", "created", state="new").until("2026-03-02 10:30")
    desk.say("2026-03-02 10:30", "deleted").say("2026-03-02 11:00", "restored")
    desk.until("2026-03-02 11:01")

    assert [what for what, _ in desk.told()] == [
        "breached resolution breach",
        "cleared resolution breach",
        "breached resolution breach",
    ]
    assert len({each.id for each in desk.alerts}) == 3


def test_an_import_of_closed_tickets_alarms_nobody() -> None:
    """A year of history is measured; not one of its breaches is announced (D41)."""
    desk = Desk(book(policy(calendar="office", response="PT1H", resolution="PT4H")))
    told = {"imported": True}
    desk.feed(
        event("2025-03-03 09:00", "created", state="new", **told),
        event("2025-03-03 15:00", state="in_progress", actor=AGENT, **told),
        event("2025-03-05 15:00", state="closed", actor=AGENT, **told),
        arrives="2026-03-02 09:00",
    ).until("2026-03-03 09:00")

    assert desk.told() == []
    assert desk.decided() == ["response missed final", "resolution missed final"]


def test_an_open_ticket_that_was_imported_alarms_from_then_on() -> None:
    """What was past at the import stays quiet; what falls due afterwards does not."""
    desk = Desk(book(policy(calendar="office", response="PT1H", resolution="PT4H")))
    desk.feed(
        event("2026-03-02 09:00", "created", state="new", imported=True),
        arrives="2026-03-02 11:00",
    ).until("2026-03-02 16:00")

    assert desk.told() == [("breached resolution breach", "03-02 13:00")]


def test_an_update_to_an_unknown_ticket_is_never_judged() -> None:
    """A ticket whose creation was never told is measured from what is known (D41)."""
    desk = Desk(book(policy(calendar="office", resolution="PT1H")))
    desk.say("2026-03-02 09:00", state="in_progress", actor=AGENT).until("2026-03-04 09:00")

    assert desk.told() == []
    assert (desk.clock("resolution").outcome, desk.clock("resolution").target_ms) == (
        "measured",
        None,
    )
    assert desk.snapshot()["judged"] is False


def test_a_resolved_ticket_leaves_after_its_time() -> None:
    """90 days after its last event a closed ticket is forgotten, with a tombstone on the clocks topic."""
    desk = resolved().say("2026-03-02 13:00", state="closed", actor=AGENT)
    desk.until(desk.now + 91 * DAY)

    assert desk.store.get(b"acme/desk/1") is None
    assert desk.said[-1].output == "clocks"
    assert desk.said[-1].value is None


def test_an_outcome_that_is_decided_is_not_undone_by_deleting_the_ticket() -> None:
    """Resolved in time, then moved to the trash: the promise was kept, and stays kept."""
    desk = resolved().say("2026-03-02 13:00", "deleted")

    assert desk.clock("resolution").outcome == "met"
    assert desk.decided() == ["resolution met provisional"]


def test_an_alarm_of_a_cycle_that_never_was_is_taken_back_under_its_own_key() -> None:
    """Late events show that the reopening came soon enough to continue: the second cycle never was."""
    chosen = {"reopen": "new_cycle_after", "new_cycle_after": target("PT2H")}
    desk = resolved(**chosen).say("2026-03-03 09:00", state="in_progress", actor=CUSTOMER)
    desk.until("2026-03-03 14:00")

    assert desk.told() == [("breached resolution breach", "03-03 13:00")]

    late = "2026-03-03 14:00"
    desk.say("2026-03-02 12:10", state="in_progress", actor=CUSTOMER, arrives=late)
    desk.say("2026-03-02 12:50", state="resolved", actor=AGENT, arrives=late)
    desk.say("2026-03-02 14:10", state="in_progress", actor=CUSTOMER, arrives=late)
    desk.say("2026-03-02 14:15", state="resolved", actor=AGENT, arrives=late)
    desk.say("2026-03-02 16:00", state="in_progress", actor=CUSTOMER, arrives=late)
    desk.say("2026-03-02 16:01", state="resolved", actor=AGENT, arrives=late)
    corrected = next(each.value for each in desk.alerts if each.type == "corrected")
    assert corrected is not None

    assert corrected["dedup_key"] == desk.alerts[0].value["dedup_key"]  # type: ignore[index]
    assert corrected["dedup_key"].endswith("/resolution/2/breached")
    assert (corrected["cycle"], corrected["after"]) == (2, None)
    assert [clock["cycle"] for clock in desk.snapshot()["clocks"]] == [1, 1, 1]
