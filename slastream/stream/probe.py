"""Asks the broker what time it is, so that the wall clock may be believed.

The broker stamps what is written to the changelog; a record that no ticket owns is written there,
and the answer carries the stamp.
"""

from __future__ import annotations

import asyncio
import logging

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from slastream.stream.clock import WallClock

log = logging.getLogger("slastream.worker")

EVERY = 10.0
"""Seconds between two probes."""

PROBE = b"\x00clock"
"""The key of a probe. A key that begins with zero is no row's."""


async def ask_the_broker(clock: WallClock, producer: AIOKafkaProducer, topic: str) -> None:
    """Ask again and again, until cancelled; say when the clocks part, and when they agree again."""
    agreed = True
    while True:
        try:
            asked = clock.read()
            sent = await producer.send_and_wait(topic, b"", PROBE, partition=0)
            before, agreed = agreed, clock.agree(asked, sent.timestamp, clock.read())
            if before and not agreed:
                log.error(
                    "the wall clock is %.1f s apart from the broker's: deadlines wait until they agree",
                    clock.apart / 1000,
                )
            elif agreed and not before:
                log.info("the wall clock agrees with the broker's again")
        except KafkaError as error:
            log.warning("the broker's clock cannot be asked: %s", error)
        await asyncio.sleep(EVERY)


async def trust(clock: WallClock) -> None:
    """Believe the wall clock where the broker cannot be asked, until cancelled."""
    while True:
        now = clock.read()
        clock.agree(now, now, now)
        await asyncio.sleep(EVERY)
