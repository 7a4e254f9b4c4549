"""The board's listener: headers, who sees what, what is refused, and streams that hold nothing up."""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientResponse, ClientSession
from aiokafka import AIOKafkaProducer
from rig import until

from slastream.board.access import hash_password
from slastream.board.service import Board, Options
from slastream.kafka import admin
from slastream.kafka.local import LocalBroker
from slastream.kafka.plan import plan
from slastream.settings import Settings
from tests.conftest import Produce
from tests.unit.board.test_cards import clock, ticket

PASSWORD = "correct horse battery"
PAGES = ("/", "/trends", "/ticket?key=acme/desk/1", "/evidence?key=acme/desk/1")


@contextlib.asynccontextmanager
async def running(
    broker: str, prefix: str, *, loaded: bool = True, **options: Any
) -> AsyncIterator[Board]:
    """A board over these topics, on a free port."""
    settings = Settings(broker=broker, prefix=prefix)
    client = {"bootstrap_servers": broker}
    async with Board(client, settings, Options(port=0, **options)) as board:
        follow = asyncio.create_task(board.run())
        try:
            if loaded:
                await asyncio.wait_for(board.feed.loaded.wait(), 20)
            yield board
        finally:
            follow.cancel()
            await asyncio.gather(follow, return_exceptions=True)


@pytest.fixture
async def board(
    broker: LocalBroker, prefix: str, topics: Callable[[str], str], produce: Produce
) -> AsyncIterator[Board]:
    """A board with one ticket each of two tenants."""
    await produce(topics("clocks"), [
        (key.encode(), value) for key, value in (ticket("1"), ticket("2", tenant="other", client="zoo"))
    ])  # fmt: skip
    async with running(broker.bootstrap, prefix) as board:
        yield board


async def first(answer: ClientResponse, wanted: str) -> Any:
    """Return the data of the first event of a name."""
    name = ""
    async with asyncio.timeout(10):
        async for line in answer.content:
            if line.startswith(b"event: "):
                name = line[7:].decode().strip()
            elif line.startswith(b"data: ") and name == wanted:
                return orjson.loads(line[6:])
    raise AssertionError(f"the stream ended before {wanted}")


async def test_every_answer_keeps_browsers_safe(board: Board) -> None:
    """No script or style of anybody else's, no framing, no storing: on pages, parts, files, errors."""
    where = (
        *PAGES,
        "/ticket/part?key=x",
        "/trends/part",
        "/static/now.js",
        "/nowhere",
        "/ticket?key=x",
    )
    async with ClientSession() as session:
        for path in where:
            async with session.get(board.url.rstrip("/") + path) as answer:
                policy = answer.headers["Content-Security-Policy"]
                text = await answer.text()

            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "nosniff" == answer.headers["X-Content-Type-Options"]
            assert "DENY" == answer.headers["X-Frame-Options"]
            assert " style=" not in text
            assert "<style" not in text
            assert " onclick" not in text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_it_is_read_only(board: Board, method: str) -> None:
    """No method changes anything."""
    async with ClientSession() as session, session.request(method, board.url) as answer:
        assert 405 == answer.status


async def test_a_foreign_name_is_not_answered(board: Board) -> None:
    """A page of somebody else's whose name leads here reads nothing of ours."""
    async with ClientSession() as session:
        for host, status in (
            ("evil.example", 421), ("evil.example:8088", 421), ("", 421), ("127.0.0.1.evil.example", 421),
            ("localhost:1", 200), ("127.0.0.1", 200), ("[::1]:8", 200),
        ):  # fmt: skip
            async with session.get(board.url, headers={"Host": host}) as answer:
                assert status == answer.status, host


