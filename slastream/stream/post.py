"""What an actor is given: its place, its parts, and whom it tells. Shapes only, nothing happens here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from aiokafka import TopicPartition

from slastream.core.instant import Instant
from slastream.engine.effects import Effects, Record
from slastream.engine.store import Store
from slastream.stream.changelog import TOMBSTONES, Recovered
from slastream.stream.clock import Clock
from slastream.stream.faults import At, nowhere
from slastream.stream.helpers import Helpers
from slastream.stream.rebuild import DeadlineOf


class Engine(Protocol):
    """What an actor asks of `slastream.engine.partition.Partition`."""

    def apply(self, records: list[Record]) -> Effects: ...
    def fire(self, now: Instant, limit: int = ...) -> Effects: ...
    def sweep(self, limit: int = ...) -> Effects | None: ...
    @property
    def next_due(self) -> Instant | None: ...


class Delivered(Protocol):
    """A fetch's records of one partition (`slastream.stream.transport.Batch`)."""

    start: int
    end: int
    epoch: int
    records: list[Record]

    def done(self) -> None: ...


class Source(Protocol):
    """Where the journal's records come from (`slastream.stream.transport.BatchConsumer`)."""

    async def release(self, tp: Any, offset: int) -> int: ...
    def hold(self, tp: Any) -> None: ...
    def level(self, tp: Any) -> bool: ...
    def lag(self, tp: Any) -> int | None: ...


@dataclass(frozen=True)
class Post:
    """One partition, as its actor sees it."""

    number: int
    tp: Any
    """Its journal partition."""
    output: Callable[[str], TopicPartition]
    """Short name of a topic -> where this partition writes it."""
    client: Mapping[str, Any]
    app_id: str
    cluster: str
    path: Path
    source: Source
    clock: Clock
    engine: Callable[[int, Store], Engine]
    deadline_of: DeadlineOf
    on_effects: Callable[[int, Effects, float, int], None]
    """Called after each commit with the seconds it took and the records it applied."""
    on_state: Callable[[int, str, Recovered | None], None]
    """Called with opening, ready, lost, parked or closed."""
    tombstones: float = TOMBSTONES
    helpers: Helpers | None = None
    """Who rebuilds a large store that was lost; None is this process."""
    chunk: int = 4_000
    fires: int = 1_000
    transaction_timeout: float = 10.0
    at: At = nowhere
