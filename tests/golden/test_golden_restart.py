"""Complaints about restarts: alarms twice, alarms lost, alarms for what is long resolved.

The 2nd of March 2026 is a Monday; clocks run round the clock.
"""

from __future__ import annotations

from tests.support.desk import AGENT, Desk, book, event, options, policy


def opened(**chosen: object) -> Desk:
    """Return a ticket of 09:00 with levels at two and three of its four hours."""
    promise = policy(
        resolution="PT4H", at_risk=("50%", "75%"), overdue=("PT1H over",), options=options(**chosen)
    )
    return Desk(book(promise)).say("2026-03-02 09:00", "created", state="new")


def test_restarted_with_overdue_timers() -> None:
    """Nobody ran from 09:00 to 13:30: the breach is told once, as late, and the levels below are not (D41)."""
    desk = opened().restart().fire("2026-03-02 13:30")

    assert desk.told() == [("breached resolution breach", "03-02 13:00")]
    assert desk.alerts[0].value is not None
    assert desk.alerts[0].value["late"] is True
    assert desk.alerts[0].value["detected_at"] == "2026-03-02T13:30:00.000Z"
    assert desk.counts["skipped_levels", "desk"] == 2


def test_restarted_long_after() -> None:
    """After six hours the highest level is the hour over due, and it alone is told (D14, D41)."""
    desk = opened().restart().fire("2026-03-02 15:00")

    assert desk.told() == [("breached resolution PT1H over", "03-02 14:00")]


def test_a_restart_repeats_nothing() -> None:
    """What was announced before a restart is not announced after it."""
    desk = opened().until("2026-03-02 13:30").restart().fire("2026-03-02 13:40")
    before = desk.told()
    desk.restart().fire("2026-03-02 13:50")

    assert desk.told() == before
    assert len(before) == 3


def test_no_alarm_for_what_the_backlog_has_resolved() -> None:
    """Behind by hours, with the resolution still to be read: the log's time decides, nothing is told (D57)."""
    backlog = [
        event("2026-03-02 09:00", "created", state="new"),
        event("2026-03-02 10:00", state="resolved", actor=AGENT),
    ]
    desk = Desk(book(policy(resolution="PT4H", at_risk=("50%",))))
    desk.feed(*backlog).until("2026-03-02 18:00")

    assert desk.told() == []


def test_a_record_first_fires_what_was_due_before_it() -> None:
    """The breach of 13:00 is told before the resolution of 14:00 is read, also in one batch."""
    desk = Desk(book(policy(resolution="PT4H")))
    desk.feed(
        event("2026-03-02 09:00", "created", state="new"),
        event("2026-03-02 14:00", state="resolved", actor=AGENT),
    )

    assert desk.told() == [
        ("breached resolution breach", "03-02 13:00"),
        ("cleared resolution breach", "03-02 13:00"),
    ]


def test_what_was_past_when_it_was_armed_waits_a_moment() -> None:
    """An event that arrives after its own due holds the alarm for `settle`: its resolution may follow."""
    desk = Desk(book(policy(resolution="PT4H", options=options(settle=5_000))))
    desk.say("2026-03-02 09:00", "created", state="new", arrives="2026-03-02 14:00")

    assert desk.told() == []

    desk.until("2026-03-02 14:00:05")

    assert desk.told() == [("breached resolution breach", "03-02 13:00")]


def test_the_desk_goes_live_at_an_instant() -> None:
    """`enforce_from`: what was broken before is measured, what breaks afterwards is told (D41)."""
    desk = opened(enforce_from=event("2026-03-02 12:30").occurred_at).until("2026-03-02 13:30")

    assert desk.told() == [("breached resolution breach", "03-02 13:00")]


def test_events_of_many_tickets_in_one_batch() -> None:
    """A batch is what its records are one by one."""
    promise = book(policy(resolution="PT4H", at_risk=("50%",)))
    events = [
        event(f"2026-03-02 {9 + n // 4:02d}:{n % 4 * 15:02d}", "created", str(n % 5), state="new")
        for n in range(20)
    ]
    whole, single = Desk(promise), Desk(promise)
    whole.feed(*events)
    for each in events:
        single.feed(each)

    assert [each.id for each in whole.alerts] == [each.id for each in single.alerts]
    assert dict(whole.store.scan()) == dict(single.store.scan())
