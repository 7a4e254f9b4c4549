"""What no receiver takes, onto the dead letters: with its bytes, the route, the reason and its place."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError

from slastream.notify.route import Route

_CLOSING = 5.0


class Letters:
    """The way to the dead-letter topic, of all routes together."""

    def __init__(self, client: Mapping[str, Any], topic: str) -> None:
        self.topic = topic
        self._client = client
        self._producer: AIOKafkaProducer | None = None
        self._lock = asyncio.Lock()

    async def write(self, record: Any, route: Route, reason: str, detail: str) -> None:
        """Set a record aside; returns when the broker has it. Raises KafkaError when it has not.

        The last headers are what `slastream dlq` reads: the same as those of ingest.
        """
        headers = [
            *record.headers,
            ("sla-route", route.name.encode()),
            ("sla-reason", reason.encode()),
            ("sla-detail", f"route {route.name}: {detail}".encode("utf-8", "replace")[:2000]),
            ("sla-topic", record.topic.encode()),
            ("sla-partition", b"%d" % record.partition),
            ("sla-offset", b"%d" % record.offset),
        ]
        producer = await self._open()
        try:
            # A producer takes no record without key and value.
            key = record.key if record.key is not None or record.value is not None else b""
            await producer.send_and_wait(self.topic, record.value, key, headers=headers)
        except (KafkaError, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            await self.close()
            # Somebody else's trouble closed the producer that this letter was in.
            raise KafkaConnectionError(f"the letter was not written: {error}") from error

    async def _open(self) -> AIOKafkaProducer:
        async with self._lock:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **self._client, acks="all", enable_idempotence=True, request_timeout_ms=10_000
                )
                try:
                    await producer.start()
                except BaseException:
                    await _stop(producer)
                    raise
                self._producer = producer
            return self._producer

    async def close(self) -> None:
        """Leave; the next letter connects again."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)


async def _stop(producer: AIOKafkaProducer) -> None:
    with contextlib.suppress(Exception):
        await asyncio.wait_for(producer.stop(), _CLOSING)
