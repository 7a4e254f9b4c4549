"""A ticket as a row of the table: a version byte, the deadline, a sum of the books, then MessagePack.

What stands in front lets a store rebuild its index, and a sweep pass over rows, without decoding.
Each shape is an array of its members in the order of its constructor: a new member goes to the end
there and here, where an older row lacks it.

An older row is upcast when it is read; one that a newer release wrote is refused, since guessing at
it could announce a breach that is none.
"""

from __future__ import annotations

import struct
from typing import Any, Final
from zlib import crc32

import msgspec

from slastream.core.errors import InvariantBroken
from slastream.core.fact import Facts, unpacked
from slastream.core.instant import Instant
from slastream.core.shapes import (
    Announced,
    Clock,
    Fold,
    Hit,
    Interval,
    Published,
    Row,
    Told,
)

VERSION: Final = 2
_FACTS_UNPACKED: Final = 1
"""The version before: facts as a list of arrays."""

NOTE: Final = b"!"
"""Keys that begin so are no tickets but notes of the partition, such as statuses already warned of."""

MAX_FACTS: Final = 1_000
"""A ticket with more events than this is quarantined: no person works on it."""


MAX_TOLD: Final = 400_000
"""Bytes of events that told a ticket something new. A row holds them twice at the most, once as told and
once as they stand, and a record on the changelog must stay below a broker's usual mebibyte."""


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(list[Any])
_HEAD: Final = struct.Struct(">BqI")
_NO_DEADLINE: Final = -1


def encode_row(row: Row) -> bytes:
    """Return the bytes of a row."""
    deadline = _NO_DEADLINE if row.deadline is None else row.deadline
    return _HEAD.pack(VERSION, deadline, crc32(row.books.encode())) + _encoder.encode(_row_out(row))


def decode_row(data: bytes) -> Row:
    """Return the row of its bytes; raises `InvariantBroken` for one that a newer release wrote."""
    _check(data)
    try:
        values = _decoder.decode(memoryview(data)[_HEAD.size :])
        if data[0] == _FACTS_UNPACKED:
            values[1] = _pack(values[1])
        return _row_in(values)
    except (msgspec.DecodeError, TypeError, IndexError) as error:
        raise InvariantBroken(f"a row cannot be read: {error}") from error


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
    if len(data) < _HEAD.size or not _FACTS_UNPACKED <= data[0] <= VERSION:
        raise InvariantBroken(
            f"a row of version {data[0] if data else '(empty)'} was found and this release reads {VERSION}: "
            "run the newer release, or start with an empty prefix"
        )


Values = list[Any]
"""The members of one shape, as MessagePack gives them."""


def _row_out(row: Row) -> tuple[object, ...]:
    fold, facts, told = row.fold, row.facts, row.told
    return (
        (
            fold.start, fold.known, fold.source, fold.state, fold.on, fold.attributes,
            [(one.at, one.state, one.on, one.cause) for one in fold.ledger],
            [_clock_out(clock) for clock in fold.clocks],
            fold.reopened, fold.acknowledged, fold.responded, fold.horizon, fold.unmapped,
        ),
        (facts.packed, facts.count, facts.last),
        row.told_attributes,
        (
            [
                (one.indicator, one.cycle, one.kind, one.text, one.at, one.id, one.how)
                for one in told.alerts
            ],
            [_published_out(one) for one in told.outcomes],
            told.hold, told.quiet_until,
        ),
        row.books, row.held, row.deadline, row.last_log, row.quarantined, row.told_bytes,
        row.stranger, row.erased,
    )  # fmt: skip


def _row_in(values: Values) -> Row:
    told: Values = values[3]
    return Row(
        _fold_in(values[0]),
        _facts_in(values[1]),
        values[2],
        Told(
            [_announced_in(one) for one in told[0]],
            [_published_in(one) for one in told[1]],
            told[2], told[3],
        ),
        values[4], values[5], values[6], values[7], values[8], values[9], values[10], values[11],
    )  # fmt: skip


def _pack(facts: list[Values]) -> Values:
    kept = Facts()
    for values in facts:
        kept.add(unpacked(values))
    return [kept.packed, kept.count, kept.last]


def _facts_in(values: Values) -> Facts:
    last = values[2]
    return Facts(
        values[0],
        values[1],
        None if last is None else (last[0], last[1], last[2], last[3]),
    )


def _fold_in(values: Values) -> Fold:
    unmapped = values[12]
    return Fold(
        values[0], values[1], values[2], values[3], values[4], values[5],
        [_interval_in(one) for one in values[6]],
        [_clock_in(one) for one in values[7]],
        values[8], values[9], values[10], values[11],
        None if unmapped is None else (unmapped[0], unmapped[1]),
    )  # fmt: skip


def _interval_in(values: Values) -> Interval:
    return Interval(values[0], values[1], values[2], values[3])


def _clock_out(clock: Clock) -> tuple[object, ...]:
    return (
        clock.indicator, clock.cycle, clock.started, clock.policy, clock.book, clock.calendar,
        clock.amount, clock.bd, clock.target, clock.phase, clock.elapsed, clock.since, clock.step,
        clock.next_at, clock.due, clock.reached, clock.implied, clock.unverified, clock.breached,
        clock.spent,
        [
            (hit.kind, hit.text, hit.at, hit.cause, hit.on, hit.off, hit.off_at, hit.undone)
            for hit in clock.hits
        ],
        clock.paused, clock.paused_since, clock.paused_on, clock.mark, clock.old, clock.origin,
        clock.base, clock.until,
    )  # fmt: skip


def _clock_in(values: Values) -> Clock:
    mark = values[24]
    return Clock(
        values[0], values[1], values[2], values[3], values[4], values[5], values[6], values[7],
        values[8], values[9], values[10], values[11], values[12], values[13], values[14],
        values[15], values[16], values[17], values[18], values[19],
        [_hit_in(one) for one in values[20]],
        values[21], values[22], values[23],
        None if mark is None else (mark[0], mark[1], mark[2]),
        values[25], values[26], values[27], values[28],
    )  # fmt: skip


def _hit_in(values: Values) -> Hit:
    return Hit(
        values[0], values[1], values[2], values[3], values[4], values[5], values[6], values[7]
    )


def _announced_in(values: Values) -> Announced:
    return Announced(values[0], values[1], values[2], values[3], values[4], values[5], values[6])


def _published_out(one: Published) -> tuple[object, ...]:
    return (
        one.indicator, one.cycle, one.outcome, one.final, one.reached, one.elapsed, one.id,
        one.retracted, one.target, one.breached, one.paused,
    )  # fmt: skip


def _published_in(values: Values) -> Published:
    return Published(
        values[0], values[1], values[2], values[3], values[4], values[5], values[6], values[7],
        values[8], values[9], values[10],
    )  # fmt: skip
