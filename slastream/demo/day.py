"""The generated day as deliveries in order of time: what arrives at the raw topics, and when.

Deterministic from its seed. The instants are simulated; nothing here knows the real time.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import count, groupby
from typing import Any, NamedTuple

import orjson

from slastream.core.instant import MINUTE, SECOND, Instant, Millis
from slastream.demo.desk import CLIENTS, ENDS, OPENS, PRIORITIES, arrival, local
from slastream.demo.life import Step, draw_ticket, live, outage
from slastream.demo.spell import TENANT, spell

OUTAGE_AT = local("10:17")
RETRIED = 0.015
"""The share of deliveries that a vendor's webhook sends a second time."""
DELAYED = 0.003
"""The share that sits in somebody's queue for minutes."""
BATCHED = "halopsa"
"""The source whose webhooks wait for each other, and arrive as arrays."""
BATCH: Millis = 20 * SECOND


class Delivery(NamedTuple):
    """One record of a raw topic. `at` is when it arrives, in simulated epoch milliseconds."""

    at: Instant
    source: str
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]
    opens: int = 0
    """How many new tickets it tells of, for the first time."""


def generated_day(seed: int = 7, tickets: int = 2000) -> list[Delivery]:
    """Return the day's deliveries in order of arrival: `tickets` tickets, forty of them an outage.

    The same seed gives the same bytes. Repeated and unreadable deliveries come on top.
    """
    rng = random.Random(f"{seed} on the wire")
    posted = [post for step in lived_day(seed, tickets) for post in _posted(step, rng)]
    alone = [post for post in posted if post.source != BATCHED]
    together = _batched(post for post in posted if post.source == BATCHED)
    deliveries = [delivery for post in (*alone, *together) for delivery in _delivered(post, rng)]
    deliveries += _unreadable()
    return sorted(deliveries, key=lambda delivery: delivery.at)


def lived_day(seed: int, tickets: int) -> list[Step]:
    """Return what really happened on the day, ticket by ticket, before anybody tells of it."""
    rng = random.Random(seed)
    return [
        replace(step, nth=nth)
        for life in _lives(tickets, rng)
        for nth, step in enumerate(step for step in life if OPENS <= step.at < ENDS)
    ]


def _lives(tickets: int, rng: random.Random) -> Iterator[list[Step]]:
    places = [(client, system) for client in CLIENTS for system in client.systems]
    numbers = {system: count(system.first_number + 1) for _, system in places}
    struck, system = places[0]
    yield from outage(numbers[system], struck, system, OUTAGE_AT, rng)
    shares = [system.share for _, system in places]
    names, weights = [name for name, _ in PRIORITIES], [share for _, share in PRIORITIES]
    for client, system in rng.choices(places, shares, k=max(0, tickets - 40)):
        ticket = draw_ticket(next(numbers[system]), client, system, arrival(rng), rng)
        steps = live(ticket, rng.choices(names, weights)[0], rng)
        yield _merged(steps, rng) if rng.random() < 0.01 else steps


def _merged(steps: list[Step], rng: random.Random) -> list[Step]:
    """Cut a life short: the ticket says what another one of the same system says already."""
    first = steps[0]
    lowest = first.ticket.system.first_number + 1
    if first.ticket.id == lowest:
        return steps
    other = rng.randint(lowest, first.ticket.id - 1)
    at = first.at + rng.randint(1, 20) * MINUTE
    kept = [step for step in steps if step.at < at and step.happening != "deleted"]
    last = kept[-1]
    return [*kept, Step(
        at, first.ticket, "merged", "agent", "merged", last.priority, assigned=last.assigned,
        before=last.stage, merged_into=other, seen=last.seen,
    )]  # fmt: skip


class _Post(NamedTuple):
    """One body that a system sends, `at` an instant."""

    at: Instant
    source: str
    key: bytes | None
    body: Any
    headers: Mapping[str, bytes]
    opens: int


def _posted(step: Step, rng: random.Random) -> Iterator[_Post]:
    for place, message in enumerate(spell(step, rng)):
        opens = int(step.happening == "created" and place == 0)
        source = step.ticket.system.source
        yield _Post(step.at + place, source, message.key, message.body, message.headers, opens)


def _batched(posts: Iterable[_Post]) -> Iterator[_Post]:
    """Yield an array for what was sent within some seconds; one alone stays an object."""
    ordered = sorted(posts, key=lambda post: post.at)
    for _, group in groupby(ordered, key=lambda post: post.at // BATCH):
        batch = list(group)
        opens = sum(post.opens for post in batch)
        bodies = [post.body for post in batch]
        yield batch[-1]._replace(body=bodies if len(batch) > 1 else bodies[0], opens=opens)


def _delivered(post: _Post, rng: random.Random) -> Iterator[Delivery]:
    """Yield a post as it arrives: a moment later, now and then much later, now and then twice."""
    value = None if post.body is None else orjson.dumps(post.body)
    headers = {"sla-tenant": TENANT.encode(), "content-type": b"application/json", **post.headers}
    delay: Millis = rng.randint(150, 1_800)
    if rng.random() < DELAYED:
        delay += rng.randint(2, 12) * MINUTE
    first = Delivery(post.at + delay, post.source, post.key, value, headers, post.opens)
    yield first
    if rng.random() < RETRIED:
        yield first._replace(at=first.at + rng.randint(1, 40) * SECOND, opens=0)


def _unreadable() -> list[Delivery]:
    """Return the deliveries that end on the dead-letter topic, each for another reason."""
    half = orjson.dumps({"Action": "updated", "ID": 714_099, "Entity": '{"id": 714099, "status'})
    event = {"tenant": TENANT, "source": "canonical", "ticket": "5099", "kind": "updated"}
    jira = {"timestamp": 1772544360000, "webhookEvent": "jira:issue_updated"}
    zendesk = {"type": "zen:event-type:user.created", "id": "4e01", "detail": {"id": "77"}}
    bad = (
        ("09:12", "connectwise", b"<html><head><title>502 Bad Gateway</title></head></html>"),
        ("09:40", "canonical", orjson.dumps(event | {"occurred_at": "2026-03-03T09:40:00"})),
        ("11:05", "jira", b'{"timestamp": 1772532300000, "webhookEvent": "jira:issue_updated"'),
        ("11:48", "zendesk", orjson.dumps(zendesk)),
        ("13:51", "canonical", orjson.dumps(event | {"occurred_at": "yesterday"})),
        ("14:26", "jira", orjson.dumps(jira)),
        ("15:33", "znuny", orjson.dumps({"Event": "TicketStateUpdate", "TicketID": "11801"})),
        ("16:30", "connectwise", half),
    )
    headers = {"sla-tenant": TENANT.encode(), "content-type": b"application/json"}
    return [Delivery(local(at), source, b"unreadable", value, headers) for at, source, value in bad]
