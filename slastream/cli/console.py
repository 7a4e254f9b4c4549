"""What the verbs share at a terminal: errors, progress, formats, lengths of time. It knows no verb.

Standard output carries the answer and nothing else; progress and problems go to standard error.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click
import orjson

from slastream.core.instant import HOUR, MINUTE, SECOND, Millis, parse_duration

_UNITS = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR}
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?")


def fail(message: str) -> None:
    """Print one line about what is wrong on standard error."""
    click.secho("error: ", fg="red", bold=True, nl=False, err=True)
    click.echo(message, err=True)


def note(message: str) -> None:
    """Print one line about what goes on, on standard error."""
    click.echo(message, err=True)


def quiet_libraries() -> None:
    """Keep what Kafka's client grumbles about its retries out of a person's terminal."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


class Length(click.ParamType):
    """Read a length of time such as `90`, `90s`, `5m`, `1h` or `PT90S` as milliseconds."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Millis:
        if isinstance(value, int):
            return value
        text = str(value).strip()
        match = _LENGTH.fullmatch(text)
        if match is not None:
            return round(float(match[1]) * _UNITS[match[2] or "s"])
        try:
            return parse_duration(text.upper())
        except ValueError:
            self.fail(f"{text!r} is no length of time such as 60s, 5m or 1h", param, ctx)


LENGTH = Length()

format_option = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "jsonl"]),
    default="table",
    show_default=True,
    help="A table for people, one JSON document, or one JSON object a line.",
)


def show(rows: Iterable[Mapping[str, Any]], form: str, columns: Sequence[str] = ()) -> None:
    """Print rows on standard output in the format of `--format`."""
    if form == "jsonl":
        for row in rows:
            click.echo(orjson.dumps(row))
    elif form == "json":
        click.echo(orjson.dumps(list(rows), option=orjson.OPT_INDENT_2))
    else:
        for line in aligned(list(rows), columns):
            click.echo(line)


def aligned(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> Iterator[str]:
    """Yield the lines of a plain table: a header, then the rows; numbers stand to the right."""
    if not rows:
        return
    names = list(columns or rows[0])
    cells = [[_cell(row.get(name)) for name in names] for row in rows]
    widths = [max(len(name), *(len(line[at]) for line in cells)) for at, name in enumerate(names)]
    right = [all(isinstance(row.get(name), int | float | None) for row in rows) for name in names]
    for line in (names, *cells):
        padded = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        )
        yield "  ".join(padded).rstrip()


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.1f}"
    return str(value)


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal, nothing in a pipe. Yields `advance(n)`."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda n: bar.advance(task, n)
