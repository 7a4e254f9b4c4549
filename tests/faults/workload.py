"""Tickets that live in simulated time, drawn by a seed, and told slice by slice. Pure.

A slice is two hours in which some tickets are opened and older ones move on. A few events come late or
twice, and one record in a hundred is garbage: on the raw topic, or straight on the journal.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from slastream import wire
from slastream.core.event import Actor, Event
from slastream.core.instant import HOUR, MINUTE, Instant, parse_instant
from slastream.offline.alerts import Arrival

TENANT, SOURCE = "acme", "desk"
START: Instant = parse_instant("2026-03-02T00:00:00Z")
SPAN = 2 * HOUR

BOOK = """
apiVersion: slastream/v1
effective_from: 2026-01-01T00:00:00Z
tenant: acme
calendars:
  paris:
    timezone: Europe/Paris
    open: {mon-fri: ["08:00-12:30", "13:30-18:30"]}
policies:
  - name: gold
    when: {contract: gold}
    calendar: 24x7
    targets:
      response: {P1: PT15M, P2: PT1H, default: PT2H}
      plan: {P1: PT1H, default: PT4H}
      resolution: {P1: PT4H, default: PT12H}
    at_risk: ["50%", "90%"]
  - name: everyone
    calendar: paris
    targets: {response: PT2H, resolution: PT9H}
    at_risk: ["75%"]
"""


@dataclass(slots=True)
class Told:
    """One record for the raw topic, or (with a partition) straight for the journal."""

    at: Instant
    key: bytes
    value: bytes | None
    partition: int | None = None


@dataclass(slots=True)
class Slice:
    """Two hours of simulated time, and what is told in them, in the order of their log times."""

    number: int
    until: Instant
    records: list[Told] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    """The events among the records, for the oracle."""
    poison: list[bytes] = field(default_factory=list)
    """Keys of what must be found among the dead letters."""


class Desk:
    """A help desk with `size` events a slice. The same seed tells the same tickets."""

    def __init__(
        self, seed: int, size: int = 40, partitions: int = 4, poison: float = 0.01
    ) -> None:
        self._rng = random.Random(f"faults/{seed}")
        self._size = size
        self._partitions = partitions
        self._poison = poison
        self._coming: list[tuple[Instant, int, Event]] = []
        """What open tickets will tell, by instant."""
        self._tickets = 0
        self._events = 0
        self._garbage = 0
        self._number = 0
        self.burst = 0
        """How many of the next slices hold ten times as much."""
        self.poisonous = 0
        """How much garbage the next slice gets beside."""

    def __iter__(self) -> Iterator[Slice]:
        while True:
            yield self.slice()

    def slice(self) -> Slice:
        """Tell the next two hours."""
        begin = START + self._number * SPAN
        told = Slice(self._number, begin + SPAN)
        self._number += 1
        size = self._size * (10 if self.burst else 1)
        self.burst = max(0, self.burst - 1)
        self._open_tickets(begin, size)
        while self._coming and self._coming[0][0] <= told.until:
            at, _, event = heapq.heappop(self._coming)
            self._tell(told, at, event)
        for _ in range(self.poisonous):
            self._spoil(told, self._rng.randrange(begin + 1, told.until))
        self.poisonous = 0
        # A ticket's events must not change places: a sort that is stable, by log time alone.
        told.records.sort(key=lambda record: record.at)
        told.arrivals.sort(key=lambda arrival: arrival.log_time)
        return told

    def _tell(self, told: Slice, at: Instant, event: Event) -> None:
        record = Told(at, wire.event_key(event), wire.encode_event(event))
        told.records.append(record)
        told.arrivals.append(Arrival(at, event))
        draw = self._rng.random()
        if draw < 0.03:
            again = min(told.until, at + self._rng.randrange(1, 30 * MINUTE))
            told.records.append(Told(again, record.key, record.value))
            told.arrivals.append(Arrival(again, event))
        elif draw < 0.03 + self._poison:
            self._spoil(told, at)

    def _spoil(self, told: Slice, at: Instant) -> None:
        self._garbage += 1
        rng, token = self._rng, b"poison-%d" % self._garbage
        key = b"acme/desk/" + token
        value, partition = rng.choice((
            (b'{"tenant": "acme", "ticket": ' + token, None),
            (b"\xff\xfe\x00" + token, None),
            (b'{"tenant": "acme", "occurred_at": "yesterday", "x": "%b"}' % token, None),
            (b"not json " + token, rng.randrange(self._partitions)),
            (None, rng.randrange(self._partitions)),
            (wire.encode_event(_event(token.decode(), at, state="asleep")), rng.randrange(self._partitions)),
        ))  # fmt: skip
        told.records.append(Told(at, key, value, partition))
        told.poison.append(key)

    # -- tickets

    def _open_tickets(self, begin: Instant, size: int) -> None:
        rng = self._rng
        for _ in range(max(1, size // 5)):
            self._tickets += 1
            self._live(str(self._tickets), begin + rng.randrange(1, SPAN))

    def _live(self, ticket: str, at: Instant) -> None:
        """Draw the whole life of a ticket: about five events, in hours or days."""
        rng = self._rng
        contract = rng.choice(("gold", "silver"))
        self._later(
            ticket, at, kind="created", created_at=at, state="new", contract=contract,
            priority=rng.choice(("P1", "P2", "P3")), client=f"client-{rng.randrange(9)}",
        )  # fmt: skip
        at += rng.choice((5, 20, 50, 150, 600)) * MINUTE + rng.randrange(MINUTE)
        if rng.random() < 0.05:
            return  # nobody ever looks at it again
        self._later(ticket, at, state=rng.choice(("responded", "in_progress")))
        for _ in range(rng.choice((0, 0, 1, 2))):
            at += rng.randrange(MINUTE, 5 * HOUR)
            self._later(ticket, at, **rng.choice(STEPS))
            at += rng.randrange(MINUTE, 9 * HOUR)
            self._later(ticket, at, state="in_progress")
        at += rng.randrange(MINUTE, 16 * HOUR)
        self._later(ticket, at, state="resolved")
        if rng.random() < 0.1:
            at += rng.randrange(MINUTE, 20 * HOUR)
            self._later(ticket, at, state="in_progress")
            at += rng.randrange(MINUTE, 5 * HOUR)
            self._later(ticket, at, state="resolved")
        if rng.random() < 0.7:
            self._later(ticket, at + rng.randrange(HOUR, 48 * HOUR), state="closed")

    def _later(self, ticket: str, at: Instant, **told: Any) -> None:
        """Plan an event; one in thirty arrives up to an hour and a half after it happened."""
        self._events += 1
        event = _event(ticket, at, **told)
        event.id = f"e{self._events}"
        late = self._rng.randrange(90 * MINUTE) if self._rng.random() < 0.03 else 0
        heapq.heappush(self._coming, (at + late, self._events, event))


STEPS: tuple[dict[str, Any], ...] = (
    {"state": "waiting", "waiting_on": "client"},
    {"state": "waiting", "waiting_on": "vendor"},
    {"priority": "P1"},
    {"priority": "P3"},
    {"team": "network"},
)


def _event(ticket: str, at: Instant, **told: Any) -> Event:
    return Event(
        tenant=TENANT, source=SOURCE, ticket=ticket, occurred_at=at, id="",
        **{"actor": Actor("ada", "agent"), **told},
    )  # fmt: skip
