"""`slastream worker`: run the worker against a Kafka cluster."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from slastream.core.policy import Book
from slastream.running import NOISY, log_to_stderr, run_to_end, stop_on_signals
from slastream.settings import Settings
from slastream.stream.processes import Part, Processes


@click.command()
@click.option("--broker", help="Bootstrap servers, host:port, separated by commas.")
@click.option(
    "--book",
    type=click.Path(path_type=Path),
    help="Publish this policy book at start, if its content is new.",
)
@click.option("--prefix", help="What all topic names begin with.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where this worker's stores are.")
@click.option(
    "--time",
    type=click.Choice(["wall", "log"]),
    help="Deadlines fall due by the wall clock, or by the log's time alone (simulated runs).",
)
@click.option("--instance-id", help="This worker's own name in its group, kept over restarts.")
@click.option("--processes", type=int, help="Cores to use: each process has partitions of its own.")
@click.option("--app-id", help="The consumer group.")
@click.option("--web-port", type=int, help="Port of /livez, /readyz and /metrics; 0 for none.")
@click.option("--ingest/--no-ingest", default=None, help="Read the raw topics, or leave them.")
@click.option("--tenant", help="The tenant of deliveries that name none.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]))
def command(book: Path | None, **flags: Any) -> None:
    """Run the worker: tickets in, SLA alerts out.

    Every option can be given as SLASTREAM_<OPTION> in the environment. It runs until it gets
    SIGTERM or SIGINT, and leaves within seconds, with nothing half done.
    """
    settings = Settings.from_environment(**flags)
    # A book with a mistake never starts a worker: it is read before anything else.
    from slastream.book import publishable

    told = publishable(book) if book is not None else []
    part = Part.from_environment(os.environ)
    log_to_stderr(settings.log_level, NOISY, "" if part is None else f"[{part.number}] ")
    if settings.processes > 1:
        code = run_to_end(_run_several(settings, [] if book is None else ["--book", str(book)]))
    else:
        code = run_to_end(_run(settings, told, part))
    sys.exit(code)


async def _run(
    settings: Settings, told: Sequence[tuple[Book, bytes]], part: Part | None = None
) -> int:
    from slastream.stream.app import Worker

    worker = Worker(settings, told, part=part)
    stop_on_signals(worker.stop)
    if part is None:
        return await worker.run()
    orphaned = asyncio.create_task(part.orphaned())
    orphaned.add_done_callback(lambda _: worker.stop.set())
    try:
        return await worker.run()
    finally:
        orphaned.cancel()


async def _run_several(settings: Settings, book: Sequence[str]) -> int:
    processes = Processes(settings, [sys.executable, "-m", "slastream", "worker"], book)
    stop_on_signals(processes.stop)
    return await processes.run()
