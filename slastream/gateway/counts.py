"""The gateway's metrics, in a registry of its own: a gateway has no clocks to report."""

from __future__ import annotations

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from slastream import __version__

REGISTRY = CollectorRegistry()

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

REQUESTS = Counter(
    "slastream_gateway_requests",
    "Requests answered, by endpoint; both labels are empty where no endpoint is.",
    ("tenant", "source", "status", "reason"),
    registry=REGISTRY,
)
SECONDS = Histogram(
    "slastream_gateway_request_seconds",
    "From the end of a delivery's headers to its answer.",
    ("source",),
    buckets=_SECONDS,
    registry=REGISTRY,
)
ACKNOWLEDGED = Histogram(
    "slastream_gateway_acknowledge_seconds",
    "From handing a record to the producer to the broker's acknowledgement.",
    buckets=_SECONDS,
    registry=REGISTRY,
)
PENDING = Gauge(
    "slastream_gateway_pending_records", "Records not yet acknowledged.", registry=REGISTRY
)
PENDING_BYTES = Gauge(
    "slastream_gateway_pending_bytes",
    "Memory taken by bodies under way and by records not yet acknowledged.",
    registry=REGISTRY,
)
CONNECTIONS = Gauge("slastream_gateway_connections", "Connections open.", registry=REGISTRY)
TURNED_AWAY = Counter(
    "slastream_gateway_connections_refused", "Connections closed unheard.", registry=REGISTRY
)
BROKER_UP = Gauge(
    "slastream_gateway_broker_up", "1 while the broker acknowledges, else 0.", registry=REGISTRY
)
MISSING = Gauge(
    "slastream_gateway_missing_topics",
    "Raw topics of endpoints that the broker has not.",
    registry=REGISTRY,
)
PRODUCERS = Counter(
    "slastream_gateway_producers", "Producers made: one, unless one broke.", registry=REGISTRY
)
KEY_FETCHES = Counter(
    "slastream_gateway_key_fetches", "Signing keys asked for.", ("result",), registry=REGISTRY
)
RELOADS = Counter(
    "slastream_gateway_reloads", "Endpoints or certificates read again.", ("result",),
    registry=REGISTRY,
)  # fmt: skip

_build = Info("slastream_build", "This release.", registry=REGISTRY)
_build.info({"version": __version__})


def page() -> bytes:
    """Return the page that Prometheus reads."""
    return prometheus_client.generate_latest(REGISTRY)
