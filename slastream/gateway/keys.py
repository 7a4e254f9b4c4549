"""ConnectWise's signing keys: fetched from known hosts alone, over HTTPS, never where a URL leads.

The URL stands in a body that nobody has vouched for yet. So: https, no user, no port, a name below
an allowed domain, no address; the name must resolve to public addresses, and exactly those are
connected to; no redirect, no proxy, a small answer, soon. Fetches are few, however many ask.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
import orjson
from aiohttp.abc import AbstractResolver, ResolveResult

from slastream.gateway.bucket import Bucket
from slastream.gateway.refusal import Refused

FRESH = 3600.0
"""Seconds for which a key is used without asking again."""
DOUBTED = 60.0
"""Seconds after which a key that fits nothing is asked for once more: it may have been replaced."""
FAILED = 10.0
"""Seconds for which a failure is remembered."""
_TIMEOUT = aiohttp.ClientTimeout(total=5.0, connect=3.0)
_MOST = 16 * 1024
_REMEMBERED = 256
_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_REST = re.compile(r"/[A-Za-z0-9._~/%=&+-]*(?:\?[A-Za-z0-9._~/%=&+-]*)?")


def allowed(url: object, hosts: Sequence[str]) -> str:
    """Return a key URL that may be fetched. Raises `Refused` with reason `key_url`."""
    if not isinstance(url, str) or not 12 <= len(url) <= 1024 or not url.isascii():
        raise _no("is none")
    if not url.lower().startswith("https://"):
        raise _no("is not https")
    authority, slash, rest = url[8:].partition("/")
    host = authority.lower()
    # What is left after this has no user, port, bracket, backslash, encoding or address in it.
    if not _NAME.fullmatch(host) or not _REST.fullmatch(slash + rest):
        raise _no("has something in it that a key URL has not")
    if urlsplit(url).hostname != host:
        raise _no("reads in two ways")
    if not any(host == domain or host.endswith("." + domain) for domain in hosts):
        raise _no("is of no allowed host")
    return f"https://{host}{slash}{rest}"


def is_public(address: str) -> bool:
    """Tell whether an address is one of the open internet."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is not None:
            return is_public(str(inner))
        if found.teredo is not None:
            return False
    return found.is_global and not found.is_multicast


class Guarded(AbstractResolver):
    """Resolves names, and refuses one of whose addresses any is not public."""

    def __init__(self, inner: AbstractResolver, public: Callable[[str], bool]) -> None:
        self._inner = inner
        self._public = public

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if not found or not all(self._public(each["host"]) for each in found):
            raise OSError("the name is of no public address")
        return found

    async def close(self) -> None:
        await self._inner.close()


@dataclass(slots=True)
class _Known:
    key: bytes | None
    status: int
    """What a sender is told while there is no key."""
    at: float


class Keys:
    """The keys that were fetched. `resolver`, `tls` and `public` are for tests with hosts of theirs."""

    def __init__(
        self,
        resolver: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
        public: Callable[[str], bool] = is_public,
        on_fetch: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._given = (resolver, tls, public)
        self._on_fetch = on_fetch
        self._session: aiohttp.ClientSession | None = None
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[_Known]] = {}
        self._bucket = Bucket(rate=2.0, burst=20.0)

    async def key(self, url: str, *, doubted: bool = False) -> bytes | None:
        """Return the key under an allowed URL. Raises `Refused`.

        `doubted`: what we have did not fit. Returns None unless it was worth asking again.
        """
        now = time.monotonic()
        known = self._known.get(url)
        if known is not None:
            age = now - known.at
            if known.key is None and age < FAILED:
                raise _unavailable(known.status)
            if known.key is not None and age < (DOUBTED if doubted else FRESH):
                return None if doubted else known.key
        task = self._under_way.get(url)
        if task is None:
            if self._bucket.take(now) > 0:
                raise Refused(503, "key_unavailable", "too many key URLs at once", retry_after=5)
            task = self._under_way[url] = asyncio.create_task(self._fetch(url))
            task.add_done_callback(lambda _: self._under_way.pop(url, None))
        fetched = await asyncio.shield(task)
        if fetched.key is None:
            raise _unavailable(fetched.status)
        return fetched.key

    async def _fetch(self, url: str) -> _Known:
        known = _Known(None, 503, 0.0)
        result = "failed"
        try:
            async with self._open().get(url, allow_redirects=False) as answer:
                if answer.status == 200:
                    known.key = _signing_key(await answer.content.read(_MOST + 1))
                    result = "fetched"
                elif answer.status < 500 and answer.status != 429:
                    known.status = (
                        401  # the host has spoken: it has no such key, or points elsewhere
                    )
                    result = "refused"
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            pass  # 503: the sender tries again, and so do we
        known.at = time.monotonic()
        self._on_fetch(result)
        self._known[url] = known
        self._known.move_to_end(url)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return known

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            resolver, tls, public = self._given
            connector = aiohttp.TCPConnector(
                resolver=Guarded(resolver or aiohttp.ThreadedResolver(), public),
                ssl=tls or True,
                limit=8,
                use_dns_cache=False,
                force_close=True,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=_TIMEOUT,
                trust_env=False,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    async def close(self) -> None:
        for task in list(self._under_way.values()):
            task.cancel()
        if self._session is not None:
            await self._session.close()


def _signing_key(answer: bytes) -> bytes:
    if len(answer) > _MOST:
        raise ValueError("too large")
    told = orjson.loads(answer)
    key = told.get("signing_key") if isinstance(told, dict) else None
    if not isinstance(key, str) or not 8 <= len(key) <= 4096:
        raise ValueError("no signing key")
    return key.encode()


def _unavailable(status: int) -> Refused:
    if status == 401:
        return Refused(401, "key_url", "the host has no key there")
    return Refused(503, "key_unavailable", "the signing key cannot be had now", retry_after=10)


def _no(why: str) -> Refused:
    return Refused(401, "key_url", f"the key URL {why}")
