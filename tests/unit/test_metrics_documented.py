"""docs/metrics.md says what the pages have: each metric, its type, its labels, its words."""

from __future__ import annotations

import re

from slastream.observe.owned import FAMILIES
from tests.support.observed import ROOT, Exposed, exposed

PROMISED = {
    "slastream_clocks": ("tenant", "source", "indicator", "priority", "phase", "verdict"),
    "slastream_alerts_total": ("tenant", "source", "indicator", "priority", "type", "threshold"),
    "slastream_outcomes_total": (
        "tenant",
        "source",
        "indicator",
        "priority",
        "outcome",
        "finality",
    ),
    "slastream_detection_delay_seconds": ("type",),
    "slastream_elapsed_ratio": ("tenant", "indicator"),
    "slastream_event_delay_seconds": ("source",),
    "slastream_late_events_total": ("source",),
    "slastream_duplicates_total": ("source",),
    "slastream_rejected_total": ("source", "reason"),
    "slastream_implied_milestones_total": ("source", "indicator"),
    "slastream_quarantined_tickets": ("tenant", "source"),
    "slastream_unmapped_status_total": ("source",),
    "slastream_oldest_unfired_due_timestamp_seconds": ("partition",),
    "slastream_partition_time_timestamp_seconds": ("partition",),
    "slastream_transaction_seconds": (),
    "slastream_lag_records": ("topic", "partition"),
    "slastream_recovery_seconds": ("partition",),
    "slastream_build_info": ("version",),
    "slastream_book_info": ("tenant", "version"),
}
"""What other people's dashboards may rely on: a change of these is a breaking one."""


def documented() -> dict[str, Exposed]:
    found = {}
    for line in (ROOT / "docs" / "metrics.md").read_text("utf-8").splitlines():
        if line.startswith("| `"):
            name, kind, labels, about = (cell.strip() for cell in line.strip("|").split("|"))
            found[name.strip("`")] = Exposed(kind, tuple(re.findall(r"`(\w+)`", labels)), about)
    return found


def test_every_metric_is_documented_as_it_is() -> None:
    """A metric that exists is in the document with its type and labels, and no other one is."""
    found = documented()
    expected = exposed()

    assert sorted(found) == sorted(expected)
    assert found == expected


def test_the_metrics_that_were_promised_are_there() -> None:
    """The names and labels that dashboards of others rely on stay what they are."""
    found = {name: metric.labels for name, metric in exposed().items() if name in PROMISED}

    assert found == PROMISED


def test_no_ticket_is_a_label() -> None:
    """A label that grows with the number of tickets would fill every Prometheus."""
    labels = {label for metric in exposed().values() for label in metric.labels}

    assert not labels & {"ticket", "number", "id", "key", "assignee", "url"}
    assert len(FAMILIES) > 10
