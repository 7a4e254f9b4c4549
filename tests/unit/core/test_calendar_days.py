"""Business days, versions of a calendar, and what explain tells about it."""

from __future__ import annotations

from datetime import date

import pytest

from slastream.core.calendar import WHOLE_DAY, Calendar, DayRule, HolidayRule
from slastream.core.coverage import ALWAYS, Stitched, coverage
from slastream.core.instant import DAY, HOUR
from slastream.core.instant import parse_instant as at

PARIS = Calendar(
    "paris",
    "Europe/Paris",
    (((30_600, 45_000), (48_600, 64_800)),) * 5 + ((), ()),
    (HolidayRule("FR"),),
    (
        DayRule(date=date(2026, 12, 24), closed=((43_200, 86_400),), label="Christmas Eve"),
        DayRule(date=date(2026, 6, 6), open=((32_400, 43_200),), label="moving day"),
    ),
)


@pytest.mark.parametrize(
    ("start", "number", "same_time", "end_of_day"),
    [
        # Within hours.
        ("2026-03-02T10:00:00+01:00", 2, "2026-03-04T10:00:00+01:00", "2026-03-04T18:00:00+01:00"),
        # From a Friday evening, a Saturday and a Sunday one business day ends on Monday.
        ("2026-03-06T20:00:00+01:00", 1, "2026-03-09T20:00:00+01:00", "2026-03-09T18:00:00+01:00"),
        ("2026-03-07T10:00:00+01:00", 1, "2026-03-09T10:00:00+01:00", "2026-03-09T18:00:00+01:00"),
        ("2026-03-08T23:59:59+01:00", 1, "2026-03-09T23:59:59+01:00", "2026-03-09T18:00:00+01:00"),
        # Over the clock change the local time stays.
        ("2026-03-27T10:00:00+01:00", 1, "2026-03-30T10:00:00+02:00", "2026-03-30T18:00:00+02:00"),
        # A half day and one Saturday on count; Christmas does not.
        ("2026-12-23T10:00:00+01:00", 1, "2026-12-24T10:00:00+01:00", "2026-12-24T12:00:00+01:00"),
        ("2026-12-23T10:00:00+01:00", 2, "2026-12-28T10:00:00+01:00", "2026-12-28T18:00:00+01:00"),
        ("2026-06-05T10:00:00+02:00", 1, "2026-06-06T10:00:00+02:00", "2026-06-06T12:00:00+02:00"),
    ],
)
def test_business_days(start: str, number: int, same_time: str, end_of_day: str) -> None:
    """N working dates after the local date, at the same local time or at the end of its hours."""
    subject = coverage(PARIS)

    assert at(same_time) == subject.add_business_days(at(start), number)
    assert at(end_of_day) == subject.add_business_days(at(start), number, end_of_day=True)


def test_milliseconds_survive() -> None:
    """The same local time is the same to the millisecond."""
    assert at("2026-03-03T10:00:00.123Z") == ALWAYS.add_business_days(
        at("2026-03-02T10:00:00.123Z"), 1
    )


def test_a_night_shift_ends_its_day_in_the_morning() -> None:
    """The end of a working date is the end of its last window, after midnight too."""
    night = Calendar("night", "Europe/Paris", (((72_000, 108_000),),) * 5 + ((), ()))

    assert at("2026-03-07T06:00:00+01:00") == coverage(night).add_business_days(
        at("2026-03-05T21:00:00+01:00"), 1, end_of_day=True
    )


def test_a_day_of_24x7_ends_at_local_midnight() -> None:
    """Every date works, and Samoa's missing one is not counted."""
    apia = coverage(Calendar("apia", "Pacific/Apia", always=True))

    assert at("2012-01-01T00:00:00+14:00") == apia.add_business_days(
        at("2011-12-29T12:00:00-10:00"), 1, end_of_day=True
    )


@pytest.mark.parametrize("subject", [ALWAYS, coverage(PARIS), Stitched([(0, ALWAYS)])])
def test_no_business_day_is_no_question(subject: object) -> None:
    """Zero business days is a mistake of the caller."""
    with pytest.raises(ValueError, match="at least one"):
        subject.add_business_days(0, 0)  # type: ignore[attr-defined]


def test_next_open_and_next_working_day() -> None:
    """The next opening is now when it is open; the next working day never is today."""
    subject = coverage(PARIS)
    monday = at("2026-03-02T11:00:00+01:00")

    assert monday == subject.next_open(monday)
    assert at("2026-03-02T13:30:00+01:00") == subject.next_open(at("2026-03-02T12:30:00+01:00"))
    assert at("2026-03-03T08:30:00+01:00") == subject.next_working_day(monday)


