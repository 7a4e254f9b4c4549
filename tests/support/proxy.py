"""A wire between a client and a broker that can be cut, in each of the ways in which networks fail.

A broker that advertises the proxy's port is reached through it and in no other way. It knows bytes
and sockets; what they say it may not know.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Literal, Self, TypeAlias

from slastream.kafka import ports

Mode: TypeAlias = Literal["open", "refused", "black hole", "deaf", "slow"]
"""`open` passes everything on. `refused` resets what is there and whoever comes. `black hole` keeps
connections open and passes nothing on. `deaf` passes requests on and swallows their answers. `slow`
delays each chunk of bytes, in both directions."""

CHUNK = 64 * 1024


class Proxy:
    """Listens on a port of loopback and passes bytes to another; `mode` says how well."""

    def __init__(self, target: Callable[[], int], port: int | None = None) -> None:
        """`target` is asked at each connection: a broker that restarts may have moved."""
        self._target = target
        self.port = port or ports.free()
        self.mode: Mode = "open"
        self.delay = 0.4
        """Seconds that `slow` adds to each chunk."""
        self.passed = 0
        self.swallowed = 0
        """Bytes of answers and requests that never arrived."""
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()
        self._brokers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.reset()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def set(self, mode: Mode) -> None:
        """Change the weather. What a black hole or deafness swallowed stays lost: it ends in a reset."""
        lost = self.mode in ("black hole", "deaf") and mode != self.mode
        self.mode = mode
        if mode == "refused" or lost:
            self.reset()
        self._changed.set()
        self._changed = asyncio.Event()

    def reset(self) -> None:
        """Reset every connection, as a firewall that forgot them does."""
        for writer in [*self._clients, *self._brokers]:
            with contextlib.suppress(OSError, RuntimeError):
                writer.transport.abort()

    def half_close(self) -> int:
        """Tell clients that their broker has said its last word, and go on listening to them."""
        closed = 0
        for writer in list(self._clients):
            with contextlib.suppress(OSError, RuntimeError):
                writer.write_eof()
                closed += 1
        return closed

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._clients.add(writer)
        try:
            if self.mode == "refused":
                return
            await self._carry(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._clients.discard(writer)
            with contextlib.suppress(OSError, RuntimeError):
                writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while self.mode == "black hole":
            await self._changed.wait()
        answers, requests = await asyncio.open_connection("127.0.0.1", self._target())
        self._brokers.add(requests)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, requests, answer=False))
                both.create_task(self._pump(answers, writer, answer=True))
        except* (OSError, RuntimeError):
            pass  # one that is half closed refuses what is written to it
        finally:
            self._brokers.discard(requests)
            with contextlib.suppress(OSError, RuntimeError):
                requests.transport.abort()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answer: bool
    ) -> None:
        """Carry bytes one way until either end is gone."""
        while data := await source.read(CHUNK):
            if self.mode == "slow":
                await asyncio.sleep(self.delay)
            if self.mode == "black hole" or (self.mode == "deaf" and answer):
                self.swallowed += len(data)
                continue
            self.passed += len(data)
            sink.write(data)
            await sink.drain()
        if self.mode in ("black hole", "deaf"):
            await self._changed.wait()
        raise ConnectionResetError("the other end has closed")
