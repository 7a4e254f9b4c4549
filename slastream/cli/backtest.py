"""`slastream backtest`: what the clocks of past tickets say under a book, offline."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from slastream.cli.console import aligned, format_option, note, progress, show
from slastream.cli.given import Given, input_options, told_trouble
from slastream.core.instant import Instant, format_duration, format_instant

if TYPE_CHECKING:
    from slastream.core.books import Books
    from slastream.offline.histories import Reading
    from slastream.offline.run import Judged, Trouble

BY = "client,indicator,month"


@click.command("backtest")
@click.argument("book", type=click.Path(path_type=Path))
@click.argument("events", nargs=-1, required=True)
@input_options
@format_option
@click.option(
    "--alerts", is_flag=True, help="Write the alerts instead, as a worker announces them."
)
@click.option(
    "--arrival",
    type=click.Choice(["auto", "file", "time"]),
    default="auto",
    show_default=True,
    help="With --alerts: events arrive in the order of the lines, or each when it happened.",
)
@click.option(
    "--compare",
    "other",
    type=click.Path(path_type=Path),
    metavar="OTHER_BOOK",
    help="Judge by this book too: attainment before and after, and who flips.",
)
@click.option("--by", default=BY, show_default=True, help="What attainment is grouped by.")
@click.option(
    "--share",
    type=click.FloatRange(0, 100, min_open=True),
    default=95.0,
    show_default=True,
    help="With --compare: tell the target that so many percent would meet.",
)
def command(
    book: Path,
    events: tuple[str, ...],
    source: str,
    mapping: Path | None,
    tenant: str | None,
    timezone: str | None,
    as_of: Instant | None,
    form: str,
    alerts: bool,
    arrival: str,
    other: Path | None,
    by: str,
    share: float,
) -> None:
    """Judge a file of ticket events by a policy BOOK: the same engine, without Kafka.

    EVENTS are JSON Lines of canonical events, or what a ticket system exported (--source, or CSV
    with --mapping); `-` is standard input, `.gz` is read as it is. The table shows attainment; the
    other formats have one object for each clock cycle.

    Lines that cannot be read are told on standard error and left out. The exit code is 2 when
    nothing could be read, 1 when a ticket could not be judged.
    """
    from slastream.book import load
    from slastream.core.books import Books
    from slastream.offline.histories import without_collector

    if alerts and other:
        raise click.UsageError("--alerts and --compare are two different answers: choose one")
    dimensions = _dimensions(by)
    books = Books(*load(book))
    others = Books(*load(other)) if other else None
    given = Given(events, source, mapping, tenant, timezone, as_of)
    with without_collector():
        if alerts:
            code = _alerts(given, books, form, arrival)
        elif others is not None:
            code = _compare(given, books, others, form, dimensions, share)
        else:
            code = _clocks(given, books, form, dimensions)
    sys.exit(code)


def _dimensions(by: str) -> list[str]:
    from slastream.offline.attainment import DIMENSIONS

    names = [name.strip() for name in by.split(",") if name.strip()]
    for name in names:
        if name not in DIMENSIONS:
            raise click.BadParameter(
                f"{name!r} is none of {', '.join(DIMENSIONS)}", param_hint="--by"
            )
    return names


def _read(given: Given, books: Books) -> tuple[Reading, Instant]:
    from slastream.offline.histories import read_histories

    with progress("reading events") as advance:
        reading = read_histories(given.found(books.tenants()), given.as_of, given.tell, advance)
    return reading, given.summary(reading)


def _judged(reading: Reading, books: Books, as_of: Instant, trouble: Trouble) -> Iterator[Judged]:
    from slastream.offline.run import run

    histories = list(reading.histories.values())
    with progress("judging tickets", len(histories)) as advance:
        for count, each in enumerate(run(histories, books, as_of, trouble), 1):
            if count % 500 == 0:
                advance(500)
            yield each


# -- one book ---------------------------------------------------------------------------------


def _clocks(given: Given, books: Books, form: str, by: Sequence[str]) -> int:
    from slastream.offline.attainment import Attainment
    from slastream.offline.lines import clock_lines
    from slastream.offline.run import Trouble

    reading, as_of = _read(given, books)
    trouble = Trouble()
    judged = _judged(reading, books, as_of, trouble)
    if form == "jsonl":
        _write(line for each in judged for line in clock_lines(each, as_of))
        return told_trouble(trouble, books.tenants())
    attainment = Attainment(by)
    lines: list[dict[str, Any]] = []
    for each in judged:
        attainment.add(each)
        if form == "json":
            lines += clock_lines(each, as_of)
    if form == "json":
        told = {
            "as_of": format_instant(as_of),
            "events": reading.events,
            "tickets": len(reading.histories),
            "rejected": reading.bad,
            "after_as_of": reading.after,
            "attainment": attainment.rows(),
            "clocks": lines,
        }
        click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    else:
        _attainment_table(attainment.rows(), by)
        total = attainment.total()
        click.echo(
            f"{reading.events} events of {len(reading.histories)} tickets, as of"
            f" {format_instant(as_of)}: {total.met} met, {total.missed} missed"
            f" ({total.missed_open} of them open still), {total.undecided} undecided,"
            f" {total.cancelled} cancelled and counted nowhere."
        )
    return told_trouble(trouble, books.tenants())


def _attainment_table(rows: Iterable[Mapping[str, Any]], by: Sequence[str]) -> None:
    from slastream.offline.attainment import percent_text

    shown = [
        {
            **{name: row[name] for name in by},
            "met": row["met"],
            "of": row["decided"],
            "attained": percent_text(row["percent"]),
            "objective": percent_text(row["objective"]),
            "": _judgement(row["percent"], row["objective"]),
            "missed": row["missed"],
            "still open": row["missed_open"],
            "cancelled": row["cancelled"],
            "undecided": row["undecided"],
        }
        for row in rows
    ]
    show(shown, "table")


def _judgement(share: float | None, objective: float | None) -> str:
    if share is None or objective is None:
        return ""
    return "ok" if share >= objective else "below"


def _write(lines: Iterable[Mapping[str, Any]]) -> None:
    out = sys.stdout.buffer
    dumps = orjson.dumps
    option = orjson.OPT_APPEND_NEWLINE
    for line in lines:
        out.write(dumps(line, option=option))
    out.flush()


# -- alerts -----------------------------------------------------------------------------------


def _alerts(given: Given, books: Books, form: str, arrival: str) -> int:
    from slastream.offline.alerts import Ticker, arrivals, is_grouped
    from slastream.offline.histories import Reading, taken
    from slastream.offline.run import Trouble

    tenants = books.tenants()
    reading, trouble = Reading(), Trouble()
    with progress("reading events") as advance:
        events = list(taken(given.found(tenants), reading, given.as_of, given.tell, advance))
    as_of = given.summary(reading)
    by_time = arrival == "time"
    if arrival == "auto" and is_grouped(events):
        by_time = True
        note(
            "The lines are not in order of time, so each event is taken to arrive when it happened;"
            " --arrival file keeps the order of the lines."
        )
    for name in {event.tenant for event in events} - set(tenants):
        keys = {(event.source, event.ticket) for event in events if event.tenant == name}
        trouble.bookless[name] = len(keys)
    lines = Ticker(books, trouble).alerts(arrivals(events, by_time), as_of)
    if form == "jsonl":
        _write(lines)
    elif form == "json":
        show(lines, form)
    else:
        show([_alert_row(line) for line in lines], form)
    return told_trouble(trouble, tenants)


def _alert_row(line: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "detected at": line["detected_at"],
        "alert": line["ce_type"].split(".")[-2],
        "source": line["source"],
        "ticket": line["ticket"],
        "client": line["client"],
        "priority": line["priority"],
        "indicator": line["indicator"],
        "threshold": line["threshold"],
        "reached at": line["reached_at"],
        "due": line["due"],
    }


# -- two books --------------------------------------------------------------------------------


def _compare(
    given: Given, books: Books, others: Books, form: str, by: Sequence[str], share: float
) -> int:
    from slastream.offline.compare import compare
    from slastream.offline.run import Trouble

    reading, as_of = _read(given, books)
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
            _write({"kind": kind, **row} for row in rows)
    else:
        _compare_tables(found, by, share, as_of)
    return max(
        told_trouble(troubles[0], books.tenants()), told_trouble(troubles[1], others.tenants())
    )


def _compare_tables(found: Any, by: Sequence[str], share: float, as_of: Instant) -> None:
    from slastream.offline.attainment import percent_text

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
