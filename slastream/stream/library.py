"""The books topic: every version of every tenant's book, read before anything is judged.

Knows `sla.books.v1`; what a book says it may not know.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from slastream.core.books import Books
from slastream.core.errors import SlastreamError
from slastream.core.policy import Book
from slastream.stream.partitioner import partition_of

log = logging.getLogger("slastream.books")


class Library:
    """Reads books as they come; `opened` returns once all that were there are read."""

    def __init__(
        self,
        client: Mapping[str, Any],
        topic: str,
        partitions: int,
        books: Books,
        on_book: Callable[[Book], None] = lambda book: None,
    ) -> None:
        self._client = client
        self._topic = topic
        self._tps = [TopicPartition(topic, number) for number in range(partitions)]
        self._books = books
        self._on_book = on_book
        self._known: set[bytes] = set()
        self._consumer: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None

    async def opened(self) -> None:
        """Read all books to the end. Raises KafkaError."""
        consumer = self._consumer = AIOKafkaConsumer(
            **self._client,
            group_id=None,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        consumer.assign(self._tps)
        await consumer.seek_to_beginning()
        await self._to_the_end()

    async def _to_the_end(self) -> None:
        assert self._consumer is not None
        for tp, end in (await self._consumer.end_offsets(self._tps)).items():
            while await self._consumer.position(tp) < end:
                self._take(await self._consumer.getmany(timeout_ms=200))

    def _take(self, fetched: Mapping[TopicPartition, Sequence[Any]]) -> None:
        from slastream.book import from_published

        for records in fetched.values():
            for record in records:
                if record.value is None or record.value in self._known:
                    continue
                self._known.add(record.value)
                try:
                    book = from_published(record.value)
                except (SlastreamError, ValueError, KeyError, TypeError) as error:
                    log.error("%s at offset %d is no book: %s", self._topic, record.offset, error)
                    continue
                if self._books.add(book):
                    log.info("book %s of %s is in force", book.version, book.tenant)
                    self._on_book(book)

    async def publish(self, told: Sequence[tuple[Book, bytes]], producer: AIOKafkaProducer) -> int:
        """Publish the versions that the topic does not hold yet, and read them; returns how many."""
        new = 0
        for book, value in told:
            if value in self._known:
                continue
            key = f"{book.tenant}/{hashlib.sha256(value).hexdigest()}".encode()
            partition = partition_of(key, len(self._tps))
            await producer.send_and_wait(self._topic, value, key, partition=partition)
            log.info("book %s of %s is published", book.version, book.tenant)
            new += 1
        await self._to_the_end()
        return new

    def follow(self) -> None:
        """Go on reading in the background: a book that arrives later is added when it arrives."""
        self._task = asyncio.create_task(self._follow(), name="books")

    async def _follow(self) -> None:
        assert self._consumer is not None
        while True:
            try:
                self._take(await self._consumer.getmany(timeout_ms=1_000))
            except KafkaError as error:
                log.warning("books cannot be read just now: %s", error)
                await asyncio.sleep(1.0)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=2.0)
        if self._consumer is not None:
            await self._consumer.stop()


def read_file(path: Path) -> list[tuple[Book, bytes]]:
    """Return the versions of a book file, ready to publish. Raises `Misconfigured` with its line."""
    from slastream.book import publishable

    return list(publishable(path))
