"""How far into the journal a partition is, as the last record of each transaction says it.

Knows the form of that record on `sla.state.v1`, of the claim, and of the notes in a store that repeat it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import orjson

from slastream.core.instant import Instant

POSITION = b"\x00position"
"""The key under which each transaction writes how far into the journal it reached."""

CLAIM = b"\x00claim"
"""The key under which a new owner writes before it reads: what it has to know lies in front of that.

It has no value, so that compaction forgets it.
"""


@dataclass(frozen=True, slots=True)
class Position:
    """The last record of every transaction: the next journal offset, and whose journal that is."""

    offset: int
    lineage: str
    """A name drawn when the changelog began; a recreated changelog has another."""
    cluster: str
    time: Instant = 0
    """The partition's time then. Who comes next may have nothing left to read that would tell it."""

    def encode(self) -> bytes:
        return orjson.dumps(
            {
                "offset": self.offset,
                "lineage": self.lineage,
                "cluster": self.cluster,
                "time": self.time,
            }
        )

    @classmethod
    def decode(cls, value: bytes) -> Position:
        read = orjson.loads(value)
        time = int(read.get("time", 0))  # positions of the first releases have none
        return cls(int(read["offset"]), str(read["lineage"]), str(read["cluster"]), time)


@dataclass(frozen=True, slots=True)
class Seen:
    """The last position record that was replayed."""

    value: bytes
    lineage: bytes
    behind: int
    """The changelog offset behind it."""

    @classmethod
    def of(cls, record: Any) -> Seen:
        """Return what a position record says."""
        lineage = Position.decode(record.value).lineage.encode()
        return cls(record.value, lineage, record.offset + 1)

    def note(self) -> dict[str, bytes]:
        """Return the notes that say how far a store is, of what, and since when."""
        return {
            "position": self.value,
            "lineage": self.lineage,
            "changelog": b"%d" % self.behind,
            "written": b"%d" % time.time(),
        }
