"""A backtest says of a ticket what a worker says: the same fold, without a log (D48)."""

from __future__ import annotations

from random import Random

import orjson
import pytest

from slastream import wire
from slastream.core.books import Books
from slastream.core.shapes import Fold
from slastream.offline.histories import History
from slastream.offline.run import judge
from tests.property.test_orders import books_of, story, verdicts
from tests.property.ticket_model import MINUTE, play
from tests.property.ticket_oracle import (
    KEY,
    START,
    book_of,
    differences,
    event_of,
    reading_of,
    story_of,
    tell,
)

CHUNK = 25


def offline(events: list, books: Books, as_of: int) -> Fold | None:  # type: ignore[type-arg]
    """Return a ticket as a backtest judges it."""
    history = History("acme", "desk", "1")
    for event in events:
        history.add(event)
    return judge(history, books.of("acme"), as_of)


@pytest.mark.parametrize("first", range(0, 200, CHUNK))
def test_a_backtest_says_what_the_model_says(first: int) -> None:
    """Whatever the order of the lines in a file."""
    for seed in range(first, first + CHUNK):
        told = story_of(seed)
        books, end = Books(book_of(told)), START + told["end"] * MINUTE
        for order in range(3):
            events = [event_of(each) for each in told["events"]]
            Random(order).shuffle(events)
            fold = offline(events, books, end)
            assert fold is not None

            found = differences(reading_of(fold, books, end, KEY), play(told))

            assert found == [], tell(told)


@pytest.mark.parametrize("seed", range(60))
def test_a_backtest_says_what_a_worker_says(seed: int) -> None:
    """With everything that an event may say, and two books: the same snapshot."""
    rng = Random(f"orders/{seed}")
    versions, events = books_of(rng), story(rng)
    worker = verdicts(versions, events, Random(seed), 1)
    books, end = Books(*versions), wire_end(events)
    fold = offline(events, books, end)
    if worker is None or fold is None:
        assert worker is None
        assert fold is None
        return
    said = orjson.loads(wire.clocks("acme/desk/1", fold, [], end, books.of("acme"))[0])

    assert said == worker


def wire_end(events: list) -> int:  # type: ignore[type-arg]
    """Return when `verdicts` reads the clocks."""
    from slastream.core.instant import DAY

    last: int = events[-1].occurred_at
    return last + 2 * DAY
