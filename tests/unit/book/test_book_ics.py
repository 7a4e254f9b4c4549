"""Holidays out of iCalendar files."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from slastream.book.ics import closed_days
from slastream.book.nodes import Wrong

HORIZON = date(2030, 1, 1)
WHOLE = ((0, 86_400),)


def feed(tmp_path: Path, *events: str) -> Path:
    file = tmp_path / "feed.ics"
    body = "".join(f"BEGIN:VEVENT\n{event}\nEND:VEVENT\n" for event in events)
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\n{body}END:VCALENDAR\n"
    file.write_text(text.replace("\n", "\r\n"))
    return file


def days(path: Path, zone: str = "Europe/Paris") -> list[tuple[str, object]]:
    return [(str(rule.date), rule.closed) for rule in closed_days(path, zone, HORIZON)]


def test_whole_days_stay_the_date_that_they_are(tmp_path: Path) -> None:
    """A whole-day event closes its date in every zone; an end is the day after the last."""
    path = feed(
        tmp_path,
        "UID:1\nSUMMARY:Lundi\nDTSTART;VALUE=DATE:20260406",
        "UID:2\nDTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227\nTRANSP:TRANSPARENT",
    )

    for zone in ("Pacific/Auckland", "America/Los_Angeles"):
        assert [
            ("2026-04-06", WHOLE), ("2026-12-24", WHOLE), ("2026-12-25", WHOLE), ("2026-12-26", WHOLE),
        ] == days(path, zone)  # fmt: skip
    assert "Lundi" == closed_days(path, "UTC", HORIZON)[0].label


def test_timed_events_close_hours_of_the_calendars_zone(tmp_path: Path) -> None:
    """A timed event is read in its own zone and closes local time, past midnight on both dates."""
    path = feed(
        tmp_path,
        "UID:1\nDTSTART:20260302T120000Z\nDTEND:20260302T133000Z",
        "UID:2\nDTSTART:20260303T220000\nDURATION:PT4H",
        "UID:3\nDTSTART;TZID=America/New_York:20260304T090000\nDTEND;TZID=America/New_York:20260304T100000",
    )

    assert [
        ("2026-03-02", ((13 * 3600, 52_200),)),
        ("2026-03-03", ((22 * 3600, 86_400),)),
        ("2026-03-04", ((0, 7_200),)),
        ("2026-03-04", ((15 * 3600, 16 * 3600),)),
    ] == days(path)


def test_recurrences_are_laid_out(tmp_path: Path) -> None:
    """RRULE, RDATE, EXDATE, a moved and a cancelled occurrence give the dates that they mean."""
    path = feed(
        tmp_path,
        "UID:a\nDTSTART;VALUE=DATE:20270101\nRRULE:FREQ=YEARLY\nEXDATE;VALUE=DATE:20290101\n"
        "RDATE;VALUE=DATE:20270201",
        "UID:a\nRECURRENCE-ID;VALUE=DATE:20280101\nDTSTART;VALUE=DATE:20280103",
        "UID:b\nSTATUS:CANCELLED\nDTSTART;VALUE=DATE:20270301",
    )

    expected = ["2027-01-01", "2027-02-01", "2028-01-03", "2030-01-01"]
    assert expected == [day for day, _ in days(path)]


def test_until_in_utc_ends_a_local_recurrence(tmp_path: Path) -> None:
    """An UNTIL in UTC counts in the zone of the event, as calendars write it."""
    path = feed(
        tmp_path,
        "UID:a\nDTSTART;TZID=Europe/Paris:20260601T090000\nDTEND;TZID=Europe/Paris:20260601T100000\n"
        "RRULE:FREQ=DAILY;UNTIL=20260603T070000Z",
    )

    assert ["2026-06-01", "2026-06-02", "2026-06-03"] == [day for day, _ in days(path)]


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ("UID:1\nDTSTART;VALUE=DATE:20260101\nRRULE:FREQ=SECONDLY", "does not name days"),
        ("UID:1\nDTSTART:20000101T000000Z\nRRULE:FREQ=DAILY;INTERVAL=0", "does not name days"),
        ("UID:1\nDTSTART;VALUE=DATE:19000101\nRRULE:FREQ=DAILY", "more than 20000"),
        (
            "UID:1\nDTSTART;VALUE=DATE:20260101\nDTEND:20260102T000000Z",
            "iCalendar|starts on a date",
        ),
    ],
)
def test_feeds_that_cannot_be_meant(tmp_path: Path, event: str, message: str) -> None:
    """A feed that would close the world, or makes no sense, is refused with its name or reason."""
    with pytest.raises(Wrong, match=message):
        closed_days(feed(tmp_path, event), "UTC", HORIZON)


def test_what_is_no_feed(tmp_path: Path) -> None:
    """A file that is something else, a folder and an empty calendar are told apart."""
    (tmp_path / "x.ics").write_text("hello")

    with pytest.raises(Wrong, match=r"'x.ics' is no iCalendar file|'x.ics' holds no event"):
        closed_days(tmp_path / "x.ics", "UTC", HORIZON)
    with pytest.raises(Wrong, match="cannot read"):
        closed_days(tmp_path, "UTC", HORIZON)
    with pytest.raises(Wrong, match=r"'feed.ics' holds no event"):
        closed_days(feed(tmp_path), "UTC", HORIZON)
