"""Writes the figures of `bench/results` into `bench/README.md`: `python -m bench.readme`.

What a figure means is the program's business; here is only which of them are worth a line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.peers import report

README = Path(__file__).parent / "README.md"
RESULTS = Path(__file__).parent / "results"
SHOWN = {
    "backtest": ("events", "events_per_s"),
    "board": (
        "open_clocks", "load_s", "paint.first_rows_ms", "browsers", "delay_ms_p50", "delay_ms_p99",
        "memory_mib",
    ),
    "burst": (
        "*.deadlines", "*.within_ms", "*.last_readable_s.*", "*.update_to_snapshot_ms.during.p99",
    ),
    "calendar": ("medians.*.us_per_call",),
    "detection": ("*.deadlines", "*.due_to_readable_ms.*"),
    "gateway": ("as_many_as_it_takes.per_second", "as_many_as_it_takes.per_second_and_core",
                "steady.p99_ms"),
    "incidents_agreement": ("incidents", "agreed_percent"),
    "recovery": ("*.runs.*.rows_per_second", "*.runs.*.rss_peak_mb"),
    "restart": ("*.after_stop.first_overdue_alert_s", "*.after_kill.first_overdue_alert_s",
                "*.rss_mb.*"),
    "scaling": ("two_workers_over_one", "many_tickets_over_none", "cases.*.cpu_us_per_event"),
    "sources": ("median", "canonical_typical"),
    "takeover": ("rows_moved", "first_alert_after_kill_s.*", "longest_silence_s.*"),
    "worker": ("*.events", "*.events_per_second", "*.cpu_us_per_event", "*.rss_mb"),
}  # fmt: skip
"""Result file -> paths of its figures; a star is every name, or every number of a list."""


def found(told: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield the figures at a path, each with its own full path."""
    name, _, rest = path.partition(".")
    if isinstance(told, list):
        told = {str(number + 1): each for number, each in enumerate(told)}
    if not isinstance(told, dict):
        return
    for key in told if name == "*" else [name]:
        if key not in told:
            continue
        if not rest:
            if isinstance(told[key], int | float):
                yield key, told[key]
            continue
        for below, value in found(told[key], rest):
            yield f"{key}.{below}", value


def figures() -> str:
    """Return the last figures of every program that keeps some, one line each."""
    lines = ["| results of | figures |", "|---|---|"]
    for name, paths in SHOWN.items():
        file = RESULTS / f"{name}.json"
        if not file.exists():
            continue
        told = json.loads(file.read_text("utf-8"))
        shown = [f"{at} **{value:,}**" for path in paths for at, value in found(told, path)]
        lines.append(f"| `bench.{name}` | {'; '.join(shown)} |")
    return "\n".join(lines)


def machine(told: dict[str, Any]) -> str:
    """Return what the peers' figures were taken on, as a sentence."""
    on, given = told["machine"], told["input"]
    return (
        f"{on['cpus']} × {on['cpu']}, {on['memory_gb']} GB, {on['system']}, Python {on['python']},"
        f" Kafka {on['kafka']}; aiokafka {on['aiokafka']}, rocksdict {on['rocksdict']},"
        f" confluent-kafka {on['confluent-kafka']}. {given['tickets']:,} tickets,"
        f" {given['events']:,} events, {given['partitions']} partitions,"
        f" SHA-256 of the input `{given['sha256'][:16]}`."
    )


def put(text: str, mark: str, what: str) -> str:
    """Replace what stands between the marks."""
    begin, end = f"<!-- {mark} -->\n", f"\n<!-- /{mark} -->"
    before, after = text.index(begin) + len(begin), text.index(end)
    return text[:before] + what + text[after:]


def main() -> None:
    peers = json.loads(report.RESULTS.read_text("utf-8"))
    text = README.read_text("utf-8")
    text = put(text, "peers", f"{report.table(peers)}\n\n{machine(peers)}")
    README.write_text(put(text, "figures", figures()), "utf-8")


if __name__ == "__main__":
    main()
