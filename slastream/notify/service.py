"""All routes as one process, and its pages for the operator: /livez, /readyz, /metrics."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from typing import Any

import orjson
from aiohttp import web

from slastream.core.errors import Misconfigured
from slastream.kafka.security import client_options
from slastream.notify import counts
from slastream.notify.courier import Courier
from slastream.notify.letters import Letters
from slastream.notify.post import tls
from slastream.notify.route import Route
from slastream.notify.standing import PARTIAL, RESOLVE, TRIGGER, UPDATE
from slastream.running import stop_on_signals
from slastream.settings import Settings

log = logging.getLogger("slastream.notify")


def group_of(settings: Settings, route: str) -> str:
    """Return the consumer group of a route: its place in Kafka, which its name keeps."""
    return f"{settings.app_id}-notify-{route}"


class Notifier:
    """Runs until `stop` is set; `ready` tells whether every route reads."""

    def __init__(self, settings: Settings, routes: Sequence[Route]) -> None:
        self._settings = settings
        client = client_options(settings.broker)
        self._letters = Letters(client, settings.topic("dlq"))
        for route in routes:
            tls(route)  # a CA file that is none stops us now, and not with the first alert
            counts.begin(route.name, (TRIGGER, UPDATE, PARTIAL, RESOLVE))
        self.couriers = [
            Courier(
                route, settings.topic("alerts"), group_of(settings, route.name), client,
                self._letters, simulated=settings.time == "log",
            )
            for route in routes
        ]  # fmt: skip
        self.stop = asyncio.Event()
        self.pages: tuple[str, int] = ("", 0)

    @property
    def ready(self) -> bool:
        return not self.stop.is_set() and all(courier.ready for courier in self.couriers)

    async def run(self) -> int:
        """Serve until told to stop; returns the exit code. Raises `Misconfigured`."""
        pages = web.ServerRunner(web.Server(self._page, access_log=None), shutdown_timeout=1.0)
        tasks: list[asyncio.Task[None]] = []
        try:
            if self._settings.web_port:
                self.pages = await _listen(pages, self._settings.web_host, self._settings.web_port)
            for courier in self.couriers:
                name = f"route-{courier.route.name}"
                tasks.append(asyncio.create_task(courier.run(), name=name))
            await self.stop.wait()
            log.info("leaving")
        finally:
            for courier in self.couriers:
                courier.stop.set()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._letters.close()
            await pages.cleanup()
        return 0

    async def _page(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={"Allow": "GET, HEAD"})
        if request.path == "/livez":
            return _json({"alive": True})
        if request.path == "/readyz":
            why = {each.route.name: each.why for each in self.couriers if not each.ready}
            return _json({"ready": self.ready, "why": why}, 200 if self.ready else 503)
        if request.path == "/metrics":
            for courier in self.couriers:
                courier.measure()
            kind = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
            return web.Response(body=counts.page(), headers=kind)
        return web.Response(status=404)


async def serve(settings: Settings, routes: Sequence[Route]) -> int:
    """Run all routes until SIGTERM or SIGINT."""
    notifier = Notifier(settings, routes)
    stop_on_signals(notifier.stop)
    return await notifier.run()


async def _listen(runner: web.ServerRunner, host: str, port: int) -> tuple[str, int]:
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except (OSError, socket.gaierror) as error:
        raise Misconfigured(
            f"cannot listen there: {error.strerror or error}", where=f"{host}:{port}"
        ) from error
    addresses: Sequence[Any] = runner.addresses
    return str(addresses[0][0]), int(addresses[0][1])


def _json(told: dict[str, object], status: int = 200) -> web.Response:
    return web.Response(
        status=status, body=orjson.dumps(told), headers={"Content-Type": "application/json"}
    )
