"""How fast a route is, how it waits for a receiver that is away, and in which order a ticket's alerts go."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from slastream.notify.gate import ASKED, LONGEST, Gate, backoff
from slastream.notify.standing import Notice, Standing
from slastream.notify.window import FULL, Item, Place, Window
from tests.support.alerts import alert, record


def test_backoff_doubles_to_a_minute_half_of_it_by_chance() -> None:
    """Many that failed together do not come back together, and none comes back at once."""
    lows = [backoff(n, lambda: 0.0) for n in range(1, 10)]
    highs = [backoff(n, lambda: 1.0) for n in range(1, 10)]

    assert lows == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert highs == [1, 2, 4, 8, 16, 32, LONGEST, LONGEST, LONGEST]
    assert len({backoff(5) for _ in range(20)}) > 10
    assert backoff(10_000, lambda: 1.0) == LONGEST


async def test_a_route_is_no_faster_than_its_rate() -> None:
    """A burst at once, and then one each so often."""
    gate, loop = Gate(rate=20, burst=3), asyncio.get_running_loop()
    began, times = loop.time(), []
    for _ in range(7):
        async with gate.turn():
            times.append(loop.time() - began)

    assert times[2] < times[3] - 0.03
    assert 0.19 <= times[6] < 2.0


async def test_what_fails_together_is_one_failure() -> None:
    """Eight requests under way when a receiver goes do not make it eight times as absent."""
    gate = Gate(1_000, 1_000)
    for _ in range(8):
        gate.failed()

    assert gate.failures == 1


async def test_one_request_asks_whether_a_receiver_is_back() -> None:
    """While it fails nobody else knocks, and its answer lets everybody through."""
    gate = Gate(1_000, 1_000)
    gate.failed(after=0.1)
    inside: list[int] = []
    most = 0

    async def knock(n: int) -> None:
        nonlocal most
        async with gate.turn():
            inside.append(n)
            most = max(most, len(inside))
            await asyncio.sleep(0.05)
            inside.remove(n)
            if n == 0:
                gate.failed(after=0.05)
            else:
                gate.succeeded()

    began = asyncio.get_running_loop().time()
    first, second = asyncio.create_task(knock(0)), asyncio.create_task(knock(1))
    await asyncio.gather(first, second)

    assert most == 1
    assert asyncio.get_running_loop().time() - began >= 0.24
    await asyncio.gather(*(knock(n) for n in range(2, 6)))

    assert most == 4


async def test_a_receiver_may_ask_for_an_hour_and_no_more() -> None:
    """A wrong number in a header must not silence a route for ever."""

    assert Gate(1, 1).failed(after=30.0) == 30.0
    assert Gate(1, 1).failed(after=10.0**9) == ASKED
    assert Gate(1, 1).failed(after=0.0) >= 0.5


def window(position: int = 0) -> tuple[Window, list[bytes]]:
    ready: list[bytes] = []
    return Window("tp", position, Standing(lambda _: True), lambda _, key: ready.append(key)), ready


def item(offset: int, ticket: str, needs: int | None = None) -> Item:
    made = record("at_risk", offset=offset, ticket=ticket, id_=f"a{offset}")
    return Item(made, None, needs=offset if needs is None else needs)


def test_the_place_stands_before_the_first_that_is_not_done() -> None:
    """What is done behind a gap is not committed; what is for nobody moves the place."""
    one, ready = window(10)
    one.passed(12)
    keys = [f"acme-msp/connectwise/{ticket}".encode() for ticket in "abc"]

    assert one.place == Place(12, 12)
    for offset, ticket in enumerate("abc", 12):
        one.add(item(offset, ticket))

    assert ready == keys
    one.finish(keys[2])
    one.finish(keys[1])

    assert one.place.offset == 12
    one.finish(keys[0])

    assert one.place.offset == 15


def test_a_ticket_goes_one_after_the_other() -> None:
    """The second alert of a ticket is ready when the first is done, whatever other tickets do."""
    one, ready = window()
    key = b"acme-msp/connectwise/a"
    for offset in range(3):
        one.add(item(offset, "a"))

    assert ready == [key]
    assert one.next(key).record.offset == 0
    one.finish(key)

    assert ready == [key, key]
    assert one.next(key).record.offset == 1


def test_the_place_tells_from_where_what_stands_is_known() -> None:
    """An incident that is ended by something still under way must be known again after a crash."""
    one, _ = window()
    told: list[Any] = [
        alert("at_risk", id_="a", ticket="a", offset=0),
        alert("at_risk", id_="b", ticket="b", offset=1),
        alert("cleared", id_="c", about="a", ticket="a", offset=2),
    ]
    for each in told:
        notice = one.standing.take(each)

        assert isinstance(notice, Notice)
        one.add(item(each.offset, each.text("ticket"), notice.first.offset))
    a, b = (f"acme-msp/connectwise/{ticket}".encode() for ticket in "ab")
    one.finish(a)
    one.finish(b)

    assert one.place == Place(2, 0)
    one.finish(a)

    assert one.place == Place(3, 1)


def test_a_window_has_an_end() -> None:
    """A receiver that is away does not fill our memory."""
    one, _ = window()
    for offset in range(FULL):
        assert not one.full
        one.add(item(offset, str(random.Random(offset).random())))

    assert one.full
