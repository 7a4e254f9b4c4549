"""A data directory has one owner."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from slastream.core.errors import Misconfigured


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a data directory: two workers in one would take each other's partitions' stores."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file: TextIO = (folder / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise Misconfigured(
            "another worker runs in this data directory",
            where=str(folder),
            hint="give each worker one of its own: --data-dir",
        ) from None
    try:
        yield
    finally:
        file.close()
