"""`slastream backtest`: what the clocks of past tickets say under a book, offline."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import orjson

from slastream.cli.console import fail, format_option, note, progress, show
from slastream.core.errors import Misconfigured, Rejected
from slastream.core.instant import Instant, format_instant, parse_instant

TOLD_AT_MOST = 20
"""Bad lines that are told one by one; the others are counted."""


class AsOf(click.ParamType):
    """Read an instant: RFC 3339 with an offset, or epoch milliseconds."""

    name = "instant"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Instant:
        text = str(value).strip()
        try:
            return parse_instant(int(text) if text.isdecimal() else text)
        except Rejected as problem:
            self.fail(f"{problem.detail} (write 2026-03-02T09:00:00Z)", param, ctx)


AS_OF = AsOf()


def input_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what every verb that reads files of events takes."""
    for option in (
        click.option("--tenant", help="The tenant of events that name none."),
        click.option(
            "--timezone", metavar="ZONE", help="The zone of times without one, as Europe/Paris."
        ),
        click.option(
            "--mapping",
            type=click.Path(path_type=Path, dir_okay=False),
            help="How a table's columns are read (CSV).",
        ),
        click.option(
            "--source",
            default="canonical",
            show_default=True,
            help="Whose words the files are in: canonical, csv, or a ticket system.",
        ),
        click.option(
            "--as-of",
            type=AS_OF,
            metavar="INSTANT",
            help="Read open clocks at this instant; without it, at the last event's.",
        ),
    ):
        command = option(command)
    return command


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
) -> None:
    """Judge a file of ticket events by a policy book: the same engine, without Kafka.

    EVENTS are JSON Lines of canonical events, or what a ticket system exported (--source, or CSV
    with --mapping); `-` is standard input. Lines that cannot be read are told on standard error and
    left out. The exit code is 2 when nothing could be read, 1 when a ticket could not be judged.
    """
    from slastream.book import load
    from slastream.core.books import Books
    from slastream.offline.histories import without_collector

    books = Books(*load(book))
    given = Given(events, source, mapping, tenant, timezone, as_of)
    with without_collector():
        code = _alerts(given, books, form, arrival) if alerts else _clocks(given, books, form)
    sys.exit(code)


class Given:
    """The files of a run and how they are to be read; counts and tells of what could not be."""

    def __init__(
        self,
        paths: tuple[str, ...],
        source: str,
        mapping: Path | None,
        tenant: str | None,
        timezone: str | None,
        as_of: Instant | None,
    ) -> None:
        self.paths, self.source, self.mapping = paths, source, mapping
        self.tenant, self.timezone, self.as_of = tenant, timezone, as_of
        self._told: Counter[str] = Counter()

    def found(self, tenants: list[str]) -> Iterator[Any]:
        """Yield events and bad lines. Events that name no tenant belong to the book's only one."""
        from slastream.sources.files import read_events
        from slastream.sources.table import load_mapping

        table = None if self.mapping is None else load_mapping(self.mapping)
        tenant = self.tenant
        if tenant is None and len(tenants) == 1 and not (table and "tenant" in table.rules):
            tenant = tenants[0]
        return read_events(self.paths, self.source, table, tenant, self.timezone)

    def tell(self, bad: Any) -> None:
        """Tell of a bad line, the first ones in full."""
        self._told[bad.rejected.reason] += 1
        if sum(self._told.values()) <= TOLD_AT_MOST:
            note(f"left out: {bad}")

    def summary(self, reading: Any) -> None:
        """Tell how much was left out, and why."""
        if self._told:
            reasons = ", ".join(f"{n} {reason}" for reason, n in self._told.most_common())
            note(f"{sum(self._told.values())} lines could not be read: {reasons}.")
        if reading.after and self.as_of is not None:
            what = "event lies" if reading.after == 1 else "events lie"
            note(
                f"{reading.after} {what} after {format_instant(self.as_of)} and so"
                f" {'was' if reading.after == 1 else 'were'} left out: not yet known then."
            )
        for key in sorted(reading.too_many):
            note(f"{key}: has too many events to be a ticket; the first ones were judged.")
        if not reading.events:
            raise Misconfigured(
                "no event could be read" + (" at or before --as-of" if reading.after else ""),
                where=", ".join(self.paths),
            )


def _clocks(given: Given, books: Any, form: str) -> int:
    from slastream.offline.histories import read_histories
    from slastream.offline.lines import clock_lines
    from slastream.offline.run import Trouble, run

    tenants = books.tenants()
    with progress("reading events") as advance:
        reading = read_histories(given.found(tenants), given.as_of, given.tell, advance)
    given.summary(reading)
    as_of = given.as_of if given.as_of is not None else reading.last
    assert as_of is not None
    trouble = Trouble()
    histories = list(reading.histories.values())

    def judged() -> Iterator[Any]:
        with progress("judging tickets", len(histories)) as advance:
            for count, each in enumerate(run(histories, books, as_of, trouble), 1):
                if count % 500 == 0:
                    advance(500)
                yield each

    if form == "jsonl":
        _write(line for each in judged() for line in clock_lines(each, as_of))
    else:
        show([line for each in judged() for line in clock_lines(each, as_of)], form)
    return told_trouble(trouble, tenants)


def _write(lines: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON Lines; a pipe that is closed early (head) is no error."""
    out = sys.stdout.buffer
    dumps = orjson.dumps
    option = orjson.OPT_APPEND_NEWLINE
    for line in lines:
        out.write(dumps(line, option=option))
    out.flush()


def _alerts(given: Given, books: Any, form: str, arrival: str) -> int:
    from slastream.offline.alerts import Ticker, arrivals, is_grouped
    from slastream.offline.histories import Reading, taken
    from slastream.offline.run import Trouble

    tenants = books.tenants()
    reading, trouble = Reading(), Trouble()
    with progress("reading events") as advance:
        events = list(taken(given.found(tenants), reading, given.as_of, given.tell, advance))
    given.summary(reading)
    as_of = given.as_of if given.as_of is not None else reading.last
    assert as_of is not None
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


def told_trouble(trouble: Any, tenants: list[str]) -> int:
    """Tell what the figures do not show; returns the exit code."""
    ours = ", ".join(tenants)
    for name, count in sorted(trouble.bookless.items()):
        note(
            f"{count} tickets are of tenant {name!r}, and the book is that of {ours}:"
            " they are measured around the clock and never judged."
        )
    for (source, board, status), count in trouble.unmapped.most_common(TOLD_AT_MOST):
        place = f" on board {board!r}" if board else ""
        note(
            f"status {status!r}{place} of {source} has no mapping ({count} events): tickets kept"
            f" the state they had; add it under sources.{source}.statuses of the book."
        )
    for key, why in list(trouble.failed.items())[:TOLD_AT_MOST]:
        fail(f"{key} could not be judged: {why}")
    if len(trouble.failed) > TOLD_AT_MOST:
        fail(f"{len(trouble.failed)} tickets could not be judged.")
    return 1 if trouble.failed else 0
