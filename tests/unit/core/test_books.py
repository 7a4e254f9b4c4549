"""Versions in event time: which mapping, policy and calendar rule when (D03, D24, D28)."""

from __future__ import annotations

import pytest

from slastream.core.books import Books, TenantBooks, compile_steps
from slastream.core.event import State
from slastream.core.instant import HOUR
from slastream.core.policy import Mapped
from tests.support.desk import AGENT, Desk, at, book, holiday, office, options, policy

OPEN, WORK = Mapped(State.NEW), Mapped(State.IN_PROGRESS)


def test_the_most_specific_mapping_wins() -> None:
    """Board with status and sub-status, then board, then sub-status, then the status alone (D03)."""
    wait, vendor = Mapped(State.WAITING, "client"), Mapped(State.WAITING, "vendor")
    told = book(
        statuses={
            "on hold": wait,
            ("", "on hold", "3"): vendor,
            ("projects", "on hold", ""): WORK,
            ("projects", "on hold", "9"): OPEN,
        }
    )
    books = TenantBooks("acme")
    books.add(told)
    version = books.at(0)

    assert version.state("desk", None, "On  HOLD", None) == wait
    assert version.state("desk", "Service", "on hold", "3") == vendor
    assert version.state("desk", "Projects", "on hold", "3") == WORK
    assert version.state("desk", "Projects", "on hold", "9") == OPEN
    assert version.state("desk", None, "unheard of", None) is None


def test_a_version_rules_from_its_instant() -> None:
    """The book of the 1st rules until the book of the 15th; the first rules what came before it."""
    books = TenantBooks("acme")
    books.add(book(effective_from="2026-03-15 00:00", version="b"))
    books.add(book(effective_from="2026-03-01 00:00", version="a"))

    def name(when: str) -> str:
        return books.at(at(when)).book.version

    assert [name("2026-01-01 00:00"), name("2026-03-14 23:59"), name("2026-03-15 00:00")] == [
        "a", "a", "b",
    ]  # fmt: skip


def test_the_same_version_twice_is_one() -> None:
    """Publishing what is known already changes nothing."""
    books = TenantBooks("acme")

    assert books.add(book(version="a")) is True
    assert books.add(book(version="a")) is False
    assert len(books.versions) == 1


def two_books(first: object, second: object) -> Desk:
    """Return a desk with two versions, the second from the 4th of March on."""
    desk = Desk(first)  # type: ignore[arg-type]
    desk.books.add(second)  # type: ignore[arg-type]
    return desk


def test_a_policy_is_pinned_by_the_start_of_its_cycle() -> None:
    """A new promise does not touch tickets that began under the old one (D24)."""
    desk = two_books(
        book(policy(resolution="PT240H"), version="old"),
        book(policy(resolution="PT1H"), effective_from="2026-03-04 00:00", version="new"),
    )
    desk.say("2026-03-02 09:00", "created", state="new")
    desk.say("2026-03-05 09:00", priority="P1")
    desk.say("2026-03-05 10:00", "created", ticket="2", state="new")

    assert (desk.clock("resolution").book, desk.clock("resolution").due) == ("old", "03-12 09:00")
    assert (desk.clock("resolution", "2").book, desk.clock("resolution", "2").due) == (
        "new", "03-05 11:00",
    )  # fmt: skip


def test_a_mapping_is_the_one_in_force_at_each_event() -> None:
    """The same label means what its day's book says (D24)."""
    desk = two_books(
        book(policy(), statuses={"Scheduled": Mapped(State.WAITING, "client")}, version="old"),
        book(
            policy(), statuses={"Scheduled": WORK}, effective_from="2026-03-04 00:00", version="new"
        ),
    )
    desk.say("2026-03-02 09:00", "created", ticket="1", state="new")
    desk.say("2026-03-03 09:00", ticket="1", status="Scheduled")

    assert desk.snapshot()["state"] == "waiting"

    desk.say("2026-03-05 09:00", ticket="1", status="Scheduled", actor=AGENT)

    assert desk.snapshot()["state"] == "in_progress"


def test_a_holiday_announced_later_moves_open_tickets() -> None:
    """Time that has passed keeps its hours, time to come gets the new ones (D28)."""
    promise = policy(calendar="office", resolution="PT24H")
    free = office("UTC", holiday("2026-03-02"), holiday("2026-03-05"))
    desk = two_books(
        book(promise, calendars=(office("UTC"),), version="old"),
        book(promise, calendars=(free,), effective_from="2026-03-04 00:00", version="new"),
    )
    desk.say("2026-03-03 09:00", "created", state="new")
    desk.say("2026-03-02 09:00", "created", ticket="2", state="new")

    # Tuesday, Wednesday, and Friday instead of Thursday.
    assert desk.clock("resolution").due == "03-06 17:00"
    # The Monday that is called a holiday afterwards was worked, and counts.
    assert desk.clock("resolution", "2").due == "03-04 17:00"


def test_a_tenant_without_a_book_is_measured() -> None:
    """Nobody promised anything to a tenant that no worker has read a book of."""
    desk = Desk(book(policy(resolution="PT1H")))
    desk.say("2026-03-02 09:00", "created", tenant="stranger", state="new")
    desk.until("2026-03-04 09:00")

    assert desk.told() == []
    assert desk.clock("resolution").outcome == "measured"
    assert Books().tenants() == []


def test_levels_in_the_order_in_which_they_are_reached() -> None:
    """At-risk levels by height, the breach, then what is over; none before the start (D31)."""
    promise = policy(
        at_risk=("90%", "PT15M left", "75%"), overdue=("150%", "PT5M over"), response="PT1H"
    )
    steps = [(step.text, step.offset // 60_000) for step in compile_steps(promise, 3_600_000)]

    assert steps == [
        ("PT15M left", 45), ("75%", 45), ("90%", 54), ("breach", 60), ("PT5M over", 65), ("150%", 90),
    ]  # fmt: skip
    assert compile_steps(promise, 60_000)[0].offset == 0


@pytest.mark.parametrize(
    ("pin", "untouched", "changed"),
    [("at_start", 8.0, 8.0), ("at_each_change", 8.0, 2.0), ("latest", 2.0, 2.0)],
)
def test_the_other_pins(pin: str, untouched: float, changed: float) -> None:
    """A stricter version comes while a ticket is open: it rules from the start, a change, or never (D24)."""
    pinned = options(policy_pin=pin)
    first = book(policy(resolution="PT8H", options=pinned), version="1#aaaaaa")
    second = book(
        policy(resolution="PT2H", options=pinned),
        version="2#bbbbbb",
        effective_from="2026-03-02 10:00",
    )
    desk = Desk(first)
    desk.books.add(second)
    desk.say("2026-03-02 09:00", "created", state="new", priority="P3")
    before = desk.clock("resolution").raw["target_ms"]
    desk.say("2026-03-02 10:30", priority="P1")

    assert untouched == before / HOUR
    assert changed == desk.clock("resolution").raw["target_ms"] / HOUR
