"""A store made from a long run of rows, several times faster than one that takes them by batches.

Knows RocksDB, as `rocks` does; what a row means it asks. Rows are sorted in memory and written as
table files that the store takes over as they are: no write-ahead log, no memtable, and no row is
ever read again. The deadline of each ticket's last version is kept apart, in memory, or where there are
many in a small database of its own; from them the index is made at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from shutil import rmtree

from rocksdict import IngestExternalFileOptions, Rdict, SstFileWriter

from slastream.core.instant import Instant
from slastream.engine.rocks import MIB, RocksStore, options

SPILL = 48 * MIB
"""Bytes of rows that are kept in memory before they are sorted and written."""

DUE = 300_000
"""Deadlines that are kept in memory, before they are sorted and written too."""

TABLES = 16
"""Overlapping tables at which the store begins to merge them; it does so by itself afterwards."""


class Bulk:
    """Makes one store at `path`, where there must be none. Nobody sees it until `finish`."""

    def __init__(
        self,
        path: Path,
        deadline_of: Callable[[bytes, bytes], Instant | None],
        spill: int = SPILL,
    ) -> None:
        self._ask = deadline_of
        self._limit = spill
        self._files = path.with_name(f"{path.name}.files")
        rmtree(self._files, ignore_errors=True)
        self._files.mkdir(parents=True)
        self._store = RocksStore(path)
        self._store.rows_db.set_options({"level0_file_num_compaction_trigger": str(TABLES)})
        self._due: dict[bytes, bytes] = {}
        self._due_db: Rdict | None = None
        self._rows: dict[bytes, bytes | None] = {}
        self._size = 0
        self._tables = 0
        self._closed = False

    def add(self, rows: Mapping[bytes, bytes | None]) -> None:
        """Take rows, None for one that was deleted; of two with one key, the later one holds."""
        self._rows.update(rows)
        self._size += sum(len(row) for row in rows.values() if row is not None)
        if self._size >= self._limit:
            self._spill()

    def finish(self, notes: Mapping[str, bytes]) -> None:
        """Make the index, write the notes, and close the store."""
        self._spill()
        if self._due_db is not None and self._due:
            self._spill_due()
        entries = (due + key for key, due in self._last_due() if due)
        while chunk := sorted(islice(entries, DUE)):
            with self._table(self._store.index_db) as table:
                for entry in chunk:
                    table[entry] = b""
        del entries  # an iterator that is alive keeps its database open
        self._store.write({}, meta=notes)
        self.close()

    def close(self) -> None:
        """Let go of everything, finished or not. Closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        self._store.close()
        if self._due_db is not None:
            self._due_db.close()
        rmtree(self._files, ignore_errors=True)

    def _spill(self) -> None:
        rows, self._rows, self._size = self._rows, {}, 0
        if not rows:
            return
        keys, ask, deadlines = sorted(rows), self._ask, []
        with self._table(self._store.rows_db) as table:
            for key in keys:
                row = rows[key]
                if row is None:
                    del table[key]
                    deadlines.append(b"")
                else:
                    table[key] = row
                    at = ask(key, row)
                    deadlines.append(b"" if at is None else at.to_bytes(8, "big"))
        self._due.update(zip(keys, deadlines, strict=True))
        if len(self._due) > DUE:
            self._spill_due()

    def _spill_due(self) -> None:
        due, self._due = self._due, {}
        if self._due_db is None:
            self._due_db = Rdict(str(self._files / "due"), options(8 * MIB))
        with self._table(self._due_db) as table:
            for key in sorted(due):
                table[key] = due[key]

    def _last_due(self) -> Iterable[tuple[bytes, bytes]]:
        return self._due.items() if self._due_db is None else self._due_db.items()

    @contextmanager
    def _table(self, into: Rdict) -> Iterator[SstFileWriter]:
        """Give a table that takes at least one entry, in order of key; the store has it afterwards."""
        self._tables += 1
        file = str(self._files / f"{self._tables}.sst")
        table = SstFileWriter(options(MIB))
        table.open(file)
        yield table
        table.finish()
        how = IngestExternalFileOptions()
        how.set_move_files(True)
        into.ingest_external_file([file], how)
