"""The alerts of a file are those that a worker would have announced, in that order."""

from __future__ import annotations

from typing import Any

from slastream.core.books import Books
from slastream.core.event import Event
from slastream.core.policy import Book
from slastream.offline.alerts import Ticker, arrivals, is_grouped
from slastream.offline.run import Trouble
from tests.support.desk import AGENT, Desk, at, book, event, options, policy
from tests.unit.offline.test_run import BOOK, life

END = "2026-03-06 12:00"


def alerts(
    given: Book, *events: Event, by_time: bool = False, as_of: str = END
) -> list[dict[str, Any]]:
    ticker = Ticker(Books(given), trouble := Trouble())
    found = list(ticker.alerts(arrivals(events, by_time), at(as_of)))

    assert {} == trouble.failed
    return found


def test_a_partition_announces_the_same_alerts_in_the_same_order() -> None:
    """Two hundred lives: ids, instants and figures are those that a worker would publish."""
    for seed in range(200):
        told = life(seed)
        desk = Desk(BOOK)
        for each in told:
            desk.until(each.occurred_at).feed(each)
        desk.until(END)
        offline = alerts(BOOK, *told)

        assert [(said.id, said.value) for said in desk.alerts] == [
            (line.pop("ce_id"), {k: v for k, v in line.items() if not k.startswith("ce_")})
            for line in offline
        ], seed


def test_a_ticket_that_nobody_touches_again_is_announced() -> None:
    """Deadlines need no event to come due."""
    found = alerts(
        book(policy(resolution="PT1H", at_risk=("75%",))), event("2026-03-02 09:00", "created")
    )

    assert ["75%", "breach"] == [each["threshold"] for each in found]


def test_nothing_that_becomes_true_after_as_of_is_announced() -> None:
    """The reading instant ends the run."""
    given = book(policy(resolution="PT1H", at_risk=("75%",)))
    found = alerts(given, event("2026-03-02 09:00", "created"), as_of="2026-03-02 09:50")

    assert ["75%"] == [each["threshold"] for each in found]


def test_what_waits_for_settle_at_as_of_is_announced_all_the_same() -> None:
    """It is true by then, and a worker says so five seconds later."""
    given = book(
        policy(resolution={"P1": "PT1H", "default": "PT8H"}, options=options(settle=5_000))
    )
    opened = event("2026-03-02 09:00", "created", priority="P2")
    raised = event("2026-03-02 12:00", priority="P1", actor=AGENT)
    found = alerts(given, opened, raised, as_of="2026-03-02 12:00")

    assert [("breach", "2026-03-02T12:00:00.000Z", "2026-03-02T12:00:05.000Z")] == [
        (each["threshold"], each["reached_at"], each["detected_at"]) for each in found
    ]


def test_grace_at_as_of_is_waited_out() -> None:
    """The breach is true, so it is told with the instant at which it would be published."""
    given = book(policy(resolution="PT1H", options=options(grace=120_000)))
    found = alerts(given, event("2026-03-02 09:00", "created"), as_of="2026-03-02 10:01")

    assert ["2026-03-02T10:02:00.001Z"] == [each["detected_at"] for each in found]


def test_a_file_sorted_by_ticket_is_recognised() -> None:
    """Its second ticket opens long before the first one's last event."""
    one = [event("2026-03-02 09:00", "created"), event("2026-03-03 09:00")]
    two = [event("2026-03-02 10:00", "created", "2"), event("2026-03-03 10:00", ticket="2")]

    assert is_grouped(one + two)
    assert not is_grouped(sorted(one + two, key=lambda each: each.occurred_at))


def test_by_time_a_late_line_is_not_late() -> None:
    """An export tells nothing of the order in which a worker would have heard."""
    given = book(policy(resolution="PT1H"))
    opened, done = event("2026-03-02 09:00", "created"), event("2026-03-02 09:30", state="resolved")
    other = event("2026-03-02 12:00", "created", "2")

    assert ["1 breached", "1 corrected", "2 breached"] == [
        f"{each['ticket']} {each['ce_type'].split('.')[3]}"
        for each in alerts(given, opened, other, done)
    ]
    assert ["2"] == [each["ticket"] for each in alerts(given, opened, other, done, by_time=True)]


def test_imported_history_is_silent_until_the_import_ends() -> None:
    """Whatever its tickets passed before is measured and not announced; what comes after is (D41)."""
    given = book(policy(resolution="PT4H"))
    opened = event("2026-03-02 09:00", "created", imported=True)
    found = alerts(
        given,
        opened,
        event("2026-03-02 10:00", "created", "2", imported=True),
        event("2026-03-02 13:30", ticket="2", imported=True),
    )

    assert ["2"] == [each["ticket"] for each in found]
