"""A disk that can be full: a small file system of its own where this machine lets us mount one.

Where it does not (mounting is root's), a process may write no file any longer instead. Knows folders
and limits; who writes there it may not know.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import time
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

MIB = 1024 * 1024


@cache
def mountable() -> bool:
    """Whether file systems can be mounted here."""
    if os.geteuid() != 0:
        return False
    place = Path(mkdtemp(prefix="slastream-mount-"))
    try:
        if not _mount(place, 1 * MIB):
            return False
        _umount(place)
        return True
    finally:
        place.rmdir()


class Disk:
    """A folder with a capacity. `full` takes what is left away, `free` gives it back."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self._size = size
        self.mounted = False
        path.mkdir(parents=True, exist_ok=True)
        if mountable():
            self.mounted = _mount(path, size)

    def full(self, pid: int) -> str:
        """Leave no byte free; `pid` writes here. Returns how."""
        if self.mounted:
            self._shrink()
            return "no space left"
        # Python and the JVM both get EFBIG instead of the signal's death.
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        return "no file may grow"

    def _shrink(self, tries: int = 100) -> None:
        """Make the file system as small as what is in it, which grows meanwhile."""
        for _ in range(tries - 1):
            with contextlib.suppress(OSError):
                _remount(self.path, shutil.disk_usage(self.path).used)
                return
        _remount(self.path, shutil.disk_usage(self.path).used)

    def free(self, pid: int | None) -> None:
        """Make room again."""
        if self.mounted:
            _remount(self.path, self._size)
        elif pid is not None:
            both = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, both)

    def close(self) -> None:
        if self.mounted:
            _umount(self.path)
            self.mounted = False


def _mount(path: Path, size: int) -> bool:
    return _run("mount", "-t", "tmpfs", "-o", f"size={size}", "slastream-faults", str(path))


def _remount(path: Path, size: int) -> None:
    if not _run("mount", "-o", f"remount,size={max(size, 4096)}", str(path)):
        raise OSError(f"{path} could not be remounted")


def _umount(path: Path) -> None:
    for _ in range(20):
        if _run("umount", "-l", str(path)) or not path.is_mount():
            return
        time.sleep(0.1)


def _run(*command: str) -> bool:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    return done.returncode == 0
