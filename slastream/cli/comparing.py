"""What `slastream backtest --compare` prints: attainment before and after, who flips, which target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
import orjson

from slastream.cli.console import aligned
from slastream.cli.given import told_trouble, write_lines
from slastream.core.instant import Instant, format_duration, format_instant
from slastream.offline.attainment import percent_text
from slastream.offline.compare import Comparison, compare
from slastream.offline.run import Trouble

if TYPE_CHECKING:
    from slastream.core.books import Books
    from slastream.offline.histories import Reading


def compare_books(
    reading: Reading,
    as_of: Instant,
    books: Books,
    others: Books,
    form: str,
    by: Sequence[str],
    share: float,
) -> int:
    """Judge what was read by both books and print the difference; returns the exit code."""
    troubles = Trouble(), Trouble()
    histories = list(reading.histories.values())
    found = compare(histories, books, others, as_of, by, share, troubles)
    if form == "json":
        told = {
            "as_of": format_instant(as_of),
            "share": share,
            "attainment": found.attainment,
            "flips": found.flips,
            "breakpoints": found.breakpoints,
        }
        click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    elif form == "jsonl":
        for kind in ("attainment", "flip", "breakpoint"):
            rows = getattr(found, kind if kind == "attainment" else f"{kind}s")
            write_lines({"kind": kind, **row} for row in rows)
    else:
        _tables(found, by, share, as_of)
    return max(
        told_trouble(troubles[0], books.tenants()), told_trouble(troubles[1], others.tenants())
    )


def _tables(found: Comparison, by: Sequence[str], share: float, as_of: Instant) -> None:
    _section("Attainment, before and after", [
        {
            **{name: row[name] for name in by},
            **{
                f"{label} {name}": value
                for name in ("before", "after")
                for label, value in (
                    ("met", f"{row[f'met_{name}']} of {row[f'decided_{name}']}"),
                    ("attained", percent_text(row[f"percent_{name}"])),
                )
            },
        }
        for row in found.attainment
    ])  # fmt: skip
    _section(f"Outcomes that flip, as of {format_instant(as_of)}", [
        {
            "source": row["source"],
            "ticket": row["ticket"],
            "client": row["client"],
            "priority": row["priority"],
            "indicator": row["indicator"],
            "before": row["outcome_before"],
            "after": row["outcome_after"],
            "target before": _length(row["target_ms_before"]),
            "target after": _length(row["target_ms_after"]),
        }
        for row in found.flips
    ])  # fmt: skip
    _section(f"The target that {share:g} % would meet", [
        {
            "indicator": row["indicator"],
            "priority": row["priority"],
            **{
                f"{label} {name}": value
                for name in ("before", "after")
                for label, value in (
                    ("cycles", row[f"cycles_{name}"]),
                    ("target", _targets(row, name)),
                    ("needed", _length(row[f"needed_ms_{name}"])),
                )
            },
        }
        for row in found.breakpoints
    ])  # fmt: skip


def _section(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    click.echo(f"{title}:")
    for line in aligned(rows) if rows else ["none"]:
        click.echo(f"  {line}")
    click.echo()


def _length(length: int | None) -> str:
    return "-" if length is None else format_duration(length)


def _targets(row: Mapping[str, Any], name: str) -> str:
    count = row[f"targets_{name}"]
    return f"{count} different" if count > 1 else _length(row[f"target_ms_{name}"])
