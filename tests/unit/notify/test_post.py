"""One request to a server that behaves, or does not: what its answer means, and what is never shown."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import trustme

from slastream.core.errors import Misconfigured
from slastream.kafka import ports
from slastream.notify.post import AGAIN, DONE, MOST, NEVER, Answer, Poster, retry_after
from slastream.notify.route import Request, Route
from slastream.notify.secret import Secret

SECRET = "a-secret-that-nobody-may-see"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def server(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A TCP server that reads one request's head and body, and then does as `talk` says."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                await reader.readexactly(size)
                await talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    one = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    try:
        yield int(one.sockets[0].getsockname()[1])
    finally:
        one.close()


def says(*parts: bytes, pause: float = 0.0, end: bool = True) -> Talk:
    """Write these bytes, a pause between them; `end` closes, else the line stays open."""

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        if end:
            writer.close()

    return talk


def head(status: int, length: int, *more: bytes) -> bytes:
    lines = [b"HTTP/1.1 %d Said" % status, b"Content-Length: %d" % length, *more]
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def resets(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begin an answer and reset the connection in the middle of its head."""
    writer.write(b"HTTP/1.1 20")
    await writer.drain()
    writer.transport.abort()


def route(port: int, scheme: str = "http", **more: Any) -> Route:
    given: dict[str, Any] = {
        "name": "one", "kind": "webhook", "url": Secret(f"{scheme}://127.0.0.1:{port}/hook/{SECRET}"),
        "shown": "***", "timeout": 1_000, **more,
    }  # fmt: skip
    return Route(**given)


async def posted(one: Route) -> Answer:
    async with Poster(one, 1) as poster:
        return await poster.post(
            Request(one.url.reveal(), b"{}", {"content-type": "application/json"})
        )


async def answered(talk: Talk, **more: Any) -> Answer:
    async with server(talk) as port:
        return await posted(route(port, **more))


@pytest.mark.parametrize(
    ("status", "outcome", "about_us"),
    [
        (200, DONE, False), (202, DONE, False), (204, DONE, False),
        (429, AGAIN, False), (503, AGAIN, False), (502, AGAIN, False), (504, AGAIN, False),
        (408, AGAIN, False), (425, AGAIN, False), (500, AGAIN, True), (501, AGAIN, True),
        (400, NEVER, False), (401, NEVER, False), (403, NEVER, False), (404, NEVER, False),
        (410, NEVER, False), (413, NEVER, False), (302, NEVER, False), (307, NEVER, False),
    ],
)  # fmt: skip
async def test_what_a_status_means(status: int, outcome: str, about_us: bool) -> None:
    """Success, come again, never: and whether it may be this very request."""
    body = b"" if status == 204 else b"ok"
    found = await answered(says(head(status, len(body)) + body))

    assert (found.outcome, found.reason, found.about_us) == (outcome, f"status_{status}", about_us)


