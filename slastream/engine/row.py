"""A ticket as a row of the table: one version byte, then MessagePack.

An older row is upcast when it is read; one that a newer release wrote is refused, since guessing at
it could announce a breach that is none.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from slastream.core.alert import Told
from slastream.core.errors import InvariantBroken
from slastream.core.fact import Fact
from slastream.core.instant import Instant
from slastream.core.ticket import Fold

VERSION = 1

MAX_FACTS = 2_000
"""A ticket with more events than this is quarantined: no person works on it."""


class Row(Struct, array_like=True):
    """Everything that is kept of one ticket."""

    fold: Fold
    facts: list[Fact] = []
    told_attributes: list[dict[str, Any]] = []
    told: Told = msgspec.field(default_factory=Told)
    books: str = ""
    """Fingerprint of the books that the fold was made with."""
    deadline: Instant | None = None
    last_log: Instant = 0
    warned: list[str] = []
    quarantined: str = ""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Row)
_HEAD = bytes([VERSION])


def encode_row(row: Row) -> bytes:
    """Return the bytes of a row."""
    return _HEAD + _encoder.encode(row)


def decode_row(data: bytes) -> Row:
    """Return the row of its bytes; raises `InvariantBroken` for one that a newer release wrote."""
    if data[:1] != _HEAD:
        raise InvariantBroken(
            f"a row of version {data[0] if data else '(empty)'} was found and this release writes {VERSION}: "
            "run the newer release, or start with an empty prefix"
        )
    return _decoder.decode(memoryview(data)[1:])


def deadline_of(data: bytes) -> Instant | None:
    """Return the deadline in a row's bytes, from which a store rebuilds its index."""
    return decode_row(data).deadline
