"""Rows that were written lately, as objects: most events are of tickets that others have just told of."""

from __future__ import annotations

from typing import Final

from slastream.core.shapes import Row
from slastream.engine.row import decode_row

MOST: Final = 16_384
"""Rows that are remembered at the most, by all partitions of a worker: some 150 MB."""


class Recent:
    """Remembers what bytes decode to, and is never a second truth.

    A row is given out against the very bytes that it was encoded to, and given away: whoever has it
    may change it. So what an aborted step leaves here is of no consequence.
    """

    def __init__(self, most: int = MOST) -> None:
        self._half = max(1, most // 2)
        self._young: dict[bytes, tuple[bytes, Row]] = {}
        self._old: dict[bytes, tuple[bytes, Row]] = {}

    def take(self, key: bytes, data: bytes) -> Row:
        """Return the row of `data`, which is forgotten here."""
        found = self._young.pop(key, None)
        if found is None:
            found = self._old.pop(key, None)
        if found is not None and found[0] == data:
            return found[1]
        return decode_row(data)

    def keep(self, key: bytes, data: bytes, row: Row) -> None:
        """Remember a row that was encoded to `data`; the caller changes it no more."""
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[key] = data, row
