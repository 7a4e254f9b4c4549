"""`slastream check`: is this book sound, and what would it do to open tickets? It publishes nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from slastream.book import load
from slastream.book.finding import Finding
from slastream.book.lint import LINTS, lint
from slastream.book.loading import Loaded, read
from slastream.book.nodes import BookErrors
from slastream.cli.console import fail, format_option, note, show
from slastream.cli.given import Given, against_options, told_trouble
from slastream.core.errors import Misconfigured
from slastream.core.instant import Instant, format_duration
from slastream.settings import Settings

if TYPE_CHECKING:
    from slastream.core.policy import Book
    from slastream.offline.effect import Effect


@click.command()
@click.argument("book", type=click.Path(path_type=Path), required=False)
@click.option("--strict", is_flag=True, help="Exit with 1 when there is a warning.")
@click.option("--lints", is_flag=True, help="List the warnings there are, and stop.")
@click.option(
    "--from",
    "in_force",
    type=click.Path(path_type=Path),
    metavar="OLD_BOOK",
    help="With --against: the book in force; without it, nothing was promised before.",
)
@click.option(
    "--against-broker",
    metavar="HOST:PORT",
    help="As --against, with the journal of a live broker and, unless --from, its books.",
)
@click.option("--prefix", help="With --against-broker: what topic names begin with.")
@against_options
@format_option
def command(
    book: Path | None,
    strict: bool,
    lints: bool,
    form: str,
    against: tuple[str, ...],
    against_broker: str | None,
    prefix: str | None,
    in_force: Path | None,
    most: int | None,
    source: str,
    mapping: Path | None,
    tenant: str | None,
    timezone: str | None,
    as_of: Instant | None,
) -> None:
    """Validate and lint the policy BOOK, a YAML file or a folder of them.

    With --against it says what the book would do to the tickets that are open: new due dates, and
    who would be in breach at once, beside what --from says about them.

    Exits with 0 when the book may be published, 1 when --strict finds warnings or more tickets than
    --most would be in breach, 2 when the book has mistakes; each is told with file, line and key.
    """
    if lints:
        show([{"code": code, "why": why} for code, why in LINTS.items()], form)
        return
    if book is None:
        raise click.UsageError("name a BOOK to check")
    try:
        loaded = read(book)
    except Misconfigured as problem:
        _refuse(problem, form)
        sys.exit(2)
    findings = [(it, finding) for it in loaded for finding in lint(it)]
    rows = [_row(it, finding) for it, finding in findings]
    effect = None
    new = [it.book for it in loaded]
    old = None if in_force is None else load(in_force)
    if against:
        given = Given(against, source, mapping, tenant, timezone, as_of)
        effect = effect_on(given, new, old or [])
    elif against_broker:
        settings = Settings.from_environment(broker=against_broker, prefix=prefix)
        effect = effect_on_broker(settings, new, old, as_of)
    if form == "table":
        _tell(loaded, [finding for _, finding in findings])
    elif effect is None:
        show(rows, form)
    if effect is not None:
        tell_effect(effect, form, rows)
    too_many = effect is not None and most is not None and len(effect.breaching) > most
    if (strict and findings) or too_many:
        sys.exit(1)


def effect_on(given: Given, new: Sequence[Book], in_force: Sequence[Book]) -> Effect:
    """Return what new books would do to the open tickets of some files."""
    from slastream.offline.effect import effect
    from slastream.offline.histories import read_histories, without_collector
    from slastream.offline.run import Trouble

    tenants = sorted({book.tenant for book in new})
    with without_collector():
        reading = read_histories(given.found(tenants), given.as_of, given.tell)
        as_of = given.summary(reading)
        trouble = Trouble()
        found = effect(list(reading.histories.values()), in_force, new, as_of, trouble)
    told_trouble(trouble, tenants)
    return found


def effect_on_broker(
    settings: Settings, new: Sequence[Book], in_force: Sequence[Book] | None, as_of: Instant | None
) -> Effect:
    """Return what new books would do to the open tickets of a live broker's journal."""
    from slastream.cli.journal import journal, published_books
    from slastream.offline.effect import effect
    from slastream.offline.histories import read_histories, without_collector
    from slastream.offline.run import Trouble

    at = int(time.time() * 1000) if as_of is None else as_of
    if in_force is None:
        known = {(book.tenant, book.version) for book in new}
        held = [book for book, _ in published_books(settings)]
        in_force = [book for book in held if (book.tenant, book.version) not in known]
    arrivals = journal(settings, None, lambda arrival: arrival.event.occurred_at <= at)
    with without_collector():
        reading = read_histories([each.event for each in arrivals], at, lambda _: None)
        trouble = Trouble()
        found = effect(list(reading.histories.values()), in_force, new, at, trouble)
    told_trouble(trouble, sorted({book.tenant for book in new}))
    return found


def tell_effect(effect: Effect, form: str, findings: list[dict[str, Any]]) -> None:
    """Print what a book would do: a summary and the clocks that change."""
    if form == "jsonl":
        show([*findings, *({"level": "change", **row} for row in effect.changes)], form)
        return
    counts = effect.counts()
    if form == "json":
        told = {
            "findings": findings,
            "open_tickets": effect.open_tickets,
            "effects": counts,
            "breaching": effect.breaching,
            "changes": effect.changes,
        }
        click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2))
        return
    show([_change(row) for row in effect.changes], form)
    said = ", ".join(f"{what}: {n}" for what, n in sorted(counts.items())) or "nothing changes"
    click.echo(
        f"{effect.open_tickets} open tickets; clocks by what changes: {said}."
        f" {len(effect.breaching)} tickets would be in breach at once."
    )


def _change(row: dict[str, Any]) -> dict[str, Any]:
    """Return a change as the table shows it."""
    lengths = [row[f"target_ms_{side}"] for side in ("before", "after")]
    before, after = ("-" if each is None else format_duration(each) for each in lengths)
    return {
        "source": row["source"],
        "ticket": row["ticket"],
        "client": row["client"],
        "priority": row["priority"],
        "indicator": row["indicator"],
        "effect": row["effect"],
        "target": before if before == after else f"{before} -> {after}",
        "due before": row["due_before"],
        "due after": row["due_after"],
    }


def _tell(loaded: list[Loaded], findings: list[Finding]) -> None:
    """Print one line a warning and one line a book."""
    for finding in findings:
        click.echo(f"warning: {finding}")
    for it in loaded:
        book = it.book
        counts = (
            f"{len(book.policies)} policies, {len(book.calendars)} calendars,"
            f" {len(book.sources)} sources"
        )
        click.echo(f"{it.places.file}: {book.tenant} {book.version}: {counts}")
    if findings:
        many = "1 warning" if len(findings) == 1 else f"{len(findings)} warnings"
        note(f"{many}; --lints explains the codes")


def _row(loaded: Loaded, finding: Finding) -> dict[str, Any]:
    return {
        "level": "warning",
        "code": finding.code,
        "tenant": loaded.book.tenant,
        "where": finding.where,
        "key": finding.key,
        "message": finding.message,
        "hint": finding.hint or None,
    }


def _refuse(problem: Misconfigured, form: str) -> None:
    """Print every mistake: for people on standard error, for machines as the answer."""
    problems = problem.problems if isinstance(problem, BookErrors) else [problem]
    if form == "table":
        for each in problems:
            fail(str(each))
        return
    rows = [
        {
            "level": "error",
            "code": "mistake",
            "tenant": None,
            "where": each.where,
            "key": each.key,
            "message": each.message,
            "hint": each.hint,
        }
        for each in problems
    ]
    show(rows, form)