async def test_a_redirect_is_not_followed() -> None:
    """Nobody is told of an alert at an address that no route names."""
    asked: list[bytes] = []

    async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(b"x")

    async with server(elsewhere) as other:
        location = b"Location: http://127.0.0.1:%d/" % other
        found = await answered(says(head(302, 0, location)))

    assert found.outcome == NEVER
    assert "redirects are not followed" in found.detail
    assert asked == []


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        (says(b"", pause=5), "timeout"),
        (says(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", pause=2), "timeout"),
        (says(b""), "reset"),
        (resets, "reset"),
        (says(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"), "bad_answer"),
        (says(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"), "bad_answer"),
    ],
    ids=["silent", "slow head", "closed at once", "reset in the head", "no HTTP", "huge header"],
)
async def test_no_answer_is_tried_again_and_may_be_our_fault(talk: Talk, reason: str) -> None:
    """A server that is silent, slow, broken off or something else entirely."""
    found = await answered(talk)

    assert (found.outcome, found.reason, found.about_us) == (AGAIN, reason, True)
    assert SECRET not in found.detail


@pytest.mark.parametrize(
    "talk",
    [
        says(head(202, 5_000) + b"half", pause=0.05),
        says(head(202, 5_000) + b"half", pause=5, end=False),
        says(head(202, 50_000_000) + b"x" * 3_000_000, end=False),
    ],
    ids=["reset in the body", "slow body", "huge body"],
)
async def test_what_was_taken_stays_taken(talk: Talk) -> None:
    """Once the status says so, it has the alert: how the rest of the answer fares does not matter."""
    began = time.monotonic()
    found = await answered(talk, timeout=5_000)

    assert found.outcome == DONE
    assert time.monotonic() - began < 4


async def test_a_huge_refusal_is_not_read_to_its_end() -> None:
    """Its beginning tells enough; nothing fills our memory."""
    found = await answered(says(head(400, 1 << 40) + b"no " * 1_000_000, end=False))

    assert found.outcome == NEVER
    assert len(found.detail) < MOST
    assert "no no no" in found.detail


async def test_an_answer_that_quotes_the_secret_is_redacted() -> None:
    """Receivers repeat addresses and keys in their errors; ours do not."""
    body = f"nobody at /hook/{SECRET}, key {SECRET}\x1b[31m".encode()
    found = await answered(says(head(404, len(body)) + body))

    assert found.detail == "404 Said: nobody at /hook/***, key *** [31m"


async def test_nobody_listens() -> None:
    """A refused connection is the receiver's trouble, and says so without the address's secret."""
    found = await posted(route(ports.free()))

    assert (found.outcome, found.reason, found.about_us) == (AGAIN, "refused", False)
    assert SECRET not in found.detail


async def test_a_name_without_an_address() -> None:
    """A name that does not resolve may resolve later."""
    found = await posted(route(1, url=Secret(f"http://nowhere.invalid/{SECRET}")))

    assert (found.outcome, found.about_us) == (AGAIN, False)
    assert found.reason in ("unreachable", "timeout")
    assert SECRET not in found.detail


@contextlib.asynccontextmanager
async def plain_http() -> AsyncIterator[int]:
    """A server that speaks HTTP alone, and says so to a TLS client as such servers do."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(head(400, 0))
        writer.close()

    one = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield int(one.sockets[0].getsockname()[1])
    finally:
        one.close()


async def test_a_certificate_must_be_somebodys_we_trust(tmp_path: Path) -> None:
    """A stranger's, one for another name, and none at all are not accepted; one of the route's CA is."""
    ca, stranger = trustme.CA(), trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    async def over(issued: Any) -> Answer:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        issued.configure_cert(tls)
        async with server(says(head(202, 0)), tls) as port:
            return await posted(route(port, "https", ca_file=tmp_path / "ca.pem"))

    good = await over(ca.issue_cert("127.0.0.1"))
    wrong_ca = await over(stranger.issue_cert("127.0.0.1"))
    wrong_name = await over(ca.issue_cert("elsewhere.example"))
    async with plain_http() as port:
        no_tls = await posted(route(port, "https", ca_file=tmp_path / "ca.pem"))

    assert good.outcome == DONE
    for found in (wrong_ca, wrong_name, no_tls):
        assert (found.outcome, found.reason, found.about_us) == (AGAIN, "tls", False)
        assert SECRET not in found.detail


async def test_a_file_of_certificates_that_is_none(tmp_path: Path) -> None:
    """It stops the process before the first alert, and names the file."""
    (tmp_path / "ca.pem").write_text("not a certificate", "utf-8")
    one = replace(route(1), ca_file=tmp_path / "ca.pem")

    with pytest.raises(Misconfigured, match=r"ca\.pem: one\.ca: cannot be used"):
        await posted(one)


async def test_a_connection_serves_many_requests() -> None:
    """A receiver is not made to shake hands for each alert."""
    connections = 0
    served = 0

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections, served
        connections += not hasattr(writer, "_met")
        writer._met = True  # type: ignore[attr-defined]
        served += 1
        writer.write(head(202, 2) + b"ok")
        await writer.drain()

    async with server(talk) as port, Poster(route(port), 1) as poster:
        for _ in range(5):
            await poster.post(Request(f"http://127.0.0.1:{port}/", b"{}"))

    assert (served, connections) == (5, 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30", 30.0), (" 0 ", 0.0), ("", None), ("soon", None), ("-5", None), ("1e9", None),
        (formatdate(1_772_442_131 + 90, usegmt=True), 90.0),
        (formatdate(1_772_442_131 - 90, usegmt=True), 0.0),
        ("Mon, 99 Mar 2026 09:02:11 GMT", None),
    ],
)  # fmt: skip
def test_retry_after(text: str, expected: float | None) -> None:
    """Seconds, or a date; one that has passed is now, and nonsense is nothing."""

    assert retry_after(text, 1_772_442_131.0) == expected


async def test_retry_after_is_handed_on() -> None:
    """Whoever asks for time says how much."""
    found = await answered(says(head(429, 0, b"Retry-After: 7")))

    assert (found.outcome, found.after) == (AGAIN, 7.0)
