"""Complaints about working time: the noon break, holidays, the change of the clock, hours that end.

March 2026: the 2nd, 9th, 16th, 23rd and 30th are Mondays. Paris is UTC+1, from the 29th on UTC+2.
"""

from __future__ import annotations

from dataclasses import replace

from slastream.core.calendar import Calendar, DayRule
from tests.support.desk import AGENT, Desk, book, holiday, office, policy

DAY = ((8 * 3600 + 1800, 12 * 3600 + 1800), (13 * 3600 + 1800, 18 * 3600))
PARIS = Calendar("paris", "Europe/Paris", weekly=tuple([DAY] * 5 + [()] * 2))


def desk(calendar: Calendar, **promises: str) -> Desk:
    """Return a desk with one promise on one calendar."""
    return Desk(book(policy(calendar=calendar.name, **promises), calendars=(calendar,)))


def test_the_noon_break_does_not_count() -> None:
    """Two hours promised at 11:30 run out at 14:30: one before the break, one after it."""
    lunch = desk(PARIS, resolution="PT2H").say("2026-03-02 10:30", "created", state="new")

    assert lunch.clock("resolution").due == "03-02 13:30"  # 14:30 in Paris


def test_a_ticket_of_the_noon_break_starts_after_it() -> None:
    """What comes at 13:00 has used nothing when the desk opens at 13:30."""
    lunch = desk(PARIS, resolution="PT1H").say("2026-03-02 12:00", "created", state="new")
    lunch.say("2026-03-02 13:00", actor=AGENT, state="in_progress")

    assert lunch.clock("resolution").minutes == 30
    assert lunch.clock("resolution").due == "03-02 13:30"


def test_time_that_ends_with_the_day_is_due_that_day() -> None:
    """Four hours from 13:00 end at 17:00, not at 09:00 on the next morning."""
    day = desk(office("UTC"), resolution="PT4H").say("2026-03-02 13:00", "created", state="new")
    day.until("2026-03-02 18:00")

    assert day.clock("resolution").due == "03-02 17:00"
    assert day.told() == [("breached resolution breach", "03-02 17:00")]


def test_a_holiday_is_the_clients_and_in_the_clients_zone() -> None:
    """A holiday on the 3rd in New York takes the hours of New York's 3rd, whatever the date in UTC (D27)."""
    york = office("America/New_York", holiday("2026-03-03"))
    client = desk(york, resolution="PT2H").say("2026-03-02 21:00", "created", state="new")

    # 16:00 in New York: one hour on Monday, none on Tuesday, one on Wednesday from 09:00 (14:00 UTC).
    assert client.clock("resolution").due == "03-04 15:00"


def test_a_holiday_elsewhere_moves_nothing() -> None:
    """Two clients, one holiday: only the clock of the one who has it stands still."""
    lyon = replace(office("Europe/Paris", holiday("2026-03-03")), name="lyon")
    leith = replace(office("Europe/Paris"), name="leith")
    both = Desk(
        book(
            policy("lyon", "lyon", when={"client": "lyon"}, resolution="PT4H"),
            policy("leith", "leith", when={"client": "leith"}, resolution="PT4H"),
            calendars=(lyon, leith),
        )
    )
    for client in ("lyon", "leith"):
        both.say("2026-03-02 14:00", "created", ticket=client, state="new", client=client)

    # 15:00 in Paris: two hours on Monday, two in the morning of the next day that they work.
    assert both.clock("resolution", "leith").due == "03-03 10:00"
    assert both.clock("resolution", "lyon").due == "03-04 10:00"


def test_half_a_day_off() -> None:
    """Closed from noon on the 24th: what is left waits for the next working day."""
    eve = DayRule(
        date=holiday("2026-12-24").date, yearly=None, open=None, closed=((43_200, 86_400),)
    )
    half = desk(office("UTC", eve, holiday("2026-12-25")), resolution="PT4H")
    half.say("2026-12-24 10:00", "created", state="new")

    assert half.clock("resolution").due == "12-28 11:00"  # two hours on Thursday, two on Monday


def test_the_clock_goes_forward_in_paris() -> None:
    """09:00 is 08:00 UTC on Friday and 07:00 UTC on Monday: due moves with the local clock."""
    spring = desk(office("Europe/Paris"), resolution="PT9H")
    spring.say("2026-03-27 08:00", "created", state="new")

    assert spring.clock("resolution").due == "03-30 08:00"  # eight hours on Friday, Monday 09-10


def test_the_clock_goes_back_in_paris() -> None:
    """09:00 is 07:00 UTC on Friday the 23rd of October and 08:00 UTC on Monday the 26th."""
    autumn = desk(office("Europe/Paris"), resolution="PT9H")
    autumn.say("2026-10-23 07:00", "created", state="new")

    assert autumn.clock("resolution").due == "10-26 09:00"


def test_round_the_clock_a_day_of_23_hours_has_23_hours() -> None:
    """24 hours from midnight before the change end at 01:00 local time, and are 24 hours."""
    around = Calendar("around", "Europe/Paris", always=True)
    spring = desk(around, resolution="PT24H").say("2026-03-28 23:00", "created", state="new")

    assert spring.clock("resolution").due == "03-29 23:00"  # 01:00 on the 30th in Paris


def test_a_night_shift_over_the_change_of_the_clock_loses_an_hour() -> None:
    """20:00 to 06:00 has nine hours in the night in which 02:00 becomes 03:00, ten in any other."""
    night = Calendar("night", "Europe/Paris", weekly=(((20 * 3600, 30 * 3600),),) * 7)
    plain = desk(night, resolution="PT10H").say("2026-03-27 19:00", "created", state="new")
    short = desk(night, resolution="PT10H").say("2026-03-28 19:00", "created", state="new")

    assert plain.clock("resolution").due == "03-28 05:00"  # 06:00 in Paris
    assert (
        short.clock("resolution").due == "03-29 19:00"
    )  # nine hours, then one from 20:00 (18:00 UTC)


def test_no_hours_left_in_the_calendar() -> None:
    """A ticket created after the last hour of the week is not late before the next hour begins."""
    week = desk(office("UTC"), response="PT1H").say("2026-03-06 17:00", "created", state="new")
    week.until("2026-03-09 09:59")

    assert week.clock("response").due == "03-09 10:00"
    assert week.told() == []


def test_a_calendar_without_hours_to_come_is_never_due() -> None:
    """One Saturday morning and nothing after it: what comes later is measured and never late."""
    once = Calendar(
        "once",
        "UTC",
        exceptions=(DayRule(holiday("2026-03-07").date, None, ((32_400, 43_200),), None),),
    )
    over = desk(once, resolution="PT4H").say("2026-03-07 13:00", "created", state="new")

    over.until("2026-12-31 00:00")

    assert over.clock("resolution").due is None
    assert over.clock("resolution").outcome == "running"
    assert over.told() == []


def test_what_runs_out_at_closing_time_is_late_at_closing_time() -> None:
    """Due on Friday at 17:00 and fixed on Saturday: late since Friday, though no working time has passed."""
    friday = desk(office("UTC"), resolution="PT4H").say("2026-03-06 13:00", "created", state="new")
    friday.until("2026-03-07 10:00").say("2026-03-07 10:00", state="resolved", actor=AGENT)
    clock = friday.clock("resolution")

    assert (clock.breached, clock.outcome, clock.remaining_ms) == ("03-06 17:00", "missed", 0)
