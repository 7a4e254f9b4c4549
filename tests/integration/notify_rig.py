"""Receivers on loopback that behave, or do not; and the notifier, in this process or its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from rig import until

from slastream.kafka import ports
from slastream.notify.routes import load
from slastream.notify.service import Notifier
from slastream.settings import Settings

PAGER_KEY = "0123456789abcdef0123456789abcdef"
SIGNING = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

Answering = Callable[[web.BaseRequest, bytes], Awaitable[web.StreamResponse]]


@dataclass
class Got:
    """One request that was heard in full."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Receiver:
    """An HTTP server that keeps what it hears. `answer` may be changed while it runs."""

    port: int = field(default_factory=ports.free)
    got: list[Got] = field(default_factory=list)
    answer: Answering | None = None
    _runner: web.ServerRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def taken(self) -> list[Got]:
        """What was answered with success."""
        return [each for each in self.got if each.status < 300]

    async def start(self, tls: Any = None) -> None:
        self._runner = web.ServerRunner(web.Server(self._handle, access_log=None))
        await self._runner.setup()
        site = web.TCPSite(
            self._runner, "127.0.0.1", self.port, ssl_context=tls, reuse_address=True
        )
        await site.start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        if self.answer is None:
            response: web.StreamResponse = web.Response(status=202, text="ok")
        else:
            response = await self.answer(request, body)
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append(Got(request.path, headers, body, response.status))
        return response


@contextlib.asynccontextmanager
async def receiver(answer: Answering | None = None, tls: Any = None) -> AsyncIterator[Receiver]:
    """A receiver that takes everything, unless `answer` says otherwise."""
    one = Receiver(answer=answer)
    await one.start(tls)
    try:
        yield one
    finally:
        await one.stop()


def in_turn(*statuses: int, **more: Any) -> Answering:
    """Answer with one status after the other, and with the last one from then on."""
    left = list(statuses)

    async def answer(request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        status = left.pop(0) if len(left) > 1 else left[0]
        return web.Response(
            status=status, text=f"answer {status}", **(more if status >= 300 else {})
        )

    return answer


def write_routes(folder: Path, routes: str) -> Path:
    """Write a file of routes, and beside it the secrets that it may name."""
    (folder / "key").write_text(PAGER_KEY + "\n", "utf-8")
    (folder / "signing").write_text(SIGNING + "\n", "utf-8")
    (folder / "routes.yaml").write_text("routes:\n" + routes, "utf-8")
    return folder / "routes.yaml"


def settings_of(broker: str, prefix: str, **more: Any) -> Settings:
    return Settings(
        **{"broker": broker, "prefix": prefix, "app_id": prefix.strip("."), "web_port": 0, **more}
    )


@contextlib.asynccontextmanager
async def notifying(
    settings: Settings, file: Path, *, ready: bool = True
) -> AsyncIterator[Notifier]:
    """The notifier in this process; it is stopped in good order at the end."""
    one = Notifier(settings, load(file))
    task = asyncio.create_task(one.run())
    try:
        if ready:
            await until(lambda: task.done() or one.ready, why="every route reads")
        if task.done():
            task.result()
        yield one
    finally:
        one.stop.set()
        await asyncio.wait_for(task, 40)


class Process:
    """`slastream notify run` in a process of its own, which can be killed."""

    def __init__(self, settings: Settings, file: Path, log: Path) -> None:
        self.log = log
        self._file = log.open("ab")
        environ = {
            **os.environ,
            "SLASTREAM_BROKER": settings.broker,
            "SLASTREAM_PREFIX": settings.prefix,
            "SLASTREAM_APP_ID": settings.app_id,
            "SLASTREAM_WEB_PORT": str(settings.web_port),
        }
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "slastream", "notify", "run", str(file)],
            env=environ, stdout=self._file, stderr=self._file, cwd=Path(__file__).parents[2],
        )  # fmt: skip

    def text(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()
        self._file.close()

    async def end(self) -> int:
        self.popen.send_signal(signal.SIGTERM)
        await until(lambda: self.popen.poll() is not None, 30, "the process has ended")
        self._file.close()
        return int(self.popen.returncode)
