"""Every counter and histogram by name, and the page that Prometheus reads.

Base units, `_total`, `_seconds`, `_info`; no ticket in a label, and every label has an end. The
engine counts in `Effects`; gauges are read off the worker by `slastream.observe.owned`. Counters
are deltas and begin at nothing after a restart: the truth about attainment is in the topics (D51).
"""

from __future__ import annotations

import logging
import time
from bisect import bisect_left
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    exposition,
)

from slastream import __version__
from slastream.core.books import Books
from slastream.core.instant import Millis
from slastream.engine.effects import Effects
from slastream.observe.labels import OTHER, Allowed, Bounded
from slastream.observe.owned import Told, WorkerCollector

log = logging.getLogger("slastream.metrics")

M = TypeVar("M")

REGISTRY = CollectorRegistry()
disable_created_metrics()  # type: ignore[no-untyped-call]

_CLOCK = ("tenant", "source", "indicator", "priority")

_LIMITS = {
    "tenant": 100, "source": 50, "priority": 30, "threshold": 60, "reason": 60, "policy": 200,
    "partition": 10_000,
}  # fmt: skip
"""How many values of a label are kept apart; the words of ticket systems are not ours to bound."""

_labels = {name: Bounded(limit) for name, limit in _LIMITS.items()}
_as_it_is = str


def _counter(name: str, about: str, *labels: str) -> Counter:
    return Counter(f"slastream_{name}", about, labels, registry=REGISTRY)


def _gauge(name: str, about: str, *labels: str) -> Gauge:
    return Gauge(f"slastream_{name}", about, labels, registry=REGISTRY)


def _histogram(name: str, about: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
    return Histogram(f"slastream_{name}", about, labels, buckets=buckets, registry=REGISTRY)


COUNTERS: dict[str, Counter] = {
    "alerts": _counter("alerts", "Alerts committed.", *_CLOCK, "type", "threshold"),
    "outcomes": _counter("outcomes", "Outcomes committed.", *_CLOCK, "outcome", "finality"),
    "duplicates": _counter("duplicates", "Deliveries that repeated a known event.", "source"),
    "skewed": _counter("skewed_events", "Events dated ahead of their log time.", "source"),
    "late_events": _counter("late_events", "Events older than one already applied.", "source"),
    "unmapped_status": _counter("unmapped_status", "Events whose status has no mapping.", "source"),
    "skipped_levels": _counter("skipped_levels", "Levels passed without an alert.", "source"),
    "rejected": _counter("rejected", "Records sent to the dead letters.", "source", "reason"),
    "quarantined": _counter("quarantines", "Times that a bug of ours set a ticket aside."),
    "erased": _counter("erasures", "Tickets erased on request.", "source"),
    "suppressed": _counter("suppressed_events", "Events of erased tickets, dropped.", "source"),
    "held": _counter("holds", "Times that a ticket began to wait for a book."),
    "decisions": _counter(
        "decisions",
        "Promises decided: met when the milestone was reached in time, missed when a breach was announced.",
        "tenant", "client", "policy", "indicator", "outcome",
    ),
    "implied": _counter(
        "implied_milestones", "Milestones inferred from a later status.", "source", "indicator"
    ),
}  # fmt: skip
"""The names under which the engine counts in `Effects.counts`."""

ELAPSED = _histogram(
    "elapsed_ratio",
    "Elapsed time over target when a milestone was reached.",
    (0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 5.0),
    "tenant", "indicator",
)  # fmt: skip

_DELAYS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0)

DETECTION_DELAY = _histogram(
    "detection_delay_seconds", "When an alert was detected minus when it was due.", _DELAYS, "type"
)
TRANSACTION = _histogram(
    "transaction_seconds",
    "One commit of a partition, store included.",
    (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0),
)
EVENT_DELAY = _histogram(
    "event_delay_seconds",
    "When ingest saw events minus when they occurred: the mean of a fetch.",
    _DELAYS,
    "source",
)
RECORDS = _counter("journal_records", "Journal records applied.", "partition")
INGESTED = _counter("ingested_events", "Ticket events written to the journal.", "source")
LAST_EVENT = _gauge(
    "last_event_timestamp_seconds", "When ingest last saw an event of a source.", "source"
)
LOST = _counter(
    "partition_failures", "Times that a partition was fenced or failed.", "partition", "state"
)

_build = Info("slastream_build", "This release.", registry=REGISTRY)
_build.info({"version": __version__})
ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

WORKERS = WorkerCollector()
REGISTRY.register(WORKERS)

_clients = Allowed()
_promised: dict[str, str] = {}
_unknown: Tally[str] = Tally()
_counted: dict[tuple[str, ...], Counter] = {}


def allow_clients(names: Iterable[str]) -> Allowed:
    """Name the clients that have a label of their own; every other one is `other`."""
    global _clients
    _clients = Allowed([name.strip() for name in names if name.strip()])
    _promised.clear()
    _counted.clear()
    return _clients


