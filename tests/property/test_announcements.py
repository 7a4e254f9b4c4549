"""What is announced of random tickets, in any order of arrival and with timers fired at any moment."""

from __future__ import annotations

from random import Random

import pytest

from slastream import wire
from slastream.core.books import Books
from slastream.core.instant import parse_instant
from slastream.core.policy import Book
from slastream.engine.effects import Effects, Record
from slastream.engine.partition import Partition
from slastream.engine.row import deadline_of
from slastream.engine.store import MemoryStore
from tests.property.ticket_model import MINUTE, Story, play
from tests.property.ticket_oracle import KEY, START, arrivals, book_of, event_of, story_of, tell
from tests.support.consumer import Consumer

GRACE, SETTLE = 60_000, 5_000
SEEDS = range(30)
PER_SEED = 5


def records_of(story: Story, rng: Random, how: int) -> list[Record]:
    """Return a story as journal records in one order of arrival."""
    return [
        Record(i, now, KEY, wire.encode_event(event_of(told)))
        for i, (now, told) in enumerate(arrivals(story, rng, how))
    ]


def announced(
    story: Story, book: Book, rng: Random, how: int, after: int = GRACE + SETTLE + 2
) -> Consumer:
    """Return what a consumer believes `after` the end of a story, whose timers fired at random moments."""
    store, consumer = MemoryStore(), Consumer()
    partition = Partition(0, store, Books(book), exact=rng.random() < 0.3)
    records = records_of(story, rng, how)
    while records:
        size = rng.choice((1, 1, 3, len(records)))
        batch, records = records[:size], records[size:]
        commit(store, partition.apply(batch), consumer)
        until = records[0].log_time if records else START + story["end"] * MINUTE
        for _ in range(rng.choice((0, 1, 3))):
            now = rng.randint(partition.time, max(partition.time, until))
            commit(store, partition.fire(now, rng.choice((1, 1000))), consumer)
    last = START + story["end"] * MINUTE + after
    while (due := partition.next_due) is not None and due <= last:
        commit(store, partition.fire(max(due, partition.time)), consumer)
    return consumer


def commit(store: MemoryStore, effects: Effects, consumer: Consumer) -> None:
    """Write a step's rows, and publish its messages to a consumer."""
    store.write(effects.rows, effects.deadlines_put, effects.deadlines_del)
    for message in effects.messages:
        consumer.read(message)


def expected_alarms(story: Story) -> set[str]:
    """Return the breaches that stand at the end of a story, by their `dedup_key`."""
    return {
        f"{KEY.decode()}/{clock['indicator']}/{clock['cycle']}/breached"
        for clock in play(story)["clocks"]
        if clock["alarm"]
    }


@pytest.mark.parametrize("first", [seed * PER_SEED for seed in SEEDS])
def test_the_incidents_that_stand_are_those_of_the_model(first: int) -> None:
    """At the end a pager shows the breaches that are facts, and no others, whatever came when."""
    for seed in range(first, first + PER_SEED):
        story = story_of(seed)
        end = START + story["end"] * MINUTE
        book = book_of(story, grace=seed % 2 * GRACE, settle=seed % 3 * 2_500)
        expected = expected_alarms(story)
        for order in range(4):
            consumer = announced(story, book, Random(f"alerts/{seed}/{order}"), min(order, 2))
            standing = {
                key
                for key, since in consumer.open.items()
                if key.endswith("/breached") and parse_instant(since) < end
            }

            assert standing == expected, f"order {order} of\n{tell(story)}"


@pytest.mark.parametrize("first", [seed * PER_SEED for seed in SEEDS])
def test_the_warnings_that_stand_are_those_of_the_model(first: int) -> None:
    """A clock that runs, past a level and not yet due, is at risk for whoever reads the topic; no other is."""
    for seed in range(first, first + PER_SEED):
        story = story_of(seed)
        book = book_of(story, settle=0)
        clocks = [clock for clock in play(story)["clocks"] if clock["spent"] is None]
        names = {
            f"{KEY.decode()}/{clock['indicator']}/{clock['cycle']}/at_risk": clock["at_risk"]
            for clock in clocks
        }
        for order in range(4):
            rng = Random(f"warnings/{seed}/{order}")
            consumer = announced(story, book, rng, min(order, 2), after=0)
            found = {name: name in consumer.open for name in names}

            assert found == names, f"order {order} of\n{tell(story)}"


