"""What happened on the generated day is what its deliveries tell, whichever system told them."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from slastream.book import load
from slastream.core.books import Books, TenantBooks
from slastream.core.errors import Rejected
from slastream.core.event import Event, State
from slastream.core.policy import Book
from slastream.core.shapes import Fold, Row
from slastream.demo.day import generated_day, lived_day
from slastream.demo.desk import CLIENTS, SOURCES, ZONES
from slastream.demo.life import Step, Ticket
from slastream.engine.judge import add, known
from slastream.sources import SOURCES as MODULES
from slastream.sources import Delivery, read

SEED, TICKETS = 7, 2000
Key = tuple[str, str]
States = list[tuple[State, str]]

MEANT: dict[str, tuple[State, str]] = {
    "new": (State.NEW, ""),
    "assigned": (State.RESPONDED, ""),
    "working": (State.IN_PROGRESS, ""),
    "waiting_client": (State.WAITING, "client"),
    "waiting_vendor": (State.WAITING, "vendor"),
    "resolved": (State.RESOLVED, ""),
    "closed": (State.CLOSED, ""),
    "merged": (State.CANCELLED, "merged"),
}
MERGED_AS = {"glpi": "deleted", "debezium": "deleted", "itop": "void"}
"""Systems that do not say a merge is one: GLPI throws the child away, iTop rejects it."""


@cache
def book() -> Book:
    (found,) = load(Path(__file__).parents[3] / "deploy/books/acme-msp.yaml")
    return found


@cache
def books() -> TenantBooks:
    return Books(book()).of("acme-msp")


@cache
def events() -> dict[Key, list[tuple[Event, int]]]:
    """Every readable event of the day with its time of arrival, by source and ticket."""
    found: dict[Key, list[tuple[Event, int]]] = defaultdict(list)
    for told in generated_day(SEED, TICKETS):
        zone = book().sources[told.source].timezone
        delivery = Delivery(
            told.source, "acme-msp", told.key, told.value, told.headers, told.at, zone
        )
        try:
            for event in read(delivery):
                found[event.source, event.ticket].append((event, told.at))
        except Rejected:
            continue
    return found


@cache
def rows() -> dict[Key, Row]:
    """What the engine makes of each ticket's events, in their order of arrival."""
    found = {}
    for key, arrived in events().items():
        row: Row | None = None
        for event, at in arrived:
            fact = known(row, event, at, books())
            if fact is not None:
                row, _ = add(row, fact, event, books())
                assert row.fold is not None
                assert row.fold.unmapped is None, (key, event)
        assert row is not None
        found[key] = row
    return found


def folded(key: Key) -> Fold:
    ticket = rows()[key].fold
    assert ticket is not None
    return ticket


@cache
def lives() -> dict[Key, list[Step]]:
    found: dict[Key, list[Step]] = defaultdict(list)
    for step in lived_day(SEED, TICKETS):
        found[step.ticket.system.source, stable_id(step.ticket)].append(step)
    return found


def stable_id(ticket: Ticket) -> str:
    """How the ticket's system names it, where that is not its number."""
    source = ticket.system.source
    if source == "itop":
        return f"{'I' if ticket.type == 'incident' else 'R'}-{ticket.id:06d}"
    if source == "servicenow":
        return f"00000c44001112275000025{ticket.id + 0x1_0000_0000:09x}"
    return str(ticket.id)


def meant(steps: list[Step]) -> States:
    states: States = []
    for step in steps:
        state = MEANT[step.stage]
        if step.happening == "deleted":
            state = (State.CANCELLED, "deleted")
        elif step.happening == "merged":
            state = (State.CANCELLED, MERGED_AS.get(step.ticket.system.source, "merged"))
        if not states or states[-1] != state:
            states.append(state)
    return states


def told(ticket: Fold) -> States:
    return [(State(entry.state), entry.on) for entry in ticket.ledger]


def test_the_day_is_told_by_every_source() -> None:
    """Thirteen ticket systems and our own events: no module of sources is left out."""
    told_by_whom = {event.source for arrived in events().values() for event, _ in arrived}

    assert told_by_whom == set(SOURCES) == set(MODULES) - {"debezium_glpi"}
    assert len(SOURCES) == 14


@pytest.mark.parametrize("source", SOURCES)
def test_every_state_survives(source: str) -> None:
    """A ticket has the states of its life, in their order, whatever its system's words for them."""
    ours = {key: meant(steps) for key, steps in lives().items() if key[0] == source}

    assert len(ours) >= 25
    assert ours == {key: told(folded(key)) for key in events() if key[0] == source}


def test_every_time_survives() -> None:
    """A state begins when it did, to the second that most clocks show; a deletion when it is heard of."""
    for key, steps in lives().items():
        began = [step.at for step in steps if step.happening in ("created", "moved", "merged")]
        for at, entry in zip(began, folded(key).ledger, strict=False):
            assert 0 <= at - entry.at < 1_000, key


def test_no_status_is_unmapped() -> None:
    """The book knows every word that the day uses; the engine says so of each event."""
    assert rows().keys() == lives().keys()


def test_every_ticket_is_promised_something() -> None:
    """Each system's name of a client, or its contract, leads to that client's policy."""
    contracts = {
        (system.source, system.client): client.contract
        for client in CLIENTS
        for system in client.systems
    }
    for key, steps in lives().items():
        ticket = steps[0].ticket
        policy = folded(key).clocks[0].policy

        assert policy.split("-")[0] == contracts[ticket.system.source, ticket.system.client]


def test_every_priority_is_one_of_the_book() -> None:
    """P1 to P4, and as the desk set them."""
    for key, steps in lives().items():
        attributes = folded(key).attributes
        last = [step for step in steps if step.happening not in ("merged", "deleted")][-1]

        assert attributes["priority"] == last.priority


def test_the_book_has_the_zones_of_the_day() -> None:
    """Times without an offset are read in the zone in which they were written."""
    assert {source: book().sources[source].timezone for source in ZONES} == ZONES
