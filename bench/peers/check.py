"""What every engine must have published, and how what it did publish differs. Pure.

The peers' job is walked through ticket by ticket without any engine; slastream's alerts come from
its offline run of the same events, which knows neither Kafka nor a store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from bench import workload
from bench.peers.job import HOUR, Row, step
from bench.peers.workload import Input
from slastream.core.books import Books
from slastream.core.event import Event
from slastream.offline.alerts import Ticker, arrivals
from slastream.offline.run import Trouble

Facts = set[Hashable]


class Read(NamedTuple):
    """One record that a read-committed consumer was given."""

    topic: str
    """`alerts` or `clocks`."""
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class Verdict:
    """How what was published differs from what should have been; all zero is right."""

    lost: int
    """Facts that nobody was told."""
    doubled: int
    """Records that repeat another."""
    wrong: int
    """Records that say what is not so."""

    @property
    def right(self) -> bool:
        return not (self.lost or self.doubled or self.wrong)

    def __str__(self) -> str:
        if self.right:
            return "right"
        told = {"lost": self.lost, "doubled": self.doubled, "wrong": self.wrong}
        return ", ".join(f"{count:,} {what}" for what, count in told.items() if count)


def compare(expected: Facts, found: Iterable[Hashable]) -> Verdict:
    """Hold what was found, in any order, against what was expected, each of it once."""
    seen = Counter(found)
    return Verdict(
        lost=len(expected - seen.keys()),
        doubled=sum(count - 1 for count in seen.values()),
        wrong=len(seen.keys() - expected),
    )


def expected_of_job(told: Input) -> Facts:
    """Return the rows and alerts of the peers' job."""
    facts: Facts = set()
    rows: dict[bytes, Row] = {}
    for part in told.parts:
        for key, value, _ in part:
            if value is None:
                continue
            rows[key], alerts = row, _ = step(rows.get(key), orjson.loads(value))
            facts.add(_row(key, row))
            facts.update(map(_alert, alerts))
    return facts


def facts_of_job(records: Iterable[Read]) -> Iterable[Hashable]:
    """Return what records of the peers' job say."""
    for topic, key, value, _ in records:
        told = orjson.loads(value)
        yield _row(key, told) if topic == "clocks" else _alert(told)


def expected_of_slastream(events: list[Event]) -> Facts:
    """Return the ids of all alerts, and the tickets whose clocks are published."""
    ticker = Ticker(Books(workload.book()), Trouble())
    end = (events[-1].occurred_at // HOUR + 1) * HOUR
    facts: Facts = {line["ce_id"] for line in ticker.alerts(arrivals(events, False), end)}
    return facts | {key.encode() for key in ticker.rows}


def facts_of_slastream(records: Iterable[Read]) -> Iterable[Hashable]:
    """Return what slastream's records say; a ticket's clocks are published many times, and count once."""
    tickets: set[bytes] = set()
    for topic, key, _, headers in records:
        if topic == "alerts":
            yield dict(headers)["ce_id"].decode()
        else:
            tickets.add(key)
    yield from tickets


def _row(key: bytes, row: dict[str, Any]) -> Hashable:
    return key, row["n"], row["priority"], tuple(row["due"]), row["paused"]


def _alert(alert: dict[str, Any]) -> Hashable:
    return alert["ticket"], alert["clock"], alert["due"]
