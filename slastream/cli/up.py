"""`slastream up`: a broker, a worker, a gateway and a generated day, and the alerts as they appear.

They are the real ones. Only time is simulated: it comes from the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from slastream.cli.child import Child
from slastream.cli.console import LENGTH, note, quiet_libraries
from slastream.cli.feeding import Feed, Outgoing
from slastream.cli.knocking import Senders, write_endpoints
from slastream.cli.tally import Tally, summary
from slastream.cli.watching import Screen, Watch
from slastream.core.errors import Misconfigured
from slastream.core.instant import Instant, Millis
from slastream.demo.day import Delivery, generated_day
from slastream.demo.desk import BY_KAFKA, ENDS, SOURCES, ZONE, ZONES
from slastream.demo.spell import TENANT
from slastream.kafka import admin, ports
from slastream.kafka.local import LocalBroker
from slastream.kafka.plan import plan
from slastream.kafka.security import PREFIX, client_options
from slastream.settings import Settings

QUIET = 2.0
"""Seconds without a new alert or outcome after which the day counts as told."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for on the command line."""

    broker: str | None
    book: Path
    speed: float
    limit: Millis | None
    seed: int
    tickets: int
    cleared: bool


@click.command("up")
@click.option("--broker", metavar="HOST:PORT", help="Use this broker instead of a local one.")
@click.option(
    "--book", type=click.Path(path_type=Path), help="Judge by this book instead of the example."
)
@click.option(
    "--speed",
    type=click.FloatRange(min=1),
    default=375,
    show_default=True,
    help="Simulated seconds in one second; 375 tells the day in two minutes.",
)
@click.option("--for", "limit", type=LENGTH, help="Stop after this time, such as 60s.")
@click.option("--seed", type=int, default=7, show_default=True, help="Another number, another day.")
@click.option(
    "--tickets",
    type=click.IntRange(min=40),
    default=2000,
    show_default=True,
    help="How many tickets the day has.",
)
@click.option("--cleared", is_flag=True, help="Show also what clears an alert again.")
def command(
    broker: str | None,
    book: Path | None,
    speed: float,
    limit: Millis | None,
    seed: int,
    tickets: int,
    cleared: bool,
) -> None:
    """Watch a day of tickets become SLA alerts on this machine.

    Starts a real Kafka broker (unless --broker names one), creates topics of its own, runs a worker
    and a gateway, and feeds them a day of tickets of four client companies from thirteen ticket
    systems, in simulated time. Everything is stopped and removed at the end, or at Ctrl-C.
    """
    from slastream.book import load

    quiet_libraries()
    chosen = book or example_book()
    load(chosen)  # a book with a mistake starts nothing
    wanted = Plan(broker, chosen, speed, limit, seed, tickets, cleared)
    with interrupted_by(signal.SIGTERM, signal.SIGHUP):
        folder = Path(tempfile.mkdtemp(prefix="slastream-up-"))
        try:
            _run(wanted, folder)
        except KeyboardInterrupt:
            note("Stopped.")
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def example_book() -> Path:
    """Return the book of the generated day, from the source tree or from the installed package."""
    package = Path(__file__).parent.parent
    for place in (package.parent / "deploy" / "books", package / "_books"):
        if (place / "acme-msp.yaml").exists():
            return place / "acme-msp.yaml"
    raise Misconfigured("the example book acme-msp.yaml is missing", hint="name one with --book")


