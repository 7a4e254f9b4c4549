"""`slastream backtest`: what the clocks of past tickets say under a book, offline."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from slastream.cli.console import format_option, note, progress, show
from slastream.cli.given import Given, input_options, told_trouble, write_lines
from slastream.core.instant import Instant, format_instant

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
            from slastream.cli.comparing import compare_books

            reading, at = _read(given, books)
            code = compare_books(reading, at, books, others, form, dimensions, share)
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
        write_lines(line for each in judged for line in clock_lines(each, as_of))
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
        write_lines(lines)
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
