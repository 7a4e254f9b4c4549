"""Hours as people have complained about them: each test settles one case."""

from __future__ import annotations

from datetime import date

import pytest

from slastream.core.calendar import WHOLE_DAY, Calendar, DayRule, HolidayRule, Span
from slastream.core.coverage import ALWAYS, Coverage, coverage
from slastream.core.errors import Misconfigured
from slastream.core.instant import DAY, HOUR, MINUTE, Instant, parse_instant

Spans = tuple[Span, ...]


def at(text: str) -> Instant:
    return parse_instant(text)


def span(text: str) -> Span:
    """Read `08:30-12:30`; an end before its start runs past midnight."""
    start, end = (int(clock[:2]) * 3600 + int(clock[3:]) * 60 for clock in text.split("-"))
    return start, end if end > start else end + 86_400


def week(weekdays: str, weekend: str = "") -> tuple[Spans, ...]:
    return (tuple(map(span, weekdays.split())),) * 5 + (tuple(map(span, weekend.split())),) * 2


def desk(
    zone: str = "Europe/Paris",
    weekdays: str = "08:30-12:30 13:30-18:00",
    weekend: str = "",
    *exceptions: DayRule,
    country: str | None = None,
) -> Coverage:
    public = (HolidayRule(country),) if country else ()
    return coverage(Calendar("desk", zone, week(weekdays, weekend), public, exceptions))


def closed(text: str, *spans: str) -> DayRule:
    return DayRule(
        date=date.fromisoformat(text), closed=tuple(map(span, spans)) or (WHOLE_DAY,), label="off"
    )


def opened(text: str, *spans: str) -> DayRule:
    return DayRule(date=date.fromisoformat(text), open=tuple(map(span, spans)), label="on")


def test_the_noon_break_does_not_count() -> None:
    """Four hours from 11:00 with lunch in between end at 16:00."""
    assert at("2026-03-02T16:00:00+01:00") == desk().due(at("2026-03-02T11:00:00+01:00"), 4 * HOUR)


def test_work_that_runs_out_at_closing_time_is_late_at_closing_time() -> None:
    """A deadline lands on the end of a window, not on the start of the next."""
    subject = desk()

    assert at("2026-03-06T18:00:00+01:00") == subject.due(
        at("2026-03-06T13:30:00+01:00"), 4 * HOUR + 30 * MINUTE
    )
    assert at("2026-03-02T12:30:00+01:00") == subject.due(at("2026-03-02T08:30:00+01:00"), 4 * HOUR)


def test_a_window_covers_its_start_and_not_its_end() -> None:
    """Half-open: open at 08:30:00.000, closed at 12:30:00.000."""
    subject = desk()
    open_, close = at("2026-03-02T08:30:00+01:00"), at("2026-03-02T12:30:00+01:00")

    assert [subject.is_open(t) for t in (open_ - 1, open_, close - 1, close)] == [
        False,
        True,
        True,
        False,
    ]


def test_nothing_left_is_due_at_once() -> None:
    """Zero milliseconds have passed at the start itself, open or not."""
    night = at("2026-03-02T23:00:00+01:00")

    assert night == desk().due(night, 0)
    assert at("2026-03-03T08:30:00.001+01:00") == desk().due(night, 1)


