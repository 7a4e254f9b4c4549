"""What ingest promises: whatever arrives, the stream goes on and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from rig import committed, create_topics, running, settings_for, until

from slastream.book import publishable
from slastream.core.instant import parse_instant
from slastream.engine.partition import Partition
from slastream.engine.row import deadline_of
from slastream.kafka.local import LocalBroker
from slastream.settings import Settings
from slastream.stream.app import Worker
from slastream.stream.partitioner import partition_of

Many = Callable[..., Awaitable[Any]]


@pytest.fixture
async def settings(broker: LocalBroker, prefix: str, tmp_path: Path) -> Settings:
    await create_topics(broker.bootstrap, prefix, raw=("canonical", "nobody"))
    return settings_for(broker.bootstrap, prefix, tmp_path / "data", ingest=True)


def ticket(n: int, **more: Any) -> bytes:
    told = {
        "tenant": "acme",
        "source": "cw",
        "ticket": str(n),
        "occurred_at": "2026-03-02T09:00:00Z",
        "created_at": "2026-03-02T08:00:00Z",
        "kind": "created",
        "state": "new",
    }
    return orjson.dumps({**told, **more})


async def reached(worker: Worker, position: int) -> None:
    await until(lambda: sum(a.position for a in worker.owners.actors.values()) >= position)


BROKEN = {
    "not_json": b"\xff{not json",
    "no_ticket": ticket(0, ticket=""),
    "naive_time": ticket(0, occurred_at="2026-03-02T09:00:00"),
}
"""Reason -> bytes; a delivery of a vendor that nobody named a tenant for is tested apart."""


async def test_bad_input_goes_to_the_dead_letters(settings: Settings, produce: Many) -> None:
    """Each delivery that cannot be understood is kept as it came, with reason and position."""
    raw = settings.topic("raw.canonical")
    good = [(b"k", ticket(n)) for n in range(40)]
    bad = [(b"bad", value, [("x-trace", b"7")]) for value in BROKEN.values()]
    await produce(raw, [*good[:20], *bad, *good[20:]])
    await produce(raw, [(b"no-ticket", None)])
    await produce(settings.topic("raw.nobody"), [(b"n", b"{}")])
    async with running(settings, engine=Partition, deadlines=deadline_of):

        async def all_out() -> bool:
            dead, clocks = await committed(settings, "dlq", 1), await committed(settings, "clocks")
            return len(dead) >= 5 and len(clocks) >= 40

        await until(all_out)
    dead = await committed(settings, "dlq", 1)
    nulls = [r for r in dead if r.value is None]
    by_reason = {dict(r.headers)["sla-reason"].decode(): r for r in dead if r.value}

    assert set(by_reason) == {*BROKEN, "unknown_source"}
    assert len(dead) == 5
    assert [dict(r.headers)["sla-reason"] for r in nulls] == [b"no_ticket"]
    for at, (reason, value) in enumerate(BROKEN.items()):
        headers = dict(by_reason[reason].headers)
        assert by_reason[reason].value == value
        assert by_reason[reason].key == b"bad"
        assert headers["x-trace"] == b"7"
        assert headers["sla-topic"] == raw.encode()
        assert (headers["sla-partition"], headers["sla-offset"]) == (b"0", b"%d" % (20 + at))
        assert headers["sla-detail"]
    assert len(await committed(settings, "clocks")) == 40


async def test_a_delivery_without_a_tenant(
    broker: LocalBroker, prefix: str, tmp_path: Path, produce: Many
) -> None:
    """A vendor never says whose desk it is: without header or setting it is set aside, not guessed."""
    await create_topics(broker.bootstrap, prefix, raw=("zammad",))
    settings = settings_for(broker.bootstrap, prefix, tmp_path / "data", ingest=True)
    body = {"ticket": {"id": 7, "number": "10007", "state": "new", "created_at": "2026-05-11T07:00:00Z",
                       "updated_at": "2026-05-11T07:00:00Z"}}  # fmt: skip
    await produce(settings.topic("raw.zammad"), [(b"7", orjson.dumps(body))])
    async with running(settings):
        await until(lambda: committed(settings, "dlq", 1))
    dead = await committed(settings, "dlq", 1)

    assert [b"no_tenant"] == [dict(record.headers)["sla-reason"] for record in dead]
    assert b"SLASTREAM_TENANTS=zammad=NAME" in dict(dead[0].headers)["sla-detail"]


async def test_a_large_event(settings: Settings, produce: Many) -> None:
    """An event of 900 KB is set aside with its own bytes, and the next one passes."""
    large = ticket(1, attributes={"text": "x" * 900_000})
    rubbish = b"[" + b"1" * 950_000
    records = [(b"a", large), (b"b", rubbish), (b"c", ticket(2))]
    await produce(settings.topic("raw.canonical"), records)
    async with running(settings, engine=Partition, deadlines=deadline_of):

        async def all_out() -> bool:
            dead, clocks = await committed(settings, "dlq", 1), await committed(settings, "clocks")
            return len(dead) >= 2 and len(clocks) >= 1

        await until(all_out)
    dead = await committed(settings, "dlq", 1)

    assert [r.value for r in dead] == [large, rubbish]
    assert [dict(r.headers)["sla-reason"] for r in dead] == [b"too_large", b"not_json"]
    assert {r.key for r in await committed(settings, "clocks")} == {b"acme/cw/2"}


async def test_a_repeat_has_no_effect(settings: Settings, produce: Many) -> None:
    """The hop into the journal may repeat; the fold drops what it knows."""
    raw = settings.topic("raw.canonical")
    await produce(raw, [(b"k", ticket(n, id=f"e{n}")) for n in range(10)] * 3)
    async with running(settings, engine=Partition, deadlines=deadline_of) as worker:
        await reached(worker, 30)

    assert len(await committed(settings, "tickets")) == 30
    assert len(await committed(settings, "clocks")) == 10


async def test_the_journal_is_keyed_and_placed_by_ticket(settings: Settings, produce: Many) -> None:
    """A ticket's events have its key and its partition, however the raw record was keyed."""
    await produce(settings.topic("raw.canonical"), [(None, ticket(n % 9)) for n in range(45)])
    async with running(settings, engine=Partition, deadlines=deadline_of) as worker:
        await reached(worker, 45)
    journal = await committed(settings, "tickets")

    assert {r.key for r in journal} == {b"acme/cw/%d" % n for n in range(9)}
    assert all(r.partition == partition_of(r.key, 2) for r in journal)
    assert all(dict(r.headers)["ce_type"] == b"io.slastream.ticket.v1" for r in journal)


