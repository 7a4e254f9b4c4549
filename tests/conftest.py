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
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from prometheus_client.metrics import MetricWrapperBase

from slastream import metrics
from slastream.kafka import admin
from slastream.kafka.local import LocalBroker
from slastream.kafka.plan import plan
from slastream.settings import Settings

Record: TypeAlias = ConsumerRecord[Any, Any]
Produce: TypeAlias = Callable[..., Awaitable[None]]
ReadAll: TypeAlias = Callable[..., Awaitable[list[Record]]]


@pytest.fixture(autouse=True, scope="module")
def _counters_from_nothing() -> None:
    """Metrics are those of the process: what other files counted in it is forgotten."""
    for told in vars(metrics).values():
        if isinstance(told, MetricWrapperBase) and told._labelnames:
            told.clear()
    for counter in metrics.COUNTERS.values():
        if counter._labelnames:
            counter.clear()
    for kept in (metrics._counted, metrics._promised):
        kept.clear()


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
async def topics(broker: LocalBroker, prefix: str) -> Callable[[str], str]:
    """Creates every topic of slastream for this test, and returns short name -> full name.

    The tickets' topics have two partitions. Simulated time asks for `plan(..., simulated=True)`.
    """
    await admin.create({"bootstrap_servers": broker.bootstrap}, plan(prefix, 2))
    return Settings(broker=broker.bootstrap, prefix=prefix).topic


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
            topic,
            bootstrap_servers=broker.bootstrap,
            request_timeout_ms=10_000,
            isolation_level="read_committed" if read_committed else "read_uncommitted",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        async with consumer:
            return await _read(consumer)

    return read_all


async def _read(consumer: AIOKafkaConsumer[Any, Any]) -> list[Record]:
    """Without a group, a consumer has all partitions of its topic."""
    partitions = sorted(consumer.assignment())
    ends = await consumer.end_offsets(partitions)
    found: list[Record] = []
    for partition in partitions:
        while await consumer.position(partition) < ends[partition]:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                found.extend(records)
    return sorted(found, key=lambda record: (record.partition, record.offset))
