"""Three pages on loopback: alive, ready, metrics. Knows HTTP; what to say it is given."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from aiohttp import web

from slastream.core.errors import Misconfigured
from slastream.settings import Settings


class Pages(Protocol):
    """What is to be said."""

    async def livez(self) -> bool: ...
    async def readyz(self) -> Mapping[str, object]:
        """Return what `/readyz` says; its `ready` decides the status."""

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """Return the page and its content type."""


@asynccontextmanager
async def serving(
    pages: Pages, settings: Settings, listener: socket.socket | None = None
) -> AsyncIterator[None]:
    """Serve them where the settings say, or to whoever has got `listener`'s address.

    Raises `Misconfigured` when the port is taken.
    """

    async def livez(_: web.Request) -> web.Response:
        alive = await pages.livez()
        return web.json_response({"alive": alive}, status=200 if alive else 503)

    async def readyz(_: web.Request) -> web.Response:
        told = await pages.readyz()
        return web.json_response(told, status=200 if told["ready"] else 503)

    async def metrics(request: web.Request) -> web.Response:
        body, content_type = await pages.metrics(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    app = web.Application()
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        if listener is not None:
            await web.SockSite(runner, listener).start()
        else:
            await _listen(runner, settings)
        yield
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, settings: Settings) -> None:
    try:
        await web.TCPSite(runner, settings.web_host, settings.web_port).start()
    except OSError as error:
        raise Misconfigured(
            f"cannot listen on {settings.web_host}:{settings.web_port}: {error.strerror}",
            where="SLASTREAM_WEB_PORT",
            hint="choose another port, or 0 for none",
        ) from error
