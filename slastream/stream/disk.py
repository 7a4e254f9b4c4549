"""What may be wrong with the disk under a partition's store. Knows what RocksDB says, and no more."""

from __future__ import annotations

import gc
import re
import uuid
from pathlib import Path

from slastream.engine.rocks import RocksStore

_OS_ERROR = re.compile(r"\(os error \d+\)$")


def trouble(error: BaseException) -> str:
    """Return `disk` or `corrupt` when that is what RocksDB complains of, else an empty string.

    Its errors are plain exceptions: their first word says of what kind they are. Those of its binding,
    which keeps a file beside it, end as the operating system's do.
    """
    if type(error) is not Exception:
        return ""
    said = str(error)
    if said.startswith("IO error") or _OS_ERROR.search(said):
        return "disk"
    return "corrupt" * said.startswith("Corruption")


def abandon(store: RocksStore) -> None:
    """Close a store whose last write may have failed; what it lacks is in the changelog.

    One that cannot flush cannot be closed, and keeps its lock until its handles are gone, wherever the
    store itself is still referred to.
    """
    try:
        store.close()
    except Exception:
        vars(store).clear()
    gc.collect()


def set_aside(path: Path) -> Path:
    """Move a store away that cannot be read; returns where it is for whoever wants to look at it."""
    return path.rename(path.with_name(f"{path.name}.corrupt-{uuid.uuid4().hex[:8]}"))
