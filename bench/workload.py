"""The canonical workload: tickets of eight events each, with three timers, pauses and changes of priority.

Deterministic: the same seed gives the same bytes on any machine.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from heapq import heappop, heappush
from types import MappingProxyType

from slastream.core.calendar import Calendar
from slastream.core.event import Actor, Comment, Event
from slastream.core.instant import HOUR, MINUTE, Instant, parse_instant
from slastream.core.policy import Book, Indicator, Level, Policy, Target

START: Instant = parse_instant("2026-03-02T07:00:00Z")
CLIENTS = 40


def book() -> Book:
    """Return a book of forty clients, each with its own policy, on two calendars."""
    day = ((8 * 3600 + 1800, 12 * 3600 + 1800), (13 * 3600 + 1800, 18 * 3600))
    paris = Calendar("paris", "Europe/Paris", weekly=(day,) * 5 + ((), ()))
    targets = MappingProxyType(
        {
            Indicator.RESPONSE: _by_priority(15 * MINUTE, HOUR, 4 * HOUR),
            Indicator.PLAN: _by_priority(HOUR, 4 * HOUR, 8 * HOUR),
            Indicator.RESOLUTION: _by_priority(4 * HOUR, 8 * HOUR, 24 * HOUR),
        }
    )
    levels = (Level("percent", 75, "75%"), Level("percent", 90, "90%"))
    policies = tuple(
        Policy(
            f"client-{n:02d}",
            "paris" if n % 4 else "24x7",
            when=MappingProxyType({"client": (f"client-{n:02d}",)}),
            targets=targets,
            at_risk=levels,
        )
        for n in range(CLIENTS)
    )
    calendars = MappingProxyType({"paris": paris, "24x7": Calendar("24x7", always=True)})
    return Book(
        "acme-msp", 0, "1970-01-01T00:00:00Z#bench0", calendars, policies, MappingProxyType({})
    )


def _by_priority(p1: int, p2: int, other: int) -> MappingProxyType[str, Target]:
    return MappingProxyType({"p1": Target(p1), "p2": Target(p2), "default": Target(other)})


def events(tickets: int = 50_000, seed: int = 1) -> Iterator[Event]:
    """Yield eight events a ticket in order of time, the tickets interleaved as in life."""
    rng = random.Random(seed)
    heap: list[tuple[int, int, int, Iterator[Event]]] = []
    arrivals = sorted(START + rng.randrange(5 * 24 * HOUR) for _ in range(tickets))
    pending = iter(enumerate(arrivals))
    following = next(pending, None)
    while heap or following is not None:
        if following is not None and (not heap or following[1] <= heap[0][0]):
            number, at = following
            story = _story(random.Random(seed * 1_000_003 + number), number, at)
            first = next(story)
            heappush(heap, (first.occurred_at, number, 0, iter([first, *story])))
            following = next(pending, None)
            continue
        _, number, done, story = heappop(heap)
        event = next(story, None)
        if event is None:
            continue
        yield event
        rest = list(story)
        if rest:
            heappush(heap, (rest[0].occurred_at, number, done + 1, iter(rest)))


def _story(rng: random.Random, number: int, created: Instant) -> Iterator[Event]:
    agent, customer = Actor(f"agent-{rng.randrange(30)}", "agent"), Actor("c", "customer")
    priority = rng.choice(("P1", "P2", "P3", "P3"))
    at = created
    common = {"tenant": "acme-msp", "source": "canonical", "ticket": str(700_000 + number)}

    def told(kind: str = "updated", **what: object) -> Event:
        return Event(  # type: ignore[arg-type]
            **common,
            occurred_at=at,
            id=f"{number}-{at}-{kind}",
            kind=kind,
            created_at=created,
            **what,
        )

    yield told(
        "created", state="new", priority=priority, client=f"client-{rng.randrange(CLIENTS):02d}",
        type="incident", team="desk", number=f"T{number:07d}", actor=customer,
    )  # fmt: skip
    at += rng.randrange(2 * MINUTE, 90 * MINUTE)
    yield told(state="responded", assignee=agent.id, actor=agent)
    at += rng.randrange(2 * MINUTE, 3 * HOUR)
    yield told(state="in_progress", actor=agent)
    at += rng.randrange(5 * MINUTE, 2 * HOUR)
    yield told("comment", comment=Comment(public=True), actor=agent)
    at += rng.randrange(5 * MINUTE, 2 * HOUR)
    yield told(state="waiting", waiting_on=rng.choice(("client", "vendor")), actor=agent)
    at += rng.randrange(10 * MINUTE, 10 * HOUR)
    changed = {"priority": rng.choice(("P1", "P2", "P3"))} if rng.random() < 0.3 else {}
    yield told(state="in_progress", actor=customer, **changed)
    at += rng.randrange(10 * MINUTE, 6 * HOUR)
    yield told(state="resolved", actor=agent)
    at += rng.randrange(HOUR, 24 * HOUR)
    yield told(state="closed", actor=agent)
