"""How promises stand, and what is due next."""

# ruff: noqa: E501
# A query is read and tried out in one piece.

from __future__ import annotations

from typing import Any

from panels import BLUE, GREEN, RED, YELLOW, dashboard, lines, row, stat, table, variable

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
