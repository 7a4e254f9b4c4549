"""One HTTP request, and what its answer means: done, again, or never. No proxy, no redirect, no cookie."""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self

import aiohttp

from slastream import __version__
from slastream.core.errors import Misconfigured
from slastream.notify.route import Request, Route

DONE, AGAIN, NEVER = "done", "again", "never"
MOST = 2_000
"""Bytes of an answer that are read: enough to say what was wrong."""
_REST = 2.0
"""Seconds for the body of an answer whose status is known."""
_DRAIN = 64 * 1024

_AWAY = (408, 425, 429, 502, 503, 504)
"""Statuses that say nothing about the request: the receiver, or something before it, has no time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`reason` is a bounded word, `detail` a sentence without secrets, `after` what the receiver asks for."""

    outcome: str
    reason: str = ""
    detail: str = ""
    after: float | None = None
    about_us: bool = False
    """The trouble may be this request's own: another one might get through."""


class Poster:
    """The connections of one route."""

    def __init__(self, route: Route, parallel: int) -> None:
        self._route = route
        self._parallel = parallel
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._route.timeout / 1000),
            connector=aiohttp.TCPConnector(limit=self._parallel, ssl=tls(self._route)),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"user-agent": f"slastream/{__version__}", "accept-encoding": "identity"},
            auto_decompress=False,
            trust_env=False,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, request: Request) -> Answer:
        """Send it once, and say what came of it. Raises nothing but a cancellation."""
        if self._session is None:
            raise RuntimeError("the poster is not open")
        try:
            async with self._session.post(
                request.url, data=request.body, headers=request.headers, allow_redirects=False
            ) as response:
                return await self._meant(response)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            reason, sentence = _trouble(error)
            away = reason in ("refused", "unreachable", "tls")
            return Answer(AGAIN, reason, self._route.redacted(sentence), about_us=not away)

    async def _meant(self, response: aiohttp.ClientResponse) -> Answer:
        status = response.status
        if 200 <= status < 300:
            # It has taken it. What it says about that, or fails to say, changes nothing.
            await _drained(response)
            return Answer(DONE, f"status_{status}")
        told = await _beginning(response)
        reason = f"status_{status}"
        detail = self._route.redacted(f"{status} {response.reason or ''}".strip() + _quoted(told))
        if status in _AWAY:
            after = retry_after(response.headers.get("retry-after", ""), time.time())
            return Answer(AGAIN, reason, detail, after)
        if status >= 500:
            after = retry_after(response.headers.get("retry-after", ""), time.time())
            return Answer(AGAIN, reason, detail, after, about_us=True)
        if 300 <= status < 400:
            detail += " (redirects are not followed: write the address that it leads to)"
        return Answer(NEVER, reason, detail)


def tls(route: Route) -> ssl.SSLContext:
    """Return how a route checks whom it talks to. Raises `Misconfigured` for a CA file that is none."""
    try:
        return ssl.create_default_context(cafile=route.ca_file)
    except (OSError, ssl.SSLError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise Misconfigured(
            f"cannot be used: {why}", where=str(route.ca_file), key=f"{route.name}.ca"
        ) from None


def retry_after(text: str, now: float) -> float | None:
    """Return the seconds that a Retry-After header asks for: a number, or a date; None for neither."""
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return max(0.0, moment.timestamp() - now)


async def _drained(response: aiohttp.ClientResponse) -> None:
    """Read a small body, so that the connection serves again; a large or slow one is hung up on."""
    try:
        async with asyncio.timeout(_REST):
            left = _DRAIN
            while left > 0 and (chunk := await response.content.read(left)):
                left -= len(chunk)
        if left > 0:
            return
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        pass
    response.close()


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """Return the first bytes of an answer as text, whatever becomes of the rest."""
    found = b""
    try:
        async with asyncio.timeout(_REST):
            while len(found) < MOST and (chunk := await response.content.read(MOST - len(found))):
                found += chunk
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        pass
    if len(found) >= MOST:
        response.close()
    return found.decode("utf-8", "replace")


def _quoted(told: str) -> str:
    text = " ".join("".join(c if c.isprintable() else " " for c in told).split())
    return f": {text[:500]}" if text else ""


def _trouble(error: Exception) -> tuple[str, str]:
    """Return a bounded word and a sentence for a request that had no answer."""
    name = type(error).__name__
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "tls", f"its certificate is not accepted: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return "tls", f"TLS failed: {error}"
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "unreachable", "no connection within the time"
    if isinstance(error, TimeoutError):
        return "timeout", "no answer within the time"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "unreachable", "its name has no address"
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
        if isinstance(cause, ConnectionRefusedError):
            return "refused", "nobody listens there"
        return "unreachable", f"no connection: {cause.strerror or cause}"
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionError | aiohttp.ClientOSError):
        return "reset", "it broke off"
    return "bad_answer", f"its answer is not HTTP: {name}"
