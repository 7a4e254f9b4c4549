"""A ticket as a row of the table: a version byte, the deadline, a sum of the books, then MessagePack.

What stands in front lets a store rebuild its index, and a sweep pass over rows, without decoding.

An older row is upcast when it is read; one that a newer release wrote is refused, since guessing at
it could announce a breach that is none.
"""

from __future__ import annotations

import struct
from typing import Final
from zlib import crc32

import msgspec

from slastream.core.errors import InvariantBroken
from slastream.core.instant import Instant
from slastream.core.shapes import Row

VERSION: Final = 1

NOTE: Final = b"!"
"""Keys that begin so are no tickets but notes of the partition, such as statuses already warned of."""

MAX_FACTS: Final = 1_000
"""A ticket with more events than this is quarantined: no person works on it."""


MAX_TOLD: Final = 400_000
"""Bytes of events that told a ticket something new. A row holds them twice at the most, once as told and
once as they stand, and a record on the changelog must stay below a broker's usual mebibyte."""


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Row)
_HEAD: Final = struct.Struct(">BqI")
_NO_DEADLINE: Final = -1


def encode_row(row: Row) -> bytes:
    """Return the bytes of a row."""
    deadline = _NO_DEADLINE if row.deadline is None else row.deadline
    return _HEAD.pack(VERSION, deadline, crc32(row.books.encode())) + _encoder.encode(row)


def decode_row(data: bytes) -> Row:
    """Return the row of its bytes; raises `InvariantBroken` for one that a newer release wrote."""
    _check(data)
    return _decoder.decode(memoryview(data)[_HEAD.size :])


def deadline_of(key: bytes, data: bytes) -> Instant | None:
    """Return the deadline in a row's bytes, from which a store rebuilds its index."""
    if key.startswith(NOTE):
        return None
    _check(data)
    deadline: int = _HEAD.unpack_from(data)[1]
    return None if deadline == _NO_DEADLINE else deadline


def judged_by(data: bytes, fingerprint: str) -> bool:
    """Return whether a row was judged by the books of this fingerprint, without decoding it."""
    _check(data)
    return bool(_HEAD.unpack_from(data)[2] == crc32(fingerprint.encode()))


def _check(data: bytes) -> None:
    if len(data) < _HEAD.size or data[0] != VERSION:
        raise InvariantBroken(
            f"a row of version {data[0] if data else '(empty)'} was found and this release reads {VERSION}: "
            "run the newer release, or start with an empty prefix"
        )
