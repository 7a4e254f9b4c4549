"""`slastream replay`: a file of events onto Kafka, as history at once or in simulated time.

Whatever the file holds, what is published are canonical events on `<prefix>raw.canonical`: ingest
takes them into the journal, as it takes everything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from slastream import wire
from slastream.cli.console import fail, note, progress, quiet_libraries
from slastream.cli.feeding import Feed, Outgoing
from slastream.core.errors import Misconfigured
from slastream.core.event import Event
from slastream.core.instant import Instant, format_instant, parse_instant
from slastream.kafka.security import client_options
from slastream.settings import Settings
from slastream.sources.files import Bad, read_events

SHOWN = 5
"""Lines that could not be read are shown up to here, and counted after that."""


@click.command("replay")
@click.argument("events", nargs=-1, required=True, metavar="EVENTS...")
@click.option("--broker", metavar="HOST:PORT", help="Kafka's address. [SLASTREAM_BROKER]")
@click.option("--prefix", help="What topic names begin with. [SLASTREAM_PREFIX]")
@click.option("--app-id", help="The worker's consumer group, for --speed. [SLASTREAM_APP_ID]")
@click.option(
    "--source", default="canonical", show_default=True, help="Whose export it is, or csv."
)
@click.option("--mapping", type=click.Path(path_type=Path), help="How a table's columns are read.")
@click.option(
    "--tenant", help="Whose tickets they are, where the file does not say. [SLASTREAM_TENANT]"
)
@click.option("--timezone", help="The zone of times without an offset.")
@click.option(
    "--speed", type=click.FloatRange(min=0, min_open=True), help="Simulated seconds in one second."
)
@click.option("--until", metavar="INSTANT", help="With --speed, let time go on until then.")
def command(
    events: tuple[str, ...],
    broker: str | None,
    prefix: str | None,
    app_id: str | None,
    source: str,
    mapping: Path | None,
    tenant: str | None,
    timezone: str | None,
    speed: float | None,
    until: str | None,
) -> None:
    """Publish files of ticket events: JSON Lines, vendor exports, or CSV with a mapping.

    Without --speed, events are marked `imported` and sent at once: they are measured and announce
    nothing. With --speed they are told in simulated time, each at the log time at which it
    occurred, to topics of their own (`slastream topics create --simulated --prefix demo.`) and a
    worker that runs with `--time log`. Exit code 1 when some lines could not be read.
    """
    quiet_libraries()
    settings = Settings.from_environment(broker=broker, prefix=prefix, app_id=app_id, tenant=tenant)
    if until is not None and speed is None:
        raise Misconfigured("only simulated time can go on", where="--until", hint="add --speed")
    if speed is not None and settings.prefix == "sla.":
        raise Misconfigured(
            "simulated time needs topics of its own",
            where="--prefix",
            hint="such as --prefix demo.",
        )
    told = _Told(read_events(events, source, mapping, settings.tenant or None, timezone))
    end = None if until is None else parse_instant(until)
    count = asyncio.run(_replay(settings, told, speed, end))
    bad = f", {told.bad} lines could not be read" if told.bad else ""
    span = f" of {format_instant(told.first)} to {format_instant(told.last)}" if count else ""
    note(f"{count} events{span} published to {settings.topic('raw.canonical')}{bad}.")
    raise SystemExit(1 if told.bad else 0)


class _Told:
    """The events of the files; bad lines are shown and counted on the way."""

    def __init__(self, found: Iterator[Event | Bad]) -> None:
        self._found = found
        self.bad = 0
        self.first: Instant = 2**63
        self.last: Instant = 0

    def __iter__(self) -> Iterator[Event]:
        for found in self._found:
            if isinstance(found, Bad):
                self.bad += 1
                if self.bad <= SHOWN:
                    fail(str(found))
                continue
            self.first = min(self.first, found.occurred_at)
            self.last = max(self.last, found.occurred_at)
            yield found


async def _replay(
    settings: Settings, told: _Told, speed: float | None, until: Instant | None
) -> int:
    topic = settings.topic("raw.canonical")
    async with Feed(
        client_options(settings.broker), settings.topic("tickets"), settings.app_id
    ) as feed:
        if speed is None:
            with progress("Publishing") as advance:
                return await feed.publish((_outgoing(each, topic, True) for each in told), advance)
        ordered = sorted(told, key=lambda event: event.occurred_at)
        with progress("Replaying", len(ordered)) as advance:
            return await feed.simulate(
                (_outgoing(each, topic, False) for each in ordered),
                speed,
                until,
                lambda _, count: advance(count),
            )


def _outgoing(event: Event, topic: str, imported: bool) -> Outgoing:
    event.imported = event.imported or imported
    headers: list[tuple[str, Any]] = [("sla-tenant", event.tenant.encode())]
    return Outgoing(
        event.occurred_at, topic, wire.event_key(event), wire.encode_event(event), headers
    )
