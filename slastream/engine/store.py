"""Where a partition keeps its rows and deadlines: the protocol, and a store in memory.

A store is a cache of the committed changelog: it is written after the commit, never before. It is
also where the changelog is replayed into when a partition opens.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from slastream.core.instant import Instant


class Store(Protocol):
    """Rows by key, and an index of (instant, key) in order of instant."""

    def get(self, key: bytes) -> bytes | None:
        """Return the row, or None."""

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the rows of `keys`, in their order."""

    def due(self, until: Instant, limit: int) -> list[tuple[Instant, bytes]]:
        """Return the earliest deadlines at or before `until`, at most `limit` of them."""

    def first_deadline(self) -> Instant | None:
        """Return the earliest deadline, or None."""

    def scan(self, after: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Iterate over rows in order of key, those behind `after` only."""

    def meta(self, name: str) -> bytes | None:
        """Return a note that was written beside the rows, such as the changelog position."""

    def write(
        self,
        rows: Mapping[bytes, bytes | None],
        deadlines_put: Iterable[tuple[Instant, bytes]] = (),
        deadlines_del: Iterable[tuple[Instant, bytes]] = (),
        meta: Mapping[str, bytes] | None = None,
    ) -> None:
        """Write all of it or nothing. A None row is deleted. Deletions go before additions."""

    def close(self) -> None:
        """Release the store. Closing twice is harmless."""


class MemoryStore:
    """A store for `backtest`, tests and simulation."""

    def __init__(self) -> None:
        self._rows: dict[bytes, bytes] = {}
        self._deadlines: list[tuple[Instant, bytes]] = []
        self._meta: dict[str, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        return self._rows.get(key)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self._rows.get(key) for key in keys]

    def due(self, until: Instant, limit: int) -> list[tuple[Instant, bytes]]:
        end = bisect_left(self._deadlines, (until + 1, b""))
        return self._deadlines[: min(end, limit)]

    def first_deadline(self) -> Instant | None:
        return self._deadlines[0][0] if self._deadlines else None

    def scan(self, after: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        for key in sorted(self._rows):
            if after is None or key > after:
                yield key, self._rows[key]

    def meta(self, name: str) -> bytes | None:
        return self._meta.get(name)

    def write(
        self,
        rows: Mapping[bytes, bytes | None],
        deadlines_put: Iterable[tuple[Instant, bytes]] = (),
        deadlines_del: Iterable[tuple[Instant, bytes]] = (),
        meta: Mapping[str, bytes] | None = None,
    ) -> None:
        for entry in deadlines_del:
            at = bisect_left(self._deadlines, entry)
            if at < len(self._deadlines) and self._deadlines[at] == entry:
                del self._deadlines[at]
        for entry in deadlines_put:
            at = bisect_left(self._deadlines, entry)
            if at == len(self._deadlines) or self._deadlines[at] != entry:
                insort(self._deadlines, entry)
        for key, value in rows.items():
            if value is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = value
        self._meta.update(meta or {})

    def close(self) -> None:
        pass
