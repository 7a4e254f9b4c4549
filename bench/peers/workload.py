"""The input of every engine: the canonical workload as bytes, made once, and kept in a file.

Eight events a ticket, spread over the partitions as Kafka's own partitioner does, each with its own
time as the record's, and one record an hour of that time that tells of no ticket (`job.HEARTBEAT`):
slastream's simulated time goes on by those, and the peers pass over them.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaProducer

from bench import workload
from bench.peers.job import HEARTBEAT, HOUR
from slastream import wire
from slastream.core.event import Event
from slastream.stream.partitioner import partition_of
from slastream.stream.transaction import Item, batches_of

Told = tuple[bytes, bytes | None, int]
"""Key, value and time of one record."""


@dataclass(frozen=True)
class Input:
    """The records of each partition, in order."""

    tickets: int
    parts: list[list[Told]]

    @property
    def records(self) -> int:
        """All of them, heartbeats included."""
        return sum(map(len, self.parts))

    @property
    def sha256(self) -> str:
        """What two runs must share to be compared."""
        total = hashlib.sha256()
        for part in self.parts:
            for key, value, at in part:
                total.update(b"%b\x00%b\x00%d\n" % (key, value or b"", at))
        return total.hexdigest()

    def values(self) -> Iterator[bytes]:
        """Yield the events' bytes, partition by partition."""
        for part in self.parts:
            yield from (value for _, value, _ in part if value is not None)


def made(tickets: int, partitions: int) -> tuple[Input, list[Event]]:
    """Return the input and the events it was made of."""
    events = list(workload.events(tickets))
    parts: list[list[Told]] = [[] for _ in range(partitions)]
    places: dict[bytes, int] = {}
    hour = events[0].occurred_at // HOUR + 1
    for event in events:
        while hour * HOUR <= event.occurred_at:
            for part in parts:
                part.append((HEARTBEAT, None, hour * HOUR))
            hour += 1
        key = wire.event_key(event)
        place = places.setdefault(key, partition_of(key, partitions))
        parts[place].append((key, wire.encode_event(event), event.occurred_at))
    for part in parts:
        part.append((HEARTBEAT, None, hour * HOUR))
    return Input(tickets, parts), events


def kept(tickets: int, partitions: int, folder: Path) -> Input:
    """Return the input from its file, which is written when it is not there."""
    file = folder / f"input-{tickets}-{partitions}.pickle"
    if file.exists():
        found: Input = pickle.loads(file.read_bytes())
        return found
    told, _ = made(tickets, partitions)
    folder.mkdir(parents=True, exist_ok=True)
    file.write_bytes(pickle.dumps(told))
    return told


async def fill(broker: str, topic: str, told: Input) -> None:
    """Write the input into a topic that exists."""
    async with AIOKafkaProducer(
        bootstrap_servers=broker, acks="all", max_batch_size=512 * 1024
    ) as producer:
        for number, part in enumerate(told.parts):
            items = [Item(key, value, [], at) for key, value, at in part]
            for batch in batches_of(producer, items):
                await (await producer.send_batch(batch, topic, partition=number))