def test_an_overdrawn_budget_was_used_up_in_the_past() -> None:
    """A negative remainder looks back to the instant at which it was zero."""
    subject = desk()
    now = at("2026-03-03T09:00:00+01:00")

    assert at("2026-03-02T17:30:00+01:00") == subject.due(now, -HOUR)
    assert at("2026-03-02T18:00:00+01:00") == subject.due(now, -HOUR // 2)


def test_a_pause_over_the_weekend_costs_what_was_open() -> None:
    """From Friday 17:00 to Monday 09:30 is an hour on Friday and an hour on Monday."""
    assert (
        desk().measure(at("2026-03-06T17:00:00+01:00"), at("2026-03-09T09:30:00+01:00")) == 2 * HOUR
    )


def test_a_holiday_is_a_date_of_the_calendar_zone() -> None:
    """14 July in Auckland begins while it is still the 13th in UTC."""
    subject = desk("Pacific/Auckland", "09:00-17:00", "", closed("2026-07-14"))

    assert not subject.is_open(at("2026-07-13T22:00:00Z"))
    assert subject.is_open(at("2026-07-14T22:00:00Z"))


def test_public_holidays_come_by_country() -> None:
    """Bastille day is no working day in France."""
    assert at("2026-07-15T09:30:00+02:00") == desk(country="FR").due(
        at("2026-07-13T17:00:00+02:00"), 2 * HOUR
    )


def test_observed_holidays_count_in_the_year_in_which_they_fall() -> None:
    """New Year's Day 2022 was a Saturday: in the United States 31 December 2021 was off."""
    subject = desk("America/New_York", "09:00-17:00", country="US")

    assert subject.measure(at("2021-12-31T05:00:00Z"), at("2022-01-01T05:00:00Z")) == 0


def test_spring_takes_an_hour_from_a_day() -> None:
    """24x7 in Paris measures 23 hours on 29 March 2026, and 25 on 25 October."""
    subject = coverage(Calendar("paris", "Europe/Paris", ((WHOLE_DAY,),) * 7))

    assert [
        sum(end - start for start, end in subject.windows(since, until)) // HOUR
        for since, until in (
            (at("2026-03-29T00:00:00+01:00"), at("2026-03-30T00:00:00+02:00")),
            (at("2026-10-25T00:00:00+02:00"), at("2026-10-26T00:00:00+01:00")),
        )
    ] == [23, 25]


@pytest.mark.parametrize(
    ("zone", "hours", "date_", "first", "last"),
    [
        # 02:00 becomes 03:00: an opening at 02:30 is at 03:30, a close at 02:30 too.
        ("Europe/Paris", "02:30-06:00", "2026-03-29", "T03:30:00+02:00", "T06:00:00+02:00"),
        ("Europe/Paris", "00:00-02:30", "2026-03-29", "T00:00:00+01:00", "T03:30:00+02:00"),
        # 03:00 becomes 02:00: open at the first 02:30, close at the last.
        ("Europe/Paris", "02:30-06:00", "2026-10-25", "T02:30:00+02:00", "T06:00:00+01:00"),
        ("Europe/Paris", "00:00-02:30", "2026-10-25", "T00:00:00+02:00", "T02:30:00+01:00"),
        # The other hemisphere, by half an hour.
        ("Australia/Lord_Howe", "01:45-05:00", "2026-04-05", "T01:45:00+11:00", "T05:00:00+10:30"),
        ("Australia/Lord_Howe", "02:15-05:00", "2026-10-04", "T02:45:00+11:00", "T05:00:00+11:00"),
        ("Pacific/Auckland", "02:30-05:00", "2026-09-27", "T03:30:00+13:00", "T05:00:00+13:00"),
        # Midnight itself was skipped.
        ("America/Sao_Paulo", "00:00-05:00", "2018-11-04", "T01:00:00-02:00", "T05:00:00-02:00"),
    ],
)
def test_clock_changes(zone: str, hours: str, date_: str, first: str, last: str) -> None:
    """Skipped times move forward; repeated ones are the first of an opening, the last of a close."""
    subject = desk(zone, hours, hours)
    start = at(date_ + first)

    assert (start, at(date_ + last)) in subject.windows(start - DAY, start + DAY)


def test_a_date_that_was_skipped_has_no_hours() -> None:
    """Samoa had no 30 December 2011: from Thursday night the next working day is Monday."""
    subject = desk("Pacific/Apia", "09:00-17:00")
    thursday = at("2011-12-29T16:00:00-10:00")

    assert at("2012-01-02T10:00:00+14:00") == subject.due(thursday, 2 * HOUR)
    assert at("2012-01-02T09:00:00+14:00") == subject.next_working_day(thursday)


def test_a_night_shift_belongs_to_the_evening_on_which_it_starts() -> None:
    """A holiday takes the night that starts on it, and leaves the one that ends on it."""
    subject = desk("Europe/Paris", "20:00-06:00", "20:00-06:00", closed("2026-12-25"))

    assert subject.is_open(at("2026-12-25T05:59:00+01:00"))
    assert not subject.is_open(at("2026-12-25T21:00:00+01:00"))
    assert not subject.is_open(at("2026-12-26T03:00:00+01:00"))
    assert subject.is_open(at("2026-12-26T20:00:00+01:00"))


def test_half_a_day_off() -> None:
    """Closed from noon to midnight, the morning stays."""
    subject = desk(
        "Europe/Paris", "08:30-12:30 13:30-18:00", "", closed("2026-12-24", "12:00-24:00")
    )

    assert at("2026-12-25T09:00:00+01:00") == subject.due(at("2026-12-24T08:30:00+01:00"), 4 * HOUR)
    assert (
        subject.measure(at("2026-12-24T00:00:00+01:00"), at("2026-12-25T00:00:00+01:00"))
        == 3 * HOUR + HOUR // 2
    )


def test_one_saturday_on() -> None:
    """An open date replaces the hours of its weekday, of which there may be none."""
    subject = desk("Europe/Paris", "09:00-17:00", "", opened("2026-06-06", "09:00-12:00"))

    assert at("2026-06-06T10:00:00+02:00") == subject.due(at("2026-06-05T16:00:00+02:00"), 2 * HOUR)


def test_precedence() -> None:
    """Dated open, then dated closed, then what recurs, then the week (D25)."""
    christmas = DayRule(yearly=(12, 25), open=((36_000, 43_200),), label="short")
    off, on = closed("2026-12-25", "11:00-24:00"), opened("2026-12-25", "14:00-15:00")
    since, until = at("2026-12-25T00:00:00+01:00"), at("2026-12-26T00:00:00+01:00")

    assert [
        desk("Europe/Paris", "09:00-17:00", "", *rules, country="FR").measure(since, until) // HOUR
        for rules in ((), (christmas,), (christmas, off), (christmas, off, on))
    ] == [0, 2, 1, 1]


def test_every_year_and_leap_days() -> None:
    """29 February recurs in leap years only."""
    subject = desk(
        "UTC", "09:00-17:00", "09:00-17:00", DayRule(yearly=(2, 29), closed=(WHOLE_DAY,))
    )

    assert [
        subject.measure(at(f"{year}-02-01T00:00:00Z"), at(f"{year}-03-01T00:00:00Z")) // (8 * HOUR)
        for year in (2027, 2028, 2029)
    ] == [28, 28, 28]


def test_a_recurrence_rule() -> None:
    """Every other Friday off, counted from the first."""
    rule = DayRule(
        date=date(2026, 3, 6), rrule="FREQ=WEEKLY;INTERVAL=2;BYDAY=FR", closed=(WHOLE_DAY,)
    )
    subject = desk("UTC", "09:00-17:00", "", rule)

    assert [
        subject.is_open(at(f"2026-{day}T12:00:00Z"))
        for day in ("02-20", "03-06", "03-13", "03-20", "03-27")
    ] == [True, False, True, False, True]


def test_a_recurrence_may_end() -> None:
    """UNTIL and COUNT are part of the rule, with or without a Z."""
    rules = [
        DayRule(date=date(2026, 3, 2), rrule=f"FREQ=DAILY;{end}", closed=(WHOLE_DAY,))
        for end in ("COUNT=2", "UNTIL=20260303", "UNTIL=20260303T000000Z")
    ]

    assert [at("2026-03-04T09:00:00Z")] * 3 == [
        desk("UTC", "09:00-17:00", "", rule).next_open(at("2026-03-01T00:00:00Z")) for rule in rules
    ]


def test_windows_up_to_midnight_and_from_midnight_are_one() -> None:
    """24:00 ends a day, and what starts at 00:00 goes on without a seam."""
    subject = desk("UTC", "16:00-24:00 00:00-02:00 01:00-03:00")

    assert (at("2026-03-02T16:00:00Z"), at("2026-03-03T03:00:00Z")) in subject.windows(
        at("2026-03-02T12:00:00Z"), at("2026-03-03T12:00:00Z")
    )


@pytest.mark.parametrize("subject", [ALWAYS, desk()])
def test_no_time_has_no_windows(subject: Coverage) -> None:
    """From an instant to itself, or backwards, there is no window, open or not."""
    now = at("2026-03-02T10:00:00Z")

    assert [subject.windows(now, now), subject.windows(now, now - HOUR)] == [[], []]


def test_plain_elapsed_time() -> None:
    """24x7 is arithmetic."""
    now = at("2026-03-02T09:02:11Z")

    assert (now + HOUR, DAY, True) == (
        ALWAYS.due(now, HOUR),
        ALWAYS.measure(now, now + DAY),
        ALWAYS.is_open(now),
    )


def test_always_may_have_holidays() -> None:
    """Round the clock but for Christmas."""
    calendar = Calendar("c", "UTC", exceptions=(closed("2026-12-25"),), always=True)

    assert at("2026-12-26T01:00:00Z") == coverage(calendar).due(
        at("2026-12-24T23:00:00Z"), 2 * HOUR
    )


def test_years_compiled_before_change_nothing() -> None:
    """The same question has the same answer whatever was asked first; even `covered` stays put."""
    now, later = at("2026-01-01T03:00:00+01:00"), at("2026-12-31T23:00:00+01:00")
    subject = desk("Europe/Paris", "20:00-06:00", "20:00-06:00", country="FR")
    before = subject.covered(now), subject.covered(later), subject.due(later, 8 * HOUR)
    subject.covered(at("2011-06-01T00:00:00Z"))
    subject.covered(at("2039-06-01T00:00:00Z"))

    assert before == (subject.covered(now), subject.covered(later), subject.due(later, 8 * HOUR))


@pytest.mark.parametrize(
    ("zone", "hours", "instant"),
    [
        # New Year's night began the evening before.
        ("UTC", "20:00-06:00", "2026-01-01T03:00:00Z"),
        ("America/Los_Angeles", "23:00-22:00", "2026-01-02T05:30:00Z"),
        # The first morning of the next year in Auckland is the last evening of this one in UTC.
        ("Pacific/Auckland", "09:00-17:00", "2026-12-31T23:00:00Z"),
        ("Pacific/Kiritimati", "00:00-09:00", "2026-12-31T10:00:00Z"),
    ],
)
def test_a_year_is_not_asked_alone_about_its_edges(zone: str, hours: str, instant: str) -> None:
    """With only that year compiled, what the neighbouring year has to say is still heard."""
    subject = desk(zone, hours, hours)
    subject.covered(at("2026-06-01T00:00:00Z"))

    assert subject.is_open(at(instant))


def test_a_calendar_without_hours_left_says_so() -> None:
    """A deadline that 15 years cannot reach is an error with the calendar's name, not a loop."""
    calendar = Calendar("fair", exceptions=(opened("2026-06-06", "09:00-12:00"),))
    subject = coverage(calendar)

    assert at("2026-06-06T12:00:00Z") == subject.due(at("2026-06-01T00:00:00Z"), 3 * HOUR)
    for question in (
        lambda: subject.due(at("2026-06-01T00:00:00Z"), 3 * HOUR + 1),
        lambda: subject.next_open(at("2026-06-07T00:00:00Z")),
        lambda: subject.next_working_day(at("2026-06-07T00:00:00Z")),
        lambda: subject.due(at("2026-06-01T00:00:00Z"), -1),
        lambda: subject.due(at("9999-12-31T23:59:59Z"), 1),
        lambda: subject.working_day(at("9999-12-31T23:59:59Z")),
    ):
        with pytest.raises(Misconfigured, match="'fair'"):
            question()


def test_absurd_instants_cost_no_day_of_work() -> None:
    """Beyond the years that calendars know nothing is covered, and nothing fails."""
    subject = desk()
    last = at("9999-12-31T23:59:59Z")

    assert subject.measure(at("2101-01-02T00:00:00Z"), last) == 0
    assert not subject.is_open(last)
    assert subject.notes(last - DAY, last) == []