async def test_a_restart_reads_on_from_the_commit(settings: Settings, produce: Many) -> None:
    """What was brought in before a restart is not brought in again after one."""
    raw = settings.topic("raw.canonical")
    for batch in range(2):
        await produce(raw, [(b"k", ticket(batch * 100 + n)) for n in range(100)])
        async with running(settings, engine=Partition, deadlines=deadline_of) as worker:
            await reached(worker, 100 * (batch + 1))

    assert len(await committed(settings, "tickets")) == 200


async def test_simulated_log_times_are_carried_over(
    broker: LocalBroker, prefix: str, tmp_path: Path, produce: Many
) -> None:
    """Where time comes from the log alone, the journal has the log times of the deliveries."""
    await create_topics(broker.bootstrap, prefix, tickets=(2, {}))
    settings = settings_for(broker.bootstrap, prefix, tmp_path, ingest=True, time="log")
    await produce(
        settings.topic("raw.canonical"), [(b"k", ticket(1))], timestamp_ms=1_700_000_000_000
    )
    async with running(settings, engine=Partition, deadlines=deadline_of) as worker:
        await reached(worker, 1)

    assert [r.timestamp for r in await committed(settings, "tickets")] == [1_700_000_000_000]


ZONED = """
apiVersion: slastream/v1
effective_from: 2020-01-01T00:00:00Z
tenant: acme
sources: {itop: {preset: itop, timezone: Europe/Paris}}
policies: [{name: everyone, calendar: 24x7}]
"""


async def test_local_times_are_in_the_zone_of_the_book(
    broker: LocalBroker, prefix: str, tmp_path: Path, produce: Many
) -> None:
    """iTop tells the server's local time; the book says where that is."""
    await create_topics(broker.bootstrap, prefix, raw=("itop",))
    settings = settings_for(broker.bootstrap, prefix, tmp_path / "data", ingest=True)
    book = tmp_path / "book.yaml"
    book.write_text(ZONED)
    body = {
        "source": "itop", "class": "UserRequest", "id": "7", "ref": "R-000007", "status": "new",
        "priority": "1", "start_date": "2026-05-11 09:31:04", "last_update": "2026-05-11 09:31:04",
    }  # fmt: skip
    await produce(
        settings.topic("raw.itop"), [(b"7", orjson.dumps(body), [("sla-tenant", b"acme")])]
    )
    async with running(settings, told=publishable(book)):
        await until(lambda: committed(settings, "tickets"))
    journal = await committed(settings, "tickets")

    assert [parse_instant("2026-05-11T07:31:04Z")] == [
        orjson.loads(record.value)["occurred_at"] for record in journal
    ]


@pytest.mark.parametrize("topic", ["raw.canonical", "tickets"])
async def test_a_fetch_that_a_rebalance_overtook_is_read_again(
    settings: Settings, produce: Many, topic: str
) -> None:
    """What was fetched under one generation and arrives under the next is not passed over."""
    raw = settings.topic("raw.canonical")
    async with running(settings) as worker:
        app = worker._app
        assert app is not None
        fetch, overtaken, asked = app.consumer._thread.getmany, [], asyncio.Event()

        async def overtake(*told: Any) -> Any:
            asked.set()
            fetched = await fetch(*told)
            names = {tp.topic for tp in fetched.records}
            if settings.topic(topic) in names and not overtaken:
                overtaken.append(names)
                before = app.consumer_generation_id
                app.consumer_generation_id += 1
                restore = (setattr, app, "consumer_generation_id", before)
                asyncio.get_running_loop().call_later(0.05, *restore)
            return fetched

        app.consumer._thread.getmany = overtake
        await asked.wait()  # the fetch that was under way is over, so the next one is ours
        await produce(raw, [(b"k", ticket(n)) for n in range(40)])
        await reached(worker, 40)

    assert [{settings.topic(topic)}] == overtaken
    assert len(await committed(settings, "outcomes")) == 40
