"""`slastream check`: is this book sound? It reads and lints; it neither publishes nor judges."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from slastream.book.finding import Finding
from slastream.book.lint import LINTS, lint
from slastream.book.loading import Loaded, read
from slastream.book.nodes import BookErrors
from slastream.cli.console import fail, format_option, note, show
from slastream.core.errors import Misconfigured


@click.command()
@click.argument("book", type=click.Path(path_type=Path), required=False)
@click.option("--strict", is_flag=True, help="Exit with 1 when there is a warning.")
@click.option("--lints", is_flag=True, help="List the warnings there are, and stop.")
@format_option
def command(book: Path | None, strict: bool, lints: bool, form: str) -> None:
    """Validate and lint the policy BOOK, a YAML file or a folder of them.

    Exits with 0 when the book may be published, 1 when --strict finds warnings, 2 when the book has
    mistakes; each is told with file, line and key.
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
    if form == "table":
        _tell(loaded, [finding for _, finding in findings])
    else:
        show([_row(it, finding) for it, finding in findings], form)
    if strict and findings:
        sys.exit(1)


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
