"""ConnectWise's key URL: an attacker writes it, so it leads nowhere but to the known hosts."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import orjson
import pytest
import trustme
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from slastream.gateway import keys as module
from slastream.gateway.endpoints import Endpoint
from slastream.gateway.keys import Keys, allowed, is_public
from slastream.gateway.proof import prove
from slastream.gateway.refusal import Refused

HOSTS = ("myconnectwise.net",)
HOST = "api-eu.myconnectwise.net"
URL = f"https://{HOST}/v4_6/login/getkey/abc?x=1"
KEY = "the-signing-key-of-the-host"


@pytest.mark.parametrize(
    "url",
    [
        URL,
        URL.replace(HOST, "myconnectwise.net"),
        URL.replace(HOST, HOST.upper()),
        f"https://{HOST}/",
    ],
)
def test_right_urls(url: str) -> None:
    """A key URL of an allowed host is taken, its host in lower case."""
    assert allowed(url, HOSTS).startswith("https://")
    assert "myconnectwise.net/" in allowed(url, HOSTS)


@pytest.mark.parametrize(
    "url",
    [
        None,
        7,
        "",
        "https://",
        f"http://{HOST}/key",
        f"ftp://{HOST}/key",
        f"//{HOST}/key",
        f"file:///{HOST}/key",
        f"https:/{HOST}/key",
        f"https:\\\\{HOST}\\key",
        "https://evil.example/key",
        "https://evilmyconnectwise.net/key",
        "https://myconnectwise.net.evil.example/key",
        f"https://evil.example/{HOST}",
        f"https://evil.example?{HOST}/",
        f"https://evil.example#{HOST}/",
        f"https://{HOST}@evil.example/key",
        f"https://evil.example@{HOST}/key",
        f"https://user:password@{HOST}/key",
        f"https://evil.example\\@{HOST}/key",
        f"https://{HOST}\\@evil.example/key",
        f"https://{HOST}:8443/key",
        f"https://{HOST}:443/key",
        f"https://{HOST}:/key",
        f"https://{HOST}./key",
        f"https://.{HOST}/key",
        f"https://{HOST}%2eevil.example/key",
        f"https://{HOST}%00.evil.example/key",
        f"https://{HOST}\x00.evil.example/key",
        f"https://{HOST}\t.evil.example/key",
        f"https://{HOST}\n.evil.example/key",
        f"https://{HOST}/key\r\nx-injected: 1",
        f"https://{HOST}/key#fragment",
        f" https://{HOST}/key",
        f"https://{HOST}/" + "a" * 2000,
        "https://127.0.0.1/key",
        "https://2130706433/key",
        "https://0x7f.1/key",
        "https://[::1]/key",
        "https://[::ffff:127.0.0.1]/key",
        "https://169.254.169.254/latest/meta-data",
        "https://localhost/key",
        "https://myсonnectwise.net/key",  # one letter of it is Cyrillic
        "https://api.myconnectwise。net/key",
        f"https://{HOST}",
    ],
)
def test_attackers_urls(url: object) -> None:
    """Whatever else a URL says, it is refused before anything is looked up or fetched."""
    with pytest.raises(Refused) as refused:
        allowed(url, HOSTS)

    assert (refused.value.status, refused.value.reason) == (401, "key_url")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1",
        "::ffff:10.0.0.1", "::ffff:127.0.0.1", "2002:7f00:1::", "2001:0:53aa:64c::", "ff02::1",
    ],
)  # fmt: skip
def test_addresses_inside(address: str) -> None:
    """No address of our own networks is public, however it is written."""
    assert not is_public(address)


def test_addresses_outside() -> None:
    """Addresses of the open internet are."""
    assert is_public("20.50.60.70")
    assert is_public("2a01:111::1")


@dataclass
class Host:
    """A key host of the test: its answers, and what it was asked."""

    port: int
    tls: ssl.SSLContext
    answer: Callable[[], web.Response]
    asked: list[str] = field(default_factory=list)


class Names(AbstractResolver):
    """Resolves every name to the test's host."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self._port, self._address = port, address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host=self._address, port=self._port,
                family=socket.AF_INET, proto=0, flags=0,
            )
        ]  # fmt: skip

    async def close(self) -> None:
        pass


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    authority = trustme.CA()
    server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOST).configure_cert(server_tls)
    client_tls = ssl.create_default_context()
    authority.configure_trust(client_tls)
    one = Host(0, client_tls, lambda: web.json_response({"signing_key": KEY}))

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        one.asked.append(str(request.rel_url))
        return one.answer()

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_tls).start()
    one.port = runner.addresses[0][1]
    yield one
    await runner.cleanup()


