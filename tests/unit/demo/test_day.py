"""The generated day is the same for everybody, and has in it what a real day has."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from dataclasses import replace
from functools import cache

import pytest

from slastream.core.errors import Rejected
from slastream.core.event import Event
from slastream.core.instant import MINUTE
from slastream.demo.day import OUTAGE_AT, Delivery, generated_day, lived_day
from slastream.demo.desk import CLIENTS, ENDS, OPENS, SOURCES, ZONES
from slastream.demo.spell import spell
from slastream.sources import Delivery as Arrived
from slastream.sources import read


@cache
def day() -> list[Delivery]:
    return generated_day()


def understood(delivery: Delivery) -> list[Event]:
    tenant = delivery.headers["sla-tenant"].decode()
    return read(
        Arrived(
            delivery.source,
            tenant,
            delivery.key,
            delivery.value,
            delivery.headers,
            delivery.at,
            ZONES.get(delivery.source),
        )
    )


@cache
def readable() -> list[tuple[Delivery, list[Event]]]:
    found = []
    for delivery in day():
        with contextlib.suppress(Rejected):
            found.append((delivery, understood(delivery)))
    return found


def events() -> list[Event]:
    return [event for _, told in readable() for event in told]


def tickets(kind: str) -> set[tuple[str, str]]:
    return {(event.source, event.ticket) for event in events() if event.kind == kind}


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Two people who talk about the demo talk about the same tickets."""

    assert generated_day(seed=11, tickets=300) == generated_day(seed=11, tickets=300)


def test_another_seed_gives_another_day() -> None:
    """The seed decides, not a table."""

    assert generated_day(seed=11, tickets=300) != generated_day(seed=12, tickets=300)


def test_two_thousand_tickets_of_all_systems() -> None:
    """Every ticket is created, and told as new once, in a system that its client has."""
    seen = {(event.source, event.ticket) for event in events()}

    assert len(seen) == 2000
    assert sum(delivery.opens for delivery in day()) == 2000
    assert {source for source, _ in seen} == set(SOURCES)


def test_each_system_has_about_its_share() -> None:
    """Of the two thousand tickets, as many as its desk would have, give or take a third."""
    seen = Counter(source for source, _ in {(event.source, event.ticket) for event in events()})
    shares: Counter[str] = Counter()
    for system in (system for client in CLIENTS for system in client.systems):
        shares[system.source] += round(2000 * system.share)

    assert sum(shares.values()) == 2000
    assert all(0.67 < seen[source] / share < 1.34 for source, share in shares.items())


def test_deliveries_come_in_order_of_arrival_within_the_day() -> None:
    """A replay writes them as log times, which never run backwards."""
    instants = [delivery.at for delivery in day()]

    assert instants == sorted(instants)
    assert instants[0] >= OPENS
    assert instants[-1] < ENDS + 15 * MINUTE


def test_eight_deliveries_cannot_be_read() -> None:
    """What was planted ends on the dead-letter topic, and nothing else does."""
    reasons: Counter[str] = Counter()
    for delivery in day():
        try:
            understood(delivery)
        except Rejected as problem:
            reasons[problem.reason] += 1

    assert {
        "not_json": 3, "naive_time": 1, "bad_time": 1, "not_a_ticket": 2, "no_ticket_data": 1,
    } == reasons  # fmt: skip


def test_the_outage_makes_forty_tickets_at_once() -> None:
    """Forty P1 incidents of one client within four minutes, most merged into the first."""
    struck = [
        event
        for event in events()
        if event.kind == "created"
        and OUTAGE_AT <= event.occurred_at <= OUTAGE_AT + 4 * MINUTE
        and event.source == "connectwise"
        and event.priority == "Priority 1 - Emergency"
    ]

    assert len(struck) >= 40
    assert len(tickets("merged")) >= 24


@pytest.mark.parametrize(
    ("name", "least"), [("deleted", 5), ("merged", 30), ("comment", 300), ("updated", 1500)]
)
def test_the_day_has_what_a_real_day_has(name: str, least: int) -> None:
    """Spam, merges, comments and moves are all there, not once but regularly."""

    assert len(tickets(name)) >= least


def test_some_deliveries_arrive_twice() -> None:
    """A webhook that was not answered in time is sent again with the same bytes."""
    bodies = Counter(delivery.value for delivery in day())

    assert sum(1 for seen in bodies.values() if seen > 1) > 50


def test_some_deliveries_arrive_minutes_late() -> None:
    """What happened before a judgement may be told after it."""
    late = [
        delivery
        for delivery, told in readable()
        if any(delivery.at - event.occurred_at > 2 * MINUTE for event in told)
    ]

    assert len(late) > 10


def test_systems_speak_as_they_do() -> None:
    """Batches, JSON inside JSON and schema envelopes: the oddities are there."""
    bodies = [(delivery.source, delivery.value) for delivery in day()]

    assert any(value and value[:1] == b"[" for source, value in bodies if source == "halopsa")
    assert any(value and b'{"schema":' in value for source, value in bodies if source == "debezium")
    assert any(
        value and b'\\"id\\":' in value for source, value in bodies if source == "connectwise"
    )


def test_a_deleted_row_leaves_a_tombstone() -> None:
    """Debezium follows a deletion with a null value, so that compaction forgets the row."""
    step = next(step for step in lived_day(7, 2000) if step.ticket.system.source == "debezium")

    change, tombstone = spell(replace(step, happening="deleted"), random.Random(1))

    assert change.body is not None
    assert tombstone.body is None
    assert tombstone.key == change.key