def test_a_holiday_announced_later_applies_from_its_version_on() -> None:
    """Time that passed keeps its hours, open tickets get the new ones (D28)."""
    plain = Calendar("desk", "UTC", (((32_400, 61_200),),) * 7)
    off = DayRule(yearly=(3, 3), closed=(WHOLE_DAY,))
    shorter = Calendar("desk", "UTC", (((32_400, 46_800),),) * 7, exceptions=(off,))
    seam = at("2026-03-02T11:00:00Z")
    subject = Stitched([(0, coverage(plain)), (seam, coverage(shorter))])
    start = at("2026-03-02T09:00:00Z")

    assert at("2026-03-02T13:00:00Z") == subject.due(start, 4 * HOUR)
    assert at("2026-03-04T10:00:00Z") == subject.due(start, 5 * HOUR)
    assert subject.measure(at("2026-03-01T00:00:00Z"), at("2026-03-01T23:00:00Z")) == 8 * HOUR
    assert at("2026-03-04T09:00:00Z") == subject.next_working_day(start)
    assert at("2026-03-04T13:00:00Z") == subject.add_business_days(start, 1, end_of_day=True)
    assert at("2026-03-01T16:30:00Z") == subject.due(at("2026-03-04T09:30:00Z"), -5 * HOUR)
    assert [(start, at("2026-03-02T13:00:00Z"))] == subject.windows(start, start + DAY)


def test_a_version_without_hours_left_hands_over() -> None:
    """When a version never opens again, the next one answers from its instant on."""
    fair = DayRule(date=date(2026, 3, 1), open=((32_400, 61_200),))
    seam = at("2026-03-10T00:00:00Z")
    subject = Stitched(
        [(0, coverage(Calendar("fair", exceptions=(fair,)))), (seam, coverage(PARIS))]
    )
    start = at("2026-03-02T00:00:00Z")

    assert at("2026-03-10T08:30:00+01:00") == subject.next_open(start)
    assert at("2026-03-10T08:30:00+01:00") == subject.next_working_day(start)
    assert at("2026-03-10T09:30:00+01:00") == subject.due(start, HOUR)


def test_versions_come_in_order() -> None:
    """Versions out of order, or none at all, are a mistake of the caller."""
    with pytest.raises(ValueError, match="at least one"):
        Stitched([])
    with pytest.raises(ValueError, match="order"):
        Stitched([(0, ALWAYS), (5, ALWAYS), (4, ALWAYS)])


def test_of_two_versions_from_one_instant_the_later_rules() -> None:
    """A version that was mended before anybody lived by it never rules."""
    seam = at("2026-03-02T00:00:00Z")
    subject = Stitched([(0, ALWAYS), (seam, ALWAYS), (seam, coverage(PARIS))])

    assert at("2026-03-02T08:30:00.001+01:00") == subject.due(seam, 1)
    assert at("2026-03-02T08:30:00+01:00") == subject.next_open(seam)
    assert subject.measure(seam - HOUR, at("2026-03-02T09:30:00+01:00")) == 2 * HOUR
    assert at("2026-03-02T08:30:00+01:00") == subject.next_working_day(seam - DAY)


def test_notes_tell_what_moved_a_deadline() -> None:
    """Holidays and exceptions that changed hours, and clock changes, in order; nothing else."""
    subject = coverage(PARIS)
    spring = subject.notes(at("2026-03-27T00:00:00Z"), at("2026-04-08T00:00:00Z"))
    winter = subject.notes(at("2026-12-20T00:00:00Z"), at("2026-12-28T00:00:00Z"))

    assert [
        (date(2026, 3, 29), "clock", "clocks go forward 1:00 (UTC+01:00 to UTC+02:00)"),
        (date(2026, 4, 6), "holiday", "Lundi de Pâques"),
    ] == [note[1:] for note in spring]
    assert at("2026-03-29T01:00:00Z") == spring[0].at
    assert [
        (date(2026, 12, 24), "exception", "Christmas Eve"),
        (date(2026, 12, 25), "holiday", "Noël"),
    ] == [note[1:] for note in winter]
    # All Saints of 2026 is a Sunday: it moved nothing.
    assert subject.notes(at("2026-10-31T00:00:00Z"), at("2026-11-02T00:00:00Z")) == []
    # The half day off begins at noon: a morning's ticket was not touched by it.
    assert subject.notes(at("2026-12-23T10:00:00Z"), at("2026-12-24T07:00:00Z")) == []


def test_notes_of_a_night_reach_past_midnight() -> None:
    """A ticket of the small hours was moved by the holiday on which the night would have begun."""
    off = DayRule(date=date(2026, 3, 2), closed=(WHOLE_DAY,), label="strike")
    night = Calendar("night", "UTC", (((72_000, 108_000),),) * 7, exceptions=(off,))
    since = at("2026-03-03T02:00:00Z")

    assert [(since, date(2026, 3, 2), "exception", "strike")] == coverage(night).notes(
        since, since + HOUR
    )
