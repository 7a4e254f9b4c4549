"""Feeds a generated day of tickets to a simulated worker: the demonstration of docker-compose.yml.

    python feed.py SPEED TICKETS GATEWAY

SPEED is how many simulated seconds pass in one second. What ticket systems send as webhooks goes
through the gateway, such as http://gateway:8080. The day ends, and so does this.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from slastream.cli.feeding import Feed, Outgoing
from slastream.cli.knocking import Senders
from slastream.core.instant import Instant, format_instant
from slastream.demo.day import generated_day
from slastream.demo.desk import BY_KAFKA, ENDS, SOURCES
from slastream.demo.spell import TENANT
from slastream.kafka.security import client_options
from slastream.settings import Settings

SEED = 7


def told(now: Instant, count: int) -> None:
    if count:
        sys.stderr.write(f"{format_instant(now)} {count} deliveries\n")


async def feed(speed: float, tickets: int, gateway: str) -> None:
    settings = Settings.from_environment()
    records = [
        Outgoing(
            delivery.at,
            settings.topic(f"raw.{delivery.source}"),
            delivery.key,
            delivery.value,
            list(delivery.headers.items()),
        )
        for delivery in generated_day(SEED, tickets)
    ]
    paths = {
        settings.topic(f"raw.{source}"): f"/v1/{TENANT}/{source}"
        for source in SOURCES
        if source not in BY_KAFKA
    }
    secret = Path(__file__).with_name("secret").read_text("utf-8")
    client = client_options(settings.broker)
    async with (
        Senders(gateway, paths, secret) as senders,
        Feed(client, settings.topic("tickets"), settings.app_id, senders) as feed,
    ):
        sent = await feed.simulate(records, speed, ENDS, told)
    sys.stderr.write(f"the day is over: {sent} deliveries\n")


if __name__ == "__main__":
    speed, tickets, gateway = sys.argv[1:]
    asyncio.run(feed(float(speed), int(tickets), gateway))
