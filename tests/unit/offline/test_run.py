"""Histories in, judged tickets out."""

from __future__ import annotations

import random

from slastream.core.books import Books
from slastream.core.clock import outcome_of
from slastream.core.event import Event, State
from slastream.core.policy import Book, Mapped
from slastream.offline.histories import Reading, read_histories
from slastream.offline.lines import clock_lines, stamp
from slastream.offline.run import Trouble, run
from slastream.sources.files import Bad
from tests.support.desk import AGENT, ROBOT, Desk, at, book, event, options, policy

BOOK = book(
    policy(
        response={"P1": "PT15M", "default": "PT1H"},
        plan="PT2H",
        resolution={"P1": "PT4H", "default": "P1BD"},
        calendar="office",
        at_risk=("75%", "PT15M left"),
    ),
    statuses={
        "New": Mapped(State.NEW),
        "Open": Mapped(State.IN_PROGRESS),
        "Hold": Mapped(State.WAITING, "client"),
        "Done": Mapped(State.RESOLVED),
        "Shut": Mapped(State.CLOSED),
    },
)


def read(*events: Event | Bad, as_of: str | None = None) -> Reading:
    return read_histories(events, None if as_of is None else at(as_of), lambda _: None)


def lines(given: Book, *events: Event, as_of: str = "2026-03-06 12:00") -> list[dict[str, object]]:
    """Return the lines of all tickets."""
    histories = list(read(*events).histories.values())
    judged = run(histories, Books(given), at(as_of), trouble := Trouble())
    found = [line for each in judged for line in clock_lines(each, at(as_of))]

    assert {} == trouble.failed
    return found


def life(seed: int) -> list[Event]:
    """Return a ticket's events, several of them in the same instant."""
    rng = random.Random(seed)
    minute = 0
    told = [event("2026-03-02 09:00", "created", status="New", priority="P2", client="dental")]
    for number in range(rng.randint(2, 12)):
        minute += rng.choice((0, 0, 7, 45, 240))
        what: dict[str, object] = {"status": rng.choice(("New", "Open", "Hold", "Done", "Shut"))}
        if rng.random() < 0.3:
            what = {"priority": rng.choice(("P1", "P2"))}
        if rng.random() < 0.1:
            what = {"comment": rng.random() < 0.5}
        kind = (
            "restored" if rng.random() < 0.05 else "deleted" if rng.random() < 0.05 else "updated"
        )
        told.append(
            event(
                at("2026-03-02 09:00") + minute * 60_000, kind, id=f"{seed}-{number}",
                actor=rng.choice((AGENT, ROBOT, None)), **what,
            )
        )  # fmt: skip
    return told


def test_any_order_of_arrival_ends_in_the_same_lines() -> None:
    """Two hundred lives, each in three orders, with repeats."""
    for seed in range(200):
        told = life(seed)
        expected = lines(BOOK, *told)
        for shuffle in range(3):
            mixed = told + told[:2]
            random.Random(shuffle).shuffle(mixed)

            assert expected == lines(BOOK, *mixed), seed


def test_a_partition_comes_to_the_same_figures() -> None:
    """A worker that was fed event by event, and one that reads a file, say the same."""
    names = ("target_ms", "started_at", "due", "reached_at", "breached_at", "phase", "verdict",
             "outcome")  # fmt: skip
    for seed in range(200):
        told = life(seed)
        desk = Desk(BOOK).feed(*told).until("2026-03-06 12:00")
        published = sorted(
            desk.snapshot()["clocks"],
            key=lambda each: (("response", "plan", "resolution").index(each["indicator"]), each["cycle"]),
        )  # fmt: skip
        offline = lines(BOOK, *told)

        assert [[each[name] for name in names] for each in published] == [
            [each[name] for name in names] for each in offline
        ], seed


def test_events_after_as_of_are_counted_and_not_known() -> None:
    """The past is read as it was known then."""
    reading = read(
        event("2026-03-02 09:00", "created"), event("2026-03-02 11:00"), as_of="2026-03-02 10:00"
    )

    assert (1, 1, at("2026-03-02 09:00")) == (reading.events, reading.after, reading.last)


def test_an_event_told_twice_counts_once() -> None:
    """By its id: webhooks are retried."""
    again = event("2026-03-02 10:00", status="Open", actor=AGENT, id="a")
    opened = event("2026-03-02 09:00", "created", status="New")

    assert lines(BOOK, opened, again) == lines(BOOK, opened, again, again)


def test_an_unmapped_status_is_counted_and_keeps_the_state() -> None:
    """Never silently nothing (D04)."""
    trouble = Trouble()
    told = read(
        event("2026-03-02 09:00", "created", status="New"),
        event("2026-03-02 10:00", status="Mislaid", board="Desk"),
    )
    (judged,) = run(list(told.histories.values()), Books(BOOK), at("2026-03-02 11:00"), trouble)

    assert {("desk", "Desk", "Mislaid"): 1} == trouble.unmapped
    assert State.NEW == judged.fold.state


def test_a_status_for_the_dead_letters_is_left_out() -> None:
    """With `unmapped: dead_letter` a worker sets the event aside, and so do we."""
    strict = book(
        policy(resolution="PT4H", options=options(unmapped="dead_letter")),
        statuses={"New": Mapped(State.NEW)},
    )
    opened = event("2026-03-02 09:00", "created", status="New", priority="P2")
    aside = event("2026-03-02 10:00", status="Mislaid", priority="P1")

    assert lines(strict, opened) == lines(strict, opened, aside)
    assert [] == lines(strict, aside)


def test_a_ticket_that_cannot_be_judged_does_not_stop_the_others() -> None:
    """It is noted with the reason."""
    told = read(event("2026-03-02 09:00", "created"), event("2026-03-02 09:00", ticket="2"))
    broken = told.histories["acme", "desk", "1"]
    broken.facts[0].told = 99
    trouble = Trouble()
    judged = list(run(list(told.histories.values()), Books(BOOK), at("2026-03-02 10:00"), trouble))

    assert ["2"] == [each.history.ticket for each in judged]
    assert ["acme/desk/1"] == list(trouble.failed)


def test_a_tenant_without_a_book_is_told() -> None:
    """Its tickets are measured around the clock."""
    trouble = Trouble()
    told = read(event("2026-03-02 09:00", "created", tenant="other"))
    (judged,) = run(list(told.histories.values()), Books(BOOK), at("2026-03-02 10:00"), trouble)

    assert {"other": 1} == trouble.bookless
    assert ["measured"] * 3 == [outcome_of(clock) for clock in judged.fold.clocks]


def test_a_stamp_is_rfc_3339() -> None:
    """Before 1970 too: a bad date must not become another one."""

    assert "2026-03-02T09:00:00.007Z" == stamp(at("2026-03-02 09:00") + 7)
    assert "1969-12-31T23:59:59.999Z" == stamp(-1)
