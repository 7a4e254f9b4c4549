"""What a committed step adds to the page."""

from __future__ import annotations

from collections import Counter

import pytest

from slastream import metrics
from slastream.engine.effects import Effects


def value(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(f"slastream_{name}", labels) or 0.0


def test_a_step_is_counted() -> None:
    """Counts, delays and the commit's time of a step are on the page, with its labels."""
    labels = {
        "tenant": "t1", "source": "cw", "indicator": "response", "priority": "P1",
        "type": "breached", "threshold": "breach",
    }  # fmt: skip
    counts = Counter({("alerts", *labels.values()): 3, ("duplicates", "cw"): 2})
    metrics.record(7, Effects(counts=counts, delays=[("breached", 40)]), 0.012, 500)

    assert value("alerts_total", **labels) == 3
    assert value("duplicates_total", source="cw") == 2
    assert value("journal_records_total", partition="7") == 500
    assert value("detection_delay_seconds_sum", type="breached") == pytest.approx(0.04)
    assert b"slastream_build_info" in metrics.page()


def test_an_unknown_count_is_said_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """A name that no metric has is a bug of ours, and no reason to stop."""
    metrics.record(0, Effects(counts=Counter({("nonsense", "x"): 1})), 0.0)

    assert "nonsense" in caplog.text
