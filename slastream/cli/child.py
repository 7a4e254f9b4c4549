"""A worker or a gateway of `up` as a child process: started, watched, and gone when we are gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from slastream.core.errors import Misconfigured

TAIL = 12
"""Lines of a child's log that an error shows."""

# A shell that waits for our end of its pipe to close, whatever the reason, and then ends the
# child, politely, after ten seconds not politely any more, and removes its folder.
_GUARD = """
read -r _
kill -TERM "$1"
for _ in 1 2 3 4 5 6 7 8 9 10; do sleep 1; kill -0 "$1" || break; done
kill -KILL "$1"
rm -rf "$2"
"""


class Child:
    """One long-running verb of ours with its own settings. Use it as `async with`."""

    def __init__(
        self, verb: str, arguments: Sequence[str], settings: Mapping[str, str], folder: Path
    ) -> None:
        """`settings` are `SLASTREAM_*` variables; others of ours do not reach the child.

        `folder` holds its log, and is removed if we die without doing so.
        """
        self._verb, self._arguments = verb, arguments
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith("SLASTREAM_")
        } | dict(settings)
        self._folder = folder
        self.log_file = folder / f"{verb}.log"

    async def __aenter__(self) -> Self:
        with self.log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "slastream", self._verb, *self._arguments,
                env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,  # Ctrl-C is for us; we decide who ends when
            )  # fmt: skip
        self._guard = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", _GUARD, "guard", str(self._process.pid), str(self._folder),
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 10)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        with contextlib.suppress(ProcessLookupError):
            self._guard.kill()
        await self._guard.wait()

    async def ended(self) -> None:
        """Wait for the child, which should outlive us. Raises `Misconfigured` when it ends."""
        code = await self._process.wait()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        lines = self.log_file.read_text("utf-8", errors="replace").splitlines()[-TAIL:]
        raise Misconfigured("\n".join([f"the {self._verb} ended ({how}); its last lines:", *lines]))
