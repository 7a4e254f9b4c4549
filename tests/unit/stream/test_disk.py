"""What a worker does about a disk that is full or harmed, on a real RocksDB."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from slastream.engine.rocks import RocksStore
from slastream.stream import disk


def _fill(store: RocksStore) -> None:
    for n in range(2_000):
        store.write({b"%d" % n: bytes(2_000)})


def test_a_store_that_could_not_be_written_is_opened_again(tmp_path: Path) -> None:
    """A full disk is told from a bug, and costs no restart: the store opens when there is room."""
    store = RocksStore(tmp_path / "store")
    store.write({b"a": b"1"})
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
    try:
        with pytest.raises(Exception, match="IO error") as caught:
            _fill(store)
        told = disk.trouble(caught.value)
        del caught
        disk.abandon(store)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    again = RocksStore(tmp_path / "store")

    assert told == "disk"
    assert again.get(b"a") == b"1"
    again.close()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Exception("Corruption: block checksum mismatch"), "corrupt"),
        (Exception("No space left on device (os error 28)"), "disk"),  # of the binding's own file
        (RuntimeError("IO error: of somebody else"), ""),
        (KeyError("x"), ""),
    ],
)
def test_only_rocksdb_s_own_errors_are_the_disk_s(error: Exception, said: str) -> None:
    """Whatever else goes wrong is a bug, and parks the partition."""
    assert disk.trouble(error) == said


def test_a_harmed_store_is_kept_for_whoever_wants_to_look(tmp_path: Path) -> None:
    """It is moved, not deleted."""
    path = tmp_path / "store"
    RocksStore(path).close()
    aside = disk.set_aside(path)

    assert not path.exists()
    assert (aside / "CURRENT").exists()


def test_a_store_that_cannot_be_begun_is_the_disk_s(tmp_path: Path) -> None:
    """A disk that is full when a store is opened is no bug either, though RocksDB does not say it."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
    try:
        with pytest.raises(Exception, match="File too large") as caught:
            RocksStore(tmp_path / "store")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    assert disk.trouble(caught.value) == "disk"
