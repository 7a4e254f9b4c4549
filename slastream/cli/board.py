"""`slastream board`: what is about to break, on one page."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import Any

import click

from slastream.cli.console import note
from slastream.core.errors import Misconfigured
from slastream.running import log_to_stderr, run_to_end, stop_on_signals
from slastream.settings import Settings

_FILE = click.Path(path_type=Path, dir_okay=False)


def _env(name: str) -> str:
    return f"SLASTREAM_BOARD_{name}"


@click.command()
@click.option("--broker", help="Bootstrap servers, host:port, separated by commas.")
@click.option("--prefix", help="What all topic names begin with.")
@click.option(
    "--time", type=click.Choice(["wall", "log"]),
    help="What time it is by: the wall, or the newest record (simulated runs).",
)  # fmt: skip
@click.option(
    "--host", default="127.0.0.1", show_default=True, envvar=_env("HOST"), show_envvar=True,
    help="Where to listen. Anything but loopback needs users or a proxy.",
)  # fmt: skip
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8088, show_default=True,
    envvar=_env("PORT"), show_envvar=True, help="0 takes a free one.",
)  # fmt: skip
@click.option(
    "--users", type=_FILE, envvar=_env("USERS"), show_envvar=True,
    help="A file of names, hashed passwords, and the tenants that each may see.",
)  # fmt: skip
@click.option(
    "--proxy-header", envvar=_env("PROXY_HEADER"), show_envvar=True,
    help="The header in which a trusted proxy names the user.",
)  # fmt: skip
@click.option(
    "--trusted-proxy", "trusted", multiple=True, envvar=_env("TRUSTED_PROXY"), show_envvar=True,
    help="An address or network whose header is believed; may be repeated.",
)  # fmt: skip
@click.option(
    "--name", "names", multiple=True, envvar=_env("NAME"), show_envvar=True,
    help="Another host name under which an open board may be called; may be repeated.",
)  # fmt: skip
@click.option(
    "--cert", type=_FILE, envvar=_env("CERT"), show_envvar=True, help="For TLS: its chain."
)
@click.option("--key", type=_FILE, envvar=_env("KEY"), show_envvar=True, help="For TLS: its key.")
@click.option(
    "--browsers", type=click.IntRange(1), default=1_000, show_default=True,
    envvar=_env("BROWSERS"), show_envvar=True, help="Open at once, at most.",
)  # fmt: skip
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]))
@click.option(
    "--hash-password", is_flag=True, help="Ask for a password and print what a users file needs."
)
def command(
    host: str,
    port: int,
    users: Path | None,
    proxy_header: str | None,
    trusted: tuple[str, ...],
    names: tuple[str, ...],
    cert: Path | None,
    key: Path | None,
    browsers: int,
    hash_password: bool,
    **flags: Any,
) -> None:
    """Show open clocks by time to due, tickets with their proof, and attainment, as web pages.

    It reads topics and writes nothing. On loopback it is open to this machine; elsewhere it asks
    who you are. It runs until SIGTERM or SIGINT.
    """
    if hash_password:
        _print_hash()
        return
    settings = Settings.from_environment(**flags)
    if bool(cert) != bool(key):
        raise Misconfigured("a certificate and its key go together", where="--cert, --key")
    from slastream.board.service import Options

    log_to_stderr(settings.log_level)
    options = Options(host, port, users, proxy_header, trusted, names, browsers, cert, key)
    run_to_end(_serve(settings, options))


async def _serve(settings: Settings, options: Any) -> None:
    from slastream.board.service import Board
    from slastream.kafka.security import client_options

    stop = asyncio.Event()
    stop_on_signals(stop)
    async with Board(client_options(settings.broker), settings, options) as board:
        note(f"The board is at {board.url}")
        follow = asyncio.create_task(board.run())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait((follow, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not follow.done():
            follow.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await follow
            return
        try:
            follow.result()
        except BaseExceptionGroup as several:
            problem = several.subgroup(Misconfigured)
            if problem is None:
                raise
            raise problem.exceptions[0] from None


def _print_hash() -> None:
    from slastream.board.access import hash_password

    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\n")
    if len(password) < 8:
        raise Misconfigured("a password needs 8 characters or more", where="--hash-password")
    click.echo(hash_password(password))
