"""What goes into a step of a partition, and what comes out. Values only."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from slastream.core.instant import Instant, Millis
from slastream.engine.census import Change

Output = Literal["alerts", "outcomes", "clocks", "ops", "dlq"]
"""The topics that a step writes to, by their short names in `topics/`."""


class Record(NamedTuple):
    """One record of the journal."""

    offset: int
    log_time: Instant
    """The broker's append time, which is the clock of a replay."""
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Message(NamedTuple):
    """One record to publish. A None value is a tombstone."""

    output: Output
    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]


@dataclass(slots=True)
class Effects:
    """Everything that one step asks for. It becomes one Kafka transaction, then one RocksDB batch.

    `rows` are the state changes (None deletes), `deadlines_put` and `deadlines_del` keep the index
    of (instant, row key), `position` is the next journal offset, None when the step read no records.
    """

    rows: dict[bytes, bytes | None] = field(default_factory=dict)
    deadlines_put: list[tuple[Instant, bytes]] = field(default_factory=list)
    deadlines_del: list[tuple[Instant, bytes]] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    position: int | None = None
    meta: dict[str, bytes] = field(default_factory=dict)
    """Notes for the store alone, written beside the rows; losing them costs work, never truth."""
    counts: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """Metric increments: (metric, *label values) -> n. Known metrics are in `slastream.metrics`."""
    delays: list[tuple[str, Millis, bytes]] = field(default_factory=list)
    """Of each alert that was detected: its kind, how late in milliseconds, its ticket's key."""
    ratios: list[tuple[str, str, float]] = field(default_factory=list)
    """Of each milestone with a target: tenant, indicator, elapsed time over target."""
    standings: dict[bytes, Change] = field(default_factory=dict)
    """Rows that gauges count otherwise than before this step (`slastream.engine.census`)."""
    more: bool = False
    """A `fire` that stopped at its limit with deadlines still due."""

    def __bool__(self) -> bool:
        return bool(
            self.rows
            or self.messages
            or self.deadlines_put
            or self.deadlines_del
            or self.position is not None
        )
