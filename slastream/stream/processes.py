"""A worker on more than one core: processes that are members of its group, each with partitions of its own.

Knows processes and signals; what a worker does in one of them it may not know. To whoever runs it
it is one worker: one data directory, one address of its pages, one log.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from slastream.settings import Settings
from slastream.stream.ground import client_of, look
from slastream.stream.lock import locked
from slastream.stream.together import Together
from slastream.stream.web import serving

log = logging.getLogger("slastream.worker")

PART = "SLASTREAM_PART"
"""Where a process is told which one it is, and the descriptor on which its pages are asked for."""

AGAIN = 1.0
"""Seconds after which a process that was killed is started again."""

PATIENCE = 15.0
"""Seconds in which a process leaves when it is told to."""


@dataclass(frozen=True)
class Part:
    """Which process of a worker this one is."""

    number: int
    listener: socket.socket | None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self | None:
        """Return what this process was told; None when it is a worker of its own."""
        told = environ.get(PART)
        if not told:
            return None
        number, _, descriptor = told.partition(":")
        return cls(int(number), socket.socket(fileno=int(descriptor)) if descriptor else None)

    async def orphaned(self) -> None:
        """Return when whoever started this process is gone: our input ends with it."""
        told = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(told), sys.stdin
        )
        await told.read()


class _Member:
    """One of the processes, from start to start."""

    def __init__(self, number: int, settings: Settings, command: Sequence[str]) -> None:
        self.number = number
        self._settings = settings.of_process(number)
        self._command = command
        self._process: Process | None = None
        self._stopping = False
        self._listener = socket.create_server(("127.0.0.1", 0)) if settings.web_port else None

    @property
    def address(self) -> str:
        assert self._listener is not None
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    async def ran(self) -> int:
        """Run it to its end; returns its code. It hears of Ctrl-C from us alone."""
        descriptors = [] if self._listener is None else [self._listener.fileno()]
        part = f"{self.number}:{''.join(map(str, descriptors))}"
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            env={**os.environ, **self._settings.environ(), PART: part},
            stdin=PIPE,
            pass_fds=descriptors,
            start_new_session=True,
        )
        if self._stopping:
            self._process.terminate()
        return await self._process.wait()

    async def stop(self) -> None:
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), PATIENCE)
        except TimeoutError:
            log.error("process %d does not end, killing it", self.number)
            process.kill()
            await process.wait()

    def close(self) -> None:
        if self._listener is not None:
            self._listener.close()


class Processes:
    """`settings.processes` members under one roof; `run` returns when `stop` is set or one gives up."""

    def __init__(
        self, settings: Settings, command: Sequence[str], first: Sequence[str] = ()
    ) -> None:
        """`command` is what each process runs, with `first` behind it in the first one."""
        self.settings = settings
        self.stop = asyncio.Event()
        self._members = [
            _Member(number, settings, [*command, *(first if number == 1 else ())])
            for number in range(1, settings.processes + 1)
        ]

    async def run(self) -> int:
        """Run all of them; returns the exit code. Raises `Misconfigured` at start."""
        settings = self.settings
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(locked(settings.data_dir))
            for member in self._members:
                stack.callback(member.close)
            if settings.web_port:
                addresses = {str(member.number): member.address for member in self._members}
                pages = await stack.enter_async_context(Together(addresses))
                await stack.enter_async_context(serving(pages, settings))
            # What is wrong with broker or topics is said once, and not by each of them.
            if await look(settings, client_of(settings), self.stop) is None:
                return 0
            return await self._until_stopped()

    async def _until_stopped(self) -> int:
        stopped = asyncio.create_task(self.stop.wait())
        kept = [asyncio.create_task(self._keep(member)) for member in self._members]
        await asyncio.wait({stopped, *kept}, return_when=asyncio.FIRST_COMPLETED)
        self.stop.set()
        await asyncio.gather(*(member.stop() for member in self._members))
        return max(await asyncio.gather(*kept))

    async def _keep(self, member: _Member) -> int:
        """Run one until it ends by itself, which one that was killed does not; returns its code."""
        while not self.stop.is_set():
            code = await member.ran()
            if code >= 0 or self.stop.is_set():
                return max(code, 0)
            log.error(
                "process %d was killed (%s), starting it again",
                member.number, signal.Signals(-code).name,
            )  # fmt: skip
            await asyncio.sleep(AGAIN)
        return 0
