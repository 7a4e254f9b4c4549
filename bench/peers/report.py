"""Medians, ratios and the table of `bench/README.md`: `python -m bench.peers.report` prints it."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

from bench.peers.engines import ENGINES

RESULTS = Path(__file__).parents[1] / "results" / "peers.json"
FIGURES = ("events_per_second", "cpu_us_per_event", "peak_rss_mb")
BASE = "streams-eos"
COLUMNS = (
    "engine", "delivery", "runs", "events/s (lowest to highest)", "CPU µs/event", "peak MB",
    "beside Streams exactly once", "its output",
)  # fmt: skip


def summary(runs: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return medians by engine, and the ratio of each rate to that of Kafka Streams exactly once."""
    found: dict[str, dict[str, Any]] = {}
    for engine in ENGINES:
        of_it = [run for run in runs if run["engine"] == engine.name]
        if not of_it:
            continue
        told: dict[str, Any] = {
            name: round(median(run[name] for run in of_it), 1) for name in FIGURES
        }
        rates = [run["events_per_second"] for run in of_it]
        found[engine.name] = {
            "runs": len(of_it), **told, "lowest": min(rates), "highest": max(rates),
            "verdicts": sorted({run["verdict"] for run in of_it}),
        }  # fmt: skip
    base = found.get(BASE, {}).get("events_per_second")
    for one in found.values():
        one["ratio"] = round(one["events_per_second"] / base, 2) if base else None
    return found


def table(results: dict[str, Any]) -> str:
    """Return the table in Markdown."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    for engine in ENGINES:
        one = results["medians"].get(engine.name)
        if one is None:
            continue
        rate, low, high = (round(one[name]) for name in ("events_per_second", "lowest", "highest"))
        lines.append(
            f"| {engine.title} | {engine.guarantee} | {one['runs']} | {rate:,} ({low:,} to {high:,})"
            f" | {one['cpu_us_per_event']} | {round(one['peak_rss_mb'])} | {one['ratio'] or '-'}"
            f" | {'; '.join(one['verdicts'])} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(json.loads(RESULTS.read_text("utf-8"))))
