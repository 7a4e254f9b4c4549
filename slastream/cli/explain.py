"""`slastream explain`: why the clocks of one ticket say what they say."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson

from slastream.cli.console import note, progress
from slastream.cli.given import Given, input_options
from slastream.core.errors import Misconfigured, Rejected
from slastream.core.instant import Instant
from slastream.settings import Settings

if TYPE_CHECKING:
    from slastream.core.books import Books
    from slastream.core.event import Event
    from slastream.offline.alerts import Arrival


@click.command("explain")
@click.argument("files", nargs=-1, metavar="BOOK EVENTS...")
@click.option(
    "--ticket",
    required=True,
    metavar="KEY",
    help="The ticket's id, its number, or <tenant>/<source>/<ticket>.",
)
@input_options
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Draw the timeline too: .svg, or .png with the extra `picture`.",
)
@click.option(
    "--broker",
    metavar="HOST:PORT",
    help="Read the journal of a live broker instead of files, and its books unless BOOK is given.",
)
@click.option("--prefix", help="With --broker: what topic names begin with. [SLASTREAM_PREFIX]")
def command(
    files: tuple[str, ...],
    ticket: str,
    source: str,
    mapping: Path | None,
    tenant: str | None,
    timezone: str | None,
    as_of: Instant | None,
    form: str,
    picture: Path | None,
    broker: str | None,
    prefix: str | None,
) -> None:
    """Explain one ticket by a policy BOOK and files of EVENTS, or by what a broker holds.

    Which policy won and why the others lost, which rule read each status, the ledger row by row in
    opening hours, holidays and changes of the clock on the way, and what became of each level. The
    rows sum to the elapsed time exactly.
    """
    from slastream.offline.explain import explain
    from slastream.offline.explain_text import explain_text

    if broker is None:
        if len(files) < 2:
            raise click.UsageError("name a BOOK and the files with the EVENTS, or a --broker")
        given = Given(files[1:], source, mapping, tenant, timezone, as_of)
        arrived, books, at = _from_files(ticket, given, files[0])
    else:
        if len(files) > 1:
            raise click.UsageError("--broker reads its own events: name a BOOK or nothing")
        settings = Settings.from_environment(broker=broker, prefix=prefix)
        arrived, books, at = _from_broker(ticket, settings, files, as_of)
    told = explain(arrived, books, at)
    if picture is not None:
        from slastream.offline.picture import draw

        draw(told, picture)
        note(f"The timeline is in {picture}.")
    if form == "json":
        click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    else:
        click.echo(explain_text(told), nl=False)


Found = tuple["list[Arrival]", "Books", Instant]


def _from_files(ticket: str, given: Given, book: str) -> Found:
    """Return what files tell of one ticket; each event is taken to arrive when it happened."""
    from slastream.book import load
    from slastream.core.books import Books
    from slastream.offline.alerts import arrivals

    books = Books(*load(book))
    events, at = _events_of(ticket, given, books.tenants())
    return list(arrivals(events, by_time=True)), books, at


def _from_broker(
    ticket: str, settings: Settings, files: tuple[str, ...], as_of: Instant | None
) -> Found:
    """Return what the journal tells of one ticket, each event with the log's own time."""
    from slastream.book import load
    from slastream.cli.journal import journal, published_books
    from slastream.core.books import Books
    from slastream.core.key import ticket_key

    at = int(time.time() * 1000) if as_of is None else as_of

    def wanted(arrival: Arrival) -> bool:
        event = arrival.event
        if event.occurred_at > at:
            return False
        return ticket in (ticket_key(event.tenant, event.source, event.ticket), event.ticket)

    held = load(files[0]) if files else [book for book, _ in published_books(settings)]
    if not held:
        raise Misconfigured("no book is published", where=settings.topic("books"))
    found: dict[str, list[Arrival]] = {}
    for arrival in journal(settings, ticket if ticket.count("/") >= 2 else None, wanted):
        event = arrival.event
        found.setdefault(ticket_key(event.tenant, event.source, event.ticket), []).append(arrival)
    return found[_only(ticket, list(found))], Books(*held), at


def _events_of(ticket: str, given: Given, tenants: list[str]) -> tuple[list[Event], Instant]:
    """Return the events of one ticket, and the instant at which to read its clocks."""
    from slastream.core.key import ticket_key
    from slastream.offline.histories import Reading, taken

    reading = Reading()
    found: dict[str, list[Event]] = {}
    numbered: dict[str, None] = {}
    with progress("reading events") as advance:
        for event in taken(given.found(tenants), reading, given.as_of, given.tell, advance):
            key = ticket_key(event.tenant, event.source, event.ticket)
            if event.ticket == ticket or key == ticket:
                found.setdefault(key, []).append(event)
            elif event.number == ticket:
                numbered[key] = None
    at = given.summary(reading)
    if not found and numbered:
        return _events_of(_only(ticket, list(numbered)), _again(given), tenants)[0], at
    return found[_only(ticket, list(found))], at


def _again(given: Given) -> Given:
    """Return the same files, to be read once more in silence; standard input cannot be."""
    if "-" in given.paths:
        raise Rejected("no_ticket", "a number cannot be looked up on standard input; name the id")
    again = Given(
        given.paths, given.source, given.mapping, given.tenant, given.timezone, given.as_of
    )
    again.quiet = True
    return again


def _only(ticket: str, keys: list[str]) -> str:
    if not keys:
        raise Rejected("no_ticket", f"no event of a ticket {ticket!r} was found")
    if len(keys) > 1:
        raise Rejected("many_tickets", f"{ticket!r} may be {' or '.join(keys)}: write it in full")
    return keys[0]
