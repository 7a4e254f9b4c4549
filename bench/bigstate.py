"""A changelog of a million tickets in half a minute: rows that the real engine made, under many keys.

A few thousand tickets are judged by the engine; their rows are written again and again, each time
under the key of another ticket, by a transactional producer as a worker's would. The worker that
opens such a changelog cannot tell it from one that it wrote itself.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

from aiokafka import TopicPartition

from slastream import wire
from slastream.book import load
from slastream.core.books import Books
from slastream.core.event import Actor, Comment, Event
from slastream.core.instant import HOUR, MINUTE, Instant
from slastream.core.policy import Book
from slastream.engine.effects import Record
from slastream.engine.partition import Partition
from slastream.engine.store import MemoryStore
from slastream.stream.partitioner import partition_of
from slastream.stream.position import POSITION, Position
from slastream.stream.transaction import Item, Transactions

TENANT = "bench"
BOOK = """\
apiVersion: slastream/v1
effective_from: 2020-01-01T00:00:00Z
tenant: bench
calendars: {always: 24x7}
policies:
  - name: an-hour
    when: {type: soon}
    calendar: always
    targets: {resolution: {default: PT1H}}
  - name: all
    calendar: always
    targets:
      response: {default: PT96H}
      plan: {default: PT480H}
      resolution: {default: PT960H}
    at_risk: ["75%", "90%"]
"""
"""One policy whose deadlines are near, `type: soon`, and one whose deadlines no run lives to see."""

SOON = HOUR
"""From the creation of a ticket of type `soon` to its deadline."""

DISTINCT = 2_000
ROWS = 1_000
"""Rows in one transaction of the changelog."""


@dataclass(frozen=True)
class Kind:
    """Rows to be told of many tickets: values, and how their keys begin."""

    prefix: str
    rows: Sequence[bytes]

    def tickets(self, many: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, row) of so many tickets."""
        rows, begin = self.rows, f"{TENANT}/canonical/{self.prefix}-"
        for number in range(many):
            yield f"{begin}{number}".encode(), rows[number % len(rows)]


def open_tickets(book: Book, now: Instant, prefix: str = "open") -> Kind:
    """Tickets that people work on: six events in the last two days, deadlines weeks ahead."""
    books = Books(book)
    rows = []
    for number in range(DISTINCT):
        created = now - 48 * HOUR + number * MINUTE
        rows.append(_judged(books, list(story(number, created, str(number)))))
    return Kind(prefix, rows)


def due_tickets(book: Book, first: Instant, within: int, prefix: str = "due") -> Kind:
    """Tickets whose deadlines come in the `within` milliseconds from `first` on, evenly."""
    books = Books(book)
    rows = []
    for number in range(DISTINCT):
        created = first + number * within // DISTINCT - SOON
        common = {"tenant": TENANT, "source": "canonical", "ticket": str(number)}
        attributes = {"priority": "P2", "client": f"client-{number % 40:02d}", "type": "soon"}
        told = Event(  # type: ignore[arg-type]
            **common, occurred_at=created, created_at=created, id=f"c{number}", kind="created",
            state="new", **attributes,
        )  # fmt: skip
        rows.append(_judged(books, [told]))
    return Kind(prefix, rows)


def _judged(books: Books, events: list[Event]) -> bytes:
    """Return the row of one ticket as the engine leaves it after these events."""
    store = MemoryStore()
    partition = Partition(0, store, books)
    records = [
        Record(offset, event.occurred_at, wire.event_key(event), wire.encode_event(event))
        for offset, event in enumerate(events)
    ]
    effects = partition.apply(records)
    row = effects.rows[records[0].key or b""]
    assert row is not None
    return row


def story(number: int, created: Instant, ticket: str) -> Iterator[Event]:
    """Yield six events of a ticket that is still being worked on."""
    common = {"tenant": TENANT, "source": "canonical", "ticket": ticket}
    agent, customer = Actor(f"agent-{number % 30}", "agent"), Actor("c", "customer")
    steps = count(1)

    def told(after: int, kind: str = "updated", **what: object) -> Event:
        return Event(  # type: ignore[arg-type]
            **common, occurred_at=created + after, created_at=created,
            id=f"{number}-{next(steps)}", kind=kind, **what,
        )  # fmt: skip

    yield told(
        0, "created", state="new", priority=f"P{number % 3 + 1}",
        client=f"client-{number % 40:02d}", type="incident", team="desk",
        number=f"T{number:07d}", actor=customer,
    )  # fmt: skip
    yield told(20 * MINUTE, state="responded", assignee=agent.id, actor=agent)
    yield told(40 * MINUTE, state="in_progress", actor=agent)
    yield told(60 * MINUTE, "comment", comment=Comment(public=True), actor=agent)
    yield told(90 * MINUTE, state="waiting", waiting_on="client", actor=agent)
    yield told(150 * MINUTE, state="in_progress", actor=customer)


def book(folder: Path) -> tuple[Book, Path]:
    """Write the book of these tickets into a folder; returns it and its file."""
    file = folder / "book.yaml"
    file.write_text(BOOK)
    (found,) = load(file)
    return found, file


async def write(
    broker: str,
    cluster: str,
    tickets: Iterator[tuple[bytes, bytes]],
    partitions: int,
    topic: str = "sla.state.v1",
) -> int:
    """Write rows into an empty changelog, as one transaction after another; returns how many."""
    lineages = [uuid.uuid4().hex for _ in range(partitions)]
    owners = [
        Transactions({"bootstrap_servers": broker}, f"bench-seed-{number}", 60.0)
        for number in range(partitions)
    ]
    await asyncio.gather(*(owner.start() for owner in owners))

    async def commit(number: int, items: list[Item]) -> None:
        reached = Position(0, lineages[number], cluster)
        items.append(Item(POSITION, reached.encode(), []))
        await owners[number].commit({TopicPartition(topic, number): items})

    written = 0
    while chunk := list(islice(tickets, ROWS * partitions)):
        parts: list[list[Item]] = [[] for _ in range(partitions)]
        for key, row in chunk:
            parts[partition_of(key, partitions)].append(Item(key, row, []))
        await asyncio.gather(*(commit(n, items) for n, items in enumerate(parts)))
        written += len(chunk)
    await asyncio.gather(*(owner.close() for owner in owners))
    return written
