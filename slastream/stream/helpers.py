"""Processes of their own that rebuild lost stores: a core each, and nobody else has to wait.

Knows processes and pipes; what a helper does when it is asked is in `slastream.stream.rebuild`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import asdict

import orjson
from aiokafka.errors import KafkaError

from slastream.stream.rebuild import Progress, Request

IDLE = 10.0
"""Seconds after which a helper that has nothing to do is let go."""


class Helpers:
    """At most `limit` helper processes, started when there is work and ended when there is none."""

    def __init__(self, limit: int) -> None:
        self._places = asyncio.Semaphore(limit)
        self._idle: list[Process] = []
        self._all: set[Process] = set()

    async def rebuild(self, request: Request, progress: Progress) -> int:
        """Have a store made; returns the number of records replayed.

        Raises KafkaError or OSError when it may be tried again, RuntimeError when it is of no use.
        """
        async with self._places:
            helper = self._idle.pop() if self._idle else await self._start()
            try:
                found = await self._ask(helper, request, progress)
            except BaseException:
                await self._end(helper)
                raise
            self._idle.append(helper)
            asyncio.get_running_loop().call_later(IDLE, self._let_go, helper)
            return found

    async def _start(self) -> Process:
        # What can be imported here can be imported there: the deadline of a row is a function of ours.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        helper = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "slastream.stream.rebuild",
            stdin=PIPE, stdout=PIPE, env=environment,
        )  # fmt: skip
        self._all.add(helper)
        return helper

    async def _ask(self, helper: Process, request: Request, progress: Progress) -> int:
        assert helper.stdin is not None
        assert helper.stdout is not None
        helper.stdin.write(orjson.dumps(asdict(request)) + b"\n")
        await helper.stdin.drain()
        while line := await helper.stdout.readline():
            told = orjson.loads(line)
            if "done" in told:
                return int(told["done"])
            if "error" in told:
                raise (KafkaError if told["again"] else RuntimeError)(told["error"])
            progress(told["replayed"], told["ahead"])
        raise OSError(f"a process that rebuilt a store ended with code {await helper.wait()}")

    def _let_go(self, helper: Process) -> None:
        """A helper ends when its standard input does."""
        if helper in self._idle:
            self._idle.remove(helper)
            self._all.discard(helper)
            assert helper.stdin is not None
            helper.stdin.close()

    async def _end(self, helper: Process) -> None:
        self._all.discard(helper)
        with contextlib.suppress(ProcessLookupError):
            helper.kill()
        await helper.wait()

    async def close(self) -> None:
        """End all of them, at work or not."""
        self._idle.clear()
        await asyncio.gather(*(self._end(helper) for helper in list(self._all)))
