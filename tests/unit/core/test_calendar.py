"""Calendars as values: what is refused, and how it is said."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import pytest

from slastream.core.calendar import WHOLE_DAY, Calendar, DayRule, HolidayRule
from slastream.core.coverage import coverage
from slastream.core.errors import Misconfigured
from slastream.core.public_holidays import check_holidays

NINE_TO_FIVE = (((32_400, 61_200),),) * 5 + ((), ())


def test_a_calendar_that_never_opens_is_refused() -> None:
    """No weekly window and no opening exception: nothing could fall due, so it is an error at once."""
    closed = DayRule(date=date(2026, 1, 1), closed=(WHOLE_DAY,))

    with pytest.raises(Misconfigured, match="'void' never opens"):
        Calendar("void", "Europe/Paris", exceptions=(closed,))


def test_one_open_date_is_enough() -> None:
    """A calendar may live by exceptions alone."""
    rule = DayRule(date=date(2026, 6, 6), open=((32_400, 43_200),))

    assert Calendar("fair", exceptions=(rule,)).name == "fair"


@pytest.mark.parametrize("zone", ["Europe/Pariss", "", "../etc/passwd", "CEST+"])
def test_an_unknown_zone_is_named(zone: str) -> None:
    """A misspelt zone is refused with the zone in the message."""
    with pytest.raises(Misconfigured, match="unknown time zone"):
        Calendar("paris", zone, NINE_TO_FIVE)


@pytest.mark.parametrize("span", [(61_200, 32_400), (32_400, 32_400), (86_400, 90_000), (-60, 60)])
def test_a_window_that_ends_before_it_starts_is_refused(span: tuple[int, int]) -> None:
    """A window starts within its day, has a length, and lasts 24 hours at the most."""
    with pytest.raises(Misconfigured, match="Monday"):
        Calendar("odd", "UTC", ((span,),) + ((),) * 6)


@pytest.mark.parametrize(
    "parts",
    [
        {"closed": (WHOLE_DAY,)},
        {"date": date(2026, 1, 1), "yearly": (1, 1), "closed": (WHOLE_DAY,)},
        {"date": date(2026, 1, 1)},
        {"yearly": (2, 30), "closed": (WHOLE_DAY,)},
        {"rrule": "FREQ=HOURLY", "closed": (WHOLE_DAY,)},
        {"rrule": "every other friday", "closed": (WHOLE_DAY,)},
        {"rrule": "FREQ=SOMETIMES", "closed": (WHOLE_DAY,)},
        {"rrule": "FREQ=DAILY", "yearly": (1, 1), "closed": (WHOLE_DAY,)},
    ],
)
def test_an_exception_without_a_day_or_an_effect_is_refused(parts: dict[str, object]) -> None:
    """An exception says when, once, and what."""
    with pytest.raises(Misconfigured):
        DayRule(**parts)  # type: ignore[arg-type]


def test_an_unknown_country_or_subdivision_is_named() -> None:
    """What the holidays package does not know is a mistake of the book."""
    with pytest.raises(Misconfigured, match="'ZZ'"):
        check_holidays(HolidayRule("ZZ"))
    with pytest.raises(Misconfigured, match="'XX' in DE"):
        check_holidays(HolidayRule("DE", "XX"))
    check_holidays(HolidayRule("de", "BY"))


def test_an_unknown_country_is_refused_when_it_is_used() -> None:
    """A book that skipped the check still fails with a clear line, not a traceback of a library."""
    subject = coverage(Calendar("paris", "Europe/Paris", NINE_TO_FIVE, (HolidayRule("ZZ"),)))

    with pytest.raises(Misconfigured, match="'ZZ'"):
        subject.covered(1_767_225_600_000)


def test_holidays_are_imported_only_when_a_holiday_is_asked_for() -> None:
    """A worker whose calendars have no holidays never pays for the package, nor does `--help`."""
    script = (
        "import sys; from slastream.core.coverage import ALWAYS; ALWAYS.due(0, 1); "
        "print(sorted({'holidays', 'dateutil', 'icalendar'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert ran.stdout == "[]\n"