@pytest.fixture
async def keys(host: Host) -> AsyncIterator[Keys]:
    made = Keys(Names(host.port), host.tls, public=lambda _: True)
    yield made
    await made.close()


async def refused(asked: Awaitable[object]) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        await asked
    assert KEY not in str(caught.value) + caught.value.detail
    return caught.value.status, caught.value.reason


async def test_key_is_fetched_once(host: Host, keys: Keys) -> None:
    """However many deliveries ask at once, the host is asked once, for path and query as told."""
    found = await asyncio.gather(*(keys.key(URL) for _ in range(50)))

    assert set(found) == {KEY.encode()}
    assert host.asked == ["/v4_6/login/getkey/abc?x=1"]


async def test_redirect_is_not_followed(host: Host, keys: Keys) -> None:
    """A host that points elsewhere has no key."""
    host.answer = lambda: web.Response(status=302, headers={"Location": "https://10.0.0.1/key"})

    assert await refused(keys.key(URL)) == (401, "key_url")
    assert len(host.asked) == 1


async def test_private_address_is_not_asked(host: Host) -> None:
    """A name of an allowed domain that resolves to an address of ours is not connected to."""
    guarded = Keys(Names(host.port), host.tls)

    assert await refused(guarded.key(URL)) == (503, "key_unavailable")
    assert host.asked == []
    await guarded.close()


async def test_certificate_of_another(host: Host) -> None:
    """A host that cannot show the certificate of its name gives no key."""
    distrusting = Keys(Names(host.port), ssl.create_default_context(), public=lambda _: True)

    assert await refused(distrusting.key(URL)) == (503, "key_unavailable")
    await distrusting.close()


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b'{"signing_key":""}', b'{"signing_key":7}', b"<html>", b"x" * 100_000],
)
async def test_answer_that_is_no_key(host: Host, keys: Keys, body: bytes) -> None:
    """An answer without a usable key, or one too large, is no key; the sender may come again."""
    host.answer = lambda: web.Response(body=body)

    assert await refused(keys.key(URL)) == (503, "key_unavailable")


async def test_failure_is_remembered(host: Host, keys: Keys) -> None:
    """A host in trouble is not asked again by every delivery."""
    host.answer = lambda: web.Response(status=500)
    for _ in range(5):
        assert await refused(keys.key(URL)) == (503, "key_unavailable")

    assert len(host.asked) == 1


async def test_many_urls_are_not_many_fetches(host: Host, keys: Keys) -> None:
    """Invented URLs of the allowed host do not make us its attacker; a known key is still used."""
    await keys.key(URL)
    host.answer = lambda: web.Response(status=404)
    for number in range(60):
        assert (await refused(keys.key(f"{URL}&n={number}")))[0] in (401, 503)

    assert len(host.asked) < 40
    assert await keys.key(URL) == KEY.encode()


async def test_what_is_remembered_has_an_end(
    host: Host, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys of long ago make room for new ones."""
    monkeypatch.setattr(module, "_REMEMBERED", 3)
    for number in range(8):
        await keys.key(f"{URL}&n={number}")

    assert len(keys._known) == 3


async def test_key_that_was_replaced(
    host: Host, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that does not fit is asked for once more after a while, not by every bad delivery."""
    await keys.key(URL)
    assert await keys.key(URL, doubted=True) is None
    monkeypatch.setattr(module, "DOUBTED", 0.0)
    host.answer = lambda: web.json_response({"signing_key": "another-signing-key"})

    assert await keys.key(URL, doubted=True) == b"another-signing-key"
    assert len(host.asked) == 2


async def test_a_signed_callback(host: Host, keys: Keys) -> None:
    """A callback signed with the host's key passes; one of the attacker's own does not."""
    endpoint = Endpoint("acme", "connectwise", "key_url", company="Fjordline", key_hosts=HOSTS)
    doc = {"ID": 1, "CompanyId": "fjordline", "Metadata": {"key_url": URL}}
    body = orjson.dumps(doc)

    def proof(key: str) -> dict[str, str]:
        mac = hmac.new(hashlib.sha256(key.encode()).digest(), body, "sha256").digest()
        return {"x-content-signature": base64.b64encode(mac).decode()}

    await prove(endpoint, proof(KEY), body, doc, 0, keys)

    assert await refused(prove(endpoint, proof("attacker"), body, doc, 0, keys)) == (
        401, "bad_signature",
    )  # fmt: skip
    assert await refused(prove(endpoint, {}, body, doc, 0, keys)) == (401, "no_signature")
    assert len(host.asked) == 1
