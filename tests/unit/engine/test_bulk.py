"""A store that was made in bulk is the store that the same rows, one after another, would have made."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from slastream.engine import bulk
from slastream.engine.bulk import Bulk
from slastream.engine.rocks import RocksStore

Told = tuple[bytes, bytes | None]


def deadline_of(key: bytes, row: bytes) -> int | None:
    """A row of these tests is a deadline in digits, or something else."""
    return int(row[:6]) if row[:6].isdigit() else None


def told(draw: random.Random, many: int) -> Iterator[Told]:
    """Rows of some tickets, many times each: some deleted, some without a deadline."""
    for _ in range(many):
        key = b"t/%05d" % draw.randrange(many // 3)
        kind = draw.random()
        yield key, None if kind < 0.1 else b"none" if kind < 0.2 else b"%06d-" % draw.randrange(500)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("memory", [10_000, 40])
def test_as_one_after_another(
    tmp_path: Path, seed: int, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last version of each row, its deadline and no other, whatever fits into memory at once."""
    monkeypatch.setattr(bulk, "DUE", memory)
    draw = random.Random(seed)
    made, stream = Bulk(tmp_path / "db", deadline_of, spill=200), told(draw, 2_000)
    rows: dict[bytes, bytes | None] = {}
    while batch := list(islice(stream, draw.randrange(1, 60))):
        made.add(dict(batch))
        rows.update(batch)
    made.finish({"position": b"7"})
    wanted = {key: row for key, row in rows.items() if row is not None}
    due = sorted((int(row[:6]), key) for key, row in wanted.items() if row != b"none")
    store = RocksStore(tmp_path / "db")
    try:
        assert dict(store.scan()) == wanted
        assert store.due(1_000, 5_000) == due
        assert store.meta("position") == b"7"
        assert all(store.get(key) == row for key, row in wanted.items())

        # And it goes on as any other store.
        at, key = due[0]
        store.write({key: b"000900-"}, [(900, key)], [(at, key)])

        assert store.due(1_000, 5_000) == [*due[1:], (900, key)]
    finally:
        store.close()


def test_nothing(tmp_path: Path) -> None:
    """A store of no rows at all is a store."""
    Bulk(tmp_path / "db", deadline_of).finish({})
    store = RocksStore(tmp_path / "db")

    assert list(store.scan()) == []
    assert store.first_deadline() is None

    store.close()


def test_given_up(tmp_path: Path) -> None:
    """What is given up half-way leaves no file beside the store."""
    made = Bulk(tmp_path / "db", deadline_of, spill=10)
    made.add({b"t/1": b"000001-", b"t/2": b"000002-"})
    made.close()
    made.close()

    assert [file.name for file in tmp_path.iterdir()] == ["db"]
