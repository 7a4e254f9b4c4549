"""Gauges that are read off the worker when Prometheus asks, so that none outlives what it tells of.

A partition that moves away takes its series with it: nothing is set here, hence nothing is stale.
What a worker owns it is told by `Worker`s; how they work it may not know.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from slastream.core.books import Books
from slastream.core.instant import Instant
from slastream.engine.census import SLOT
from slastream.observe.census import Census
from slastream.observe.labels import Bounded
from slastream.observe.progress import Replaying

HORIZONS: Mapping[str, int] = {
    "1h": 3_600_000 // SLOT,
    "4h": 4 * 3_600_000 // SLOT,
    "8h": 8 * 3_600_000 // SLOT,
    "24h": 24 * 3_600_000 // SLOT,
}
"""How far ahead clocks that fall due are counted; each includes the shorter ones."""

STATES = ("new", "opening", "ready", "lost", "parked", "closed")

FAMILIES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "clocks": (
        "Clocks in the table of this worker's partitions.",
        ("tenant", "source", "indicator", "priority", "phase", "verdict"),
    ),
    "client_clocks": (
        "Open clocks by client; clients that are not listed are `other`.",
        ("tenant", "client", "indicator", "phase", "verdict"),
    ),
    "due_clocks": (
        "Running clocks whose target runs out within this time, the shorter times included.",
        ("tenant", "source", "indicator", "within"),
    ),
    "tickets": ("Tickets in the table.", ("tenant", "source")),
    "quarantined_tickets": ("Tickets set aside by a bug of ours.", ("tenant", "source")),
    "held_tickets": (
        "Tickets that wait for a book version which is not on the books topic.",
        ("tenant", "source"),
    ),
    "partition_state": ("1 for the state that a partition is in.", ("partition", "state")),
    "partition_counted": (
        "1 when the clocks of a partition are in the counts above, 0 while they are being counted.",
        ("partition",),
    ),
    "partition_time_timestamp_seconds": ("The time that a partition has reached.", ("partition",)),
    "oldest_unfired_due_timestamp_seconds": (
        "The earliest deadline that has not been looked at; absent when there is none.",
        ("partition",),
    ),
    "lag_records": (
        "Offsets between what was fetched and the end of the log.",
        ("topic", "partition"),
    ),
    "recovering_rows": (
        "Changelog records replayed so far by the recovery under way; absent when there is none.",
        ("partition",),
    ),
    "recovering_left_rows": (
        "Changelog offsets that the recovery under way still has before it.",
        ("partition",),
    ),
    "recovery_seconds": ("How long the last recovery took.", ("partition",)),
    "recovered_rows": ("Changelog records of the last recovery.", ("partition",)),
    "clock_offset_seconds": ("Wall clock minus the broker's.", ()),
    "objective_ratio": (
        "The share of cycles that a policy in force promises to keep, 0 to 1.",
        ("tenant", "policy", "indicator"),
    ),
}
"""Name -> what it says and its labels. `book_info` is the one that is not a gauge."""


class Owned(NamedTuple):
    """What is told of one partition. Instants are epoch milliseconds."""

    number: int
    state: str
    time: Instant
    next_due: Instant | None
    lag: int | None
    recovery_seconds: float | None = None
    recovered_rows: int = 0
    replaying: Replaying | None = None
    """How far a recovery is that is under way."""


class Told(NamedTuple):
    """A worker as the page sees it."""

    journal: str
    partitions: Callable[[], Iterable[Owned]]
    census: Census
    books: Books
    offset: Callable[[], float | None]
    """Seconds that its wall clock is ahead of the broker's, None when it reads no wall clock."""
    simulated: bool = False
    """Its time is the log's alone, so its deadlines are not compared with ours."""


class WorkerCollector(Collector):
    """Reads workers, one a process but in tests, each time the page is asked for."""

    def __init__(self) -> None:
        self.workers: list[Told] = []
        self._tenants, self._sources, self._policies = Bounded(100), Bounded(50), Bounded(200)

    def describe(self) -> Iterable[Metric]:
        return [_gauge(name) for name in FAMILIES] + [_book_info()]

    def collect(self) -> Iterator[Metric]:
        families = {name: _gauge(name) for name in FAMILIES}
        info = _book_info()
        for worker in self.workers:
            self._clocks(worker, families)
            self._partitions(worker, families)
            self._books(worker, families["objective_ratio"], info)
        yield from families.values()
        yield info

    def _clocks(self, worker: Told, families: Mapping[str, GaugeMetricFamily]) -> None:
        census, slot = worker.census, _now(worker) // SLOT
        for told, count in census.clocks().items():
            self._add(families["clocks"], told, count)
        for told, count in census.client_clocks().items():
            families["client_clocks"].add_metric([self._tenants(told[0]), *told[1:]], count)
        for told, count in census.due(slot, HORIZONS).items():
            self._add(families["due_clocks"], told, count)
        tickets: dict[tuple[str, str], int] = {}
        for (tenant, source, condition), count in census.tickets().items():
            tickets[tenant, source] = tickets.get((tenant, source), 0) + count
            if condition != "judged":
                self._add(families[f"{condition}_tickets"], (tenant, source), count)
        for place, count in tickets.items():
            self._add(families["tickets"], place, count)

    def _add(self, family: GaugeMetricFamily, told: tuple[str, ...], count: float) -> None:
        tenant, source, *more = told
        family.add_metric([self._tenants(tenant), self._sources(source), *more], count)

    def _partitions(self, worker: Told, families: Mapping[str, GaugeMetricFamily]) -> None:
        def add(name: str, value: float | None, *labels: str) -> None:
            if value is not None:
                families[name].add_metric(labels, value)

        for owned in worker.partitions():
            number = str(owned.number)
            portion = worker.census.portions.get(owned.number)
            for state in STATES:
                add("partition_state", owned.state == state, number, state)
            add("partition_counted", portion is not None and portion.complete, number)
            if owned.replaying is not None:
                add("recovering_rows", owned.replaying.replayed, number)
                add("recovering_left_rows", owned.replaying.left, number)
            if owned.state != "ready":
                continue
            if not worker.simulated:
                due = owned.next_due
                add("partition_time_timestamp_seconds", owned.time / 1000 or None, number)
                add("oldest_unfired_due_timestamp_seconds", due and due / 1000, number)
            add("lag_records", owned.lag, worker.journal, number)
            if owned.recovery_seconds is not None:
                add("recovery_seconds", owned.recovery_seconds, number)
                add("recovered_rows", owned.recovered_rows, number)
        add("clock_offset_seconds", worker.offset())

    def _books(self, worker: Told, objectives: GaugeMetricFamily, info: InfoMetricFamily) -> None:
        now = _now(worker)
        for tenant in worker.books.tenants():
            book = worker.books.of(tenant).at(now).book
            name = self._tenants(tenant)
            info.add_metric([name], {"version": book.version})
            for policy in book.policies:
                for indicator, percent in policy.objective.items():
                    labels = [name, self._policies(policy.name), indicator.label]
                    objectives.add_metric(labels, percent / 100)


def _now(worker: Told) -> Instant:
    if worker.simulated:
        return max((owned.time for owned in worker.partitions()), default=0)
    return int(time.time() * 1000)


def _gauge(name: str) -> GaugeMetricFamily:
    about, labels = FAMILIES[name]
    return GaugeMetricFamily(f"slastream_{name}", about, labels=labels)


def _book_info() -> InfoMetricFamily:
    return InfoMetricFamily(
        "slastream_book", "The book in force of each tenant.", labels=["tenant"]
    )
