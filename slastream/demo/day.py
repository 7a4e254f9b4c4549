"""The generated day as deliveries in order of time: what arrives at the raw topics, and when.

Deterministic from its seed. The instants are simulated; nothing here knows the real time.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

import orjson

from slastream.core.instant import MINUTE, SECOND, Instant, Millis
from slastream.demo.desk import CLIENTS, ENDS, OPENS, PRIORITIES, Client, arrival, local
from slastream.demo.life import Step, draw_ticket, live, outage
from slastream.demo.spell import TENANT, spell

OUTAGE_AT = local("10:17")
RETRIED = 0.015
"""The share of deliveries that a vendor's webhook sends a second time."""
DELAYED = 0.003
"""The share that sits in somebody's queue for minutes."""


class Delivery(NamedTuple):
    """One record of a raw topic. `at` is when it arrives, in simulated epoch milliseconds."""

    at: Instant
    source: str
    key: bytes
    value: bytes
    headers: dict[str, bytes]
    opens: bool = False
    """Whether it tells of a new ticket, for the first time."""


def generated_day(seed: int = 7, tickets: int = 2000) -> list[Delivery]:
    """Return the day's deliveries in order of arrival: `tickets` tickets, forty of them an outage.

    The same seed gives the same bytes. Repeated and unreadable deliveries come on top.
    """
    rng = random.Random(seed)
    deliveries: list[Delivery] = []
    for step in _steps(tickets, rng):
        if OPENS <= step.at < ENDS:
            deliveries += _delivered(step, rng)
    deliveries += _unreadable()
    return sorted(deliveries, key=lambda delivery: delivery.at)


def _steps(tickets: int, rng: random.Random) -> Iterator[Step]:
    numbers = {client.name: count(client.first_number + 1) for client in CLIENTS}
    struck = CLIENTS[0]
    yield from outage(numbers[struck.name], struck, OUTAGE_AT, rng)
    shares = [client.share for client in CLIENTS]
    names, weights = [name for name, _ in PRIORITIES], [share for _, share in PRIORITIES]
    for client in rng.choices(CLIENTS, shares, k=max(0, tickets - 40)):
        number = next(numbers[client.name])
        ticket = draw_ticket(number, client, arrival(rng), rng)
        steps = live(ticket, rng.choices(names, weights)[0], rng)
        yield from _merged(steps, client, rng) if rng.random() < 0.01 else steps


def _merged(steps: list[Step], client: Client, rng: random.Random) -> list[Step]:
    """Cut a life short: the ticket says what another one of the same client says already."""
    first = steps[0]
    if first.ticket.id == client.first_number + 1:
        return steps
    other = rng.randint(client.first_number + 1, first.ticket.id - 1)
    at = first.at + rng.randint(1, 20) * MINUTE
    kept = [step for step in steps if step.at < at and step.happening != "deleted"]
    merge = kept[-1]
    return [*kept, Step(
        at, first.ticket, "merged", "agent", "merged", merge.priority, before=merge.stage,
        merged_into=other, seen=merge.seen,
    )]  # fmt: skip


def _delivered(step: Step, rng: random.Random) -> Iterator[Delivery]:
    """Yield a step as it arrives: a moment later, now and then much later, now and then twice."""
    key, value, headers = spell(step, rng)
    delay: Millis = rng.randint(150, 1_800)
    if rng.random() < DELAYED:
        delay += rng.randint(2, 12) * MINUTE
    opens = step.happening == "created"
    first = Delivery(step.at + delay, step.ticket.client.source, key, value, headers, opens)
    yield first
    if rng.random() < RETRIED:
        yield first._replace(at=first.at + rng.randint(1, 40) * SECOND, opens=False)


def _unreadable() -> list[Delivery]:
    """Return the deliveries that end on the dead-letter topic, each for another reason."""
    half = orjson.dumps({"Action": "updated", "ID": 714_099, "Entity": '{"id": 714099, "status'})
    event = {"tenant": TENANT, "source": "canonical", "ticket": "5099", "kind": "updated"}
    proxy = b"<html><head><title>502 Bad Gateway</title></head></html>"
    bad = (
        ("09:12", "connectwise", proxy),
        ("09:40", "canonical", orjson.dumps(event | {"occurred_at": "2026-03-03T09:40:00"})),
        ("11:05", "jira", b'{"timestamp": 1772532300000, "webhookEvent": "jira:issue_updated"'),
        ("13:51", "canonical", orjson.dumps(event | {"occurred_at": "yesterday"})),
        (
            "14:26",
            "jira",
            orjson.dumps({"timestamp": 1772544360000, "webhookEvent": "jira:issue_updated"}),
        ),
        ("16:30", "connectwise", half),
    )
    headers = {"sla-tenant": TENANT.encode(), "content-type": b"application/json"}
    return [Delivery(local(at), source, b"unreadable", value, headers) for at, source, value in bad]
