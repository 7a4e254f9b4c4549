"""What a receiver shows of random tickets, told by what the engine really announces of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from slastream.core.instant import parse_instant
from slastream.engine.effects import Message
from slastream.notify.alert import alert_of
from slastream.notify.standing import PARTIAL, RESOLVE, TRIGGER, Notice, Standing
from tests.property import test_announcements as announcements
from tests.property.test_announcements import PER_SEED, announced, expected_alarms
from tests.property.ticket_model import MINUTE, play
from tests.property.ticket_oracle import KEY, START, book_of, story_of, tell
from tests.support.alerts import Record
from tests.support.consumer import Consumer

SEEDS = range(20)


@dataclass
class Told(Consumer):
    """A consumer that is also a route: what it was told, and the incidents that it shows for that."""

    standing: Standing = field(default_factory=lambda: Standing(lambda _: True))
    shown: dict[str, str] = field(default_factory=dict)

    def read(self, message: Message) -> None:
        super().read(message)
        if message.output != "alerts":
            return
        record = Record(message.key, message.value, list(message.headers), timestamp=START)
        notice = self.standing.take(alert_of(record))
        if not isinstance(notice, Notice):
            assert notice == "unknown", f"{notice} of what a worker announced once"
            return
        key = notice.alert.dedup_key
        assert (key in self.shown) == (notice.action != TRIGGER) or notice.action == PARTIAL
        if notice.action == RESOLVE:
            del self.shown[key]
        elif notice.action != PARTIAL:
            self.shown[key] = notice.alert.text("reached_at")


@pytest.fixture(autouse=True)
def routes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcements, "Consumer", Told)


def told(*given: Any, **more: Any) -> Told:
    found = announced(*given, **more)
    assert isinstance(found, Told)
    return found


@pytest.mark.parametrize("first", [seed * PER_SEED for seed in SEEDS])
def test_the_breaches_that_a_receiver_shows_are_those_of_the_model(first: int) -> None:
    """At the end an incident stands for each breach that is a fact, and for no other."""
    for seed in range(first, first + PER_SEED):
        story = story_of(seed)
        end = START + story["end"] * MINUTE
        for order in range(3):
            route = told(story, book_of(story), Random(f"notify/{seed}/{order}"), order)
            standing = {
                key
                for key, since in route.shown.items()
                if key.endswith("/breached") and parse_instant(since) < end
            }

            assert standing == expected_alarms(story), f"order {order} of\n{tell(story)}"


@pytest.mark.parametrize("first", [seed * PER_SEED for seed in SEEDS])
def test_the_risks_that_a_receiver_shows_are_those_of_the_model(first: int) -> None:
    """A clock that runs, past a level and not yet due, is at risk there; no other is."""
    for seed in range(first, first + PER_SEED):
        story = story_of(seed)
        clocks = [clock for clock in play(story)["clocks"] if clock["spent"] is None]
        expected = {
            f"{KEY.decode()}/{clock['indicator']}/{clock['cycle']}/at_risk": clock["at_risk"]
            for clock in clocks
        }
        for order in range(3):
            rng = Random(f"risks/{seed}/{order}")
            route = told(story, book_of(story, settle=0), rng, order, after=0)

            assert {name: name in route.shown for name in expected} == expected, tell(story)
