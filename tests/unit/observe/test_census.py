"""The counts of a partition equal its rows, however the count and the steps interleave."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from functools import partial

import pytest

from bench import workload
from slastream import wire
from slastream.core.books import Books
from slastream.engine.census import SLOT, read, standing
from slastream.engine.effects import Effects, Record
from slastream.engine.partition import Partition
from slastream.engine.row import NOTE, decode_row
from slastream.engine.store import MemoryStore
from slastream.observe.census import Census
from slastream.observe.labels import Allowed, Bounded
from slastream.observe.portion import Portion


def steps(partition: Partition, records: list[Record]) -> list[Effects]:
    """Apply and fire by fifties, as an actor does; returns what each step asked for."""
    done = []
    for at in range(0, len(records), 50):
        batch = records[at : at + 50]
        for step in (partial(partition.apply, batch), partial(partition.fire, partition.time)):
            effects = step()
            partition.store.write(effects.rows, effects.deadlines_put, effects.deadlines_del)
            done.append(effects)
    return done


@pytest.fixture
def day() -> tuple[Books, list[Record]]:
    told = enumerate(workload.events(80))
    records = [Record(n, e.occurred_at, wire.event_key(e), wire.encode_event(e)) for n, e in told]
    return Books(workload.book()), records


def by_hand(store: MemoryStore) -> Counter[tuple[str, str, str, str]]:
    found: Counter[tuple[str, str, str, str]] = Counter()
    for key, data in store.scan():
        if key.startswith(NOTE):
            continue
        row = decode_row(data)
        for number in standing(row)[3:]:
            what = read(number)
            priority = row.fold.attributes.get("priority") or "none"
            found[what.indicator, priority, what.phase, what.verdict] += 1
    return found


def told(census: Census) -> Counter[tuple[str, str, str, str]]:
    found: Counter[tuple[str, str, str, str]] = Counter()
    for (_, _, indicator, priority, phase, verdict), count in census.clocks().items():
        found[indicator, priority, phase, verdict] += count
    return +found


@pytest.mark.parametrize("seed", range(8))
def test_counting_while_rows_change_counts_each_once(
    day: tuple[Books, list[Record]], seed: int
) -> None:
    """A row that changes before, in or behind the slice that counts it is counted as it is now."""
    books, records = day
    chance = random.Random(seed)
    store = MemoryStore()
    partition = Partition(0, store, books)
    half = len(records) // 2
    steps(partition, records[:half])
    census = Census(Allowed())
    portion = census.portions[0] = Portion(Bounded(30), Allowed(), chunk=30)
    for at in range(half, len(records), 5):
        effects = partition.apply(records[at : at + 5])
        for _ in range(chance.randrange(3)):
            portion.count(store, chance.choice((0.0, 0.0, 0.00001)))
        store.write(effects.rows, effects.deadlines_put, effects.deadlines_del)
        census.committed(0, effects.standings)
    while not portion.complete:
        portion.count(store, 1.0)
    expected = by_hand(store)

    assert sum(expected.values()) > 100
    assert told(census) == expected


async def test_a_partition_counts_from_its_rows_and_is_forgotten_when_lost(
    day: tuple[Books, list[Record]],
) -> None:
    """After a restart the gauges stand as before it; a partition that is lost takes them along."""
    books, records = day
    store = MemoryStore()
    partition = Partition(0, store, books)
    steps(partition, records)
    census = Census(Allowed())
    census.open(0, store)

    assert told(census) == Counter()

    for _ in range(1_000):
        await asyncio.sleep(0.005)
        if census.portions[0].complete:
            break

    assert told(census) == by_hand(store)
    assert sum(census.tickets().values()) == sum(not k.startswith(NOTE) for k, _ in store.scan())

    census.drop(0)

    assert told(census) == Counter()


def test_clocks_are_counted_ahead_of_their_due(day: tuple[Books, list[Record]]) -> None:
    """What is due within four hours includes what is due within one, and nothing that is breached."""
    books, records = day
    store = MemoryStore()
    partition = Partition(0, store, books)
    steps(partition, records[:200])
    census = Census(Allowed())
    census.portions[0] = portion = Portion(Bounded(30), Allowed())
    while not portion.complete:
        portion.count(store, 1.0)
    now = partition.time
    hours = {"1h": 3_600_000 // SLOT, "4h": 4 * 3_600_000 // SLOT}
    found: Counter[str] = Counter()
    for (*_, within), count in census.due(now // SLOT, hours).items():
        found[within] += count
    expected: Counter[str] = Counter({"1h": 0, "4h": 0})
    for key, data in store.scan():
        for clock in () if key.startswith(NOTE) else decode_row(data).fold.clocks:
            if clock.phase == 1 and clock.breached is None and clock.due is not None:
                slot = clock.due // SLOT - now // SLOT
                expected["1h"] += slot < 12
                expected["4h"] += slot < 48

    assert expected["4h"] > 0
    assert found == expected


def test_a_step_tells_what_changed_and_nothing_else(day: tuple[Books, list[Record]]) -> None:
    """Adding up all changes gives the rows' standings; a comment that moves no clock tells nothing."""
    books, records = day
    store = MemoryStore()
    partition = Partition(0, store, books)
    stands: dict[bytes, object] = {}
    for effects in steps(partition, records):
        for key, (before, after) in effects.standings.items():
            assert stands.get(key) == before
            stands[key] = after
    rows = {k: standing(decode_row(d)) for k, d in store.scan() if not k.startswith(NOTE)}

    assert stands == rows
    assert wire.event_key(wire.decode_event(records[0].value or b"")) in rows
