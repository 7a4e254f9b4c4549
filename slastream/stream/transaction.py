"""One transactional producer, and what may be known after each way in which it can fail.

Knows Kafka's transactions, and what aiokafka's batches are made of (`tests/contract/test_batches.py`);
what the records mean, and whose they are, it may not know.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    IllegalOperation,
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    InvalidTxnState,
    KafkaError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
)
from aiokafka.producer.message_accumulator import BatchBuilder

from slastream.stream.faults import At, nowhere

Told: TypeAlias = tuple[bytes | None, bytes | None, list[tuple[str, bytes]], int | None]
"""An `Item`, or as plain a tuple."""


class Item(NamedTuple):
    """One record to publish."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    at: int | None = None
    """Its time in epoch milliseconds; None is now."""


BATCH = 512 * 1024
"""Bytes of a record batch. A larger record travels alone, up to the broker's limit of 1 MiB."""

PATIENCE = 15.0
"""Seconds for one phase of a transaction, after which its outcome counts as unknown."""

_FENCED = (
    ProducerFenced,
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    InvalidTxnState,
    OutOfOrderSequenceNumber,
)


class Fenced(Exception):
    """The broker takes nothing more from this producer: another owner, or too slow a one."""


class Uncertain(Exception):
    """The transaction may or may not have happened; only the changelog knows."""


def batches_of(producer: AIOKafkaProducer, items: Iterable[Told]) -> Iterator[BatchBuilder]:
    """Yield record batches that hold `items` in their order."""
    batch = producer.create_batch()
    add, count, now = batch._builder.append, 0, int(time.time() * 1000)
    for key, value, headers, at in items:
        told = now if at is None else at
        if add(count, told, key, value, headers) is None:
            yield _closed(batch, count)
            batch = producer.create_batch()
            add, count = batch._builder.append, 0
            add(count, told, key, value, headers)
        count += 1
    if count:
        yield _closed(batch, count)


def _closed(batch: BatchBuilder, count: int) -> BatchBuilder:
    """Tell a batch how many records it was given past its own `append`."""
    batch._relative_offset = count
    batch.close()
    return batch


class Transactions:
    """A transactional producer for one partition. After `Fenced` or `Uncertain`, make a new one."""

    def __init__(
        self, client: Mapping[str, Any], name: str, timeout: float, at: At = nowhere
    ) -> None:
        self.name = name
        self._at = at
        self._producer = AIOKafkaProducer(
            **client,
            transactional_id=name,
            transaction_timeout_ms=int(timeout * 1000),
            acks="all",
            max_batch_size=BATCH,
            # A frozen broker is asked in vain this long, and the next one within PATIENCE.
            request_timeout_ms=6_000,
            metadata_max_age_ms=5_000,
            retry_backoff_ms=20,
        )

    async def start(self) -> None:
        """Take the name over: whoever had it is fenced, and what it left open is aborted."""
        try:
            await asyncio.wait_for(self._producer.start(), PATIENCE)
        except TimeoutError:
            await self.close()
            raise Uncertain(f"no answer in {PATIENCE:g} s while taking over {self.name}") from None
        except BaseException:
            await self.close()
            raise

    async def commit(
        self,
        records: Mapping[TopicPartition, Sequence[Told]],
        offsets: Mapping[TopicPartition, int] | None = None,
        group: str = "",
    ) -> dict[TopicPartition, int]:
        """Publish all records, and commit.

        Returns partition -> the offset behind its last record. Raises `Fenced`, `Uncertain`, or
        KafkaError after a clean abort, when the same may be tried again.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                ends = await self._send(records, offsets, group)
        except _FENCED as error:
            raise Fenced(str(error) or type(error).__name__) from error
        except (KafkaError, TimeoutError, IllegalOperation) as error:
            # An illegal operation: the producer has learnt of its end between two of our calls.
            await self._abort()
            if isinstance(error, TimeoutError):
                raise KafkaError(f"no answer within {PATIENCE:g} s") from error
            raise
        self._at("sent")
        try:
            async with asyncio.timeout(PATIENCE):
                await self._producer.commit_transaction()
        except _FENCED as error:
            raise Fenced(str(error) or type(error).__name__) from error
        except (KafkaError, TimeoutError) as error:
            raise Uncertain(f"the answer to a commit was lost: {error!r}") from error
        return ends

    async def _send(
        self,
        records: Mapping[TopicPartition, Sequence[Told]],
        offsets: Mapping[TopicPartition, int] | None,
        group: str,
    ) -> dict[TopicPartition, int]:
        producer = self._producer
        await producer.begin_transaction()
        sent: list[tuple[TopicPartition, int, asyncio.Future[Any]]] = []
        for tp, items in records.items():
            for batch in batches_of(producer, items):
                count = batch.record_count()
                future = await producer.send_batch(batch, tp.topic, partition=tp.partition)
                sent.append((tp, count, future))
        if offsets:
            await producer.send_offsets_to_transaction(dict(offsets), group)
        # A commit flushes, but ignores batches that failed: every one has to be looked at.
        await asyncio.gather(*(future for _, _, future in sent))
        return {tp: future.result().offset + count for tp, count, future in sent}

    async def _abort(self) -> None:
        if self._producer._txn_manager.is_fatal_error():
            raise Fenced("the producer has ended")
        try:
            async with asyncio.timeout(PATIENCE):
                await self._producer.abort_transaction()
        except _FENCED as error:
            raise Fenced(str(error) or type(error).__name__) from error
        except (KafkaError, TimeoutError, IllegalOperation, AssertionError) as error:
            raise Uncertain(f"an abort was not answered: {error!r}") from error

    async def close(self) -> None:
        """Let go of the connections; an open transaction is left for the next owner to abort."""
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self._producer.stop(), 2.0)
