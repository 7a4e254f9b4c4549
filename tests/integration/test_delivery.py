"""Nothing lost, nothing twice: each hazard of delivery met on a real broker, and then counted."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from rig import Process, arm, committed, create_topics, now_ms, running, settings_for, until

from slastream.kafka.local import LocalBroker
from slastream.settings import Settings
from slastream.stream.faults import POINTS
from slastream.stream.ground import client_of
from slastream.stream.transaction import Fenced, Item, Transactions, Uncertain

Many = Callable[..., Awaitable[Any]]


@pytest.fixture
async def settings(broker: LocalBroker, prefix: str, tmp_path: Path) -> Settings:
    await create_topics(broker.bootstrap, prefix)
    return settings_for(broker.bootstrap, prefix, tmp_path / "data", chunk=100)


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start workers in processes of their own; those still there at the end are killed."""
    started: list[Process] = []

    def launch(settings: Settings, crash_at: str = "") -> Process:
        log = tmp_path / f"worker-{len(started)}.log"
        started.append(Process(settings, log, crash_at))
        return started[-1]

    yield launch
    for process in started:
        process.kill()


async def exactly_once(settings: Settings, records: int, alerts: set[bytes]) -> None:
    """Wait until every record and deadline has had its effect, then look that none had two."""

    async def complete() -> bool:
        return (
            len({r.value for r in await committed(settings, "outcomes")}) >= records
            and {r.value for r in await committed(settings, "alerts")} >= alerts
        )

    await until(complete, 30, "all that is expected was announced")
    await asyncio.sleep(0.5)
    journal = [r for r in await committed(settings, "tickets") if r.value]
    outcomes = [r.value for r in await committed(settings, "outcomes")]
    announced = [r.value for r in await committed(settings, "alerts")]

    rows = {r.key: r.value for r in await committed(settings, "state") if r.key[0]}

    # A store that was ahead of the changelog would have counted a record twice.
    assert sum(orjson.loads(row)["seen"] for row in rows.values()) == records
    assert len(journal) == records
    assert sorted(outcomes) == sorted(b"%d/%d" % (r.partition, r.offset) for r in journal)
    assert sorted(announced) == sorted(alerts)


def armed(count: int, due: int) -> tuple[list[tuple[bytes, bytes]], set[bytes]]:
    return [arm(f"t{n}", due) for n in range(count)], {b"t%d@%d" % (n, due) for n in range(count)}


@pytest.mark.parametrize("point", POINTS)
async def test_killed_at_every_point(
    settings: Settings, produce: Many, launch: Callable[..., Process], point: str
) -> None:
    """kill -9 at a point of a step: its successor loses nothing and repeats nothing."""
    records, alerts = armed(1_000, now_ms() + 1_000)
    await produce(settings.topic("tickets"), records)
    first = launch(settings, f"{point}:{1 if point in ('fenced', 'claimed', 'replayed') else 4}")

    assert await first.gone() == -signal.SIGKILL
    launch(settings)
    await exactly_once(settings, 1_000, alerts)


@pytest.mark.parametrize("point", ["sent", "committed"])
async def test_the_answer_to_a_commit_is_lost(
    settings: Settings, produce: Many, point: str
) -> None:
    """A commit that may or may not have happened is not tried again: the changelog decides."""
    lost = 0

    def at(here: str) -> None:
        nonlocal lost
        if here == point and lost < 6:
            lost += 1
            if lost % 2 == 0:
                raise Uncertain("the test lost the answer")

    records, alerts = armed(1_000, now_ms() + 1_000)
    await produce(settings.topic("tickets"), records)
    async with running(settings, ready=False, at=at):
        await exactly_once(settings, 1_000, alerts)

    assert lost == 6


