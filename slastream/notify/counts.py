"""The metrics of `slastream notify`, in a registry of its own: it has no clocks to report."""

from __future__ import annotations

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from slastream import __version__

REGISTRY = CollectorRegistry()

DELIVERED = Counter(
    "slastream_notify_delivered",
    "Alerts that a receiver has taken, by what they do to their incident.",
    ("route", "action"),
    registry=REGISTRY,
)
RETRIED = Counter(
    "slastream_notify_retries",
    "Requests that failed and are tried again.",
    ("route", "reason"),
    registry=REGISTRY,
)
DEAD = Counter(
    "slastream_notify_dead",
    "Alerts that no try brought to their receiver: they are dead letters.",
    ("route", "reason"),
    registry=REGISTRY,
)
PASSED_OVER = Counter(
    "slastream_notify_passed_over",
    "Alerts that a route does not tell, by why.",
    ("route", "reason"),
    registry=REGISTRY,
)
SECONDS = Histogram(
    "slastream_notify_request_seconds",
    "From sending a request to its answer, or to giving up on one.",
    ("route",),
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    registry=REGISTRY,
)
DELAY = Histogram(
    "slastream_notify_delay_seconds",
    "From an alert on its topic to a receiver that has taken it.",
    ("route",),
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0),
    registry=REGISTRY,
)
LAG = Gauge(
    "slastream_notify_lag_records",
    "Offsets between what is done and the end of the alerts.",
    ("route",),
    registry=REGISTRY,
)
OLDEST = Gauge(
    "slastream_notify_oldest_undelivered_seconds",
    "How long the oldest alert under way has been waiting; 0 when none is.",
    ("route",),
    registry=REGISTRY,
)
STANDING = Gauge(
    "slastream_notify_standing_alerts",
    "Incidents that this route has told of and not yet ended.",
    ("route",),
    registry=REGISTRY,
)
RECEIVER_UP = Gauge(
    "slastream_notify_receiver_up",
    "0 while a receiver fails, else 1.",
    ("route",),
    registry=REGISTRY,
)
READY = Gauge(
    "slastream_notify_ready",
    "1 while a route reads the alerts, else 0.",
    ("route",),
    registry=REGISTRY,
)

_build = Info("slastream_build", "This release.", registry=REGISTRY)
_build.info({"version": __version__})


REASONS = ("receiver_refused", "receiver_failing", "receiver_away", "not_an_alert", "bug")
"""Why an alert becomes a dead letter."""


def begin(route: str, actions: tuple[str, ...]) -> None:
    """Begin a route's counters at nothing: the first dead letter is then a rise."""
    for action in actions:
        DELIVERED.labels(route, action)
    for reason in REASONS:
        DEAD.labels(route, reason)


def page() -> bytes:
    """Return the page that Prometheus reads."""
    return prometheus_client.generate_latest(REGISTRY)
