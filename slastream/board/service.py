"""The listener: pages, streams, who may see what, and the headers that keep browsers safe. Read-only."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from aiohttp import web

from slastream.board import pages, ticket, trends_page
from slastream.board.access import Door, Proxy, Refused, Viewer, is_loopback, load_users
from slastream.board.alerts import Alerts
from slastream.board.feed import Feed
from slastream.board.hours import Hours
from slastream.board.hub import Full, Hub
from slastream.board.lens import Filter
from slastream.board.shelf import Shelf
from slastream.board.trends import Trends
from slastream.board.words import Words, choose
from slastream.core.errors import Misconfigured
from slastream.core.instant import DAY, Instant, from_datetime
from slastream.settings import Settings

log = logging.getLogger("slastream.board")

FILES = {
    "board.css": "text/css", "board.js": "text/javascript", "now.js": "text/javascript",
    "part.js": "text/javascript", "theme.js": "text/javascript", "icon.svg": "image/svg+xml",
}  # fmt: skip

SAFE = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}

VIEWER = web.RequestKey("viewer", Viewer)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Options:
    """Where and for whom the board listens."""

    host: str = "127.0.0.1"
    port: int = 8088
    """0 takes a free one."""
    users: Path | None = None
    proxy_header: str | None = None
    trusted_proxies: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """Host names under which browsers may call an open board, besides loopback."""
    browsers: int = 1_000
    certificate: Path | None = None
    key: Path | None = None
    quiet: bool = field(default=False)

    def door(self) -> Door:
        """Return who is let in. Raises `Misconfigured` when the door would stand open to the world."""
        users = load_users(self.users) if self.users is not None else None
        proxy = Proxy.of(self.proxy_header, self.trusted_proxies) if self.proxy_header else None
        if users is None and proxy is not None:
            raise Misconfigured(
                "which tenants each user may see is not said", where="--proxy-header",
                hint='a --users file with names and tenants; the name "*" is for all others',
            )  # fmt: skip
        door = Door(users, proxy)
        if door.open and not is_loopback(self.host):
            raise Misconfigured(
                f"{self.host} can be reached from other machines, and nobody would be asked who they are",
                where="--host",
                hint="give --users FILE, or --proxy-header with --trusted-proxy, or stay on 127.0.0.1",
            )
        return door


class Board:
    """The board. Use it as `async with`; `run` follows the topics until cancelled."""

    def __init__(self, client: Mapping[str, Any], settings: Settings, options: Options) -> None:
        self._settings, self._options, self._door = settings, options, options.door()
        simulated = settings.time == "log"
        self.hours = Hours()
        self.shelf = Shelf(self.hours)
        self.alerts = Alerts()
        self.trends = Trends(self.hours)
        self.feed = Feed(
            client, settings, self.hours, self.shelf, self.alerts, self.trends,
            lambda: None if simulated else _month_start(),
        )  # fmt: skip
        self.hub = Hub(
            self.shelf, self.alerts, self.trends, self.feed.state, simulated=simulated,
            most=options.browsers,
        )  # fmt: skip
        if not simulated:
            self.shelf.advance(self.hub.now)
        self._files = {name: _read(name) for name in FILES}
        digest = hashlib.sha256(b"".join(self._files.values())).hexdigest()
        self._static = digest[:12]
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._guard], client_max_size=1024)
        app.router.add_get("/", self._now)
        app.router.add_get("/events", self._events)
        app.router.add_get("/ticket", self._ticket)
        app.router.add_get("/ticket/part", self._ticket_part)
        app.router.add_get("/evidence", self._evidence)
        app.router.add_get("/trends", self._trends)
        app.router.add_get("/trends/part", self._trends_part)
        app.router.add_get("/static/{name}", self._file)
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.on_shutdown.append(self._end_streams)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(
            self._runner, self._options.host, self._options.port, ssl_context=self._tls()
        )
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise Misconfigured(
                f"cannot listen on {self._options.host}:{self._options.port}: {error.strerror}",
                where="--port", hint="another port, or 0 for a free one",
            ) from None  # fmt: skip
        host, port = self._runner.addresses[0][:2]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if self._options.certificate else 'http'}://{shown}:{port}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _end_streams(self, _: web.Application) -> None:
        self.hub.end()

    def _tls(self) -> ssl.SSLContext | None:
        if self._options.certificate is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(self._options.certificate, self._options.key)
        except (OSError, ssl.SSLError) as error:
            raise Misconfigured(f"not a certificate and its key: {error}", where="--cert") from None
        return context

    async def run(self) -> None:
        """Follow the topics and tell browsers. Raises `Misconfigured`."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.feed.run(), name="board-feed")
            tasks.create_task(self._beat(), name="board-beat")

    async def _beat(self) -> None:
        await self.feed.loaded.wait()
        await self.hub.run()

    # -- the guard -----------------------------------------------------------------------------

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = await self._guarded(request, handler)
        except web.HTTPException as error:
            response = _plain(error.status, error.reason)
            response.headers.update({k: v for k, v in error.headers.items() if k == "Allow"})
        if not response.prepared:
            response.headers.update(SAFE)
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in ("/livez", "/readyz"):
            return await handler(request)
        if self._door.open and not self._host_is_ours(request.headers.get("Host", "")):
            # A name of somebody else's that leads here would let their page read ours.
            return _plain(421, "this board answers only under the name of this machine")
        try:
            request[VIEWER] = await self._door.enter(request.remote, request.headers)
        except Refused as refused:
            response = _plain(refused.status, str(refused))
            if refused.status == 401:
                response.headers["WWW-Authenticate"] = 'Basic realm="slastream", charset="UTF-8"'
            return response
        try:
            return await handler(request)
        except Full as full:
            return _plain(503, str(full), {"Retry-After": "5"})

    def _host_is_ours(self, host: str) -> bool:
        name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        name = name.strip("[]")
        return is_loopback(name) or name == self._options.host or name in self._options.names

    # -- pages -----------------------------------------------------------------------------------

    def _page(
        self, request: web.Request, name: str, title: str, body: str, *, stream: str = "",
        status: int = 200,
    ) -> web.Response:  # fmt: skip
        t = _words(request)
        text = pages.page(
            t, name, body, title=title, static=self._static, user=request[VIEWER].name,
            stream=stream,
        )  # fmt: skip
        response = web.Response(text=text, content_type="text/html", status=status)
        if request.query.get("lang") == t.language:
            response.set_cookie("lang", t.language, max_age=31_536_000, samesite="Strict")
        return response

    async def _now(self, request: web.Request) -> web.Response:
        t = _words(request)
        return self._page(request, "now", t("title"), pages.now_body(t))

    async def _ticket(self, request: web.Request) -> web.Response:
        return self._ticket_page(request, evidence=False)

    async def _evidence(self, request: web.Request) -> web.Response:
        return self._ticket_page(request, evidence=True)

    def _ticket_page(self, request: web.Request, *, evidence: bool) -> web.Response:
        t, key = _words(request), request.query.get("key", "")
        found = self._seen(request, key)
        if found is None:
            title, text, status = t("ticket"), t("not_found"), 404
            if not self.feed.loaded.is_set():
                title, text, status = t("loading"), t("still_loading"), 503
            return self._page(
                request, "ticket", title, pages.message_body(t, title, text), status=status,
                stream=f"ticket={_quoted(key)}",
            )  # fmt: skip
        told = ticket.tell(key, found, self.hours, list(self.alerts.of(key)), self.hub.now)
        body = ticket.body(t, told, evidence=evidence)
        stream = "" if evidence else f"ticket={_quoted(key)}"
        return self._page(request, "ticket", ticket.title(t, told), body, stream=stream)

    async def _ticket_part(self, request: web.Request) -> web.Response:
        t, key = _words(request), request.query.get("key", "")
        found = self._seen(request, key)
        if found is None:
            body = pages.message_body(t, t("ticket"), t("not_found"))
        else:
            told = ticket.tell(key, found, self.hours, list(self.alerts.of(key)), self.hub.now)
            body = ticket.body(t, told, evidence=False)
        return web.Response(text=body, content_type="text/html")

    def _seen(self, request: web.Request, key: str) -> Any:
        found = self.shelf.ticket(key)
        return found if found is not None and request[VIEWER].sees(found.tenant) else None

    async def _trends(self, request: web.Request) -> web.Response:
        t = _words(request)
        return self._page(
            request, "trends", t("trends"), self._trends_body(request), stream="trends=1"
        )

    async def _trends_part(self, request: web.Request) -> web.Response:
        return web.Response(text=self._trends_body(request), content_type="text/html")

    def _trends_body(self, request: web.Request) -> str:
        return trends_page.body(
            _words(request), self.trends, self.hours, request[VIEWER].tenants, self.hub.now,
            loaded=self.feed.loaded.is_set(),
        )  # fmt: skip

    # -- streams ---------------------------------------------------------------------------------

    async def _events(self, request: web.Request) -> web.StreamResponse:
        viewer = request[VIEWER]
        key = request.query.get("ticket", "")
        query = {name: request.query.getall(name) for name in request.query}
        response = web.StreamResponse(
            headers={**SAFE, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        response.content_type = "text/event-stream"
        if not self.feed.loaded.is_set():
            await response.prepare(request)
            await self._tell_of_loading(response)
        # The view is made before the first byte, so that a refusal still has its status.
        wanted = Filter.of(query, viewer.tenants)
        browser = self.hub.open(
            wanted, now_view=not key and "trends" not in query, ticket=key, trends="trends" in query
        )
        try:
            if not response.prepared:
                await response.prepare(request)
            async for message in self.hub.messages(browser):
                await response.write(message)
        except (ConnectionResetError, ConnectionError):
            pass
        finally:
            self.hub.close(browser)
        return response

    async def _tell_of_loading(self, response: web.StreamResponse) -> None:
        while not self.feed.loaded.is_set():
            await response.write(b"event: status\ndata: " + self.hub.status() + b"\n\n")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await self.feed.loaded.wait()

    # -- the rest --------------------------------------------------------------------------------

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self._files:
            raise web.HTTPNotFound
        fresh = request.query_string == self._static
        return web.Response(
            body=self._files[name], content_type=FILES[name], charset="utf-8",
            headers={"Cache-Control": "private, max-age=31536000, immutable" if fresh else "no-cache"},
        )  # fmt: skip

    async def _livez(self, _: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def _readyz(self, _: web.Request) -> web.Response:
        state = self.feed.state
        told = {"ready": state.name == "live", "state": state.name}
        return web.json_response(told, status=200 if told["ready"] else 503)


def _words(request: web.Request) -> Words:
    asked = request.query.get("lang") or request.cookies.get("lang")
    return choose(asked, request.headers.get("Accept-Language", ""))


def _quoted(key: str) -> str:
    return quote(key, safe="")


def _plain(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=f"{text}\n", headers=headers)


def _read(name: str) -> bytes:
    return (resources.files("slastream.board") / "static" / name).read_bytes()


def _month_start() -> Instant:
    """Return an instant before any zone's month began."""
    now = datetime.now(UTC)
    return from_datetime(now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)) - DAY