@pytest.mark.parametrize("first", [seed * PER_SEED for seed in SEEDS])
def test_the_last_outcomes_are_those_of_the_model(first: int) -> None:
    """Each stopped clock with a promise has one outcome that is not retracted, and it is the right one."""
    for seed in range(first, first + PER_SEED):
        story = story_of(seed)
        book = book_of(story)
        expected = {
            ("1", clock["indicator"], clock["cycle"]): clock["outcome"]
            for clock in play(story)["clocks"]
            if clock["phase"] == "stopped" and clock["target"] is not None
        }
        for order in range(4):
            consumer = announced(story, book, Random(f"outcomes/{seed}/{order}"), min(order, 2))
            found = {k: told for k, told in consumer.outcomes.items() if told != "retracted"}

            assert found == expected, f"order {order} of\n{tell(story)}"


@pytest.mark.parametrize("seed", range(60))
def test_one_batch_is_what_its_records_are_one_by_one(seed: int) -> None:
    """In one batch, record by record, and with a new worker for each: the same messages, the same rows."""
    story = story_of(seed)
    book, records = book_of(story), records_of(story, Random(seed), seed % 3)
    runs = []
    for sizes, restarts in ((len(records), False), (1, False), (1, True), (3, True)):
        store, messages = MemoryStore(), []
        partition = Partition(0, store, Books(book))
        for start in range(0, len(records), sizes):
            if restarts:
                partition = Partition(0, store, Books(book))
            effects = partition.apply(records[start : start + sizes])
            store.write(effects.rows, effects.deadlines_put, effects.deadlines_del)
            messages += [each for each in effects.messages if each.output in ("alerts", "outcomes")]
        runs.append((messages, dict(store.scan()), store.due(1 << 62, 1000)))

    assert all(run == runs[0] for run in runs)


@pytest.mark.parametrize("seed", range(60))
def test_an_aborted_step_computed_again_is_the_same_step(seed: int) -> None:
    """A transaction that was aborted is worked out once more by whoever opens the partition next."""
    story, rng = story_of(seed), Random(seed)
    book, records = book_of(story), records_of(story, rng, seed % 3)
    store = MemoryStore()
    for start in range(0, len(records), 2):
        batch = records[start : start + 2]
        first = Partition(0, store, Books(book)).apply(batch)
        again = Partition(0, store, Books(book)).apply(batch)

        assert again == first

        store.write(first.rows, first.deadlines_put, first.deadlines_del)
        now = batch[-1].log_time + rng.choice((0, 60_000, 86_400_000))
        fired = Partition(0, store, Books(book)).fire(now)

        assert Partition(0, store, Books(book)).fire(now) == fired


@pytest.mark.parametrize("seed", range(60))
def test_rows_alone_rebuild_the_store(seed: int) -> None:
    """A replay of the changelog gives the rows and the deadlines that the store has (architecture 1)."""
    story, rng = story_of(seed), Random(seed)
    store, changelog = MemoryStore(), dict[bytes, bytes]()
    partition = Partition(0, store, Books(book_of(story)))
    for record in records_of(story, rng, seed % 3):
        for fires in (False, True):
            now = record.log_time + rng.choice((0, 7))
            effects = partition.fire(now) if fires else partition.apply([record])
            store.write(effects.rows, effects.deadlines_put, effects.deadlines_del)
            for key, row in effects.rows.items():
                changelog.pop(key, None) if row is None else changelog.update({key: row})
            due = {(deadline_of(key, row), key) for key, row in changelog.items()}

            assert dict(store.scan()) == changelog
            assert set(store.due(1 << 62, 1000)) == {each for each in due if each[0] is not None}
