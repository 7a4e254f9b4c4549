"""A record batch that is filled past aiokafka's own `append` is the one that `append` would fill."""

from __future__ import annotations

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from slastream.stream.transaction import Item, batches_of

AT = 1_700_000_000_000

ITEMS = [
    Item(b"k", b"v" * 300, [("ce_type", b"a"), ("none", None), ("ä", b"")], AT),  # type: ignore[list-item]
    Item(b"k", None, [], AT + 70_000),
    Item(None, b"v", [("h", b"x" * 200)], AT - 5),
    Item(b"", b"", [], AT),
]


class Producer:
    """What `batches_of` asks of a producer, with batches of few bytes."""

    def __init__(self, size: int) -> None:
        self.size = size

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(self.size, 0, is_transactional=1)


def built(batch: BatchBuilder) -> bytes:
    batch._set_producer_state(5, 1, 40)
    return bytes(batch._build())


def expected(size: int, items: list[Item]) -> list[tuple[int, bytes]]:
    """Return count and bytes of the batches that aiokafka's own `append` fills."""
    batches = [BatchBuilder(size, 0, is_transactional=1)]
    for key, value, headers, at in items:
        told = {"timestamp": at, "key": key, "value": value, "headers": headers}
        if batches[-1].append(**told) is None:
            batches.append(BatchBuilder(size, 0, is_transactional=1))
            batches[-1].append(**told)
    return [(batch.record_count(), built(batch)) for batch in batches if batch.record_count()]


@pytest.mark.parametrize("size", [100, 700, 1_000, 1_000_000])
@pytest.mark.parametrize("items", [ITEMS * 40, ITEMS, ITEMS[:1], []])
def test_a_batch_is_that_of_append(size: int, items: list[Item]) -> None:
    """The same records in the same batches, byte for byte, whatever has to be cut where."""
    found = list(batches_of(Producer(size), items))

    assert [(batch.record_count(), built(batch)) for batch in found] == expected(size, items)
    assert all(batch.closed() for batch in found)


def test_a_record_without_a_time_has_that_of_its_batch() -> None:
    """All records of a step are written at one moment."""
    (batch,) = batches_of(Producer(1_000), [Item(b"a", b"1", []), Item(b"b", b"2", [])])
    times = {record.timestamp for record in MemoryRecords(built(batch)).next_batch() or ()}

    assert len(times) == 1
    assert min(times) > AT
