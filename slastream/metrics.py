"""Every metric name in one place. Nobody else knows prometheus_client.

Base units, `_total`, `_seconds`, `_info`; no ticket in a label. The engine counts in `Effects`; the
worker says how it is.
"""

from __future__ import annotations

import logging
from collections import Counter as Tally

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from slastream import __version__
from slastream.engine.effects import Effects

log = logging.getLogger("slastream.metrics")

REGISTRY = CollectorRegistry()

_CLOCK = ("tenant", "source", "indicator", "priority")


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
    "unmapped_status": _counter("unmapped_status", "Statuses without a mapping.", "source"),
    "skipped_levels": _counter("skipped_levels", "Levels passed without an alert.", "source"),
    "implied_milestones": _counter(
        "implied_milestones", "Milestones inferred from a later status.", "source", "indicator"
    ),
    "rejected": _counter("rejected", "Records sent to the dead letters.", "source", "reason"),
    "quarantined": _counter("quarantined_tickets", "Tickets set aside by a bug of ours."),
}
"""The names under which the engine counts in `Effects.counts`."""

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
    "event_delay_seconds", "When ingest saw an event minus when it occurred.", _DELAYS, "source"
)
RECORDS = _counter("journal_records", "Journal records applied.", "partition")
INGESTED = _counter("ingested_events", "Ticket events written to the journal.", "source")
RECOVERY = _gauge("recovery_seconds", "How long the last recovery took.", "partition")
RECOVERED = _gauge("recovered_rows", "Changelog records of the last recovery.", "partition")
LAG = _gauge("lag_records", "Offsets between what was fetched and the end.", "topic", "partition")
OLDEST_DUE = _gauge(
    "oldest_unfired_due_timestamp_seconds", "The earliest deadline not fired.", "partition"
)
PARTITION_TIME = _gauge(
    "partition_time_timestamp_seconds", "The time that a partition has reached.", "partition"
)
STATE = _gauge("partition_ready", "1 when a partition is ready, 0 otherwise.", "partition")
CLOCK_OFFSET = _gauge("clock_offset_seconds", "Wall clock minus the broker's.")

_build = Info("slastream_build", "This release.", registry=REGISTRY)
_build.info({"version": __version__})
_book = Info("slastream_book", "Books in force.", ("tenant",), registry=REGISTRY)

_unknown: Tally[str] = Tally()


def record(partition: int, effects: Effects, seconds: float, records: int = 0) -> None:
    """Count what one committed step did; `seconds` is what the commit took."""
    for (name, *labels), count in effects.counts.items():
        counter = COUNTERS.get(name)
        if counter is None:
            if not _unknown[name]:
                log.warning("a step counts %r, which no metric has", name)
            _unknown[name] += 1
        elif labels:
            counter.labels(*labels).inc(count)
        else:
            counter.inc(count)
    for kind, delay in effects.delays:
        DETECTION_DELAY.labels(kind).observe(max(0, delay) / 1000)
    TRANSACTION.observe(seconds)
    if records:
        RECORDS.labels(str(partition)).inc(records)


def rejected(source: str, reason: str) -> None:
    """Count a delivery that ingest could not understand."""
    COUNTERS["rejected"].labels(source, reason).inc()


def book_in_force(tenant: str, version: str) -> None:
    """Say which version of a tenant's book was read last."""
    _book.labels(tenant).info({"version": version})


def page() -> bytes:
    """Return the page that Prometheus reads."""
    return prometheus_client.generate_latest(REGISTRY)
