"""Follows what a worker publishes, read-committed, and shows it: a line an alert, a tally below.

On a terminal the tally stays on the last line; in a pipe it is a line now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import time
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, Self

import click
import orjson
from aiokafka import AIOKafkaConsumer

from slastream.cli.tally import Tally, alert_line, clock
from slastream.core.instant import Instant
from slastream.settings import Settings

EVERY = 10.0
"""Seconds between two tallies in a pipe."""


class Screen:
    """Prints alerts on standard output, with the running tally under them."""

    def __init__(self, tally: Tally, zone: tzinfo, cleared: bool = False) -> None:
        self._tally, self._zone, self._cleared = tally, zone, cleared
        self._terminal = sys.stdout.isatty()
        self._told = time.monotonic()
        self._now: Instant | None = None
        self._records = 0

    def alert(self, type_: str, time: str, value: Mapping[str, Any]) -> None:
        """Print an alert; one that only clears another is counted, and printed if asked for."""
        if self._cleared or not type_.endswith(".cleared.v1"):
            self._clear()
            click.echo(alert_line(type_, time, value, self._zone))

    def time(self, now: Instant, records: int) -> None:
        """Show how far simulated time has come, and what came out so far."""
        self._now, self._records = now, self._records + records
        if self._terminal:
            click.echo(
                f"\r{self._line()[: shutil.get_terminal_size().columns - 1]}\x1b[K", nl=False
            )
        elif time.monotonic() - self._told >= EVERY:
            self._told = time.monotonic()
            click.echo(self._line())

    def close(self) -> None:
        """Leave the last line clean."""
        self._clear()

    def _clear(self) -> None:
        if self._terminal:
            click.echo("\r\x1b[K", nl=False)

    def _line(self) -> str:
        at = "" if self._now is None else clock(self._now, self._zone)
        return f"-- {at}  {self._records} events; {self._tally.line()}"


class Watch:
    """A read-committed consumer of alerts, outcomes and dead letters. Use it as `async with`."""

    def __init__(
        self, client: Mapping[str, Any], settings: Settings, tally: Tally, screen: Screen
    ) -> None:
        self._topics = {settings.topic(name): name for name in ("alerts", "outcomes", "dlq")}
        self._tally, self._screen = tally, screen
        self._news = asyncio.Event()
        self._consumer = AIOKafkaConsumer(
            *self._topics,
            **client,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            fetch_max_wait_ms=50,
        )

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def run(self) -> None:
        """Take in and show what is published, until cancelled."""
        while True:
            for partition, records in (await self._consumer.getmany(timeout_ms=200)).items():
                for record in records:
                    self._take(self._topics[partition.topic], record)

    async def quiet(self, seconds: float) -> None:
        """Wait until nothing was published for this long."""
        with contextlib.suppress(TimeoutError):
            while True:
                self._news.clear()
                await asyncio.wait_for(self._news.wait(), seconds)

    def _take(self, name: str, record: Any) -> None:
        self._news.set()
        headers = dict(record.headers)
        if name == "dlq":
            self._tally.dead_letter(headers.get("sla-reason", b"unknown").decode())
            return
        value = orjson.loads(record.value)
        if name == "outcomes":
            self._tally.outcome(value)
            return
        type_ = headers.get("ce_type", b"").decode()
        self._tally.alert(type_, value)
        self._screen.alert(type_, headers.get("ce_time", b"").decode(), value)
