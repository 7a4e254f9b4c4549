"""What any test may ask for. A real broker, once a test process; names of its own for each test.

broker     a real Apache Kafka on loopback, started on first use and shared by all tests
prefix     a topic prefix that no other test uses, such as "t3f9c0a1b."
produce    `await produce(topic, [(key, value), ...])`
read_all   `await read_all(topic)` -> every record up to the end, read-committed
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, TypeAlias

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from slastream.kafka.local import LocalBroker

Record: TypeAlias = ConsumerRecord[Any, Any]
Produce: TypeAlias = Callable[..., Awaitable[None]]
ReadAll: TypeAlias = Callable[..., Awaitable[list[Record]]]


@pytest.fixture(scope="session")
def broker() -> Iterator[LocalBroker]:
    """One real broker for this test process. A test that kills or pauses one starts its own."""
    with LocalBroker() as broker:
        yield broker


@pytest.fixture
def prefix() -> str:
    """A topic prefix of this test's own: the broker is shared, topics are not."""
    return f"t{secrets.token_hex(4)}."


@pytest.fixture
def produce(broker: LocalBroker) -> Produce:
    """Writes records and waits until the broker has them.

    A record is `(key, value)` or `(key, value, headers)`, headers a list of (str, bytes).
    `partition` and `timestamp_ms` hold for all of them.
    """

    async def produce(
        topic: str,
        records: Iterable[tuple[Any, ...]],
        *,
        partition: int | None = None,
        timestamp_ms: int | None = None,
    ) -> None:
        async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks="all") as producer:
            sent = []
            for key, value, *headers in records:
                future = await producer.send(
                    topic,
                    value,
                    key,
                    partition=partition,
                    timestamp_ms=timestamp_ms,
                    headers=headers[0] if headers else None,
                )
                sent.append(future)
            for future in sent:
                await future

    return produce


@pytest.fixture
def read_all(broker: LocalBroker) -> ReadAll:
    """Reads a topic from its beginning to the end it has now, in partition order.

    Read-committed unless told otherwise. It ends by *position*, since the last offset of a
    transactional log is a control record that no consumer is handed.
    """

    async def read_all(topic: str, *, read_committed: bool = True) -> list[Record]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=broker.bootstrap,
            isolation_level="read_committed" if read_committed else "read_uncommitted",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        async with consumer:
            return await _read(consumer, topic)

    return read_all


async def _read(consumer: AIOKafkaConsumer[Any, Any], topic: str) -> list[Record]:
    await consumer.topics()
    numbers = consumer.partitions_for_topic(topic) or set()
    partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
    if not partitions:
        raise LookupError(f"the broker has no topic {topic}")
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    await consumer.seek_to_beginning(*partitions)
    found: list[Record] = []
    for partition in partitions:
        while await consumer.position(partition) < ends[partition]:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                found.extend(record for record in records)
    return sorted(found, key=lambda record: (record.partition, record.offset))