async def test_a_user_sees_the_tenants_of_the_file_and_no_other(
    broker: LocalBroker, prefix: str, topics: Callable[[str], str], produce: Produce, tmp_path: Path
) -> None:
    """On every page, part and stream; another tenant's ticket is as if it were not there."""
    await produce(topics("clocks"), [
        (key.encode(), value) for key, value in (ticket("1"), ticket("2", tenant="other", client="zoo"))
    ])  # fmt: skip
    users = tmp_path / "users.yaml"
    users.write_text(
        f"users: [{{name: anna, password: '{hash_password(PASSWORD)}', tenants: [acme]}}]"
    )
    async with (
        running(broker.bootstrap, prefix, users=users, host="0.0.0.0") as board,
        ClientSession() as session,
    ):
        address = f"http://127.0.0.1:{board.url.rpartition(':')[2].rstrip('/')}"
        for path in (*PAGES, "/events", "/static/now.js"):
            async with session.get(address + path) as answer:
                assert (401, True) == (answer.status, "WWW-Authenticate" in answer.headers)
                assert "zoo" not in await answer.text()
        anna = {"Authorization": "Basic " + b64encode(f"anna:{PASSWORD}".encode()).decode()}
        for path, status in (
            ("/ticket?key=acme/desk/1", 200), ("/ticket?key=other/desk/2", 404),
            ("/evidence?key=other/desk/2", 404),
        ):  # fmt: skip
            async with session.get(address + path, headers=anna) as answer:
                assert status == answer.status
                assert "zoo" not in await answer.text()
        async with session.get(f"{address}/ticket/part?key=other/desk/2", headers=anna) as answer:
            assert "zoo" not in await answer.text()
        for query in ("", "?tenant=other", "?client=zoo", "?q=t-2"):
            async with session.get(f"{address}/events{query}", headers=anna) as answer:
                rows = (await first(answer, "view"))["rows"]
                facets = await first(answer, "facets")

            assert all(row["tenant"] == "acme" for row in rows)
            assert (["acme"], ["dental"]) == (facets["tenant"], facets["client"])


async def test_before_the_topics_are_there_the_page_says_so(
    broker: LocalBroker, prefix: str, produce: Produce
) -> None:
    """Loading, with the reason; and live by itself once somebody has created the topics."""
    async with (
        running(broker.bootstrap, prefix, loaded=False) as board,
        ClientSession() as session,
        session.get(f"{board.url}events") as stream,
    ):
        for _ in range(40):
            status = await first(stream, "status")
            if status["problem"]:
                break

        assert ("loading", True) == (
            status["state"],
            "slastream topics create" in status["problem"],
        )
        async with session.get(f"{board.url}readyz") as answer:
            assert 503 == answer.status
        async with session.get(f"{board.url}ticket?key=acme/desk/1") as answer:
            assert 503 == answer.status
        await admin.create({"bootstrap_servers": broker.bootstrap}, plan(prefix, 2))
        view = await first(stream, "view")
        async with session.get(f"{board.url}readyz") as answer:
            assert 200 == answer.status

        assert 0 == view["groups"]["overdue"]["count"]


async def test_changes_within_a_beat_are_one_message(
    board: Board, topics: Callable[[str], str], produce: Produce
) -> None:
    """Five hundred changes of a ticket reach a browser as a handful, the last of them right."""
    async with ClientSession() as session, session.get(f"{board.url}events") as stream:
        await first(stream, "view")
        told = [
            ticket("1", clock(remaining_ms=n, paused=True, phase="paused", due=None))
            for n in range(500)
        ]
        await produce(topics("clocks"), [(key.encode(), value) for key, value in told])
        count, left = 0, -1
        while left != 499:
            message = await first(stream, "change")
            count += 1
            left = next((row["left"] for row in message["rows"] if row["number"] == "T-1"), left)

    assert count < 15


async def test_too_many_pages_are_refused(broker: LocalBroker, prefix: str, topics: Any) -> None:
    """The limit holds, and a page that closes makes room."""
    async with running(broker.bootstrap, prefix, browsers=2) as board, ClientSession() as session:
        streams = [await session.get(f"{board.url}events") for _ in range(2)]
        async with session.get(f"{board.url}events") as answer:
            refused = answer.status
        streams[0].close()
        await asyncio.sleep(3)  # the next beat finds it gone
        async with session.get(f"{board.url}events") as answer:
            assert (503, 200) == (refused, answer.status)
        streams[1].close()


async def test_a_transaction_that_is_not_committed_is_not_shown(
    board: Board, broker: LocalBroker, topics: Callable[[str], str]
) -> None:
    """The board reads committed: what a worker takes back was never on the wall."""
    async with AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap, transactional_id=f"board-{board.url}"
    ) as producer:
        await producer.begin_transaction()
        key, value = ticket("3")
        await producer.send_and_wait(topics("clocks"), value, key.encode())
        await asyncio.sleep(0.5)
        await producer.abort_transaction()
        async with producer.transaction():
            key, value = ticket("4")
            await producer.send_and_wait(topics("clocks"), value, key.encode())
        await until(lambda: board.shelf.ticket("acme/desk/4") is not None, why="it is committed")

    assert board.shelf.ticket("acme/desk/3") is None
