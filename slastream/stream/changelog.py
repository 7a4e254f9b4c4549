"""The committed changelog is the truth, a partition's store a cache of it: here it catches up.

Knows the layout of `sla.state.v1` and of the notes in the store; what a row means it asks.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from slastream.core.errors import Misconfigured
from slastream.core.instant import Instant
from slastream.engine.rocks import RocksStore

POSITION = b"\x00position"
"""The key under which each transaction writes how far into the journal it reached."""

TOO_OLD = 20 * 3600.0
"""Seconds after which a store is not believed: a tombstone that it missed may be gone (24 h)."""

CHUNK = 2_000

DeadlineOf = Callable[[bytes, bytes], Instant | None]
"""(key, row) -> the instant under which the row stands in the index."""


@dataclass(frozen=True, slots=True)
class Position:
    """The last record of every transaction: the next journal offset, and whose journal that is."""

    offset: int
    lineage: str
    """A name drawn when the changelog began; a recreated changelog has another."""
    cluster: str

    def encode(self) -> bytes:
        return orjson.dumps(
            {"offset": self.offset, "lineage": self.lineage, "cluster": self.cluster}
        )

    @classmethod
    def decode(cls, value: bytes) -> Position:
        read = orjson.loads(value)
        return cls(int(read["offset"]), str(read["lineage"]), str(read["cluster"]))


@dataclass(frozen=True, slots=True)
class Recovered:
    """An open store that has everything that was committed."""

    store: RocksStore
    position: Position
    rows: int
    """How many changelog records were replayed."""
    seconds: float
    because: str
    """Why it was rebuilt from zero; empty when it was not."""
    lost: int
    """How many journal records were deleted before they were read."""


class _Stranger(Exception):
    """The store does not descend from this changelog."""


class Changelog:
    """One partition of the changelog beside the same partition of the journal."""

    def __init__(
        self,
        client: Mapping[str, Any],
        changelog: TopicPartition,
        journal: TopicPartition,
        cluster: str,
        deadline_of: DeadlineOf,
    ) -> None:
        self._client = client
        self._changelog = changelog
        self._journal = journal
        self._cluster = cluster
        self._deadline_of = deadline_of
        self.replayed = 0
        """Records replayed so far, for whoever shows progress."""
        self.ahead = 0
        """Offsets still to replay."""

    async def catch_up(self, path: Path, store: RocksStore | None = None) -> Recovered:
        """Open the store at `path` (or go on with an open one) and replay what it has not seen.

        To be called after the partition's producer has fenced all others, so that the end of the
        changelog stands still. Raises `Misconfigured` when the journal is not the one that was read
        before, and KafkaError when the broker does not answer.
        """
        started = time.monotonic()
        self.replayed = 0
        consumer = AIOKafkaConsumer(
            **self._client,
            group_id=None,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=4 * 1024 * 1024,
            fetch_max_wait_ms=200,
        )
        opened = store
        try:
            await asyncio.wait_for(consumer.start(), 15)
            consumer.assign([self._changelog, self._journal])
            consumer.pause(self._journal)
            store = opened = store or RocksStore(path)
            because = f"corrupt, moved to {store.moved_aside}" if store.moved_aside else ""
            try:
                found = await self._replay(consumer, store)
                because = because or found
            except _Stranger as stranger:
                because = str(stranger)
                store.close()
                rmtree(path)
                store = opened = RocksStore(path)
                await self._replay(consumer, store)
            position, lost = await self._check(consumer, store)
        except BaseException:
            if opened is not None:
                opened.close()
            raise
        finally:
            await consumer.stop()
        seconds = time.monotonic() - started
        return Recovered(store, position, self.replayed, seconds, because, lost)

    async def _replay(self, consumer: AIOKafkaConsumer, store: RocksStore) -> str:
        """Bring `store` to the end of the changelog. Raises `_Stranger` when it cannot be."""
        tp = self._changelog
        begin = (await consumer.beginning_offsets([tp]))[tp]
        end = (await consumer.end_offsets([tp]))[tp]
        reached = store.meta("changelog")
        position = begin
        if reached is not None:
            # From one record earlier: it must be, or be followed by, a position of our lineage.
            position = int(reached) - 1
            self._check_store(store, position, begin, end)
        elif next(store.scan(), None) is not None:
            raise _Stranger("its last rebuild was cut short")
        consumer.seek(tp, position)
        lineage = store.meta("lineage")
        seen = False
        while True:
            position = await consumer.position(tp)
            self.ahead = end - position
            if position >= end:
                break
            for records in (await consumer.getmany(tp, timeout_ms=500)).values():
                for at in range(0, len(records), CHUNK):
                    found = self._apply(store, records[at : at + CHUNK], lineage)
                    lineage, seen = found or lineage, seen or found is not None
                    await asyncio.sleep(0)
        if reached is not None and not seen:
            raise _Stranger("the changelog does not hold what this store was made from")
        return "" if reached is not None or not self.replayed else "no store on this disk"

    def _check_store(self, store: RocksStore, position: int, begin: int, end: int) -> None:
        if position >= end:
            raise _Stranger(f"the store is at {position + 1}, the changelog ends at {end}")
        if position < begin:
            raise _Stranger(f"the changelog begins at {begin}, the store is at {position + 1}")
        age = time.time() - float(store.meta("written") or 0)
        if age > TOO_OLD:
            raise _Stranger(f"the store is {age / 3600:.0f} h old")

    def _apply(
        self, store: RocksStore, records: Sequence[Any], lineage: bytes | None
    ) -> bytes | None:
        """Write one chunk of the changelog; returns the lineage that it names, if it does."""
        rows: dict[bytes, bytes | None] = {}
        meta: dict[str, bytes] = {}
        found: bytes | None = None
        for record in records:
            if record.key == POSITION:
                found = Position.decode(record.value).lineage.encode()
                if lineage is not None and found != lineage:
                    raise _Stranger("the changelog was begun anew")
                lineage = meta["lineage"] = found
                meta["position"] = record.value
            elif record.key and record.key[0]:
                rows[record.key] = record.value
        if lineage is not None:
            # Without one the store could not be told from a stranger's the next time.
            meta["changelog"] = b"%d" % (records[-1].offset + 1)
            meta["written"] = b"%d" % time.time()
        keys = list(rows)
        ask = self._deadline_of
        gone = [
            (at, key)
            for key, row in zip(keys, store.get_many(keys), strict=True)
            if row is not None and (at := ask(key, row)) is not None
        ]
        coming = [
            (at, key)
            for key, row in rows.items()
            if row is not None and (at := ask(key, row)) is not None
        ]
        store.write(rows, coming, gone, meta)
        self.replayed += len(records)
        return found

    async def _check(self, consumer: AIOKafkaConsumer, store: RocksStore) -> tuple[Position, int]:
        """Compare the position with the journal; begin one where there is none."""
        tp = self._journal
        begin = (await consumer.beginning_offsets([tp]))[tp]
        end = (await consumer.end_offsets([tp]))[tp]
        noted = store.meta("position")
        if noted is None:
            return Position(begin, uuid.uuid4().hex, self._cluster), 0
        position = Position.decode(noted)
        if position.cluster != self._cluster:
            raise Misconfigured(
                f"its state was made from cluster {position.cluster}, this is {self._cluster}",
                where=f"{tp.topic}[{tp.partition}]",
                hint="a mirrored journal needs a prefix and state of its own",
            )
        if position.offset > end:
            raise Misconfigured(
                f"the journal ends at {end}, but {position.offset} records of it were applied:"
                " it was recreated or truncated",
                where=f"{tp.topic}[{tp.partition}]",
                hint=f"restore it, or recreate {self._changelog.topic} too, to judge from zero",
            )
        return position, max(0, begin - position.offset)
