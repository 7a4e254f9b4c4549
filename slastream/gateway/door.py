"""One HTTP request, from its path to its answer. Knows HTTP, and in what order to doubt.

Path, method, headers, is there room, body, proof, rate, and only then Kafka. What is refused has
cost as little as could be; what is answered with 202 is on the broker.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import orjson
from aiohttp import StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError

from slastream.gateway import counts
from slastream.gateway.bucket import Budget, Hold
from slastream.gateway.endpoints import Endpoint, Endpoints
from slastream.gateway.handshake import ALLOW, answer
from slastream.gateway.headers import Passing
from slastream.gateway.keying import key_of, parsed
from slastream.gateway.keys import Keys
from slastream.gateway.proof import prove
from slastream.gateway.refusal import Refused
from slastream.gateway.writer import Writer

log = logging.getLogger("slastream.gateway")

_OVERHEAD = 2048
"""Bytes that a delivery takes in memory beside its body, roughly."""
_TOLD_EVERY = 10.0
"""Seconds between two lines of log about the same refusal of one endpoint."""
_JSON = {"Content-Type": "application/json", "Server": "slastream", "Cache-Control": "no-store"}
_PLAIN = ("application/json", "text/json", "text/plain", "application/octet-stream")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request, and all together, may take. Bytes and seconds."""

    body: int = 1_000_000
    """The largest body: below the broker's usual limit of 1 MiB for a record."""
    memory: int = 64 * 1024 * 1024
    """All bodies under way and records not yet acknowledged."""
    body_seconds: float = 10.0
    """For a body to arrive as a whole."""
    acknowledge_seconds: float = 4.0
    """For the broker to acknowledge; some senders wait for five seconds only."""
    keepalive_seconds: float = 30.0
    """For the next request's headers to arrive as a whole."""
    connections: int = 2_000
    drain_seconds: float = 15.0


