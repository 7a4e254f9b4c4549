"""Writes the dashboards and the Grafana-managed alerts: `python deploy/grafana/build.py`.

The panels are said here in a line or three each; what Grafana loads is the JSON beside it. With
`--check` nothing is written, and what is not as it should be is named. The alerts are those of
`deploy/prometheus/rules`, for whoever has Grafana and no Alertmanager.
"""

# ruff: noqa: E501
# A query is read and tried out in one piece.

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml
from panels import BLUE, GREEN, RED, YELLOW, dashboard, lines, row, stat, table, variable

HERE = Path(__file__).parent
RULES = HERE.parent / "prometheus" / "rules" / "alerts.yml"
WHERE = 'tenant=~"$tenant", source=~"$source"'
PAUSED = 'phase="paused"'
OPEN = 'phase=~"pending|running|paused"'
VERDICTS = {"on_track": GREEN, "at_risk": YELLOW, "breached": RED, "measured": BLUE}

TENANT = variable("tenant", "label_values(slastream_tickets, tenant)", "Tenant")
FEED = variable("source", "label_values(slastream_ingested_events_total, source)", "Source")


def clocks(verdict: str = "", phase: str = OPEN) -> str:
    told = f', verdict="{verdict}"' if verdict else ""
    return f"slastream_clocks{{{WHERE}, {phase}{told}}}"


def decided(outcome: str = "", by: str = "policy, indicator") -> str:
    told = f', outcome="{outcome}"' if outcome else ""
    counter = f'slastream_decisions_total{{tenant=~"$tenant"{told}}}'
    return f"sum by ({by}) (increase({counter}[$__range]))"


def service_desk() -> dict[str, Any]:
    objective = 'max by (policy, indicator) (slastream_objective_ratio{tenant=~"$tenant"})'
    ratio = f"{decided('met')} / ({decided()} > 0)"
    burnt = f"1 - ({decided('missed')} / ({decided()} > 0)) / (1 - {objective})"
    client = 'slastream_client_clocks{tenant=~"$tenant"'
    feed = "/d/slastream-sources/slastream-source-health?var-source=${__value.text}"
    return dashboard(
        "slastream-desk",
        "slastream / Service desk",
        "How promises stand, and what is due next.",
        [
            stat("Open clocks", "Pending, running and paused.", f"sum({clocks()})"),
            stat(
                "At risk",
                "Past an at-risk level, and not breached.",
                f"sum({clocks('at_risk')}) or vector(0)",
                steps=[(None, GREEN), (1, YELLOW)],
            ),
            stat(
                "Breached, still open",
                "Past their target, and the milestone is not reached.",
                f"sum({clocks('breached')}) or vector(0)",
                steps=[(None, GREEN), (1, RED)],
            ),
            stat(
                "Due within an hour",
                "Running clocks whose target runs out within an hour.",
                f'sum(slastream_due_clocks{{{WHERE}, within="1h"}}) or vector(0)',
                steps=[(None, GREEN), (1, YELLOW)],
            ),
            stat(
                "Due within four hours",
                "The next hour included.",
                f'sum(slastream_due_clocks{{{WHERE}, within="4h"}}) or vector(0)',
            ),
            stat(
                "Pause share",
                "Of the open clocks, how many wait for somebody outside.",
                f"sum({clocks(phase=PAUSED)}) / sum({clocks()})",
                "percentunit",
            ),
            row("Now"),
            lines(
                "Open clocks by verdict",
                "A clock is breached when its target is over, running or paused.",
                [(f"sum by (verdict) ({clocks()})", "{{verdict}}")],
                stacked=True,
                colours=VERDICTS,
            ),
            lines(
                "Due within",
                "What comes up, each time including the shorter ones.",
                [(f"sum by (within) (slastream_due_clocks{{{WHERE}}})", "{{within}}")],
            ),
            table(
                "By source and indicator",
                "Open clocks; a click on a source leads to its health.",
                [
                    ("open", "short", f"sum by (source, indicator) ({clocks()})"),
                    ("at risk", "short", f"sum by (source, indicator) ({clocks('at_risk')})"),
                    ("breached", "short", f"sum by (source, indicator) ({clocks('breached')})"),
                    (
                        "due in 4 h",
                        "short",
                        f'sum by (source, indicator) (slastream_due_clocks{{{WHERE}, within="4h"}})',
                    ),
                ],
                links=[("source", "Source health", feed)],
            ),
            table(
                "By client",
                "Open clocks of the clients that SLASTREAM_METRIC_CLIENTS lists; the rest is `other`.",
                [
                    ("open", "short", f"sum by (client) ({client}}})"),
                    ("at risk", "short", f'sum by (client) ({client}, verdict="at_risk"}})'),
                    ("breached", "short", f'sum by (client) ({client}, verdict="breached"}})'),
                    (
                        "kept",
                        "percentunit",
                        f"{decided('met', 'client')} / ({decided(by='client')} > 0)",
                    ),
                    ("decided", "short", decided(by="client")),
                ],
            ),
            row("Promises over the time chosen above (a month: now/M to now)"),
            table(
                "Attainment against the objective",
                "Missed counts when the breach is announced. Budget left is 1 when nothing was missed, 0 when the objective "
                "is just met, negative when it is not. The contract's figure is that of `slastream backtest`.",
                [
                    ("met", "short", decided("met")),
                    ("missed", "short", decided("missed")),
                    ("attainment", "percentunit", ratio),
                    ("objective", "percentunit", objective),
                    ("budget left", "percentunit", burnt),
                ],
                width=24,
            ),
            lines(
                "Breaches an hour by priority",
                "Announced breaches.",
                [
                    (
                        f'sum by (priority) (increase(slastream_alerts_total{{{WHERE}, type="breached", threshold="breach"}}[1h]))',
                        "{{priority}}",
                    )
                ],
                stacked=True,
            ),
            lines(
                "Warnings an hour by level",
                "Announced at-risk levels.",
                [
                    (
                        f'sum by (threshold) (increase(slastream_alerts_total{{{WHERE}, type="at_risk"}}[1h]))',
                        "{{threshold}}",
                    )
                ],
                stacked=True,
            ),
            lines(
                "Outcomes an hour",
                "Provisional and final ones; a retraction follows a reopening or a late event.",
                [
                    (
                        f"sum by (outcome, finality) (increase(slastream_outcomes_total{{{WHERE}}}[1h]))",
                        "{{outcome}}, {{finality}}",
                    )
                ],
            ),
            lines(
                "How much of the target was used",
                "Median and 90th percentile when a milestone was reached; 100 % is the target.",
                [
                    (
                        f'histogram_quantile({q}, sum by (indicator, le) (rate(slastream_elapsed_ratio_bucket{{tenant=~"$tenant"}}[6h])))',
                        f"{{{{indicator}}}} p{int(q * 100)}",
                    )
                    for q in (0.5, 0.9)
                ],
                "percentunit",
            ),
        ],
        variables=[TENANT, FEED],
        since="now-24h",
    )


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


