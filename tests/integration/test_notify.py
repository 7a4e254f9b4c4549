"""`slastream notify` on the real broker: who is told what, in which order, and what becomes of the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiokafka import AIOKafkaProducer
from notify_rig import Receiver, in_turn, notifying, receiver, settings_of, write_routes
from rig import until

from slastream.core.instant import DAY
from slastream.dlq.letter import letter_of
from slastream.kafka import admin
from slastream.kafka.local import LocalBroker
from slastream.kafka.plan import plan
from slastream.notify.receivers import KINDS
from slastream.notify.route import Request, Route
from slastream.notify.standing import Notice
from tests.conftest import Produce, ReadAll
from tests.support.alerts import now_ms, said

pytestmark = pytest.mark.usefixtures("topics")

HOOK = "  - {{name: hook, kind: webhook, url: {0}, secret: {{file: signing}}, rate: 1000{1}}}\n"
PAGER = "  - {{name: pager, kind: pagerduty, url: {0}, routing_key: {{file: key}}, rate: 100{1}}}\n"


def at_risk(n: int, **more: Any) -> Any:
    return said("at_risk", str(n), id_=f"a{n}", **more)


def cleared(n: int, **more: Any) -> Any:
    return said("cleared", str(n), id_=f"c{n}", about=f"a{n}", **more)


def ids(receiver: Receiver) -> list[str]:
    """Return the ids that a webhook took, in order."""
    return [each.headers["webhook-id"] for each in receiver.taken]


async def test_an_incident_begins_changes_and_ends(
    broker: LocalBroker, prefix: str, topics: Callable[[str], str], produce: Produce, tmp_path: Path
) -> None:
    """PagerDuty shows one incident for a key: it is resolved when the last alert of it is cleared."""
    async with receiver() as pager:
        file = write_routes(tmp_path, PAGER.format(pager.url, ""))
        async with notifying(settings_of(broker.bootstrap, prefix), file):
            await produce(topics("alerts"), [
                said("at_risk", id_="one", threshold="75%"),
                said("at_risk", id_="two", threshold="90%"),
                said("cleared", id_="three", about="two", threshold="90%"),
                said("breached", id_="four", level="breached", threshold="breach"),
                said("cleared", id_="five", about="one", threshold="75%"),
            ])  # fmt: skip
            await until(lambda: len(pager.taken) >= 4)
            await asyncio.sleep(0.5)

    told = [(e.json["event_action"], e.json["dedup_key"].rpartition("/")[2]) for e in pager.taken]

    assert told == [
        ("trigger", "at_risk"), ("trigger", "at_risk"), ("trigger", "breached"), ("resolve", "at_risk"),
    ]  # fmt: skip


async def test_a_new_route_begins_now_or_at_the_beginning(
    broker: LocalBroker, prefix: str, topics: Callable[[str], str], produce: Produce, tmp_path: Path
) -> None:
    """Whoever adds a route is not paged for what was announced before, unless they want to be."""
    await produce(topics("alerts"), [at_risk(n) for n in range(5)])
    async with receiver() as new, receiver() as old:
        routes = HOOK.format(new.url, "") + HOOK.format(old.url, ", start: beginning").replace(
            "name: hook", "name: old"
        )
        file = write_routes(tmp_path, routes)
        async with notifying(settings_of(broker.bootstrap, prefix), file):
            await produce(topics("alerts"), [at_risk(7), cleared(0)])
            await until(lambda: len(old.taken) >= 7 and new.taken)
            await asyncio.sleep(0.3)

    assert ids(new) == ["a7"]
    assert sorted(ids(old)) == ["a0", "a1", "a2", "a3", "a4", "a7", "c0"]


async def test_a_restart_knows_what_stands(
    broker: LocalBroker, prefix: str, topics: Callable[[str], str], produce: Produce, tmp_path: Path
) -> None:
    """What was told before a restart is cleared after it, though by then nobody would be told of it."""
    settings = settings_of(broker.bootstrap, prefix)
    async with receiver() as pager:
        file = write_routes(tmp_path, PAGER.format(pager.url, ", when: {priority: P2}"))
        async with notifying(settings, file):
            await produce(topics("alerts"), [at_risk(1), at_risk(2), at_risk(3, priority="P4")])
            await until(lambda: len(pager.taken) >= 2)
        await produce(topics("alerts"), [cleared(2), cleared(3, priority="P4")])
        async with notifying(settings, file):
            await produce(topics("alerts"), [cleared(1, priority="P4")])
            await until(lambda: len(pager.taken) >= 4)
            await asyncio.sleep(0.3)

    told = [
        (each.json["event_action"], each.json["dedup_key"].split("/")[2]) for each in pager.taken
    ]

    assert sorted(told) == [("resolve", "1"), ("resolve", "2"), ("trigger", "1"), ("trigger", "2")]


async def test_a_dead_receiver_stops_its_own_route_alone(
    broker: LocalBroker, prefix: str, topics: Callable[[str], str], produce: Produce, tmp_path: Path
) -> None:
    """One receiver is away, one is slow: the third hears everything at once, and later they all have."""
    dead, heard = Receiver(), asyncio.Event()

    async def slow(request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        await heard.wait()
        return web.Response()

    async with receiver() as well, receiver(slow) as sleepy:
        routes = "".join(
            HOOK.format(one.url, "").replace("name: hook", f"name: {name}")
            for name, one in (("dead", dead), ("sleepy", sleepy), ("well", well))
        )
        file = write_routes(tmp_path, routes)
        async with notifying(settings_of(broker.bootstrap, prefix), file):
            await produce(topics("alerts"), [at_risk(n) for n in range(40)])
            await until(lambda: len(well.taken) == 40, 9)

            assert (len(sleepy.taken), len(dead.taken)) == (0, 0)
            heard.set()
            await dead.start()
            await until(lambda: len(dead.taken) == 40 and len(sleepy.taken) == 40)
            await dead.stop()

    assert sorted(ids(dead)) == sorted(ids(well)) == sorted(ids(sleepy))


async def test_what_is_refused_becomes_a_letter_and_the_rest_goes_on(
    broker: LocalBroker,
    prefix: str,
    topics: Callable[[str], str],
    produce: Produce,
    read_all: ReadAll,
    tmp_path: Path,
) -> None:
    """A 400 is final: the alert is a dead letter with route, answer and place, and without the secret."""

    async def picky(request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        if b"/3/" in body:
            return web.Response(status=400, text=f"no such key: {body.decode()[:300]}")
        return web.Response(status=202)

    async with receiver(picky) as pager:
        file = write_routes(tmp_path, PAGER.format(pager.url, ""))
        async with notifying(settings_of(broker.bootstrap, prefix), file):
            records = [at_risk(n) for n in range(6)]
            await produce(topics("alerts"), [*records, (b"x", b"{}", [])])
            await until(lambda: len(pager.taken) == 5)

            async def letters() -> bool:
                return len(await read_all(topics("dlq"))) == 2

            await until(letters)

    found = [letter_of(each, topics("tickets"), 2) for each in await read_all(topics("dlq"))]
    refused = next(each for each in found if each.reason == "receiver_refused")
    strange = next(each for each in found if each.reason == "not_an_alert")

    assert refused.value == records[3][1]
    assert refused.header("ce_id") == "a3"
    assert refused.header("sla-route") == "pager"
    assert refused.detail.startswith("route pager: 400 Bad Request: no such key: {")
    assert "0123456789abcdef" not in refused.detail
    assert refused.origin is not None
    assert refused.origin.topic == topics("alerts")
    assert strange.key == b"x"


async def test_a_record_that_fails_alone_is_given_up_while_others_get_through(
    broker: LocalBroker,
    prefix: str,
    topics: Callable[[str], str],
    produce: Produce,
    read_all: ReadAll,
    tmp_path: Path,
) -> None:
    """A receiver that breaks over one alert gets all others, and its ticket's later ones in order."""

    async def breaks(request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        return web.Response(status=500 if request.headers["webhook-id"] == "a1" else 200)

    async with receiver(breaks) as hook:
        file = write_routes(tmp_path, HOOK.format(hook.url, ", tries: 2"))
        async with notifying(settings_of(broker.bootstrap, prefix), file):
            await produce(topics("alerts"), [at_risk(1), cleared(1), *map(at_risk, range(2, 9))])
            await until(lambda: "c1" in ids(hook))
            await until(lambda: len(hook.taken) == 8)
        [letter] = await read_all(topics("dlq"))

    assert dict(letter.headers)["sla-reason"] == b"receiver_failing"
    assert b"(tried 2 times)" in dict(letter.headers)["sla-detail"]
    assert len([each for each in hook.got if each.headers["webhook-id"] == "a1"]) == 2
    assert ids(hook)[-1] == "c1"


async def test_a_receiver_that_stays_away_is_given_up_in_the_end(
    broker: LocalBroker,
    prefix: str,
    topics: Callable[[str], str],
    produce: Produce,
    read_all: ReadAll,
    tmp_path: Path,
) -> None:
    """After `give_up_after` an alert is a dead letter, and says for how long it was tried."""
    dead = Receiver()
    file = write_routes(tmp_path, HOOK.format(dead.url, ", give_up_after: PT2S"))
    async with notifying(settings_of(broker.bootstrap, prefix), file):
        await produce(topics("alerts"), [at_risk(1)])

        async def letters() -> bool:
            return len(await read_all(topics("dlq"))) == 1

        await until(letters)
    [letter] = await read_all(topics("dlq"))

    assert dict(letter.headers)["sla-reason"] == b"receiver_away"
    assert b"nobody listens there" in dict(letter.headers)["sla-detail"]


async def test_simulated_alerts_page_nobody_unless_asked(
    broker: LocalBroker, prefix: str, topics: Callable[[str], str], produce: Produce, tmp_path: Path
) -> None:
    """An alert of another time than its record's is told where the route says so, and marked."""
    async with receiver() as hook, receiver() as lab:
        routes = HOOK.format(hook.url, "") + HOOK.format(lab.url, ", simulated: true").replace(
            "name: hook", "name: lab"
        )
        file = write_routes(tmp_path, routes)
        async with notifying(settings_of(broker.bootstrap, prefix), file):
            await produce(topics("alerts"), [
                at_risk(1, at=now_ms() - 200 * DAY), at_risk(2, at=now_ms() + DAY),
                at_risk(3, at=now_ms() - 3 * DAY),
            ])  # fmt: skip
            await until(lambda: len(lab.taken) == 3 and len(hook.taken) == 1)
            await asyncio.sleep(0.3)
        async with notifying(settings_of(broker.bootstrap, prefix, time="log"), file):
            await produce(topics("alerts"), [at_risk(4)])
            await until(lambda: len(lab.taken) == 4)

    assert ids(hook) == ["a3"]
    assert [
        each.json.get("simulated") for each in lab.taken if each.headers["webhook-id"] != "a3"
    ] == [True] * 3


async def test_two_notifiers_share_the_work_and_take_over(
    broker: LocalBroker, prefix: str, topics: Callable[[str], str], produce: Produce, tmp_path: Path
) -> None:
    """Two of them split the partitions; when one leaves, the other clears what the first one told."""
    settings = settings_of(broker.bootstrap, prefix)
    async with receiver() as pager:
        file = write_routes(tmp_path, PAGER.format(pager.url, ""))
        async with notifying(settings, file) as first:
            async with notifying(settings, file) as second:
                both = (first.couriers[0]._windows, second.couriers[0]._windows)
                await until(lambda: [len(each) for each in both] == [1, 1])
                await produce(topics("alerts"), [at_risk(n) for n in range(20)])
                await until(lambda: len(pager.taken) == 20)
            await until(lambda: len(first.couriers[0]._windows) == 2 and first.ready)
            await produce(topics("alerts"), [cleared(n) for n in range(20)])
            await until(lambda: len(pager.taken) >= 40)
            await asyncio.sleep(0.3)
    told = [(each.json["event_action"], each.json["dedup_key"]) for each in pager.taken]

    assert len(told) == len(set(told)) == 40


async def test_retries_follow_what_the_receiver_asks_for(
    broker: LocalBroker, prefix: str, topics: Callable[[str], str], produce: Produce, tmp_path: Path
) -> None:
    """429 with Retry-After is left alone for that long, and then told."""
    times: list[float] = []
    answer = in_turn(429, 200, headers={"Retry-After": "2"})

    async def timed(request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        times.append(asyncio.get_running_loop().time())
        return await answer(request, body)

    async with receiver(timed) as hook:
        file = write_routes(tmp_path, HOOK.format(hook.url, ""))
        async with notifying(settings_of(broker.bootstrap, prefix), file):
            await produce(topics("alerts"), [at_risk(1), at_risk(2)])
            await until(lambda: len(hook.taken) == 2)

    assert times[-1] - times[0] >= 1.9


async def test_a_bug_of_ours_stops_nobody(
    broker: LocalBroker,
    prefix: str,
    topics: Callable[[str], str],
    produce: Produce,
    read_all: ReadAll,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An alert that we cannot put into words is set aside, loudly, and the next one is told."""
    right = KINDS["webhook"]

    def breaks(route: Route, notice: Notice, now: int) -> Request:
        if notice.alert.id == "a1":
            raise ZeroDivisionError
        return right.request(route, notice, now)

    async with receiver() as hook:
        file = write_routes(tmp_path, HOOK.format(hook.url, ""))
        settings = settings_of(broker.bootstrap, prefix)
        kinds = {**KINDS, "webhook": replace(right, request=breaks)}
        monkeypatch.setattr("slastream.notify.delivery.KINDS", kinds)
        async with notifying(settings, file):
            await produce(topics("alerts"), [at_risk(1), at_risk(2), cleared(1)])
            await until(lambda: len(hook.taken) == 2)
        [letter] = await read_all(topics("dlq"))

    assert sorted(ids(hook)) == ["a2", "c1"]
    assert dict(letter.headers)["sla-reason"] == b"bug"


async def test_it_leaves_although_the_broker_is_away(tmp_path: Path) -> None:
    """SIGTERM while nothing of Kafka answers: it ends within seconds, and loses nothing by it."""
    with LocalBroker() as own:
        await admin.create({"bootstrap_servers": own.bootstrap}, plan("sla.", 2))
        async with receiver() as hook:
            file = write_routes(tmp_path, HOOK.format(hook.url, ""))
            async with notifying(settings_of(own.bootstrap, "sla."), file) as one:
                async with AIOKafkaProducer(bootstrap_servers=own.bootstrap) as producer:
                    for n in range(20):
                        key, value, headers = at_risk(n)
                        await producer.send_and_wait("sla.alerts.v1", value, key, headers=headers)
                own.kill()
                await until(lambda: len(hook.taken) > 0)
                await asyncio.sleep(2)
                one.stop.set()
                began = asyncio.get_running_loop().time()
            took = asyncio.get_running_loop().time() - began

    assert took < 35
