"""Whether the workers keep up, and with what."""

# ruff: noqa: E501
# A query is read and tried out in one piece.

from __future__ import annotations

from typing import Any

from panels import GREEN, RED, YELLOW, dashboard, lines, row, stat, table


def operations() -> dict[str, Any]:
    ready = 'slastream_partition_state{state="ready"}'

    def quantiles(name: str, by: str = "") -> list[tuple[str, str]]:
        more = f"{by}, " if by else ""
        legend = f"{{{{{by}}}}} " if by else ""
        return [
            (
                f"histogram_quantile({q}, sum by ({more}le) (rate({name}_bucket[5m])))",
                f"{legend}p{int(q * 100)}",
            )
            for q in (0.5, 0.99)
        ]

    return dashboard(
        "slastream-operations",
        "slastream / Operations",
        "Whether the workers keep up, and with what.",
        [
            stat("Workers", "Targets that answer.", 'sum(up{job="slastream"})'),
            stat("Partitions ready", "Announcing what falls due.", f"sum({ready})"),
            stat(
                "Parked",
                "Set aside after an error that repeating cannot mend.",
                'sum(slastream_partition_state{state="parked"}) or vector(0)',
                steps=[(None, GREEN), (1, RED)],
            ),
            stat(
                "Lag",
                "Journal records that were not fetched yet.",
                "sum(slastream_lag_records) or vector(0)",
                steps=[(None, GREEN), (10_000, YELLOW)],
            ),
            stat(
                "Quarantined",
                "Tickets set aside by a bug.",
                "sum(slastream_quarantined_tickets) or vector(0)",
                steps=[(None, GREEN), (1, RED)],
            ),
            stat(
                "Held",
                "Tickets that wait for a book.",
                "sum(slastream_held_tickets) or vector(0)",
                steps=[(None, GREEN), (1, YELLOW)],
            ),
            row("Time"),
            lines(
                "Detection delay",
                "When an alert was detected minus when it was due; exemplars name the ticket.",
                quantiles("slastream_detection_delay_seconds", "type"),
                "s",
            ),
            lines(
                "Earliest deadline not fired",
                "Seconds until it; below zero it is overdue.",
                [
                    (
                        "min by (partition) (slastream_oldest_unfired_due_timestamp_seconds) - time()",
                        "{{partition}}",
                    )
                ],
                "s",
            ),
            lines(
                "Partition time behind now",
                "Of partitions that have something to read.",
                [
                    (
                        "(time() - max by (partition) (slastream_partition_time_timestamp_seconds))"
                        " and on (partition) (max by (partition) (slastream_lag_records) > 0)",
                        "{{partition}}",
                    )
                ],
                "s",
            ),
            lines(
                "Clock of the worker minus the broker's",
                "Beyond two seconds deadlines wait.",
                [("slastream_clock_offset_seconds", "{{instance}}")],
                "s",
            ),
            row("Work"),
            lines(
                "Journal records a second",
                "Applied, by worker.",
                [("sum by (instance) (rate(slastream_journal_records_total[5m]))", "{{instance}}")],
            ),
            lines(
                "Lag by partition",
                "Offsets between what was fetched and the end.",
                [("sum by (partition) (slastream_lag_records)", "{{partition}}")],
            ),
            lines(
                "Transaction time",
                "Kafka's commit and the store's write.",
                quantiles("slastream_transaction_seconds"),
                "s",
            ),
            lines(
                "Transactions a second",
                "By worker.",
                [
                    (
                        "sum by (instance) (rate(slastream_transaction_seconds_count[5m]))",
                        "{{instance}}",
                    )
                ],
            ),
            row("Receivers"),
            lines(
                "Alerts told a second",
                "By route of slastream notify.",
                [("sum by (route) (rate(slastream_notify_delivered_total[5m]))", "{{route}}")],
            ),
            lines(
                "Oldest alert not told",
                "How long a receiver has been waiting.",
                [("max by (route) (slastream_notify_oldest_undelivered_seconds)", "{{route}}")],
                "s",
            ),
            lines(
                "Tried again, and dead letters",
                "In five minutes, by route and reason.",
                [
                    (
                        "sum by (route, reason) (increase(slastream_notify_retries_total[5m])) > 0",
                        "{{route}} {{reason}}, again",
                    ),
                    (
                        "sum by (route, reason) (increase(slastream_notify_dead_total[5m])) > 0",
                        "{{route}} {{reason}}, dead",
                    ),
                ],
            ),
            lines(
                "Incidents that stand",
                "Told of by route, and not yet over.",
                [("sum by (route) (slastream_notify_standing_alerts)", "{{route}}")],
            ),
            row("Life"),
            lines(
                "Partitions by state",
                "Of all workers.",
                [("sum by (state) (slastream_partition_state) > 0", "{{state}}")],
                stacked=True,
                colours={"ready": GREEN, "parked": RED, "opening": YELLOW},
            ),
            lines(
                "Failures",
                "A partition that was fenced or failed, and was opened again.",
                [
                    (
                        "sum by (partition) (increase(slastream_partition_failures_total[15m]))",
                        "{{partition}}",
                    )
                ],
            ),
            lines(
                "Recovery time",
                "Of the last opening of each partition.",
                [("max by (partition) (slastream_recovery_seconds)", "{{partition}}")],
                "s",
            ),
            lines(
                "Rows replayed",
                "By the last opening.",
                [("max by (partition) (slastream_recovered_rows)", "{{partition}}")],
            ),
            lines(
                "Tickets in the table",
                "They leave 90 days after they ended.",
                [("sum by (tenant) (slastream_tickets)", "{{tenant}}")],
            ),
            lines(
                "Memory",
                "Resident, by worker.",
                [('process_resident_memory_bytes{job="slastream"}', "{{instance}}")],
                "bytes",
            ),
            lines(
                "CPU",
                "Cores, by worker; one is all a worker can use.",
                [('rate(process_cpu_seconds_total{job="slastream"}[5m])', "{{instance}}")],
            ),
            table(
                "Releases and books",
                "What each worker runs and judges by.",
                [
                    ("books", "short", "count by (tenant, version) (slastream_book_info)"),
                    ("workers", "short", "count by (version) (slastream_build_info)"),
                ],
            ),
            table(
                "Alerts that fire",
                "Each has a page in docs/runbooks.",
                [
                    (
                        "firing",
                        "short",
                        'count by (alertname, severity) (ALERTS{alertname=~"Slastream.*", alertstate="firing"})',
                    )
                ],
            ),
        ],
    )
