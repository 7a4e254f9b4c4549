"""Met and missed, by whom and when."""

from __future__ import annotations

from slastream.core.books import Books
from slastream.core.event import Event
from slastream.core.policy import Book
from slastream.offline.attainment import Attainment, Breakpoint, breakpoints, percent
from slastream.offline.compare import Comparison, compare
from slastream.offline.histories import History, read_histories
from slastream.offline.run import Judged, Trouble, run
from tests.support.desk import at, book, event, office, policy

PROMISE = book(policy(resolution="PT2H", calendar="office"), calendars=(office("Europe/Paris"),))


def solved(ticket: str, opened: str, done: str | None, client: str = "dental") -> list[Event]:
    told = [event(opened, "created", ticket, client=client, priority="P2")]
    if done is not None:
        told.append(event(done, "updated", ticket, state="resolved"))
    return told


def histories(*lives: list[Event]) -> list[History]:
    told = [each for life in lives for each in life]
    return list(read_histories(told, None, lambda _: None).histories.values())


def judged(given: Book, *lives: list[Event], as_of: str = "2026-04-30 00:00") -> list[Judged]:
    return list(run(histories(*lives), Books(given), at(as_of), Trouble()))


def rows(
    *lives: list[Event], by: tuple[str, ...] = ("client", "indicator", "month")
) -> list[object]:
    attainment = Attainment(by)
    for each in judged(PROMISE, *lives):
        attainment.add(each)
    return [
        (*(row[name] for name in by), row["met"], row["decided"], row["missed_open"],
         row["cancelled"])
        for row in attainment.rows()
    ]  # fmt: skip


def test_a_cycle_counts_in_the_month_in_which_it_was_decided() -> None:
    """Opened in March, overrun in April while still open: it is April's, and missed."""
    found = rows(
        solved("1", "2026-03-02 09:00", "2026-03-02 10:00"),
        solved("2", "2026-03-31 14:00", "2026-04-01 07:30"),
        solved("3", "2026-04-01 08:00", None),
    )

    assert [
        ("dental", "resolution", "2026-03", 1, 1, 0, 0),
        ("dental", "resolution", "2026-04", 1, 2, 1, 0),
    ] == found


def test_the_month_is_that_of_the_calendars_zone() -> None:
    """23:30 UTC on the last of the month is the first in Paris."""
    found = rows(solved("1", "2026-03-31 22:00", "2026-03-31 23:30"))

    assert [("dental", "resolution", "2026-04", 1, 1, 0, 0)] == found


def test_cancelled_tickets_are_in_no_denominator() -> None:
    """They stand apart."""
    merged = [*solved("1", "2026-03-02 09:00", None), event("2026-03-02 09:30", "deleted")]

    assert [("dental", "resolution", "2026-03", 0, 0, 0, 1)] == rows(merged)


def test_what_has_no_target_is_not_counted() -> None:
    """Response and plan are measured only."""
    found = rows(solved("1", "2026-03-02 09:00", "2026-03-02 10:00"), by=("indicator",))

    assert [("resolution", 1, 1, 0, 0)] == found


def test_a_percentage_is_never_rounded_up() -> None:
    """9,999 of 10,000 is not all of them (D45)."""

    assert 99.99 == percent(9_999, 10_000)
    assert 99.99 == percent(99_999, 100_000)
    assert 33.33 == percent(1, 3)
    assert percent(0, 0) is None


def both(*lives: list[Event], share: float = 95) -> Comparison:
    stricter = book(
        policy(resolution="PT1H", calendar="office"), calendars=(office("Europe/Paris"),)
    )
    return compare(
        histories(*lives), Books(PROMISE), Books(stricter), at("2026-03-31 12:00"),
        ("indicator",), share, (Trouble(), Trouble()),
    )  # fmt: skip


def test_two_books_tell_who_flips() -> None:
    """Only the ticket between the two targets, with both of them beside it."""
    found = both(
        solved("1", "2026-03-02 09:00", "2026-03-02 09:30"),
        solved("2", "2026-03-02 09:00", "2026-03-02 10:30"),
        solved("3", "2026-03-02 09:00", "2026-03-02 14:30"),
    )

    assert [("2", "met", "missed", 7_200_000, 3_600_000)] == [
        (row["ticket"], row["outcome_before"], row["outcome_after"], row["target_ms_before"],
         row["target_ms_after"])
        for row in found.flips
    ]  # fmt: skip
    assert [("resolution", 2, 3, 66.66, 1, 3, 33.33)] == [
        (row["indicator"], row["met_before"], row["decided_before"], row["percent_before"],
         row["met_after"], row["decided_after"], row["percent_after"])
        for row in found.attainment
    ]  # fmt: skip


def test_the_target_that_would_do_is_the_time_of_the_slowest_of_the_share() -> None:
    """Of ten tickets that took 1 to 10 hours, nine tenths need nine; the target makes no difference."""
    lives = [
        [event("2026-03-02 00:00", "created", str(n), priority="P2"),
         event(f"2026-03-02 {n:02d}:00", "updated", str(n), state="resolved")]
        for n in range(1, 11)
    ]  # fmt: skip
    found = breakpoints(judged(book(policy(resolution="PT4H")), *lives), 90)

    assert 9 * 3_600_000 == found["resolution", "P2"].needed()


def test_no_target_is_known_while_too_many_are_open() -> None:
    """A ticket that has overrun its target will need longer than anybody knows."""
    lives = [
        solved("1", "2026-03-02 09:00", "2026-03-02 10:00"),
        solved("2", "2026-03-02 09:00", None),
    ]
    found = breakpoints(judged(PROMISE, *lives), 95)

    assert found["resolution", "P2"].needed() is None
    assert Breakpoint(95).needed() is None
