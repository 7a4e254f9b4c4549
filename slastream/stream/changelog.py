"""The committed changelog is the truth, a partition's store a cache of it: here it catches up.

Knows the layout of `sla.state.v1` and of the notes in the store; what a row means it asks.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
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

TOMBSTONES = 24 * 3600.0
"""Seconds for which a deleted row's tombstone stays, where the topic does not say otherwise."""

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


@dataclass(frozen=True, slots=True)
class _Seen:
    """The last position record that was replayed."""

    lineage: bytes
    behind: int
    """The changelog offset behind it."""

    def note(self) -> dict[str, bytes]:
        """Return the notes that say how far a store is, and since when."""
        return {"changelog": b"%d" % self.behind, "written": b"%d" % time.time()}


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
        tombstones: float = TOMBSTONES,
    ) -> None:
        self._tombstones = tombstones
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
        lineage, fresh = store.meta("lineage"), reached is None
        seen: _Seen | None = None
        while True:
            position = await consumer.position(tp)
            self.ahead = end - position
            if position >= end:
                break
            for records in (await consumer.getmany(tp, timeout_ms=500)).values():
                for at in range(0, len(records), CHUNK):
                    found = self._apply(store, records[at : at + CHUNK], lineage, fresh)
                    if found is not None:
                        lineage, seen = found.lineage, found
                    await asyncio.sleep(0)
        if fresh and seen is not None:
            await self._index(store, seen)
        if reached is not None and seen is None:
            raise _Stranger("the changelog does not hold what this store was made from")
        return "" if reached is not None or not self.replayed else "no store on this disk"

    def _check_store(self, store: RocksStore, position: int, begin: int, end: int) -> None:
        if position >= end:
            raise _Stranger(f"the store is at {position + 1}, the changelog ends at {end}")
        if position < begin:
            raise _Stranger(f"the changelog begins at {begin}, the store is at {position + 1}")
        age = time.time() - float(store.meta("written") or 0)
        if age > 0.8 * self._tombstones:
            # It may have missed a tombstone that compaction has removed since.
            raise _Stranger(f"the store is {age / 3600:.0f} h old")

    def _apply(
        self, store: RocksStore, records: Sequence[Any], lineage: bytes | None, fresh: bool
    ) -> _Seen | None:
        """Write one chunk of the changelog; returns the last position record in it, if any.

        The store's note points behind a position record and nowhere else, so that the next replay
        begins with one. Rows behind it are replayed again, which does no harm. A fresh store gets
        its rows alone: its deadlines are made at the end, from the rows that are left, and until
        then it has no note of how far it is.
        """
        rows: dict[bytes, bytes | None] = {}
        meta: dict[str, bytes] = {}
        found: _Seen | None = None
        for record in records:
            if record.key == POSITION:
                found = _Seen(Position.decode(record.value).lineage.encode(), record.offset + 1)
                if lineage is not None and found.lineage != lineage:
                    raise _Stranger("the changelog was begun anew")
                lineage = meta["lineage"] = found.lineage
                meta["position"] = record.value
            elif record.key and record.key[0]:
                rows[record.key] = record.value
        gone: list[tuple[Instant, bytes]] = []
        coming: list[tuple[Instant, bytes]] = []
        if not fresh:
            if found is not None:
                meta |= found.note()
            before = zip(rows, store.get_many(list(rows)), strict=True)
            gone = self._deadlines(before)
            coming = self._deadlines(rows.items())
        store.write(rows, coming, gone, meta)
        self.replayed += len(records)
        return found

    def _deadlines(self, rows: Iterable[tuple[bytes, bytes | None]]) -> list[tuple[Instant, bytes]]:
        ask = self._deadline_of
        return [
            (at, key) for key, row in rows if row is not None and (at := ask(key, row)) is not None
        ]

    async def _index(self, store: RocksStore, seen: _Seen) -> None:
        """Make the deadlines of a fresh store from its rows, and note that it is whole."""
        rows = store.scan()
        while chunk := list(islice(rows, CHUNK)):
            store.write({}, self._deadlines(chunk))
            await asyncio.sleep(0)
        store.write({}, meta=seen.note())

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
