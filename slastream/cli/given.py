"""What `backtest`, `explain` and `check --against` share: files of events, and what was wrong with them.

It tells on standard error, counts, and never stops a run for one bad line.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import orjson

from slastream.cli.console import fail, note
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


def against_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what every verb takes that asks what a book would do to open tickets."""
    for option in (
        click.option(
            "--most",
            type=click.IntRange(min=0),
            metavar="N",
            help="Say no when more than N tickets would be in breach at once.",
        ),
        click.option(
            "--against",
            multiple=True,
            metavar="EVENTS",
            help="A file of ticket events: say what the book would do to those open. Repeatable.",
        ),
    ):
        command = option(command)
    return input_options(command)


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
        self.quiet = False
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
        if not self.quiet and sum(self._told.values()) <= TOLD_AT_MOST:
            note(f"left out: {bad}")

    def summary(self, reading: Any) -> Instant:
        """Tell how much was left out, and why; returns the instant at which to read open clocks."""
        if self._told and not self.quiet:
            reasons = ", ".join(f"{n} {reason}" for reason, n in self._told.most_common())
            note(f"{sum(self._told.values())} lines could not be read: {reasons}.")
        if reading.after and self.as_of is not None and not self.quiet:
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
        last: Instant = reading.last
        return last if self.as_of is None else self.as_of


def told_trouble(trouble: Any, tenants: list[str]) -> int:
    """Tell what the figures do not show; returns the exit code."""
    ours = ", ".join(tenants)
    for name, count in sorted(trouble.bookless.items()):
        note(
            f"{count} tickets are of tenant {name!r}, and the book is that of {ours}:"
            " they are measured around the clock and never judged."
        )
    if trouble.unborn:
        note(
            f"{trouble.unborn} tickets were never told to be created (no created event, no created_at):"
            " they are measured and not judged."
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


def write_lines(lines: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON Lines on standard output, as fast as millions of them ask for."""
    out = sys.stdout.buffer
    dumps, option = orjson.dumps, orjson.OPT_APPEND_NEWLINE
    for line in lines:
        out.write(dumps(line, option=option))
    out.flush()
