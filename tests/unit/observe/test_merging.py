"""The pages of several processes as one page."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as plain

from slastream.observe.merging import merged


def page(alerts: int, delay: float) -> str:
    """Return the page of one process."""
    registry = CollectorRegistry()
    Counter("alerts", "Alerts committed.", ["type"], registry=registry).labels("breach").inc(alerts)
    Gauge("lag", "Behind.", registry=registry).set(alerts)
    histogram = Histogram("delay_seconds", "Late.", buckets=(1.0,), registry=registry)
    histogram.observe(delay, {"ticket": "t-1"})
    return openmetrics(registry).decode()


def test_each_series_says_whose_it_is() -> None:
    """One help and type for each metric, and behind it the series of all processes."""
    body, content_type = merged({"1": page(3, 0.5), "2": page(4, 2.0)})
    text = body.decode()

    assert text.count("# TYPE alerts_total counter") == 1
    assert 'alerts_total{process="1",type="breach"} 3.0' in text
    assert 'alerts_total{process="2",type="breach"} 4.0' in text
    assert 'delay_seconds_bucket{le="1.0",process="2"} 0.0' in text
    assert content_type.startswith("text/plain")
    assert {one.name for one in plain(text)} == {"alerts", "lag", "delay_seconds"}


def test_exemplars_are_kept_for_those_who_ask() -> None:
    """A page in OpenMetrics can be read again, and says which ticket was late."""
    body, content_type = merged({"1": page(1, 0.5)}, CONTENT_TYPE_LATEST)
    found = {one.name: one for one in text_string_to_metric_families(body.decode())}
    exemplars = [s.exemplar for s in found["delay_seconds"].samples if s.exemplar]

    assert content_type.startswith("application/openmetrics-text")
    assert [one.labels for one in exemplars] == [{"ticket": "t-1"}]


def test_nobody_answers() -> None:
    """No process, no series."""
    assert merged({})[0] == generate_latest(CollectorRegistry())


def test_what_is_no_page() -> None:
    """Something else on a process's port is said, not passed on."""
    with pytest.raises(ValueError, match="html"):
        merged({"1": "<html>"})
