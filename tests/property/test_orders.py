"""Everything that the model leaves out: whatever an event may say, the order of arrival says nothing.

Merges told to survivors, grids of priority, assignees, channels, sub-statuses, imports, and books that
are published while tickets live. There is no model here: every order must agree with every other.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from types import MappingProxyType
from typing import Any

import orjson
import pytest

from slastream import wire
from slastream.core.books import Books
from slastream.core.event import Event, State
from slastream.core.instant import DAY, HOUR, MINUTE, Instant
from slastream.core.policy import Book, Mapped
from slastream.core.ticket import advance
from slastream.engine.effects import Record
from slastream.engine.partition import Partition
from slastream.engine.row import decode_row
from slastream.engine.store import MemoryStore
from tests.support.consumer import Consumer
from tests.support.desk import (
    AGENT,
    CUSTOMER,
    ROBOT,
    at,
    book,
    event,
    holiday,
    office,
    options,
    policy,
)

BEGIN = at("2026-03-02 09:00")
STATUSES = {
    "Open": Mapped(State.NEW),
    "Taken": Mapped(State.RESPONDED),
    "Working": Mapped(State.IN_PROGRESS),
    "Hold": Mapped(State.WAITING, "client"),
    ("", "Hold", "ours"): Mapped(State.WAITING, "provider"),
    ("Projects", "Hold", ""): Mapped(State.IN_PROGRESS),
    "Done": Mapped(State.RESOLVED),
    "Closed": Mapped(State.CLOSED),
}
GRID = MappingProxyType({("high", "high"): "P1", ("high", "low"): "P2", ("low", "low"): "P3"})
ORDERS = 8


def books_of(rng: Random) -> list[Book]:
    """Return two versions of a book, the second from the third day on."""
    chosen = options(
        merge=rng.choice(("keep_own", "inherit_earliest_start", "inherit_strictest_target")),
        unmapped=rng.choice(("keep", "keep", "dead_letter")),
        settle=rng.choice((0, 5_000)),
        grace=rng.choice((0, 60_000)),
        reopen_grace=rng.choice((0, HOUR)),
        origin=MappingProxyType({"phone": "immediate", "walk-in": "skip"}),
        business_day_due=rng.choice(("same_time", "end_of_day")),
        enforce_from=rng.choice((None, BEGIN + DAY)),
        strictest=rng.random() < 0.2,
    )

    def one(version: str, since: Instant, *closed: str) -> Book:
        lengths = [rng.choice(("PT30M", "PT2H", "PT8H", "P1BD")) for _ in range(5)]
        return book(
            policy(
                "all", "office", at_risk=("50%", "PT15M left"), overdue=("PT1H over",), options=chosen,
                response=lengths[0], resolution={"P1": lengths[1], "default": lengths[2]},
            ),
            policy(
                "vip", "office", when={"client": "vip"}, options=chosen, plan=lengths[3],
                resolution=lengths[4], at_risk=("75%",),
            ),
            calendars=(office("Europe/Paris", *map(holiday, closed)),),
            statuses=STATUSES, matrix=GRID, assigned_is_responded=rng.random() < 0.5,
            effective_from=since, version=version,
        )  # fmt: skip

    return [one("a", 0, "2026-03-06"), one("b", BEGIN + 2 * DAY, "2026-03-05")]


def story(rng: Random) -> list[Event]:
    """Return the events of a ticket, in the order in which they occurred."""
    now, events = BEGIN, []
    for n in range(rng.randint(2, 9)):
        told: dict[str, Any] = {
            "id": f"e{n}",
            "actor": rng.choice((AGENT, AGENT, CUSTOMER, ROBOT, None)),
        }
        for name, values in (
            ("status", ("Open", "Taken", "Working", "Hold", "Done", "Closed", "Mystery")),
            ("sub_status", ("ours", None)), ("board", ("Projects", "Desk")),
            ("priority", ("P1", "P2", None)), ("impact", ("high", "low")), ("urgency", ("high", "low")),
            ("client", ("vip", "other")), ("assignee", ("maalto", None)), ("comment", (True, False)),
        ):  # fmt: skip
            if rng.random() < 0.25:
                told[name] = rng.choice(values)
        kind = "updated"
        if n == 0:
            kind = "created"
            told["channel"] = rng.choice(("mail", "phone", "walk-in"))
        elif rng.random() < 0.1:
            kind = rng.choice(("deleted", "restored", "merged"))
        elif rng.random() < 0.1:
            kind = "absorbed"
            told["absorbed"] = {
                "ticket": "9", "created_at": BEGIN - rng.choice((0, HOUR)), "priority": rng.choice(("P1", None))
            }  # fmt: skip
        if n and rng.random() < 0.05:
            told["imported"] = True
        events.append(event(now, kind, **told))
        now += rng.choice((0, 0, 5 * MINUTE, HOUR, 20 * HOUR))
    return events


def verdicts(books: list[Book], events: list[Event], rng: Random, how: int) -> Any:
    """Return the clocks at the end of a story, for one order of arrival and of publishing books."""
    end = events[-1].occurred_at + 2 * DAY
    events = list(events)
    if how:
        rng.shuffle(events)
    store, consumer, known = MemoryStore(), Consumer(), Books(books[0])
    late = rng.randrange(len(events) + 1)
    partition = Partition(0, store, known)
    now = 0

    def commit(effects: Any) -> None:
        store.write(effects.rows, effects.deadlines_put, effects.deadlines_del, effects.meta)
        for message in effects.messages:
            consumer.read(message)

    for offset, said in enumerate(events):
        if offset == late:
            known.add(books[1])
        now = max(now, said.occurred_at)
        commit(
            partition.apply([Record(offset, now, wire.event_key(said), wire.encode_event(said))])
        )
        if rng.random() < 0.5:
            commit(partition.fire(now + rng.choice((0, 1, 1000))))
        if rng.random() < 0.3:
            partition = Partition(0, store, known)
    known.add(books[1])
    while (effects := partition.sweep()) is not None:
        commit(effects)
    while (due := partition.next_due) is not None and due <= end:
        commit(partition.fire(max(due, partition.time)))
    data = store.get(b"acme/desk/1")
    if data is None:
        return None
    row = decode_row(data)
    advance(row.fold, end, known.of("acme"))
    said_now = orjson.loads(wire.clocks("acme/desk/1", row.fold, [], end, known.of("acme"))[0])
    assert all(
        sum(line["counted_ms"] for line in clock["ledger"]) == clock["elapsed_ms"]
        for clock in said_now["clocks"]
        if clock["phase"] != "pending"
    )
    return said_now


@pytest.mark.parametrize("seed", range(120))
def test_every_order_agrees_with_every_other(seed: int) -> None:
    """The last snapshot is the same to the byte, and no consumer sees anything twice or untrue."""
    rng = Random(f"orders/{seed}")
    books, events = books_of(rng), story(rng)
    first = verdicts(books, events, Random(0), 0)
    for order in range(1, ORDERS):
        other = verdicts(books, events, Random(f"{seed}/{order}"), order)

        assert other == first, "\n".join(str(replace_ids(each)) for each in events)


def replace_ids(said: Event) -> dict[str, Any]:
    """Return what an event says, for people."""
    return {name: value for name, value in orjson.loads(wire.encode_event(said)).items() if value}


def test_a_second_book_changes_the_first_ones_past_only_where_it_rules() -> None:
    """The generator's two books differ, else the property above would prove little."""
    one, two = books_of(Random(1))

    assert replace(one, version=two.version, effective_from=two.effective_from) != two
