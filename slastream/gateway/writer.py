"""Kafka: a delivery is acknowledged by all in-sync replicas, or it was not accepted.

While the broker is away nothing queues up beyond what is already under way; senders are told to come
again. What was handed over is tried until it is written, even if its sender was told so: a repeat
has the same event id. A producer that broke is replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

from slastream.core.instant import Instant
from slastream.gateway import counts
from slastream.gateway.bucket import Hold
from slastream.gateway.refusal import Refused
from slastream.kafka.reach import explained

log = logging.getLogger("slastream.gateway")

AWAY = 1.5
"""Seconds without an acknowledgement after which the broker counts as away."""
BLOCKED = 10.0
"""Seconds after which a producer that does not even take a record is replaced."""
STUCK = 60.0
"""Seconds after which a producer that the broker's return does not wake is replaced."""
_CLOSING = 5.0
_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)


class Writer:
    """One idempotent producer, and whether it gets through."""

    def __init__(
        self, client: Mapping[str, Any], topics: Iterable[str], largest: int, patience: float
    ) -> None:
        self._client = dict(client)
        self._options = {
            **client,
            "acks": "all",
            "enable_idempotence": True,
            "max_request_size": largest + 64 * 1024,
            "max_batch_size": 64 * 1024,
            "request_timeout_ms": 20_000,
            "retry_backoff_ms": 100,
        }
        self._patience = patience
        self._wanted = set(topics)
        self._present: set[str] = set()
        self._producer: AIOKafkaProducer | None = None
        self._pending: dict[int, tuple[float, asyncio.Future[Any]]] = {}
        self._number = 0
        self._broken = False
        self._leaving = False
        self._blocked: float | None = None
        """Since when the producer has taken nothing; None while it does."""
        self._wake = asyncio.Event()
        self._tending: asyncio.Task[None] | None = None
        self.problem = "not connected yet"
        """What an operator should mend; empty when there is nothing."""

    @property
    def pending(self) -> int:
        return len(self._pending)

    @property
    def away(self) -> bool:
        """Whether there is no use in handing over more now."""
        if self._producer is None:
            return True
        return self.oldest() > AWAY

    @property
    def missing(self) -> list[str]:
        """The topics that are to be there and are not."""
        return sorted(self._wanted - self._present)

    @property
    def ready(self) -> bool:
        """Whether deliveries get through: one missing topic is its endpoint's trouble alone."""
        return not self.away and bool(self._wanted & self._present)

    def oldest(self) -> float:
        """Return for how many seconds the oldest record has been waiting."""
        for since, _ in self._pending.values():
            return time.monotonic() - since
        return 0.0

    def want(self, topics: Iterable[str]) -> None:
        """Say which topics are to be there."""
        self._wanted = set(topics)
        self._wake.set()

    def start(self) -> None:
        """Begin to connect, and keep connected."""
        self._tending = asyncio.create_task(self._tend(), name="gateway-writer")

    async def write(
        self,
        topic: str,
        key: bytes | None,
        value: bytes,
        headers: list[tuple[str, bytes]],
        hold: Hold,
        log_time: Instant | None = None,
    ) -> None:
        """Return once the record is acknowledged. Raises `Refused`: 503, or 413 if it never can be.

        `log_time` is what a simulated run has for the record's time.
        """
        producer = self._producer
        if producer is None or topic not in self._present:
            raise _come_again("topic_missing" if producer else "broker_away")
        since = time.monotonic()
        try:
            async with asyncio.timeout(self._patience):
                future = await producer.send(
                    topic, value, key, timestamp_ms=log_time, headers=headers
                )
        except _TOO_LARGE:
            raise Refused(413, "too_large") from None
        except TimeoutError:
            if self._blocked is None:
                self._blocked = since
            raise _come_again("broker_away") from None
        except KafkaError as error:
            raise self._failed(error) from None
        self._blocked = None
        self._number += 1
        number = self._number
        self._pending[number] = since, future
        hold.handed_on = True

        def settled(done: asyncio.Future[Any]) -> None:
            del self._pending[number]
            hold.release()
            if done.cancelled() or done.exception() is not None:
                return
            counts.ACKNOWLEDGED.observe(time.monotonic() - since)

        future.add_done_callback(settled)
        done, _ = await asyncio.wait([future], timeout=self._patience)
        if not done or future.cancelled():
            raise _come_again("broker_away")
        failure = future.exception()
        if isinstance(failure, _TOO_LARGE):
            raise Refused(413, "too_large")
        if failure is not None:
            raise self._failed(failure)

    def _failed(self, error: BaseException) -> Refused:
        if isinstance(error, TopicAuthorizationFailedError):
            log.error("we may not write to %s: it needs the permission Write", error.args)
            return _come_again("not_authorized")
        # An idempotent producer that has lost a record cannot go on: its numbers have a gap.
        log.warning("the producer failed and is replaced: %s", str(error) or type(error).__name__)
        self._broken = True
        self._wake.set()
        return _come_again("broker_away")

    async def _tend(self) -> None:
        while not self._leaving:
            self._wake.clear()
            try:
                if self._producer is None or self._useless():
                    await self._connect()
                elif self.missing:
                    self._present = await _topics(self._producer)
                problem = self._absent()
            except Exception as error:  # whatever it is: without this task nobody connects again
                problem = await self._why(error)
            if problem != self.problem:
                if problem:
                    log.warning("%s", problem)
                else:
                    log.info("connected to %s", self._client.get("bootstrap_servers"))
                self.problem = problem
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._wake.wait()

    def _useless(self) -> bool:
        blocked = 0.0 if self._blocked is None else time.monotonic() - self._blocked
        return self._broken or blocked > BLOCKED or self.oldest() > STUCK

    def _absent(self) -> str:
        if not self.missing:
            return ""
        named = ", ".join(self.missing)
        return f"not on the broker: {named} (slastream topics create --source NAME)"

    async def _connect(self) -> None:
        """Make a producer, in the place of one that broke. Raises KafkaError, TimeoutError."""
        old, self._producer = self._producer, None
        if old is not None:
            await self._drop(old)
        producer = AIOKafkaProducer(**self._options)
        try:
            async with asyncio.timeout(10.0):
                await producer.start()
                self._present = await _topics(producer)
                for topic in self._wanted & self._present:
                    await producer.partitions_for(topic)  # so that no delivery waits for it
        except BaseException:
            await _close(producer)
            raise
        counts.PRODUCERS.inc()
        self._producer = producer
        self._broken, self._blocked = False, None

    async def _drop(self, producer: AIOKafkaProducer) -> None:
        await _close(producer)
        # Their senders were told to come again; nobody writes these any more.
        for _, future in list(self._pending.values()):
            future.cancel()

    async def _why(self, error: Exception) -> str:
        try:
            found = await explained(error, self._client)
        except Exception as problem:
            log.exception("the broker cannot be reached")
            return str(problem) or type(problem).__name__
        return f"{found.sentence} ({found.hint})"

    async def stop(self) -> None:
        """Write what is under way, within seconds."""
        self._leaving = True
        if self._tending is not None:
            # A cancellation may be swallowed on its way (`wait_for` before Python 3.12): the flag ends it too.
            self._tending.cancel()
            await asyncio.wait([self._tending], timeout=4 * _CLOSING)
        if self._producer is not None:
            await _close(self._producer)


async def _topics(producer: AIOKafkaProducer) -> set[str]:
    cluster = await producer.client.fetch_all_metadata()
    return set(cluster.topics(exclude_internal_topics=False))


async def _close(producer: AIOKafkaProducer) -> None:
    with contextlib.suppress(Exception):
        await asyncio.wait_for(producer.stop(), _CLOSING)


def _come_again(reason: str) -> Refused:
    return Refused(503, reason, retry_after=3)
