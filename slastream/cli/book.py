"""`slastream book`: puts checked versions of a policy book on the books topic, and lists them."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slastream.cli.console import fail, format_option, note, show
from slastream.cli.given import Given, against_options
from slastream.core.errors import Misconfigured
from slastream.core.instant import Instant, format_instant
from slastream.settings import Settings

if TYPE_CHECKING:
    from slastream.core.policy import Book


@click.group("book")
def command() -> None:
    """Publish policy books, and list what is in force.

    Brokers are reached as SLASTREAM_BROKER and SLASTREAM_KAFKA_* say. Workers take a version in
    while they run.
    """


def broker_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add where the broker is and what its topics begin with."""
    for option in (
        click.option("--prefix", help="What topic names begin with. [SLASTREAM_PREFIX]"),
        click.option("--broker", metavar="HOST:PORT", help="Kafka's address. [SLASTREAM_BROKER]"),
    ):
        function = option(function)
    return function


@command.command("publish")
@click.argument("book", type=click.Path(path_type=Path))
@click.option("--confirm", is_flag=True, help="Publish although more than --most would breach.")
@broker_options
@against_options
def publish(
    book: Path,
    confirm: bool,
    broker: str | None,
    prefix: str | None,
    against: tuple[str, ...],
    most: int | None,
    source: str,
    mapping: Path | None,
    tenant: str | None,
    timezone: str | None,
    as_of: Instant | None,
) -> None:
    """Publish the versions in BOOK that the broker does not hold yet.

    The book is checked first: one with mistakes is refused with exit code 2. With --against, one that
    would put more open tickets in breach than --most (none, unless said) is refused with exit
    code 1, unless you --confirm.
    """
    from slastream.book import publishable
    from slastream.book.lint import lint
    from slastream.book.loading import read
    from slastream.book.nodes import BookErrors
    from slastream.cli.check import effect_on, tell_effect
    from slastream.cli.journal import published_books

    settings = Settings.from_environment(broker=broker, prefix=prefix)
    try:
        loaded = read(book)
    except BookErrors as problems:
        for problem in problems.problems:
            fail(str(problem))
        sys.exit(2)
    for each in loaded:
        for finding in lint(each):
            note(f"warning: {finding}")
    told = publishable(book)
    held = published_books(settings)
    if against:
        given = Given(against, source, mapping, tenant, timezone, as_of)
        new = [version for version, _ in told]
        known = {(version.tenant, version.version) for version in new}
        old = [version for version, _ in held if (version.tenant, version.version) not in known]
        effect = effect_on(given, new, old)
        tell_effect(effect, "table", [])
        if len(effect.breaching) > (most or 0) and not confirm:
            fail("not published: too many tickets would be in breach at once; --confirm if meant")
            sys.exit(1)
    count = asyncio.run(_publish(settings, told))
    for version, _ in told:
        click.echo(f"{version.tenant} {version.version}")
    note(f"{count} of {len(told)} versions are new on {settings.topic('books')}.")


async def _publish(settings: Settings, told: Sequence[tuple[Book, bytes]]) -> int:
    from aiokafka import AIOKafkaProducer

    from slastream.cli.journal import partitions
    from slastream.core.books import Books
    from slastream.kafka.security import client_options
    from slastream.stream.library import Library

    client, topic = client_options(settings.broker), settings.topic("books")
    library = Library(client, topic, await partitions(settings, topic), Books())
    try:
        await library.opened()
        async with AIOKafkaProducer(**client, acks="all", enable_idempotence=True) as producer:
            return await library.publish(told, producer)
    finally:
        await library.close()


@command.command("list")
@click.option("--tenant", help="Of this tenant only.")
@broker_options
@format_option
def list_(tenant: str | None, broker: str | None, prefix: str | None, form: str) -> None:
    """List the versions on the broker, and which of them is in force now."""
    from slastream.cli.journal import published_books

    settings = Settings.from_environment(broker=broker, prefix=prefix)
    now = int(time.time() * 1000)
    held = [
        (book, record)
        for book, record in published_books(settings)
        if tenant is None or book.tenant == tenant
    ]
    in_force = in_force_at([book for book, _ in held], now)
    rows = [
        {
            "tenant": book.tenant,
            "version": book.version,
            "effective_from": format_instant(book.effective_from),
            "in_force": _standing(book, in_force, now),
            "policies": len(book.policies),
            "calendars": len(book.calendars),
            "sources": ", ".join(sorted(book.sources)) or None,
            "published_at": format_instant(record.timestamp),
        }
        for book, record in sorted(
            held, key=lambda each: (each[0].tenant, each[0].effective_from, each[1].timestamp)
        )
    ]
    show(rows, form)
    if not rows and form == "table":
        raise Misconfigured(
            "no book is published", where=settings.topic("books"), hint="slastream book publish"
        )


def in_force_at(books: Sequence[Book], now: Instant) -> dict[str, str]:
    """Return, by tenant, the version in force: the latest to take effect, of two equal the last."""
    from slastream.core.books import Books

    known = Books(*books)
    return {tenant: known.of(tenant).at(now).book.version for tenant in known.tenants()}


def _standing(book: Book, in_force: dict[str, str], now: Instant) -> str:
    if in_force.get(book.tenant) == book.version:
        return "yes"
    return "from then on" if book.effective_from > now else "earlier"
