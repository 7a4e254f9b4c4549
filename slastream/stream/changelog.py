"""The committed changelog is the truth, a partition's store a cache of it: here it catches up.

Knows the layout of `sla.state.v1` and of the notes in the store; what a row means it asks.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from slastream.core.errors import Misconfigured
from slastream.core.instant import Instant
from slastream.engine.rocks import RocksStore
from slastream.kafka.reading import end_behind
from slastream.stream.helpers import Helpers
from slastream.stream.position import POSITION as POSITION
from slastream.stream.position import Position as Position
from slastream.stream.position import Seen
from slastream.stream.rebuild import DeadlineOf, Request, reader, rebuild

TOMBSTONES = 24 * 3600.0
"""Seconds for which a deleted row's tombstone stays, where the topic does not say otherwise."""

PATIENCE = 15.0
"""Seconds without a record after which catching up is begun anew, with new connections."""

CHUNK = 2_000

SMALL = 8 * 1024 * 1024
"""Bytes of rows that are sorted at once where others wait for their turn meanwhile."""

HELPED = 50_000
"""Offsets from which on a store is rebuilt in a process of its own."""


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
        tombstones: float = TOMBSTONES,
        helpers: Helpers | None = None,
    ) -> None:
        self._helpers = helpers
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
        self._limit: asyncio.Timeout | None = None

    async def catch_up(self, path: Path, end: int, store: RocksStore | None = None) -> Recovered:
        """Open the store at `path` (or go on with an open one) and replay what it has not seen.

        `end` is the offset of this owner's claim, in front of which everything is read: a broker that
        was frozen still believes to lead, and tells of an end that has long been passed.
        Raises `Misconfigured` when the journal is not the one that was read before, and KafkaError when
        the broker does not answer, and TimeoutError when nothing has come of it for `PATIENCE`.
        """
        started = time.monotonic()
        self.replayed = 0
        for left in path.parent.glob(f"{path.name}.new-*"):
            rmtree(left, ignore_errors=True)  # of a rebuild that was cut short
        consumer = reader(self._client)
        try:
            async with asyncio.timeout(PATIENCE) as self._limit:
                store, position, because, lost = await self._caught_up(consumer, path, end, store)
        finally:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(consumer.stop(), 2.0)
        seconds = time.monotonic() - started
        return Recovered(store, position, self.replayed, seconds, because, lost)

    async def _caught_up(
        self, consumer: AIOKafkaConsumer, path: Path, end: int, store: RocksStore | None
    ) -> tuple[RocksStore, Position, str, int]:
        opened = store
        try:
            await consumer.start()
            consumer.assign([self._changelog, self._journal])
            consumer.pause(self._journal)
            store = opened = store or RocksStore(path)
            because = f"corrupt, moved to {store.moved_aside}" if store.moved_aside else ""
            try:
                await self._replay(consumer, store, end)
            except _Stranger as stranger:
                because = because or str(stranger)
                store.close()
                store = opened = await self._rebuild(consumer, path, end)
            position, lost = await self._check(consumer, store)
        except BaseException:
            if opened is not None:
                opened.close()
            raise
        return store, position, because, lost

    async def _rebuild(self, consumer: AIOKafkaConsumer, path: Path, end: int) -> RocksStore:
        """Make the store anew, beside its place, and put it there when it is whole."""
        tp = self._changelog
        rmtree(path, ignore_errors=True)
        new = path.with_name(f"{path.name}.new-{uuid.uuid4().hex[:8]}")
        begin = (await consumer.beginning_offsets([tp]))[tp]
        self._progress(0, end - begin)
        try:
            if self._helpers is not None and end - begin >= HELPED:
                # Others may have all helpers, for as long as their stores take.
                self._wait(None)
                self.replayed = await self._helpers.rebuild(self._request(new, end), self._progress)
                self._wait(PATIENCE)
            else:
                self.replayed = await rebuild(
                    consumer, tp, end, new, self._deadline_of, self._progress, SMALL
                )
            new.rename(path)
        finally:
            rmtree(new, ignore_errors=True)
        return RocksStore(path)

    def _request(self, path: Path, end: int) -> Request:
        ask, client = self._deadline_of, self._client
        return Request(
            broker=client["bootstrap_servers"],
            client_id=client.get("client_id", "slastream"),
            topic=self._changelog.topic,
            partition=self._changelog.partition,
            end=end,
            path=str(path.absolute()),
            deadline_of=f"{ask.__module__}:{ask.__qualname__}",
        )

    def _progress(self, replayed: int, ahead: int) -> None:
        if self._limit is not None and self._limit.when() is not None and replayed != self.replayed:
            self._wait(PATIENCE)
        self.replayed, self.ahead = replayed, max(0, ahead)

    def _wait(self, seconds: float | None) -> None:
        assert self._limit is not None
        now = asyncio.get_running_loop().time()
        self._limit.reschedule(None if seconds is None else now + seconds)

    async def _replay(self, consumer: AIOKafkaConsumer, store: RocksStore, end: int) -> None:
        """Bring `store` to the end of the changelog. Raises `_Stranger` when it cannot be."""
        tp = self._changelog
        begin = (await consumer.beginning_offsets([tp]))[tp]
        reached = store.meta("changelog")
        if reached is None:
            if begin < end or next(store.scan(), None) is not None:
                raise _Stranger("no store on this disk")
            return
        # From one record earlier: it must be, or be followed by, a position of our lineage.
        position = int(reached) - 1
        self._check_store(store, position, begin, end)
        consumer.seek(tp, position)
        lineage, seen = store.meta("lineage"), False
        while True:
            position = await consumer.position(tp)
            self._progress(self.replayed, end - position)
            if position >= end:
                break
            for records in (await consumer.getmany(tp, timeout_ms=500)).values():
                for at in range(0, len(records), CHUNK):
                    seen |= self._apply(store, records[at : at + CHUNK], lineage)
                    await asyncio.sleep(0)
        if not seen:
            raise _Stranger("the changelog does not hold what this store was made from")

    def _check_store(self, store: RocksStore, position: int, begin: int, end: int) -> None:
        if position >= end:
            raise _Stranger(f"the store is at {position + 1}, the changelog ends at {end}")
        if position < begin:
            raise _Stranger(f"the changelog begins at {begin}, the store is at {position + 1}")
        age = time.time() - float(store.meta("written") or 0)
        if age > 0.8 * self._tombstones:
            # It may have missed a tombstone that compaction has removed since.
            raise _Stranger(f"the store is {age / 3600:.0f} h old")

    def _apply(self, store: RocksStore, records: Sequence[Any], lineage: bytes | None) -> bool:
        """Write one chunk of the changelog; returns whether there is a position record in it.

        The store's note points behind a position record and nowhere else, so that the next replay
        begins with one. Rows behind it are replayed again, which does no harm.
        """
        rows: dict[bytes, bytes | None] = {}
        seen: Seen | None = None
        for record in records:
            if record.key == POSITION:
                seen = Seen.of(record)
                if seen.lineage != lineage:
                    raise _Stranger("the changelog was begun anew")
            elif record.key and record.key[0]:
                rows[record.key] = record.value
        gone = self._deadlines(zip(rows, store.get_many(list(rows)), strict=True))
        coming = self._deadlines(rows.items())
        store.write(rows, coming, gone, {} if seen is None else seen.note())
        self._progress(self.replayed + len(records), self.ahead)
        return seen is not None

    def _deadlines(self, rows: Iterable[tuple[bytes, bytes | None]]) -> list[tuple[Instant, bytes]]:
        ask = self._deadline_of
        return [
            (at, key) for key, row in rows if row is not None and (at := ask(key, row)) is not None
        ]

    async def _check(self, consumer: AIOKafkaConsumer, store: RocksStore) -> tuple[Position, int]:
        """Compare the position with the journal; begin one where there is none."""
        tp = self._journal
        begin = (await consumer.beginning_offsets([tp]))[tp]
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
        end = await end_behind(consumer, tp, position.offset)
        if position.offset > end:
            raise Misconfigured(
                f"the journal ends at {end}, but {position.offset} records of it were applied:"
                " it was recreated or truncated",
                where=f"{tp.topic}[{tp.partition}]",
                hint=f"restore it, or recreate {self._changelog.topic} too, to judge from zero",
            )
        return position, max(0, begin - position.offset)
