"""After the end: what each worker's disk holds against the committed changelog.

RocksDB is a cache of the changelog: rows, deadlines and position of the store that was written last
must be those of the changelog, no more and no less.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from slastream.engine.rocks import RocksStore
from slastream.engine.row import deadline_of
from slastream.settings import Settings
from slastream.stream.changelog import POSITION, Position

FAR, MANY = 1 << 62, 1 << 22


async def audit(
    settings: Settings, disks: Sequence[Path], partitions: int
) -> tuple[list[str], int]:
    """Return what is wrong, in words, and how many stores were compared."""
    wrong: list[str] = []
    compared = 0
    told = await _ends(settings, partitions)
    for number, (table, end) in (await _changelog(settings, partitions)).items():
        position = table.pop(POSITION, None)
        # Each slice ends with a heartbeat; the last one may be read and not written down.
        if position is not None and Position.decode(position).offset < told[number] - 1:
            wrong.append(f"partition {number} is at {position!r}, its journal at {told[number]}")
        rows = {key: row for key, row in table.items() if key[0] and row is not None}
        current = False
        for disk in disks:
            path = disk / f"{settings.app_id}-{number}.rocksdb"
            if not path.exists():
                continue
            store = RocksStore(path)
            try:
                behind = int(store.meta("changelog") or 0)
                if behind > end:
                    wrong.append(f"{path} is at {behind}, the changelog ends at {end}")
                if position is not None and store.meta("position") == position:
                    current = True
                    compared += 1
                    wrong += [f"{path}: {what}" for what in _differences(store, rows)]
            finally:
                store.close()
        if position is not None and not current:
            wrong.append(f"partition {number}: no store reached {position!r}")
    return wrong, compared


def _differences(store: RocksStore, rows: dict[bytes, bytes]) -> list[str]:
    wrong = []
    found = dict(store.scan())
    for key in sorted(found.keys() | rows.keys()):
        if found.get(key) != rows.get(key):
            wrong.append(f"the row of {key!r} is not the changelog's")
    due = {(at, key) for key, row in rows.items() if (at := deadline_of(key, row)) is not None}
    kept = set(store.due(FAR, MANY))
    wrong += [f"the deadline {entry} is on one side only" for entry in sorted(due ^ kept)]
    return wrong


async def _changelog(
    settings: Settings, partitions: int
) -> dict[int, tuple[dict[bytes, Any], int]]:
    """Return partition -> the last value of each key, read-committed, and where the log ends."""
    topic = settings.topic("state")
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.broker,
        isolation_level="read_committed",
        enable_auto_commit=False,
    )
    tables: dict[int, tuple[dict[bytes, Any], int]] = {}
    async with consumer:
        for number in range(partitions):
            tp = TopicPartition(topic, number)
            consumer.assign([tp])
            await consumer.seek_to_beginning(tp)
            end = (await consumer.end_offsets([tp]))[tp]
            table: dict[bytes, Any] = {}
            while await consumer.position(tp) < end:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    table.update((record.key, record.value) for record in records)
            tables[number] = table, end
    return tables


async def _ends(settings: Settings, partitions: int) -> dict[int, int]:
    """Return partition -> where its journal ends."""
    topic = settings.topic("tickets")
    async with AIOKafkaConsumer(bootstrap_servers=settings.broker) as consumer:
        ends = await consumer.end_offsets([TopicPartition(topic, n) for n in range(partitions)])
    return {tp.partition: end for tp, end in ends.items()}