async def test_a_second_owner_fences_the_first(
    settings: Settings, produce: Many, caplog: pytest.LogCaptureFixture
) -> None:
    """Who is fenced writes nothing more, neither to Kafka nor to its disk, until it owns again."""
    due = now_ms() + 10**7
    async with running(settings) as worker:
        await produce(settings.topic("tickets"), [arm("a", due)], partition=0)
        await until(lambda: worker.owners.actors[0].position == 1)
        usurper = Transactions(client_of(settings), f"{settings.app_id}-0", 10.0)
        await usurper.start()
        store = worker.owners.actors[0].store
        await produce(settings.topic("tickets"), [arm("b", due)], partition=0)
        await until(lambda: worker.owners.actors[0].state == "lost")

        assert store is not None
        assert store.get(b"b") is None
        assert len(await committed(settings, "outcomes")) == 1
        # It is still the one that the group means: after a while it takes the partition back.
        await until(lambda: worker.owners.actors[0].position == 2)
        with pytest.raises(Fenced):
            await usurper.commit({TopicPartition(settings.topic("ops"), 0): [Item(b"k", b"v", [])]})
        await usurper.close()

    assert [r.value for r in await committed(settings, "ops", 1)] == []
    assert len(await committed(settings, "outcomes")) == 2
    assert "fenced" in caplog.text


async def test_a_paused_worker_wakes_up(
    settings: Settings, produce: Many, launch: Callable[..., Process], tmp_path: Path
) -> None:
    """A worker that was away for longer than its session publishes nothing of what it missed."""
    journal = settings.topic("tickets")
    records, alerts = armed(300, now_ms() + 12_000)
    first = launch(settings)
    await produce(journal, records[:100])

    async def begun() -> bool:
        return len(await committed(settings, "outcomes")) >= 100

    await until(begun)
    first.popen.send_signal(signal.SIGSTOP)
    launch(replace(settings, instance_id="two", data_dir=tmp_path / "two"))
    await produce(journal, records[100:200])

    async def taken_over() -> bool:
        return len(await committed(settings, "outcomes")) >= 200

    await until(taken_over, 25, "the second worker has taken over")
    first.popen.send_signal(signal.SIGCONT)
    await produce(journal, records[200:])
    await exactly_once(settings, 300, alerts)


async def test_workers_come_and_go_while_deadlines_fall_due(
    settings: Settings, produce: Many, launch: Callable[..., Process], tmp_path: Path
) -> None:
    """Scaling out and in moves partitions, and every deadline is announced once."""
    start = now_ms() + 1_000
    records = [arm(f"t{n}", start + n * 10) for n in range(1_200)]
    alerts = {b"t%d@%d" % (n, start + n * 10) for n in range(1_200)}
    await produce(settings.topic("tickets"), records)
    async with running(settings) as worker:
        other = launch(replace(settings, instance_id="two", data_dir=tmp_path / "two"))
        await until(lambda: len(worker.owners.actors) == 1, 15, "a partition has moved")
        await until(lambda: worker.ready and "ready: 1" in other.text())
        other.popen.terminate()

        assert await other.gone() == 0
        await until(lambda: len(worker.owners.actors) == 2, 15, "it has come back")
        await exactly_once(settings, 1_200, alerts)


@pytest.fixture
async def own_broker() -> AsyncIterator[LocalBroker]:
    with LocalBroker() as broker:
        yield broker


async def test_the_broker_goes_away(
    own_broker: LocalBroker,
    prefix: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A broker that is down at start, and one that goes away later: a line each, and it goes on."""
    await create_topics(own_broker.bootstrap, prefix)
    settings = settings_for(own_broker.bootstrap, prefix, tmp_path / "data", ingest=True)
    await asyncio.to_thread(own_broker.kill)
    async with running(settings, ready=False) as worker:
        await until(lambda: "no broker at" in caplog.text)
        await asyncio.to_thread(own_broker.start)
        await until(lambda: worker.ready, 30, "ready after the broker came")
        await deliver(settings, 0, 50)
        await until(lambda: sum(a.position for a in worker.owners.actors.values()) >= 50)
        await asyncio.to_thread(own_broker.kill)
        await asyncio.sleep(8)
        await asyncio.to_thread(own_broker.start)
        await deliver(settings, 50, 100)

        async def all_out() -> bool:
            return len(await committed(settings, "outcomes")) >= 100

        await until(all_out, 60, "it goes on after the broker came back")
        await until(lambda: worker.ready, 30)

    assert len(await committed(settings, "outcomes")) == 100


async def deliver(settings: Settings, start: int, end: int) -> None:
    async with AIOKafkaProducer(bootstrap_servers=settings.broker) as producer:
        for n in range(start, end):
            told = {"tenant": "acme", "source": "cw", "ticket": str(n), "occurred_at": now_ms()}
            await producer.send_and_wait(settings.topic("raw.canonical"), orjson.dumps(told))
