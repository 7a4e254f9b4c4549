"""Three pages on loopback: alive, ready, metrics. Knows HTTP; what to say it is given."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from slastream import metrics


class Pages:
    """The worker's own listener; none of Faust's pages is served."""

    def __init__(
        self,
        host: str,
        port: int,
        ready: Callable[[], dict[str, object]],
    ) -> None:
        self._host, self._port = host, port
        self._ready = ready
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        app = web.Application()
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def _livez(self, _: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def _readyz(self, _: web.Request) -> web.Response:
        told = self._ready()
        return web.json_response(told, status=200 if told["ready"] else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        body, content_type = metrics.page(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
