"""Ten thousand alerts while everything that can go away does: none is lost, and repeats can be folded."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiokafka import AIOKafkaProducer
from notify_rig import Got, Process, Receiver, settings_of, write_routes
from rig import committed, until

from slastream.kafka import admin, ports
from slastream.kafka.local import LocalBroker
from slastream.kafka.plan import plan
from slastream.notify.window import FULL
from tests.support.alerts import said

TICKETS, STEPS, PARTITIONS = 2_500, 4, 4

ROUTES = """
  - {{name: hook, kind: webhook, url: {0}, secret: {{file: signing}}, rate: 5000, start: beginning}}
  - {{name: pager, kind: pagerduty, url: {1}, routing_key: {{file: key}}, rate: 5000, start: beginning}}
"""


@pytest.fixture
def own_broker() -> Iterator[LocalBroker]:
    with LocalBroker() as broker:
        yield broker


def story(n: int) -> list[Any]:
    """What is said of one ticket, in order."""
    ticket = f"t{n}"
    return [
        said("at_risk", ticket, id_=f"{n}-0", threshold="90%"),
        said("breached", ticket, id_=f"{n}-1", level="breached", threshold="breach"),
        said("cleared", ticket, id_=f"{n}-2", about=f"{n}-0", priority="P4"),
        said("cleared", ticket, id_=f"{n}-3", about=f"{n}-1", level="breached", priority="P4"),
    ]


async def announce(bootstrap: str, topic: str, tickets: range) -> None:
    """Write what is said of some tickets, as long as it takes: the broker may be away."""
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, enable_idempotence=True, request_timeout_ms=60_000
    ) as producer:
        stories = [story(n) for n in tickets]
        for step in range(STEPS):
            sent = [
                await producer.send(topic, value, key, headers=headers)
                for key, value, headers in (told[step] for told in stories)
            ]
            await asyncio.gather(*sent)


def firsts(got: list[Got], id_of: Any) -> list[str]:
    """Return the ids that were taken, each where it was heard first."""
    return list(dict.fromkeys(id_of(each) for each in got if each.status < 300))


async def test_ten_thousand_alerts_survive_broker_receivers_and_ourselves(
    own_broker: LocalBroker, tmp_path: Path
) -> None:
    """A broker restart, a receiver outage, a receiver in trouble, and kill -9, all in the middle."""
    settings = settings_of(own_broker.bootstrap, "sla.", web_port=ports.free())
    await admin.create({"bootstrap_servers": own_broker.bootstrap}, plan("sla.", PARTITIONS))
    hook, pager = Receiver(), Receiver()
    await hook.start()
    await pager.start()
    file = write_routes(tmp_path, ROUTES.format(hook.url, pager.url))
    process = Process(settings, file, tmp_path / "log")
    topic = settings.topic("alerts")
    fifth = TICKETS // 5

    def batch(n: int) -> Any:
        return announce(settings.broker, topic, range(n * fifth, (n + 1) * fifth))

    async def heard(share: float, seconds: float = 60) -> None:
        await until(lambda: len(hook.got) > share * TICKETS * STEPS, seconds)

    try:
        await batch(0)
        await heard(0.1)
        # The broker, with alerts being written and told.
        writing = asyncio.create_task(batch(1))
        await asyncio.to_thread(own_broker.restart)
        await writing
        await heard(0.3)
        # Both receivers: first in trouble, then gone.
        trouble = asyncio.get_running_loop().time() + 1.5

        async def failing(request: web.BaseRequest, body: bytes) -> web.StreamResponse:
            late = asyncio.get_running_loop().time() > trouble
            return web.Response(status=202 if late else 503)

        hook.answer = pager.answer = failing
        writing = asyncio.create_task(batch(2))
        await asyncio.sleep(2.0)
        await asyncio.gather(hook.stop(), pager.stop())
        await asyncio.sleep(3.0)
        await asyncio.gather(hook.start(), pager.start())
        await writing
        await heard(0.5)
        # Ourselves.
        writing = asyncio.create_task(batch(3))
        await heard(0.65)
        process.kill()
        await writing
        process = Process(settings, file, tmp_path / "log")
        await batch(4)

        expected = {f"{n}-{step}" for n in range(TICKETS) for step in range(STEPS)}
        await until(
            lambda: len(firsts(hook.got, hook_id)) == len(expected), 120, "the hook has all"
        )
        await until(
            lambda: len(firsts(pager.got, pager_id)) == len(expected), 120, "the pager has all"
        )
        await asyncio.sleep(1.0)
        assert await process.end() == 0, process.text()[-2000:]
    finally:
        if process.popen.poll() is None:
            process.kill()
        await asyncio.gather(hook.stop(), pager.stop())

    assert set(firsts(hook.got, hook_id)) == expected
    assert await committed(settings, "dlq", 1) == []
    in_order(firsts(hook.got, hook_id))
    in_order(firsts(pager.got, pager_id))
    repeats_fold(hook)
    ends_resolved(pager)


def hook_id(got: Got) -> str:
    return got.headers["webhook-id"]


def pager_id(got: Got) -> str:
    """Return the place in its story of what PagerDuty was told."""
    event = got.json
    ticket, level = event["dedup_key"].split("/")[2][1:], event["dedup_key"].rpartition("/")[2]
    step = (level == "breached") + 2 * (event["event_action"] == "resolve")
    return f"{ticket}-{step}"


def in_order(told: list[str]) -> None:
    """Each ticket's alerts were heard in the order of their topic."""
    steps = defaultdict(list)
    for each in told:
        ticket, _, step = each.partition("-")
        steps[ticket].append(int(step))

    assert [ticket for ticket, heard in steps.items() if heard != [0, 1, 2, 3]] == []


def repeats_fold(hook: Receiver) -> None:
    """What came twice has the same id and body, and is no more than was under way."""
    bodies: dict[str, set[bytes]] = defaultdict(set)
    for each in hook.taken:
        bodies[hook_id(each)].add(each.body)
    repeats = len(hook.taken) - len(bodies)

    assert [id_ for id_, found in bodies.items() if len(found) != 1] == []
    assert repeats <= 2 * PARTITIONS * FULL


def ends_resolved(pager: Receiver) -> None:
    """Whatever was repeated, the last word on each incident is that it is over."""
    last: dict[str, str] = {}
    for each in pager.taken:
        last[each.json["dedup_key"]] = each.json["event_action"]

    assert len(last) == 2 * TICKETS
    assert set(last.values()) == {"resolve"}
