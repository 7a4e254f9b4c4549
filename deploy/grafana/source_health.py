"""Whether ticket systems are heard, and understood."""

# ruff: noqa: E501
# A query is read and tried out in one piece.

from __future__ import annotations

from typing import Any

from panels import GREEN, YELLOW, dashboard, lines, row, stat, variable

FEED = variable("source", "label_values(slastream_ingested_events_total, source)", "Source")


def source_health() -> dict[str, Any]:
    def hourly(name: str) -> str:
        return f'sum by (source) (increase(slastream_{name}_total{{source=~"$source"}}[1h]))'

    last = 'max by (source) (slastream_last_event_timestamp_seconds{source=~"$source"})'
    return dashboard(
        "slastream-sources",
        "slastream / Source health",
        "Whether ticket systems are heard, and understood.",
        [
            stat(
                "Events a second",
                "Written to the journal.",
                'sum(rate(slastream_ingested_events_total{source=~"$source"}[5m]))',
            ),
            stat(
                "Silent for",
                "Since the last event of the source heard from longest ago.",
                f"max(time() - {last})",
                "s",
                steps=[(None, GREEN), (7_200, YELLOW)],
            ),
            stat(
                "Rejected in an hour",
                "Sent to the dead letters.",
                'sum(increase(slastream_rejected_total{source=~"$source"}[1h])) or vector(0)',
                steps=[(None, GREEN), (10, YELLOW)],
            ),
            stat(
                "Unmapped in an hour",
                "Statuses that no book maps.",
                'sum(increase(slastream_unmapped_status_total{source=~"$source"}[1h])) or vector(0)',
                steps=[(None, GREEN), (1, YELLOW)],
            ),
            stat(
                "Late in an hour",
                "Events older than one already applied.",
                'sum(increase(slastream_late_events_total{source=~"$source"}[1h])) or vector(0)',
            ),
            stat(
                "Repeated in an hour",
                "Deliveries of an event that was known.",
                'sum(increase(slastream_duplicates_total{source=~"$source"}[1h])) or vector(0)',
            ),
            row("Heard"),
            lines(
                "Events a minute",
                "Written to the journal, by source.",
                [
                    (
                        '60 * sum by (source) (rate(slastream_ingested_events_total{source=~"$source"}[5m]))',
                        "{{source}}",
                    )
                ],
            ),
            lines(
                "Since the last event",
                "A source that is silent lets clocks run on.",
                [(f"time() - {last}", "{{source}}")],
                "s",
            ),
            lines(
                "Age of events on arrival",
                "Median and 90th percentile of the means of fetches.",
                [
                    (
                        f'histogram_quantile({q}, sum by (source, le) (rate(slastream_event_delay_seconds_bucket{{source=~"$source"}}[15m])))',
                        f"{{{{source}}}} p{int(q * 100)}",
                    )
                    for q in (0.5, 0.9)
                ],
                "s",
            ),
            lines(
                "Webhooks by answer",
                "Of the gateway, a second.",
                [
                    (
                        'sum by (source, status) (rate(slastream_gateway_requests_total{source=~"$source"}[5m]))',
                        "{{source}} {{status}}",
                    )
                ],
            ),
            row("Understood"),
            lines(
                "Rejected by reason",
                "In an hour, by source and reason; the bytes are on the dead letters.",
                [
                    (
                        'sum by (source, reason) (increase(slastream_rejected_total{source=~"$source"}[1h]))',
                        "{{source}} {{reason}}",
                    )
                ],
            ),
            lines(
                "Unmapped statuses",
                "Events in an hour.",
                [(hourly("unmapped_status"), "{{source}}")],
            ),
            lines(
                "Late and repeated",
                "Events in an hour.",
                [
                    (hourly("late_events"), "{{source}} late"),
                    (hourly("duplicates"), "{{source}} repeated"),
                    (hourly("skewed_events"), "{{source}} from the future"),
                ],
            ),
            lines(
                "Milestones inferred from a later status",
                "In an hour: statuses are moved late, so times are upper bounds.",
                [
                    (
                        'sum by (source, indicator) (increase(slastream_implied_milestones_total{source=~"$source"}[1h]))',
                        "{{source}} {{indicator}}",
                    )
                ],
            ),
            lines(
                "Gateway: time to an answer",
                "99th percentile.",
                [
                    (
                        'histogram_quantile(0.99, sum by (source, le) (rate(slastream_gateway_request_seconds_bucket{source=~"$source"}[5m])))',
                        "{{source}}",
                    )
                ],
                "s",
            ),
            lines(
                "Gateway: records not acknowledged",
                "A rise is a broker that does not answer.",
                [("slastream_gateway_pending_records", "{{instance}}")],
            ),
        ],
        variables=[FEED],
    )
