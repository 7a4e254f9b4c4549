"""The gateway as a process: listening, reading its files again, draining when it is told to go."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from slastream.core.errors import Misconfigured
from slastream.gateway import counts, endpoints
from slastream.gateway.door import Door, Limits
from slastream.gateway.endpoints import Endpoints
from slastream.gateway.keys import Keys
from slastream.gateway.writer import Writer
from slastream.kafka.security import client_options
from slastream.running import stop_on_signals
from slastream.settings import Settings

log = logging.getLogger("slastream.gateway")

_LOOK = 5.0
"""Seconds between two looks at the files of endpoints, secrets and certificate."""
_BACKLOG = 512
_READ_AHEAD = 16 * 1024
"""Bytes that a connection may send ahead of our reading, roughly twice: outside the budget."""


@dataclass(frozen=True, slots=True)
class Options:
    """Where the gateway listens, and with which files."""

    endpoints: Path
    host: str = "127.0.0.1"
    port: int = 8080
    """0 takes a free one."""
    cert_file: Path | None = None
    key_file: Path | None = None
    limits: Limits = field(default_factory=Limits)


class _Listener(web.Server):
    """An HTTP server that has a limit of connections."""

    def __init__(self, door: Door, limits: Limits) -> None:
        super().__init__(
            door,
            access_log=None,
            logger=log,
            keepalive_timeout=limits.keepalive_seconds,
            lingering_time=1.0,
            # What is signed are the bytes on the wire; and nothing small unpacks into much.
            auto_decompress=False,
            read_bufsize=_READ_AHEAD,
            max_headers=64,
        )
        self._most = limits.connections
        self._open: set[RequestHandler] = set()

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._open.add(handler)
        counts.CONNECTIONS.set(len(self._open))
        if len(self._open) > self._most:
            counts.TURNED_AWAY.inc()
            transport.abort()

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._open.discard(handler)
        counts.CONNECTIONS.set(len(self._open))


class Gateway:
    """Runs until `stop` is set; `ready` tells whether a delivery would be accepted now."""

    def __init__(self, settings: Settings, options: Options, keys: Keys | None = None) -> None:
        self._settings, self._options = settings, options
        self._limits = options.limits
        given = endpoints.load(options.endpoints)
        self._tls = _tls(options)
        self._tls_files = _tls_state(options)
        self._keys = keys or Keys(on_fetch=lambda result: counts.KEY_FETCHES.labels(result).inc())
        self._writer = Writer(
            client_options(settings.broker),
            self._topics(given),
            self._limits.body,
            self._limits.acknowledge_seconds,
        )
        self._door = Door(
            given, self._writer, self._keys, self._topic, self._limits,
            simulated=settings.time == "log",
        )  # fmt: skip
        self.stop = asyncio.Event()
        self.address: tuple[str, int] = ("", 0)
        self.pages: tuple[str, int] = ("", 0)

    @property
    def ready(self) -> bool:
        return not self.stop.is_set() and self._writer.ready

    def _topic(self, source: str) -> str:
        return self._settings.topic(f"raw.{source}")

    def _topics(self, given: Endpoints) -> set[str]:
        return {self._topic(each.source) for each in given}

    async def run(self) -> int:
        """Serve until told to stop; returns the exit code. Raises `Misconfigured`."""
        runner = web.ServerRunner(_Listener(self._door, self._limits), shutdown_timeout=1.0)
        pages = web.ServerRunner(web.Server(self._page, access_log=None), shutdown_timeout=1.0)
        watch: asyncio.Task[None] | None = None
        try:
            self._writer.start()
            options, settings = self._options, self._settings
            if settings.web_port:
                self.pages = await _listen(pages, settings.web_host, settings.web_port)
            self.address = await _listen(runner, options.host, options.port, self._tls)
            log.info(
                "listening on %s://%s:%d for %s",
                "https" if self._tls else "http",
                *self.address,
                ", ".join(each.path for each in self._door.endpoints),
            )
            watch = asyncio.create_task(self._watch(), name="gateway-files")
            await self.stop.wait()
            await self._drain(runner)
        finally:
            if watch is not None:
                watch.cancel()
            await runner.cleanup()
            await self._writer.stop()
            await self._keys.close()
            await pages.cleanup()
        return 0

    async def _drain(self, runner: web.ServerRunner) -> None:
        """Take no new connection, answer what is under way, and end each connection after that."""
        log.info("leaving: %d requests are under way", self._door.active)
        self._door.draining = True
        for site in list(runner.sites):
            await site.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.drain_seconds):
                # Twice at rest: what came in on an open connection a moment ago counts too.
                quiet = 0
                while quiet < 3:
                    await asyncio.sleep(0.05)
                    quiet = 0 if self._door.active or self._writer.pending else quiet + 1

    # -- files that change

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            self.look()

    def look(self) -> None:
        """Read endpoints and certificate again if they changed; a mistake changes nothing."""
        before = self._door.endpoints
        if before.changed():
            try:
                given = endpoints.load(self._options.endpoints).keeping(before)
            except Misconfigured as problem:
                counts.RELOADS.labels("failed").inc()
                log.error("the endpoints stay as they were: %s", problem)
            else:
                self._door.replace(given)
                self._writer.want(self._topics(given))
                counts.RELOADS.labels("done").inc()
                log.info("endpoints read again: %d", len(given.by_path))
        if self._tls is not None and _tls_state(self._options) != self._tls_files:
            try:
                _load_chain(self._tls, self._options)
            except Misconfigured as problem:
                counts.RELOADS.labels("failed").inc()
                log.error("the certificate stays as it was: %s", problem)
            else:
                self._tls_files = _tls_state(self._options)
                counts.RELOADS.labels("done").inc()
                log.info("certificate read again")

    # -- pages for the operator, on a port of their own

    async def _page(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={"Allow": "GET, HEAD"})
        if request.path == "/livez":
            return _json({"alive": True})
        if request.path == "/readyz":
            why = "leaving" if self.stop.is_set() else self._writer.problem
            if not why and self._writer.away:
                why = "the broker does not acknowledge"
            return _json({"ready": self.ready, "why": why}, 200 if self.ready else 503)
        if request.path == "/metrics":
            counts.PENDING.set(self._writer.pending)
            counts.PENDING_BYTES.set(self._door.budget.taken)
            counts.MISSING.set(len(self._writer.missing))
            counts.BROKER_UP.set(0 if self._writer.away else 1)
            kind = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
            return web.Response(body=counts.page(), headers=kind)
        return web.Response(status=404)


async def serve(settings: Settings, options: Options) -> int:
    """Run a gateway until SIGTERM or SIGINT. SIGHUP reads its files again at once."""
    gateway = Gateway(settings, options)
    stop_on_signals(gateway.stop)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, gateway.look)
    return await gateway.run()


async def _listen(
    runner: web.ServerRunner, host: str, port: int, tls: ssl.SSLContext | None = None
) -> tuple[str, int]:
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, ssl_context=tls, backlog=_BACKLOG)
        await site.start()
    except (OSError, socket.gaierror) as error:
        raise Misconfigured(
            f"cannot listen there: {error.strerror or error}", where=f"{host}:{port}"
        ) from error
    addresses: Sequence[Any] = runner.addresses
    return str(addresses[0][0]), int(addresses[0][1])


def _tls(options: Options) -> ssl.SSLContext | None:
    if options.cert_file is None and options.key_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _load_chain(context, options)
    return context


def _load_chain(context: ssl.SSLContext, options: Options) -> None:
    cert, key = options.cert_file, options.key_file
    if cert is None or key is None:
        raise Misconfigured("a certificate and its key go together", where="--cert, --key")
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise Misconfigured(
            f"not a certificate and its key: {why}", where=f"{cert}, {key}"
        ) from None


def _no_password() -> str:
    # Without this, OpenSSL asks the terminal.
    raise ValueError("the key is encrypted")


def _tls_state(options: Options) -> object:
    return [endpoints.state_of(path) for path in (options.cert_file, options.key_file) if path]


def _json(told: dict[str, object], status: int = 200) -> web.Response:
    return web.Response(
        status=status, body=orjson.dumps(told), headers={"Content-Type": "application/json"}
    )
