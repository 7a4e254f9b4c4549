"""`slastream forget`: erases a client's data on request, and says what is left of it until when."""

from __future__ import annotations

import asyncio
import difflib
import sys
import time
from typing import TYPE_CHECKING

import click

from slastream.cli.book import broker_options
from slastream.cli.console import (
    LENGTH,
    fail,
    format_option,
    note,
    progress,
    quiet_libraries,
    show,
)
from slastream.core.errors import Misconfigured
from slastream.core.instant import Millis
from slastream.core.key import split_key
from slastream.settings import Settings

if TYPE_CHECKING:
    from slastream.erasure.finding import Findings
    from slastream.erasure.scope import Scope

NAMED_AT_MOST = 20
"""Tickets that are named one by one; the others are counted."""


@click.command("forget")
@click.argument("tickets", nargs=-1, metavar="[TICKET]...")
@click.option("--client", help="All tickets of this client, as policies compare its name.")
@click.option("--tenant", help="The client's tenant; without --client, all that is the tenant's.")
@click.option("--moved", is_flag=True, help="Also tickets that were the client's once.")
@click.option("--yes", is_flag=True, help="Erase. Without it, say what would be erased.")
@click.option(
    "--now", "topics", multiple=True, metavar="TOPIC",
    help="Delete records up to the last one found, others' too: raw, tickets, alerts, outcomes, ops, dlq.",
)  # fmt: skip
@click.option("--wait", type=LENGTH, default="60s", show_default=True, help="For the worker.")
@broker_options
@format_option
def command(
    tickets: tuple[str, ...],
    client: str | None,
    tenant: str | None,
    moved: bool,
    yes: bool,
    topics: tuple[str, ...],
    wait: Millis,
    broker: str | None,
    prefix: str | None,
    form: str,
) -> None:
    """Erase what is held of a client, a tenant or single TICKETs, on the client's request.

    TICKET is a key, tenant/source/ticket. Without --yes nothing is changed. The worker erases rows and
    clocks and passes over what comes late; other topics lose their records by retention, and each is
    listed with the day by which they are gone. Exit code 1: nothing was found, or the worker has not
    done it within --wait.
    """
    from slastream.erasure.finding import find
    from slastream.erasure.remains import cuts, line

    scope = _scope(tickets, client, tenant)
    settings = Settings.from_environment(broker=broker, prefix=prefix)
    quiet_libraries()
    found = asyncio.run(find(settings, scope))
    _one_tenant(found)
    keys = found.to_erase(moved=moved)
    cut = cuts(found.traces, topics)
    show([line(trace, int(time.time() * 1000)) for trace in found.traces], form)
    _tell(found, keys, moved)
    if not keys and not any(trace.found for trace in found.traces):
        _nothing(found)
        sys.exit(1)
    if not yes:
        note("Nothing was changed; --yes erases.")
        return
    sys.exit(asyncio.run(_erase(settings, found, keys, cut, wait)))


def _scope(tickets: tuple[str, ...], client: str | None, tenant: str | None) -> Scope:
    from slastream.erasure.scope import Scope

    if bool(tickets) == bool(client or tenant):
        raise click.UsageError("name TICKETs, or --client and --tenant, or --tenant alone")
    for key in tickets:
        try:
            split_key(key)
        except ValueError:
            raise click.UsageError(f"{key!a} is no key: tenant/source/ticket") from None
    if tenant and "/" in tenant:
        raise click.UsageError("a tenant has no slash in its name")
    return Scope(frozenset(tickets), tenant or "", client or "")


def _one_tenant(found: Findings) -> None:
    """Two tenants may have a client of one name, and only one of them was asked."""
    tenants = sorted(found.tenants())
    if found.scope.client and not found.scope.tenant and len(tenants) > 1:
        raise Misconfigured(
            f"{found.scope.client!r} is a client of {', '.join(tenants)}",
            hint="say whose with --tenant",
        )


def _tell(found: Findings, keys: dict[bytes, int], moved: bool) -> None:
    from slastream.erasure.finding import names_of

    names = names_of(keys)
    for name in names[:NAMED_AT_MOST]:
        note(f"to erase: {name}")
    if len(names) > NAMED_AT_MOST:
        note(f"to erase: {len(names) - NAMED_AT_MOST} more")
    if not names:
        note("The worker holds nothing of it any more.")
    for name in sorted(found.known_as):
        note(f"A source says {found.scope.client!r} where the book says {name!r}: ask for that.")
    if not moved and found.moved():
        told = ", ".join(names_of(found.moved())[:NAMED_AT_MOST])
        note(f"{len(found.moved())} were the client's once and are another's now: {told}")
        note("They are left, with what they were told then; --moved erases them too.")
    for trace in found.traces:
        if not trace.searched and trace.read:
            note(f"{trace.topic} is in its source's own words and was not searched.")
        if trace.short == "books" and trace.found:
            note("The policy books name the client, and are kept for ever: they are yours to word.")


def _nothing(found: Findings) -> None:
    scope = found.scope
    close = (
        difflib.get_close_matches(scope.client, sorted(found.clients), 3) if scope.client else []
    )
    fail("nothing was found" + (f"; there is {', '.join(map(repr, close))}" if close else ""))


async def _erase(
    settings: Settings,
    found: Findings,
    keys: dict[bytes, int],
    cut: dict[tuple[str, int], int],
    wait: Millis,
) -> int:
    """Erase, wait, delete where that was asked for; returns the exit code."""
    from slastream.erasure.asking import erase
    from slastream.erasure.remains import delete_now

    left: set[bytes] = set()
    if keys:
        with progress("erased", len(keys)) as advance:
            left = await erase(settings, keys, found.times, wait / 1000, advance)
        note(f"{len(keys) - len(left)} of {len(keys)} are erased from state and clocks.")
    if left:
        fail(
            f"{len(left)} are asked for and not yet erased: is a worker running? It obeys as soon as it"
            " reads the journal; call this again to see"
        )
        return 1
    if cut:
        await delete_now(settings, cut, wait / 1000)
        told = ", ".join(dict.fromkeys(topic for topic, _ in cut))
        note(f"Deleted up to the last record found: {told}.")
    return 0
