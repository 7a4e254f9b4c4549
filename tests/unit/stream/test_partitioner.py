"""A ticket has the same partition whoever writes it."""

from __future__ import annotations

import pytest

from slastream.stream.partitioner import partition_of


# What the Java client's default partitioner gives; the hashes are those of Kafka's own UtilsTest.
@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    ],
)
def test_as_the_java_client_does(key: bytes, hashed: int) -> None:
    """murmur2, made positive by its sign bit, modulo the number of partitions."""
    for partitions in (1, 4, 7, 100):
        assert partition_of(key, partitions) == (hashed & 0x7FFFFFFF) % partitions
