"""Feeds a generated day of tickets to a simulated worker: the demonstration of docker-compose.yml.

    python feed.py [SPEED] [TICKETS]

SPEED is how many simulated seconds pass in one second. The day ends, and so does this.
"""

from __future__ import annotations

import asyncio
import sys

from slastream.cli.feeding import Feed, Outgoing
from slastream.core.instant import Instant, format_instant
from slastream.demo.day import generated_day
from slastream.demo.desk import ENDS
from slastream.kafka.security import client_options
from slastream.settings import Settings

SEED = 7


def told(now: Instant, count: int) -> None:
    if count:
        sys.stderr.write(f"{format_instant(now)} {count} deliveries\n")


async def feed(speed: float, tickets: int) -> None:
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
    client = client_options(settings.broker)
    async with Feed(client, settings.topic("tickets"), settings.app_id) as feed:
        sent = await feed.simulate(records, speed, ENDS, told)
    sys.stderr.write(f"the day is over: {sent} deliveries\n")


if __name__ == "__main__":
    speed = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    tickets = int(sys.argv[2]) if len(sys.argv) > 2 else 2_000
    asyncio.run(feed(speed, tickets))
