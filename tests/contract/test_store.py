"""One promise, two stores: what the engine may expect of memory and of RocksDB alike."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slastream.core.errors import Misconfigured
from slastream.engine import rocks
from slastream.engine.rocks import RocksStore
from slastream.engine.store import MemoryStore, Store


@pytest.fixture(params=["memory", "rocks"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened: Store = MemoryStore() if request.param == "memory" else RocksStore(tmp_path / "db")
    yield opened
    opened.close()


def test_rows_come_back(store: Store) -> None:
    """A row is read as it was written, alone or with others, and an absent one is None."""
    store.write({b"a": b"1", b"b": b""})

    assert store.get(b"a") == b"1"
    assert store.get(b"c") is None
    assert store.get_many([b"b", b"c", b"a"]) == [b"", None, b"1"]
    assert store.get_many([]) == []


def test_none_deletes(store: Store) -> None:
    """A row of None is gone, and deleting what is absent harms nobody."""
    store.write({b"a": b"1", b"b": b"2"})
    store.write({b"a": None, b"never": None})

    assert list(store.scan()) == [(b"b", b"2")]


def test_scan_in_order_of_key(store: Store) -> None:
    """A scan is in order of key, resumes behind a key, and is longer than one chunk."""
    keys = [f"{n:05d}".encode() for n in range(2_500)]
    shuffled = random.Random(1).sample(keys, len(keys))
    store.write(dict.fromkeys(shuffled, b"x"))

    assert [key for key, _ in store.scan()] == keys
    assert [key for key, _ in store.scan(after=b"02497")] == [b"02498", b"02499"]


def test_deadlines_in_order_of_instant(store: Store) -> None:
    """What is due comes in order, up to and including the instant, never more than the limit."""
    store.write({}, [(300, b"c"), (100, b"b"), (100, b"a"), (200, b"z")])

    assert store.first_deadline() == 100
    assert store.due(99, 10) == []
    assert store.due(200, 10) == [(100, b"a"), (100, b"b"), (200, b"z")]
    assert store.due(1_000, 2) == [(100, b"a"), (100, b"b")]


def test_deadline_moves(store: Store) -> None:
    """Deletions go before additions: an entry in both is there afterwards."""
    store.write({}, [(100, b"a"), (200, b"b")])
    store.write({}, [(100, b"a"), (50, b"b")], [(100, b"a"), (200, b"b")])

    assert store.due(1_000, 10) == [(50, b"b"), (100, b"a")]


def test_empty(store: Store) -> None:
    """An empty store has no deadline, no row and no note."""
    assert store.first_deadline() is None
    assert store.due(1_000, 10) == []
    assert list(store.scan()) == []
    assert store.meta("position") is None


def test_notes(store: Store) -> None:
    """A note is written with the rows and replaced by the next of its name."""
    store.write({b"a": b"1"}, meta={"position": b"5"})
    store.write({}, meta={"position": b"6", "other": b"x"})

    assert store.meta("position") == b"6"
    assert store.meta("other") == b"x"
    assert list(store.scan()) == [(b"a", b"1")]


@pytest.mark.parametrize("seed", range(8))
def test_any_order_of_writes(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is inserted, moved, fired or re-read, both stores answer alike."""
    monkeypatch.setattr(rocks, "HEAD", 4)
    draw = random.Random(seed)
    memory, disk = MemoryStore(), RocksStore(tmp_path / "db")
    live: set[tuple[int, bytes]] = set()
    for _ in range(300):
        count = draw.randrange(6)
        added = [(draw.randrange(200), draw.choice([b"a", b"b", b"c"])) for _ in range(count)]
        removed = draw.sample(sorted(live), min(len(live), draw.randrange(6)))
        if draw.random() < 0.3:
            removed += memory.due(draw.randrange(200), draw.randrange(12))
        for store in (memory, disk):
            store.write({}, added, removed)
        live = (live - set(removed)) | set(added)
        until, limit = draw.randrange(220), draw.randrange(1, 40)

        assert disk.due(until, limit) == memory.due(until, limit)
        assert disk.first_deadline() == memory.first_deadline()
        if draw.random() < 0.02:
            disk.close()
            disk = RocksStore(tmp_path / "db")
    disk.close()


def test_reopened(tmp_path: Path) -> None:
    """A closed store has it all when opened again, its name too; closing twice is harmless."""
    store = RocksStore(tmp_path / "db")
    name = store.id
    store.write({b"a": b"1"}, [(7, b"a")], meta={"position": b"9"})
    store.close()
    store.close()
    again = RocksStore(tmp_path / "db")

    assert (again.id, again.get(b"a"), again.meta("position")) == (name, b"1", b"9")
    assert again.due(10, 10) == [(7, b"a")]
    assert again.moved_aside is None
    again.close()


def test_close_in_the_middle_of_a_scan(tmp_path: Path) -> None:
    """A scan that was left open does not keep the folder locked."""
    store = RocksStore(tmp_path / "db")
    store.write({b"%d" % n: b"x" for n in range(10)})
    scan = store.scan()
    next(scan)
    store.close()
    RocksStore(tmp_path / "db").close()

    assert next(scan)[1] == b"x"


def test_one_owner_of_a_folder(tmp_path: Path) -> None:
    """A folder in use is refused with a sentence that says what to do."""
    store = RocksStore(tmp_path / "db")
    with pytest.raises(Misconfigured, match="another worker uses this folder"):
        RocksStore(tmp_path / "db")
    store.close()


def damage_manifest(folder: Path) -> None:
    for file in folder.glob("MANIFEST-*"):
        file.write_bytes(b"\xff" * 64)


def damage_current(folder: Path) -> None:
    (folder / "CURRENT").write_bytes(b"nonsense\n")


def truncate_tables(folder: Path) -> None:
    for file in folder.glob("*.sst"):
        file.write_bytes(file.read_bytes()[:20])


@pytest.mark.parametrize("damage", [damage_manifest, damage_current, truncate_tables])
def test_corrupt_store_is_moved_aside(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """A store that cannot be read is kept beside a new, empty one."""
    store = RocksStore(tmp_path / "db")
    store.write({b"a": b"1"})
    store.close()
    store = RocksStore(tmp_path / "db")
    store.close()
    damage(tmp_path / "db")
    again = RocksStore(tmp_path / "db")

    assert again.moved_aside is not None
    assert again.moved_aside.is_dir()
    assert again.get(b"a") is None
    again.close()


def test_newer_format_is_refused(tmp_path: Path) -> None:
    """A store of a newer release is not read by guesswork."""
    store = RocksStore(tmp_path / "db")
    store.write({}, meta={"format": b"2"})
    store.close()
    with pytest.raises(Misconfigured, match="format 2"):
        RocksStore(tmp_path / "db")
