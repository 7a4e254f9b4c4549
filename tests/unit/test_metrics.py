"""What a committed step adds to the page, and what the page never lets grow without end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from prometheus_client import Histogram

from slastream import metrics
from slastream.core.books import Books
from slastream.engine.effects import Effects
from slastream.observe.census import Census
from slastream.observe.labels import Allowed, Bounded
from slastream.observe.owned import Owned, Told
from slastream.observe.progress import Replaying


def value(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(f"slastream_{name}", labels) or 0.0


@pytest.fixture(autouse=True)
def _clients() -> Iterator[None]:
    metrics.allow_clients(["big"])
    yield
    metrics.allow_clients([])


def test_a_step_is_counted() -> None:
    """Counts, delays and the commit's time of a step are on the page, with its labels."""
    labels = {
        "tenant": "t1", "source": "cw", "indicator": "response", "priority": "P1",
        "type": "breached", "threshold": "breach",
    }  # fmt: skip
    counts = Counter({("alerts", *labels.values()): 3, ("duplicates", "cw"): 2})
    metrics.record(7, Effects(counts=counts, delays=[("breached", 40, b"t1/cw/1")]), 0.012, 500)

    assert value("alerts_total", **labels) == 3
    assert value("duplicates_total", source="cw") == 2
    assert value("journal_records_total", partition="7") == 500
    assert value("detection_delay_seconds_sum", type="breached") == pytest.approx(0.04)
    assert b"slastream_build_info" in metrics.page()[0]


def test_an_unknown_count_is_said_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """A name that no metric has is a bug of ours, and no reason to stop."""
    metrics.record(0, Effects(counts=Counter({("nonsense", "x"): 1})), 0.0)

    assert "nonsense" in caplog.text


def decided(**labels: str) -> float:
    told = {"tenant": "t2", "client": "big", "policy": "gold", "indicator": "resolution"}
    return value("decisions_total", **told | labels)


def test_decisions_are_counted_by_client_and_policy() -> None:
    """A promise that was decided is on the page by whose it was; one without a policy is `none`."""
    met, missed = (
        ("decisions", "t2", "big", "gold", "resolution"),
        ("decisions", "t2", "", "", "plan"),
    )
    metrics.record(0, Effects(counts=Counter({(*met, "met"): 2, (*missed, "missed"): 1})), 0.0)

    assert decided(outcome="met") == 2
    assert decided(outcome="missed", client="none", policy="none", indicator="plan") == 1


def test_a_client_that_is_not_listed_is_other() -> None:
    """A desk with a thousand clients has as many series as it lists clients, and one more."""
    for client in ("small", "smaller"):
        told = ("decisions", "t2", client, "gold", "resolution", "missed")
        metrics.record(0, Effects(counts=Counter({told: 1})), 0.0)

    assert decided(outcome="missed", client="other") == 2


def test_a_client_that_is_listed_anew_has_a_label_of_its_own() -> None:
    """Another list holds for what is counted from then on."""
    told = ("decisions", "t2", "new", "gold", "resolution", "missed")
    metrics.record(0, Effects(counts=Counter({told: 1})), 0.0)
    metrics.allow_clients(["new"])
    metrics.record(0, Effects(counts=Counter({told: 1})), 0.0)

    assert decided(outcome="missed", client="new") == 1


def test_the_share_of_a_target_that_a_milestone_took_is_on_the_page() -> None:
    """Each milestone with a target is observed, by tenant and indicator."""
    metrics.record(0, Effects(ratios=[("t2", "plan", 1.5), ("t2", "plan", 0.2)]), 0.0)

    assert value("elapsed_ratio_sum", tenant="t2", indicator="plan") == pytest.approx(1.7)
    assert value("elapsed_ratio_bucket", tenant="t2", indicator="plan", le="1.0") == 1


def test_many_values_are_observed_as_one_by_one() -> None:
    """What a step observes at once stands in the buckets in which it would stand one by one."""
    values = [0.0, 0.1, 0.10001, 1.0, 1.0, 4.99, 5.0, 700.0]
    expected = Histogram("one_by_one", "", registry=None, buckets=(0.1, 1.0, 5.0))
    found = Histogram("at_once", "", registry=None, buckets=(0.1, 1.0, 5.0))
    for each in values:
        expected.observe(each)
    metrics._observe(found, values)

    assert told(expected) == told(found)


def told(histogram: Histogram) -> list[tuple[str, dict[str, str], float]]:
    (family,) = histogram.collect()
    return [
        (each.name.removeprefix(family.name), each.labels, each.value) for each in family.samples
    ]


def test_delays_carry_their_ticket_as_an_exemplar() -> None:
    """OpenMetrics names the ticket of the slowest detection; the plain format has no place for it."""
    delays = [
        ("breached", 2_600, b"t2/cw/2"),
        ("breached", 3_000, b"t2/cw/1"),
        ("at_risk", 1, b"x"),
    ]
    metrics.record(0, Effects(delays=delays), 0.0)
    body, content_type = metrics.page("application/openmetrics-text; version=1.0.0")

    assert content_type.startswith("application/openmetrics-text")
    assert b'# {ticket="t2/cw/1"} 3.0' in body
    assert b"t2/cw/2" not in body
    assert metrics.page()[1].startswith("text/plain")
    assert b'ticket="' not in metrics.page()[0]


def test_labels_end() -> None:
    """The value after the last that fits is `other`, and known ones stay what they are."""
    bounded = Bounded(2)

    assert [bounded(each) for each in ("a", "", "b", "a")] == ["a", "none", "other", "a"]
    assert [Allowed(["a"])(each) for each in ("a", "b", None, "")] == ["a", "other", "none", "none"]


def test_a_partition_that_is_not_ready_tells_its_state_alone() -> None:
    """Lag and deadlines of a partition that is being opened or was lost are nobody's business."""
    owned = [
        Owned(0, "ready", 5_000, None, 3, 1.5, 20),
        Owned(1, "lost", 5_000, 9_000, 4),
        Owned(2, "opening", 0, None, None, replaying=Replaying(2, 70, 30)),
    ]
    told = Told("sla.tickets.v1", lambda: owned, Census(Allowed()), Books(), lambda: None)
    metrics.watch(told)
    try:
        assert value("lag_records", topic="sla.tickets.v1", partition="0") == 3
        assert value("partition_time_timestamp_seconds", partition="0") == 5
        assert value("partition_state", partition="1", state="lost") == 1
        assert value("recovering_rows", partition="2") == 70
        assert value("recovering_left_rows", partition="2") == 30
        page = metrics.page()[0].decode()
    finally:
        metrics.unwatch(told)

    assert 'lag_records{partition="1"' not in page
    assert 'recovering_rows{partition="0"' not in page
    assert "slastream_oldest_unfired_due_timestamp_seconds{" not in page
    assert "slastream_lag_records{" not in metrics.page()[0].decode()
