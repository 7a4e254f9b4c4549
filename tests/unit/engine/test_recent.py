"""Rows that were written lately are remembered, and what is remembered is never a second truth."""

from __future__ import annotations

import pytest

from slastream.core.shapes import Fold, Row
from slastream.engine.recent import Recent
from slastream.engine.row import decode_row, encode_row


def row(start: int) -> Row:
    return Row(fold=Fold(start, True, "desk"))


def test_a_row_is_given_out_once() -> None:
    """Whoever has it may change it, so the next one gets what the bytes say."""
    recent, kept = Recent(), row(1)
    data = encode_row(kept)
    recent.keep(b"k", data, kept)

    assert recent.take(b"k", data) is kept
    kept.fold.start = 2
    assert recent.take(b"k", data).fold.start == 1


def test_other_bytes_are_another_row() -> None:
    """A step that was aborted leaves here what its changelog never held."""
    recent = Recent()
    aborted = row(2)
    recent.keep(b"k", encode_row(aborted), aborted)

    assert recent.take(b"k", encode_row(row(1))).fold.start == 1


@pytest.mark.parametrize("most", [4, 1])
def test_no_more_rows_than_are_allowed(most: int) -> None:
    """The oldest go first."""
    recent, rows = Recent(most), {b"%d" % n: row(n) for n in range(10)}
    for key, each in rows.items():
        recent.keep(key, encode_row(each), each)

    held = [k for k, each in rows.items() if recent.take(k, encode_row(each)) is each]
    assert max(1, most // 2) <= len(held) <= max(2, most)
    assert held[-1] == b"9"
    assert decode_row(encode_row(rows[b"0"])).fold.start == 0