@contextlib.contextmanager
def interrupted_by(*signals: signal.Signals) -> Iterator[None]:
    """Let these signals end us as Ctrl-C does, so that everything is cleaned up."""

    def interrupt(number: int, _: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(wanted: Plan, folder: Path) -> None:
    """Have a broker for as long as the look lasts."""
    if wanted.broker is not None:
        asyncio.run(_look(wanted, wanted.broker, folder))
        return
    note("Starting a local Kafka broker (the first time, its parts are downloaded) ...")
    local = LocalBroker()
    try:
        began = time.monotonic()
        address = local.start()
        note(f"Kafka answers at {address} after {time.monotonic() - began:.1f} s.")
        asyncio.run(_look(wanted, address, folder))
    finally:
        local.stop()


async def _look(wanted: Plan, address: str, folder: Path) -> None:
    """Run the day, or the part of it that was asked for, and tell what came of it."""
    name = f"demo-{secrets.token_hex(3)}"
    settings = Settings(broker=address, prefix=f"{name}.", app_id=name, data_dir=folder, time="log")
    # The broker of ours asks for nothing; one of yours is told who we are as every verb tells it.
    security = {} if wanted.broker is None else security_settings()
    client = client_options(address, security)
    topics = plan(prefix=settings.prefix, simulated=True, sources=SOURCES)
    tally = Tally()
    screen = Screen(tally, ZONE, wanted.cleared)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    day, _ = await asyncio.gather(
        asyncio.to_thread(generated_day, wanted.seed, wanted.tickets),
        admin.create(client, topics),
    )
    note(f"The day: {wanted.tickets} tickets in {len(day)} deliveries of {', '.join(SOURCES)}.")
    environment = _environment(settings) | security
    worker = Child("worker", ["--book", str(wanted.book)], environment, folder)
    gateway, senders = _gateway(settings, environment, folder)
    port = ports.free()
    board = Child("board", ["--host", "127.0.0.1", "--port", str(port)], environment, folder)
    try:
        async with (
            worker,
            gateway,
            board,
            senders,
            Feed(client, settings.topic("tickets"), name, senders) as feed,
            Watch(client, settings, tally, screen) as watch,
        ):
            run = _Run(wanted, day, settings.prefix, feed, watch, screen)
            note(f"The board, for your browser: http://127.0.0.1:{port}/")
            ends = (worker.ended(), gateway.ended(), board.ended())
            await _first_of(stop.wait(), *ends, watch.run(), run.limit(), run.feed())
    finally:
        screen.close()
        if wanted.broker is not None:
            await admin.delete(client, [topic.name for topic in topics])
    for line in summary(tally, run.opened, run.sent, run.seconds):
        click.echo(line)
    click.echo(f"It was judged by {wanted.book}. Change a target and look again: --book FILE")


class _Run:
    """The feeding of one day: what was sent so far, and since when."""

    def __init__(
        self,
        wanted: Plan,
        day: list[Delivery],
        prefix: str,
        feed: Feed,
        watch: Watch,
        screen: Screen,
    ) -> None:
        self._wanted, self._day, self._prefix = wanted, day, prefix
        self._feed, self._watch, self._screen = feed, watch, screen
        self._began = asyncio.Event()
        self._since = time.monotonic()
        self.sent = 0
        self.now: Instant = 0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._since

    @property
    def opened(self) -> int:
        """How many tickets were opened until now."""
        return sum(delivery.opens for delivery in self._day[: self.sent])

    def _told(self, now: Instant, count: int) -> None:
        if not self._began.is_set():
            note("The worker has taken in the first events. Simulated time of Paris, then alerts:")
            self._since = time.monotonic()
            self._began.set()
        self.sent += count
        self._screen.time(now, count)

    async def feed(self) -> None:
        """Send the whole day and wait until nothing follows from it any more."""
        records = (
            Outgoing(
                delivery.at,
                f"{self._prefix}raw.{delivery.source}",
                delivery.key,
                delivery.value,
                list(delivery.headers.items()),
            )
            for delivery in self._day
        )
        await self._feed.simulate(records, self._wanted.speed, ENDS, self._told)
        await self._watch.quiet(QUIET)

    async def limit(self) -> None:
        """Wait as long as `--for` says, from the first event on."""
        await self._began.wait()
        await asyncio.sleep(86_400 if self._wanted.limit is None else self._wanted.limit / 1000)


async def _first_of(*awaitables: Coroutine[Any, Any, object]) -> None:
    """Wait until one of these is done, and end the others. Raises what that one raised."""
    tasks = [asyncio.create_task(each) for each in awaitables]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


def _gateway(
    settings: Settings, environment: dict[str, str], folder: Path
) -> tuple[Child, Senders]:
    """Return a gateway, and the ticket systems that post to it with a secret of this run."""
    secret, port = secrets.token_urlsafe(24), ports.free()
    sources = [source for source in SOURCES if source not in BY_KAFKA]
    file = write_endpoints(folder, TENANT, sources, secret)
    arguments = ["--endpoints", str(file), "--host", "127.0.0.1", "--port", str(port)]
    paths = {settings.topic(f"raw.{source}"): f"/v1/{TENANT}/{source}" for source in sources}
    senders = Senders(f"http://127.0.0.1:{port}", paths, secret)
    return Child("gateway", arguments, environment, folder), senders


def security_settings() -> dict[str, str]:
    """Return the variables that say who we are to Kafka."""
    return {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}


def _environment(settings: Settings) -> dict[str, str]:
    """Return the settings of worker and gateway as their environment."""
    return {
        "SLASTREAM_BROKER": settings.broker,
        "SLASTREAM_PREFIX": settings.prefix,
        "SLASTREAM_APP_ID": settings.app_id,
        "SLASTREAM_DATA_DIR": str(settings.data_dir / "state"),
        "SLASTREAM_TIME": settings.time,
        "SLASTREAM_TIMEZONES": ",".join(f"{source}={zone}" for source, zone in ZONES.items()),
        "SLASTREAM_WEB_PORT": "0",
    }
