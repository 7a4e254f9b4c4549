"""The store of a worker: one RocksDB per partition.

With `bulk` the only file that knows RocksDB. It knows rows, deadlines and notes as bytes; what a row means,
and where the changelog is, it may not know. Three column families: `rows`, `deadlines` (key =
instant as eight bytes, big-endian, then the row key; no value) and the default one for notes.
"""

from __future__ import annotations

import uuid
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rocksdict import (
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    WriteBatch,
    WriteBufferManager,
)

from slastream.core.errors import Misconfigured
from slastream.core.instant import Instant

FORMAT = 1
"""Of the store's layout, not of the rows. A store with a higher number is refused."""

HEAD = 512
"""How many of the earliest deadlines are kept in memory."""

SCAN = 1_000
MIB = 1024 * 1024

_MEMORY: dict[str, Any] = {}


def _shared(name: str, build: Any) -> Any:
    """Return the one cache or buffer budget that all partitions of this process share."""
    if name not in _MEMORY:
        _MEMORY[name] = build()
    return _MEMORY[name]


def options(write_buffer: int) -> Options:
    """Return how a database of ours is opened; its cache and buffers are those of the process."""
    table = BlockBasedOptions()
    table.set_block_cache(_shared("cache", lambda: Cache(32 * MIB)))
    table.set_cache_index_and_filter_blocks(True)
    table.set_pin_l0_filter_and_index_blocks_in_cache(True)
    table.set_bloom_filter(10, False)
    found = Options(raw_mode=True)
    found.create_if_missing(True)
    found.create_missing_column_families(True)
    found.set_block_based_table_factory(table)
    found.set_write_buffer_size(write_buffer)
    found.set_max_write_buffer_number(3)
    found.set_write_buffer_manager(
        _shared("buffers", lambda: WriteBufferManager(96 * MIB, allow_stall=False))
    )
    found.set_compression_type(DBCompressionType.lz4())
    found.set_level_compaction_dynamic_level_bytes(True)
    # Lookups pass over a young table by its filter, so more of them are cheaper than to merge them.
    found.set_level_zero_file_num_compaction_trigger(8)
    found.set_level_zero_slowdown_writes_trigger(24)
    found.set_max_background_jobs(2)
    found.set_max_open_files(256)
    found.set_keep_log_file_num(2)
    found.set_max_log_file_size(MIB)
    found.set_max_total_wal_size(128 * MIB)
    return found


def _index_key(at: Instant, key: bytes) -> bytes:
    return at.to_bytes(8, "big") + key


