"""`slastream dlq`: what could not be understood, and the way back for what was put right."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slastream.cli.console import LENGTH, fail, format_option, note, quiet_libraries, show
from slastream.cli.given import AS_OF
from slastream.core.errors import Misconfigured, Rejected
from slastream.core.instant import format_instant
from slastream.settings import Settings

if TYPE_CHECKING:
    from slastream.dlq.letter import Letter
    from slastream.dlq.reading import Post
    from slastream.dlq.sending import Again

LIMIT = 10_000


@click.group("dlq")
def command() -> None:
    """List dead letters, show one, send corrected ones again.

    What ingest or a worker could not understand is kept with its bytes, the reason, and its place.
    Brokers are reached as SLASTREAM_BROKER and SLASTREAM_KAFKA_* say.
    """


class _Since(click.ParamType):
    """An instant, or a length of time before now."""

    name = "when"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        text = str(value).strip()
        if text[:1].isdecimal() and text[-1:] in "smh" and "T" not in text:
            return int(time.time() * 1000) - LENGTH.convert(text, param, ctx)
        return AS_OF.convert(text, param, ctx)


def _broker(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--prefix", help="What topic names begin with. [SLASTREAM_PREFIX]"),
        click.option("--broker", metavar="HOST:PORT", help="Kafka's address. [SLASTREAM_BROKER]"),
    ):
        function = option(function)
    return function


def _which(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--limit", type=click.IntRange(1), default=LIMIT, show_default=True,
            help="The newest so many of each partition.",
        ),
        click.option("--since", type=_Since(), help="An instant, or 90m, 24h before now."),
        click.option("--source", help="Only of this source; journal for the journal's own."),
        click.option("--reason", help="Only for this reason."),
    ):  # fmt: skip
        function = option(function)
    return function


@command.command("list")
@_which
@_broker
@click.option("--each", is_flag=True, help="Every letter, instead of counts by reason and source.")
@format_option
def list_(
    reason: str | None,
    source: str | None,
    since: int | None,
    limit: int,
    broker: str | None,
    prefix: str | None,
    each: bool,
    form: str,
) -> None:
    """Count dead letters by reason and source, or list each."""
    settings = Settings.from_environment(broker=broker, prefix=prefix)

    async def ask(post: Post) -> tuple[list[dict[str, Any]], int]:
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        listed: list[dict[str, Any]] = []
        async for letter in _chosen(post, reason, source, since, limit):
            if each:
                listed.append(_line(letter, post.raw))
            else:
                _count(rows, letter, post.raw)
        counted = sorted(rows.values(), key=lambda row: -row["letters"])
        return (listed if each else counted), post.left_out

    found, left_out = _with_post(settings, ask)
    show(found, form)
    if not found:
        note("No dead letters.")
    if left_out:
        note(f"{left_out} older records were not looked at; --limit looks at more.")


@command.command("show")
@click.argument("letter")
@_broker
@click.option("--raw", is_flag=True, help="Nothing but the bytes, to correct them in a file.")
def show_(letter: str, broker: str | None, prefix: str | None, raw: bool) -> None:
    """Show one LETTER: why it is there, where it was, its headers and its bytes.

    LETTER is its place (sla.dlq.v1-0@17, or 0@17), the place it came from (sla.raw.jira-2@5), or the
    id of its delivery or event.
    """
    from slastream.dlq.letter import plain, readable

    settings = Settings.from_environment(broker=broker, prefix=prefix)

    async def ask(post: Post) -> tuple[Letter, bytes | None, bool]:
        found = await _found(post, letter)
        whole = await post.original(found) if found.truncated else None
        return found, found.value if whole is None else whole, whole is not None

    found, value, whole = _with_post(settings, ask)
    if found.truncated and not whole:
        note(f"Only the first {len(found.value or b'')} of {found.truncated} bytes are left.")
    if raw:
        sys.stdout.buffer.write(value or b"")
        return
    told = {
        "letter": str(found.at),
        "set aside": format_instant(found.time),
        "reason": found.reason,
        "detail": found.detail,
        "came from": str(found.origin or "unknown"),
        "key": (found.key or b"").decode("utf-8", "replace") or "(none)",
        **{f"header {name}": text.decode("utf-8", "replace") for name, text in found.headers},
    }
    width = max(map(len, told))
    for name, text in told.items():
        click.echo(f"{plain(name, 80):<{width}}  {plain(text, 2000)}")
    click.echo()
    click.echo(readable(value))


@command.command("resend")
@click.argument("letters", nargs=-1)
@_which
@_broker
@click.option("--all", "every", is_flag=True, help="All that --reason, --source, --since choose.")
@click.option(
    "--with", "corrected", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Send the bytes of this file instead; for one LETTER.",
)  # fmt: skip
@click.option("--tenant", help="Send it as a delivery of this tenant.")
@click.option("--anyway", is_flag=True, help="Also what still cannot be read.")
@click.option("--yes", is_flag=True, help="Send. Without it, say what would be sent.")
def resend(
    letters: tuple[str, ...],
    reason: str | None,
    source: str | None,
    since: int | None,
    limit: int,
    broker: str | None,
    prefix: str | None,
    every: bool,
    corrected: Path | None,
    tenant: str | None,
    anyway: bool,
    yes: bool,
) -> None:
    """Send LETTERS back to the topics they came from, as they were or corrected.

    Without --yes nothing is sent: each is read as it would be now, and said what it means. What
    cannot be read is left (exit code 1). A header of what is sent names its letter.
    """
    if bool(letters) == every:
        raise click.UsageError("name LETTERS, or --all")
    if corrected is not None and len(letters) != 1:
        raise click.UsageError("--with goes with one LETTER")
    settings = Settings.from_environment(broker=broker, prefix=prefix)
    value = None if corrected is None else corrected.read_bytes()

    async def ask(post: Post) -> int:
        from slastream.dlq.sending import sender

        left = 0
        async with sender(settings) as out:
            async for letter in _named(post, letters, reason, source, since, limit):
                again = await _again(post, letter, settings, value, tenant or "")
                if isinstance(again, Rejected) or (again.problem and not anyway):
                    problem = again if isinstance(again, Rejected) else again.problem
                    fail(f"{letter.at} is left: {problem}")
                    left += 1
                    continue
                place = str(await out.send(again)) if yes else f"{again.topic} (not sent)"
                click.echo(f"{letter.at} -> {place}: {_meaning(again)}")
        return left

    left = _with_post(settings, ask)
    if not yes:
        note("Nothing was sent; --yes sends.")
    sys.exit(1 if left else 0)


def _with_post(settings: Settings, ask: Callable[[Post], Any]) -> Any:
    from slastream.dlq.reading import post

    async def run() -> Any:
        async with post(settings) as opened:
            return await ask(opened)

    quiet_libraries()
    return asyncio.run(run())


async def _chosen(
    post: Post, reason: str | None, source: str | None, since: int | None, limit: int
) -> AsyncIterator[Letter]:
    async for letter in post.letters(since, limit):
        if reason in (None, letter.reason) and source in (None, letter.source(post.raw)):
            yield letter


async def _named(post: Post, names: tuple[str, ...], *choice: Any) -> AsyncIterator[Letter]:
    """Yield the letters that were named, or all of a choice. First collected, then sent: what is
    sent and fails again must not be met a second time."""
    if names:
        for letter in [await _found(post, name) for name in names]:
            yield letter
        return
    # Places only: a million letters of a megabyte are not held at once.
    for place in [str(letter.at) async for letter in _chosen(post, *choice)]:
        yield await _found(post, place)


async def _found(post: Post, name: str) -> Letter:
    letter = await post.find(name)
    if letter is None:
        raise Misconfigured(
            f"there is no such letter: {name[:200]!a}", where=post.dlq,
            hint="slastream dlq list --each names them",
        )  # fmt: skip
    return letter


async def _again(
    post: Post, letter: Letter, settings: Settings, value: bytes | None, tenant: str
) -> Again | Rejected:
    from slastream.dlq.sending import prepared

    corrected = value is not None
    if not corrected:
        value = letter.value
        if letter.truncated:
            value = await post.original(letter)
            if value is None:
                return Rejected(
                    "truncated", f"only the first bytes of {letter.truncated} are left; use --with"
                )
    try:
        return prepared(letter, settings, value, tenant, corrected=corrected)
    except Rejected as problem:
        return problem


def _meaning(again: Again) -> str:
    from slastream.dlq.letter import plain

    if again.problem is not None:
        return f"still {plain(str(again.problem), 300)}"
    told = ", ".join(
        f"{event.kind} of {event.tenant}/{event.source}/{event.ticket}"
        for event in again.events[:3]
    )
    more = f" and {len(again.events) - 3} more" if len(again.events) > 3 else ""
    return plain(told or "no event", 300) + more


def _line(letter: Letter, raw: str) -> dict[str, Any]:
    from slastream.dlq.letter import RESENT, plain

    return {
        "letter": str(letter.at),
        "set aside": format_instant(letter.time),
        "source": plain(letter.source(raw), 60),
        "reason": plain(letter.reason, 60),
        "came from": str(letter.origin) if letter.origin else None,
        "bytes": letter.truncated or len(letter.value or b""),
        "sent again": letter.header(RESENT) or None,
        "detail": plain(letter.detail, 100).replace("\n", " "),
    }


def _count(rows: dict[tuple[str, str], dict[str, Any]], letter: Letter, raw: str) -> None:
    from slastream.dlq.letter import plain

    reason, source = plain(letter.reason, 60), plain(letter.source(raw), 60)
    when = format_instant(letter.time)
    row = rows.setdefault(
        (reason, source),
        {"reason": reason, "source": source, "letters": 0, "first": when, "last": when},
    )
    row["letters"] += 1
    row["first"], row["last"] = min(row["first"], when), max(row["last"], when)
    row["newest"] = str(letter.at)
