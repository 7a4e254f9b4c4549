"""Which partition a key goes to: Kafka's murmur2, as the Java client's default partitioner does.

Every component that writes a keyed topic uses this one function, so that a ticket has the same
partition everywhere. It knows bytes, nothing else.
"""

from __future__ import annotations

from aiokafka.partitioner import murmur2


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of `key` among `partitions` of them."""
    return (int(murmur2(key)) & 0x7FFFFFFF) % partitions