def watch(worker: Told) -> None:
    """Show a worker's partitions and clocks on the page until `unwatch`."""
    WORKERS.workers.append(worker)


def unwatch(worker: Told) -> None:
    """Take a worker off the page."""
    WORKERS.workers.remove(worker)


def record(partition: int, effects: Effects, seconds: float, records: int = 0) -> None:
    """Count what one committed step did; `seconds` is what the commit took."""
    for told, count in effects.counts.items():
        counter = _counted.get(told) or _find(told)
        if counter is not None:
            counter.inc(count)
    _delays(effects.delays)
    _ratios(effects.ratios)
    TRANSACTION.observe(seconds)
    if records:
        RECORDS.labels(str(partition)).inc(records)


def _find(told: tuple[str, ...]) -> Counter | None:
    """Return what counts under a name and its label values, or None when no metric has that name."""
    name, *labels = told
    counter = COUNTERS.get(name)
    if counter is None:
        if not _unknown[name]:
            log.warning("a step counts %r, which no metric has", name)
        _unknown[name] += 1
        return None
    if labels:
        counter = counter.labels(*_bounded(counter._labelnames, labels))
    return _keep(_counted, told, counter)


def _keep(cache: dict[Any, M], told: Any, metric: M) -> M:
    """Remember a labelled metric by the words as they came, of which there may be any number."""
    if len(cache) > 5_000:
        cache.clear()
    cache[told] = metric
    return metric


def _delays(delays: Iterable[tuple[str, Millis, bytes]]) -> None:
    """Note how late alerts were detected, each kind's latest with its ticket as exemplar."""
    kinds: defaultdict[str, list[tuple[float, bytes]]] = defaultdict(list)
    for kind, delay, key in delays:
        kinds[kind].append((max(0, delay) / 1000, key))
    for kind, told in kinds.items():
        histogram = DETECTION_DELAY.labels(kind)
        worst, key = max(told, key=itemgetter(0))
        histogram.observe(worst, {"ticket": key.decode("utf-8", "replace")[:100]})
        told.remove((worst, key))
        _observe(histogram, [seconds for seconds, _ in told])


def _ratios(ratios: Iterable[tuple[str, str, float]]) -> None:
    """Note how much of its target each milestone took."""
    told: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for tenant, indicator, ratio in ratios:
        told[tenant, indicator].append(ratio)
    for (tenant, indicator), found in told.items():
        _observe(ELAPSED.labels(_labels["tenant"](tenant), indicator), found)


def _observe(histogram: Histogram, values: Sequence[float]) -> None:
    """Observe many values at the price of a few: its own `observe` takes a lock twice for each."""
    bounds = histogram._upper_bounds
    histogram._sum.inc(sum(values))
    for place, count in Tally(bisect_left(bounds, value) for value in values).items():
        histogram._buckets[place].inc(count)


def _bounded(names: Sequence[str], values: Sequence[str]) -> list[str]:
    return [_bound(name)(value) for name, value in zip(names, values, strict=True)]


def _bound(name: str) -> Callable[[str], str]:
    return _clients if name == "client" else _labels.get(name, _as_it_is)


def ingested(source: str, events: int, delay: float) -> None:
    """Count events that ingest wrote to the journal; `delay` is their mean age in seconds."""
    source = _labels["source"](source)
    INGESTED.labels(source).inc(events)
    EVENT_DELAY.labels(source).observe(max(0.0, delay))
    LAST_EVENT.labels(source).set(time.time())


def rejected(source: str, reason: str) -> None:
    """Count a delivery that ingest could not understand."""
    counter = COUNTERS["rejected"]
    counter.labels(*_bounded(("source", "reason"), (source, reason))).inc()


def failed(partition: int, state: str) -> None:
    """Count that a partition was `lost` for now, or `parked` for good."""
    LOST.labels(str(partition), state).inc()


def promise(books: Books) -> None:
    """Begin the counters of what the books promise at nothing: the first breach is then a rise."""
    for tenant in books.tenants():
        known = books.of(tenant)
        if _promised.get(tenant) == known.fingerprint:
            continue
        _promised[tenant] = known.fingerprint
        for policy in known.versions[-1].book.policies:
            for indicator in policy.targets:
                for client in (*sorted(_clients.values), OTHER):
                    for outcome in ("met", "missed"):
                        COUNTERS["decisions"].labels(
                            _labels["tenant"](tenant), client, _labels["policy"](policy.name),
                            indicator.label, outcome,
                        )  # fmt: skip


def page(accept: str = "") -> tuple[bytes, str]:
    """Return the page and its content type: OpenMetrics, with exemplars, for those who ask for it."""
    for worker in WORKERS.workers:
        promise(worker.books)
    encode, content_type = exposition.choose_encoder(accept)
    return encode(REGISTRY), content_type