class Door:
    """Answers requests. `topic` gives a source's raw topic, `clock` the epoch seconds."""

    def __init__(
        self,
        endpoints: Endpoints,
        writer: Writer,
        keys: Keys,
        topic: Callable[[str], str],
        limits: Limits,
        clock: Callable[[], float] = time.time,
        simulated: bool = False,
    ) -> None:
        self._writer, self._keys, self._topic = writer, keys, topic
        self._limits, self._clock, self._simulated = limits, clock, simulated
        self.budget = Budget(limits.memory)
        self.active = 0
        """Requests being answered now."""
        self.draining = False
        self._told: dict[tuple[str, str], tuple[float, int]] = {}
        self.replace(endpoints)

    def replace(self, endpoints: Endpoints) -> None:
        """Take other endpoints from the next request on."""
        self._passing = {each.path: Passing(each, self._simulated) for each in endpoints}
        self.endpoints = endpoints

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        began = time.perf_counter()
        self.active += 1
        endpoint = self.endpoints.at(request.raw_path)
        try:
            status, reason, response = await self._answered(endpoint, request)
        finally:
            self.active -= 1
        if self.draining:
            response.force_close()
        tenant, source = (endpoint.tenant, endpoint.source) if endpoint else ("", "")
        counts.REQUESTS.labels(tenant, source, str(status), reason).inc()
        if status == 202:
            counts.SECONDS.labels(source).observe(time.perf_counter() - began)
        return response

    async def _answered(
        self, endpoint: Endpoint | None, request: web.BaseRequest
    ) -> tuple[int, str, web.Response]:
        try:
            if endpoint is None:
                raise Refused(404, "unknown_endpoint")
            if request.method != "POST":
                origin = request.headers.get("webhook-request-origin", "")
                text, headers = answer(endpoint, request.method, request.raw_path, origin)
                headers = {"Allow": ALLOW, "Server": "slastream", **headers}
                return 200, "handshake", web.Response(text=text, headers=headers)
            delivery = await self._deliver(endpoint, request)
            if delivery is None:
                return 200, "ping", _response(200, {"status": "pong"})
            return 202, "accepted", _response(202, {"status": "accepted", "delivery": delivery})
        except Refused as refused:
            self._note(endpoint, refused)
            return refused.status, refused.reason, _refusal(refused)

    async def _deliver(self, endpoint: Endpoint, request: web.BaseRequest) -> str | None:
        """Write one delivery and return its name; None for a ping that says nothing."""
        passing = self._passing[endpoint.path]
        found = passing.look(request.headers.items())
        self._acceptable(found, request.content_length)
        if self._writer.away:
            raise Refused(503, "broker_away", retry_after=3)
        hold = Hold(self.budget)
        try:
            body = await self._body(request.content, hold)
            now = int(self._clock() * 1000)
            doc = parsed(body)
            await prove(endpoint, found, body, doc, now, self._keys)
            if not body.strip() or doc == {}:
                return None
            wait = endpoint.bucket.take(time.monotonic())
            if wait:
                raise Refused(429, "rate", retry_after=max(1, min(60, round(wait + 0.5))))
            delivery = passing.delivery(found, body)
            log_time = passing.log_time(found)
            await self._writer.write(
                self._topic(endpoint.source),
                key_of(endpoint.tenant, endpoint.source, doc),
                body,
                passing.kafka(found, delivery, now if log_time is None else log_time),
                hold,
                log_time,
            )
            return delivery
        finally:
            if not hold.handed_on:
                hold.release()

    def _acceptable(self, found: dict[str, str], length: int | None) -> None:
        """Judge by the headers alone. Raises `Refused`."""
        if found.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise Refused(415, "content_encoding", close=True)
        kind = found.get("content-type", "").partition(";")[0].strip().lower()
        if kind and kind not in _PLAIN and not kind.endswith("+json"):
            raise Refused(415, "content_type", close=True)
        if length is not None and length > self._limits.body:
            raise Refused(413, "too_large", close=True)

    async def _body(self, content: StreamReader, hold: Hold) -> bytes:
        """Read a body as it comes. Raises `Refused`: 408, 413, 503, or 400 for one that ends early."""
        if content.is_eof():
            body = content.read_nowait(-1)
            self._count(len(body) + _OVERHEAD, len(body), hold)
            return body
        parts: list[bytes] = []
        size = 0
        self._count(_OVERHEAD, 0, hold)
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                while part := await content.readany():
                    size += len(part)
                    self._count(len(part), size, hold)
                    parts.append(part)
        except TimeoutError:
            raise Refused(408, "slow_body", close=True) from None
        except (HttpProcessingError, web.RequestPayloadError, ConnectionError):
            raise Refused(400, "bad_body", close=True) from None
        return b"".join(parts)

    def _count(self, more: int, size: int, hold: Hold) -> None:
        if size > self._limits.body:
            raise Refused(413, "too_large", close=True)
        if not hold.add(more):
            raise Refused(503, "busy", retry_after=2, close=True)

    def _note(self, endpoint: Endpoint | None, refused: Refused) -> None:
        """Tell the log of a refusal, seldom: whoever knocks must not be able to fill a disk."""
        path = endpoint.path if endpoint else "an unknown path"
        now = time.monotonic()
        at, more = self._told.get((path, refused.reason), (-_TOLD_EVERY, 0))
        if now - at < _TOLD_EVERY:
            self._told[path, refused.reason] = at, more + 1
            return
        self._told[path, refused.reason] = now, 0
        since = f", and {more} times since the last such line" if more else ""
        detail = f" ({refused.detail[:200]!a})" if refused.detail else ""
        log.warning("%s: %d %s%s%s", path, refused.status, refused.reason, detail, since)


def _response(status: int, told: dict[str, object]) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(told), headers=_JSON)


def _refusal(refused: Refused) -> web.Response:
    response = _response(refused.status, {"error": refused.reason})
    if refused.retry_after is not None:
        response.headers["Retry-After"] = str(refused.retry_after)
    if refused.status == 405:
        response.headers["Allow"] = ALLOW
    if refused.close:
        response.force_close()
    return response