def managed_alerts() -> dict[str, Any]:
    """Return the alerts of the Prometheus rules as Grafana provisions its own."""
    groups = []
    for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]:
        rules = [_managed(rule) for rule in group["rules"]]
        groups.append(
            {
                "orgId": 1,
                "name": group["name"],
                "folder": "slastream",
                "interval": "1m",
                "rules": rules,
            },
        )
    return {"apiVersion": 1, "groups": groups}


def _managed(rule: dict[str, Any]) -> dict[str, Any]:
    words = re.sub(r"(?<!^)(?=[A-Z])", "-", rule["alert"]).lower()
    values = {
        name: text.replace("$value", "$values.A.Value")
        for name, text in rule["annotations"].items()
    }
    return {
        "uid": words[:40],
        "title": rule["alert"],
        "condition": "B",
        "data": [
            {
                "refId": "A",
                "relativeTimeRange": {"from": 600, "to": 0},
                "datasourceUid": "prometheus",
                "model": {"refId": "A", "expr": rule["expr"], "instant": True, "range": False},
            },
            {
                "refId": "B",
                "relativeTimeRange": {"from": 0, "to": 0},
                "datasourceUid": "__expr__",
                "model": {
                    "refId": "B",
                    "type": "math",
                    "expression": "!is_nan($A)",
                },
            },
        ],
        "noDataState": "OK",
        "execErrState": "Error",
        "for": rule.get("for", "0s"),
        "labels": rule["labels"],
        "annotations": values,
    }


def written() -> dict[Path, str]:
    """Return what belongs into each file."""
    boards = {
        "service-desk": service_desk(),
        "operations": operations(),
        "source-health": source_health(),
    }
    files = {
        HERE / "dashboards" / f"{name}.json": json.dumps(board, indent=1, ensure_ascii=False) + "\n"
        for name, board in boards.items()
    }
    files[HERE / "managed-alerts.yml"] = (
        "# Written by build.py from ../prometheus/rules/alerts.yml; put it into provisioning/alerting to\n"
        "# have Grafana evaluate the alerts. Use these or Prometheus's own, not both.\n"
        + yaml.safe_dump(managed_alerts(), sort_keys=False, width=110, allow_unicode=True)
    )
    return files


def main() -> int:
    files = written()
    if "--check" in sys.argv:
        stale = [path for path, text in files.items() if path.read_text("utf-8") != text]
        for path in stale:
            print(f"{path} is not what build.py writes")
        return 1 if stale else 0
    for path, text in files.items():
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
