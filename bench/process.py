"""`slastream worker` as a process of its own, watched from outside: its log, memory and CPU.

Linux alone: it reads `/proc`.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_RECOVERED = re.compile(r"partition (\d+): recovered (\d+) rows in ([\d.]+) s(.*)")


class WorkerProcess:
    """One worker process; `name` is its instance, its data directory and its log file."""

    def __init__(self, broker: str, folder: Path, name: str, *more: str) -> None:
        self.data = folder / name
        self.log = folder / f"{name}.log"
        self.began = 0.0
        self._command = [
            "-m", "slastream", "worker", "--broker", broker, "--data-dir", str(self.data),
            "--instance-id", name, *more,
        ]  # fmt: skip
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, profile: Path | None = None) -> None:
        """Begin; `began` is the wall time of it. A profile is written when it ends, if asked for."""
        before = ["-m", "cProfile", "-o", str(profile)] if profile else []
        self.began = time.time()
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *before, *self._command, stdout=log, stderr=log
            )

    async def ready(self, patience: float = 120.0) -> float:
        """Wait until every partition of it announces; returns seconds since its start."""
        limit = time.time() + patience
        while " ready: " not in (text := self.log.read_text()):
            if self.returncode is not None or time.time() > limit:
                raise SystemExit(f"the worker is not ready\n{text[-4000:]}")
            await asyncio.sleep(0.02)
        return time.time() - self.began

    @property
    def returncode(self) -> int | None:
        return self._process.returncode if self._process is not None else None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def recovered(self) -> list[tuple[int, int, float]]:
        """Return (partition, changelog records replayed, seconds) of each recovery so far."""
        found = _RECOVERED.findall(self.log.read_text())
        return [(int(number), int(rows), float(took)) for number, rows, took, _ in found]

    def rss(self) -> float:
        """Return its resident memory in MB (10^6 bytes)."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * _PAGE / 1e6

    def peak(self) -> float:
        """Return the most that it ever had resident, in MB."""
        return _peak(self.pid)

    def children(self) -> list[int]:
        """Return the processes that it has started: its helpers, or those that it consists of."""
        found = Path(f"/proc/{self.pid}/task").glob("*/children")
        return [int(pid) for children in found for pid in children.read_text().split()]

    def helpers(self) -> list[float]:
        """Return the most that each of its helper processes ever had resident, in MB."""
        return [_peak(pid) for pid in self.children()]

    def cpu(self) -> float:
        """Return the CPU seconds it has used, those of its threads and processes included."""
        return sum(_cpu(pid) for pid in (self.pid, *self.children()))

    def kill(self) -> None:
        """End it as a power cut would end its process."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def stop(self) -> None:
        """Ask it to end, and wait."""
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), 20)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


def _peak(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024 / 1e6


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def disk(folder: Path) -> float:
    """Return the size of all files below a folder, in MB (10^6 bytes)."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