class RocksStore:
    """Rows, deadlines and notes on disk. Implements `slastream.engine.store.Store`.

    The earliest deadlines are kept in memory: every entry up to `_edge` is in `_head`, so a look at
    the next deadline costs no read, and a scan starts at the edge and never at zero, where it would
    wade through the tombstones of all that has fired. An insert below the edge goes into the head.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the store in folder `path`.

        A corrupt one is moved to a folder beside it, named by `moved_aside`, and a new one begun.
        Raises `Misconfigured` when another process has it, or a newer release wrote it.
        """
        self.path = path
        self.moved_aside: Path | None = None
        self._db: Rdict | None = self._open()
        self.rows_db = self._db.get_column_family("rows")
        self._rows = self._db.get_column_family_handle("rows")
        self._deadlines = self._db.get_column_family_handle("deadlines")
        self.index_db = self._db.get_column_family("deadlines")
        self._head: list[tuple[Instant, bytes]] = []
        self._edge: tuple[Instant, bytes] | None = (0, b"")
        self._check_format()

    def _open(self) -> Rdict:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return self._open_once()
        except Exception as error:
            reason = str(error)
            if "lock" in reason.lower():
                raise Misconfigured(
                    "another worker uses this folder",
                    where=str(self.path),
                    hint="give each worker a data directory of its own",
                ) from error
            if not any(word in reason for word in ("Corruption", "corrupt", "Checksum")):
                raise
            aside = f"{self.path.name}.corrupt-{uuid.uuid4().hex[:8]}"
            self.moved_aside = self.path.rename(self.path.with_name(aside))
            return self._open_once()

    def _open_once(self) -> Rdict:
        families = {"rows": options(16 * MIB), "deadlines": options(8 * MIB)}
        return Rdict(str(self.path), options(MIB), column_families=families)

    def _check_format(self) -> None:
        found = self.meta("format")
        if found is None:
            self.write({}, meta={"format": str(FORMAT).encode(), "id": uuid.uuid4().hex.encode()})
        elif int(found) > FORMAT:
            self.close()
            raise Misconfigured(
                f"this store has format {int(found)}, this release reads up to {FORMAT}",
                where=str(self.path),
                hint="run the newer release, or delete the folder to have it rebuilt",
            )

    @property
    def id(self) -> str:
        """Return the name that this store was given when it was created."""
        return (self.meta("id") or b"").decode()

    def get(self, key: bytes) -> bytes | None:
        row: bytes | None = self.rows_db.get(key)
        return row

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        rows: list[bytes | None] = self.rows_db.get(list(keys)) if keys else []
        return rows

    def due(self, until: Instant, limit: int) -> list[tuple[Instant, bytes]]:
        head = self._head
        while True:
            end = bisect_left(head, (until + 1, b""))
            if end < len(head) or end >= limit or self._edge is None or self._edge[0] > until:
                return head[: min(end, limit)]
            self._extend(max(HEAD, limit - len(head)))

    def first_deadline(self) -> Instant | None:
        if not self._head and self._edge is not None:
            self._extend(HEAD)
        return self._head[0][0] if self._head else None

    def _extend(self, count: int) -> None:
        """Read up to `count` more deadlines behind the edge into the head."""
        assert self._edge is not None
        start = _index_key(*self._edge)
        cursor = self.index_db.iter()
        cursor.seek(start)
        if cursor.valid() and cursor.key() == start:
            cursor.next()
        while count and cursor.valid():
            entry: bytes = cursor.key()
            self._head.append((int.from_bytes(entry[:8], "big"), entry[8:]))
            cursor.next()
            count -= 1
        self._edge = self._head[-1] if cursor.valid() else None

    def scan(self, after: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        # In chunks: an iterator that outlives this call would keep the lock of a closed store.
        while chunk := self._scan_chunk(after):
            yield from chunk
            after = chunk[-1][0]

    def _scan_chunk(self, after: bytes | None) -> list[tuple[bytes, bytes]]:
        cursor = self.rows_db.iter()
        if after is None:
            cursor.seek_to_first()
        else:
            cursor.seek(after + b"\x00")
        chunk: list[tuple[bytes, bytes]] = []
        while len(chunk) < SCAN and cursor.valid():
            chunk.append((cursor.key(), cursor.value()))
            cursor.next()
        return chunk

    def meta(self, name: str) -> bytes | None:
        assert self._db is not None
        note: bytes | None = self._db.get(name.encode())
        return note

    def write(
        self,
        rows: Mapping[bytes, bytes | None],
        deadlines_put: Iterable[tuple[Instant, bytes]] = (),
        deadlines_del: Iterable[tuple[Instant, bytes]] = (),
        meta: Mapping[str, bytes] | None = None,
    ) -> None:
        assert self._db is not None
        deadlines_put, deadlines_del = list(deadlines_put), list(deadlines_del)
        batch = WriteBatch(raw_mode=True)
        put, delete, index, family = batch.put, batch.delete, self._deadlines, self._rows
        for at, key in deadlines_del:
            delete(at.to_bytes(8, "big") + key, index)
        for at, key in deadlines_put:
            put(at.to_bytes(8, "big") + key, b"", index)
        for key, row in rows.items():
            if row is None:
                delete(key, family)
            else:
                put(key, row, family)
        for name, note in (meta or {}).items():
            put(name.encode(), note)
        self._db.write(batch)
        self._keep_head(deadlines_put, deadlines_del)

    def _keep_head(
        self, added: list[tuple[Instant, bytes]], removed: list[tuple[Instant, bytes]]
    ) -> None:
        head, edge = self._head, self._edge
        for entry in removed:
            if edge is None or entry <= edge:
                at = bisect_left(head, entry)
                if at < len(head) and head[at] == entry:
                    del head[at]
        for entry in added:
            if edge is None or entry <= edge:
                at = bisect_left(head, entry)
                if at == len(head) or head[at] != entry:
                    insort(head, entry)
        if len(head) > 4 * HEAD:
            del head[HEAD:]
            self._edge = head[-1]

    def close(self) -> None:
        if self._db is None:
            return
        db, self._db = self._db, None
        self.rows_db.close()
        self.index_db.close()
        # A handle that is still alive keeps the lock of the folder.
        del self._rows, self._deadlines, self.rows_db, self.index_db
        db.flush_wal(True)
        db.close()
