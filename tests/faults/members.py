"""Workers as processes: started, armed, paused, killed. Each has a name, a disk and a log.

Knows processes and signals; what a worker does it may not know.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from slastream.settings import Settings

COMMAND = (sys.executable, "-m", "slastream", "worker")
ROOT = Path(__file__).parents[2]


class Member:
    """One worker of a group, from start to start."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        folder: Path,
        *,
        book: Path,
        command: tuple[str, ...] = COMMAND,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.disk = folder / name
        self.settings = replace(settings, instance_id=name, data_dir=self.disk)
        self.log = folder / f"{name}.log"
        self.starts = 0
        self._book = book
        self._command = command
        self._environ = dict(environ or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, crash_at: str = "") -> None:
        """Start the command; `crash_at` names a point of a step at which it kills itself."""
        assert not self.running
        self.starts += 1
        clean = {k: v for k, v in os.environ.items() if not k.startswith("SLASTREAM_")}
        with self.log.open("ab") as log:
            log.write(f"-- start {self.starts} {crash_at}\n".encode())
            self._process = subprocess.Popen(
                [*self._command, "--book", str(self._book)],
                env={
                    **clean,
                    **self.settings.environ(),
                    **self._environ,
                    "SLASTREAM_CRASH_AT": crash_at,
                },
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def gone(self, seconds: float) -> int:
        """Wait for the process to end; returns its code."""
        limit = time.monotonic() + seconds
        while self.running:
            if time.monotonic() > limit:
                raise TimeoutError(f"{self.name} still runs after {seconds:g} s")
            await asyncio.sleep(0.02)
        assert self._process is not None
        return int(self._process.returncode)

    async def kill(self) -> None:
        """kill -9, also of one that is paused."""
        if self.running:
            self.send(signal.SIGKILL)
            await self.gone(10)

    async def leave(self) -> int:
        """Ask it to go, as an operator does, and wait."""
        self.send(signal.SIGTERM)
        return await self.gone(30)

    def pause(self) -> None:
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        self.send(signal.SIGCONT)

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def said(self, what: str) -> bool:
        """Whether it has said something since its last start."""
        return what in self.since_start()

    def since_start(self) -> str:
        text = self.log.read_text("utf-8", "replace")
        return text.rpartition(f"-- start {self.starts} ")[2]

    async def says(self, what: str, seconds: float) -> None:
        """Wait until it has said something since its last start."""
        limit = time.monotonic() + seconds
        while not self.said(what):
            if time.monotonic() > limit:
                raise TimeoutError(f"{self.name} has not said {what!r} within {seconds:g} s")
            await asyncio.sleep(0.05)
