"""What one worker promises on a real broker, with a toy for an engine."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from rig import (
    COMPACT,
    STAMPED,
    arm,
    committed,
    create_topics,
    delete_topics,
    done,
    now_ms,
    running,
    settings_for,
    toy_deadline,
    until,
)

from slastream.core.errors import Misconfigured
from slastream.engine.rocks import RocksStore
from slastream.kafka.local import LocalBroker
from slastream.settings import Settings
from slastream.stream import app, changelog
from slastream.stream.actor import HEARTBEAT
from slastream.stream.changelog import POSITION, Changelog, Position
from slastream.stream.ground import client_of
from slastream.stream.position import CLAIM
from slastream.stream.probe import PROBE
from slastream.stream.transaction import Item, Transactions, Uncertain

Many = Callable[..., Awaitable[Any]]


@pytest.fixture
async def settings(broker: LocalBroker, prefix: str, tmp_path: Path) -> Settings:
    await create_topics(broker.bootstrap, prefix)
    return settings_for(broker.bootstrap, prefix, tmp_path / "data")


def values(records: list[Any]) -> list[bytes]:
    return sorted(record.value for record in records)


async def test_each_record_once(settings: Settings, produce: Many) -> None:
    """Every journal record has its effect exactly once, over a restart on the same disk."""
    journal = settings.topic("tickets")
    await produce(journal, [arm(f"t{n % 50}", now_ms() + 10**7) for n in range(3_000)])
    async with running(settings):

        async def all_out() -> bool:
            return len(await committed(settings, "outcomes")) >= 3_000

        await until(all_out)
    await produce(journal, [done(f"t{n}") for n in range(50)])
    async with running(settings) as worker:
        assert sum(a.changelog.replayed for a in worker.owners.actors.values()) <= 10

        async def more_out() -> bool:
            return len(await committed(settings, "outcomes")) >= 3_050

        await until(more_out)
    expected = {b"%d/%d" % (r.partition, r.offset) for r in await committed(settings, "tickets")}
    found = values(await committed(settings, "outcomes"))

    assert len(found) == 3_050
    assert set(found) == expected


async def test_a_deadline_fires_without_any_event(settings: Settings, produce: Many) -> None:
    """A ticket that is never touched again is announced, once, when it is due."""
    async with running(settings):
        due = now_ms() + 1_500
        await produce(settings.topic("tickets"), [arm("a", due), arm("b", due + 10**7)])
        await until(lambda: now_ms() > due - 300)

        assert await committed(settings, "alerts") == []

        async def announced() -> bool:
            return bool(await committed(settings, "alerts"))

        await until(announced, 5)
    found = await committed(settings, "alerts")

    assert values(found) == [b"a@%d" % due]
    assert found[0].timestamp >= due


async def test_a_restart_with_a_backlog_announces_nothing_that_it_resolves(
    settings: Settings, produce: Many
) -> None:
    """D57: what fell due while the worker was away, but was resolved before, is not announced."""
    journal = settings.topic("tickets")
    async with running(settings) as worker:
        due = now_ms() + 6_000  # enough to stop the worker, also on a busy machine
        await produce(journal, [arm(f"t{n}", due) for n in range(200)])
        await until(lambda: sum(a.position for a in worker.owners.actors.values()) == 200)
    # Resolved in the backlog before it falls due, and read only after it did.
    await produce(journal, [done(f"t{n}") for n in range(199)])
    assert now_ms() < due, "this machine is too slow for the test's own timing"
    await until(lambda: now_ms() > due + 500)
    async with running(settings):

        async def announced() -> bool:
            return bool(await committed(settings, "alerts"))

        await until(announced)

    assert values(await committed(settings, "alerts")) == [b"t199@%d" % due]


@pytest.mark.parametrize("helped", [0, 10**9], ids=["by helpers", "by itself"])
async def test_lost_disk(
    settings: Settings,
    produce: Many,
    helped: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A worker whose disk is gone rebuilds rows and deadlines from the changelog, and says how far it is."""
    monkeypatch.setattr(changelog, "HELPED", helped)
    monkeypatch.setattr(app, "FILE", 0.02)
    monkeypatch.setattr(app, "TERMINAL", 0.02)
    caplog.set_level("INFO", "slastream.recovery")
    due = now_ms() + 14_000
    async with running(settings) as worker:
        await produce(settings.topic("tickets"), [arm(f"t{n}", due) for n in range(500)])
        await until(lambda: sum(a.position for a in worker.owners.actors.values()) == 500)
        rows = {n: dict(a.store.scan()) for n, a in worker.owners.actors.items()}
    shutil.rmtree(settings.data_dir)
    (settings.data_dir / f"{settings.app_id}-0.rocksdb.new-cut-short").mkdir(parents=True)
    async with running(settings) as worker:
        rebuilt = {n: dict(a.store.scan()) for n, a in worker.owners.actors.items()}
        assert rebuilt == rows
        assert not list(settings.data_dir.glob("*.new-*"))

        async def announced() -> bool:
            return len(await committed(settings, "alerts")) >= 500

        await until(announced)

    assert len(await committed(settings, "alerts")) == 500
    assert helped or "recovery [" in caplog.text


async def test_corrupt_store(
    settings: Settings, produce: Many, caplog: pytest.LogCaptureFixture
) -> None:
    """A store that cannot be read is moved aside, rebuilt, and said so."""
    async with running(settings) as worker:
        await produce(settings.topic("tickets"), [arm(f"t{n}", 10**13) for n in range(20)])
        await until(lambda: sum(a.position for a in worker.owners.actors.values()) == 20)
        rows = {n: dict(a.store.scan()) for n, a in worker.owners.actors.items()}
    for file in settings.data_dir.glob("*-0.rocksdb/MANIFEST-*"):
        file.write_bytes(b"\xff" * 64)
    with caplog.at_level("INFO"):
        async with running(settings) as worker:
            assert {n: dict(a.store.scan()) for n, a in worker.owners.actors.items()} == rows

    assert "corrupt, moved to" in caplog.text


async def test_an_older_store_catches_up(settings: Settings, produce: Many, tmp_path: Path) -> None:
    """A disk of another age is brought up to the changelog, deletions and deadlines included."""
    journal = settings.topic("tickets")
    async with running(settings) as worker:
        await produce(journal, [arm(f"t{n}", 10**13) for n in range(30)])
        await until(lambda: sum(a.position for a in worker.owners.actors.values()) == 30)
    shutil.copytree(settings.data_dir, tmp_path / "old")
    async with running(settings) as worker:
        await produce(journal, [done(f"t{n}") for n in range(29)])
        await until(lambda: sum(a.position for a in worker.owners.actors.values()) == 59)
    shutil.rmtree(settings.data_dir)
    shutil.copytree(tmp_path / "old", settings.data_dir)
    async with running(settings) as worker:
        stores = [actor.store for actor in worker.owners.actors.values()]
        deadlines = [entry for store in stores for entry in store.due(10**14, 100)]

        assert deadlines == [(10**13, b"t29")]
        assert sum(a.changelog.replayed for a in worker.owners.actors.values()) < 59 + 10


async def test_a_store_of_another_changelog_is_rebuilt(
    settings: Settings, broker: LocalBroker, produce: Many, caplog: pytest.LogCaptureFixture
) -> None:
    """A changelog that was begun anew never meets the rows of the old one."""
    async with running(settings) as worker:
        await produce(settings.topic("tickets"), [arm(f"t{n}", 10**13) for n in range(30)])
        await until(lambda: sum(a.position for a in worker.owners.actors.values()) == 30)
    names = [settings.topic("tickets"), settings.topic("state")]
    await delete_topics(broker.bootstrap, names)
    await create_topics(broker.bootstrap, settings.prefix)
    await produce(settings.topic("tickets"), [arm(f"u{n}", 10**13) for n in range(40)])
    with caplog.at_level("INFO"):
        async with running(settings) as worker:
            await until(lambda: sum(a.position for a in worker.owners.actors.values()) == 40)
            keys = {k for a in worker.owners.actors.values() for k, _ in a.store.scan()}

    assert keys == {b"u%d" % n for n in range(40)}
    assert "rebuilt" in caplog.text


async def test_a_recreated_journal_parks_its_partitions(
    settings: Settings, broker: LocalBroker, produce: Many, caplog: pytest.LogCaptureFixture
) -> None:
    """State without its journal is refused: records would be skipped as if they had been applied."""
    async with running(settings) as worker:
        await produce(settings.topic("tickets"), [arm(f"t{n}", 10**13) for n in range(30)])
        await until(lambda: sum(a.position for a in worker.owners.actors.values()) == 30)
    await delete_topics(broker.bootstrap, [settings.topic("tickets")])
    await create_topics(broker.bootstrap, settings.prefix)
    async with running(settings) as worker:
        assert {actor.state for actor in worker.owners.actors.values()} == {"parked"}

    assert "it was recreated or truncated" in caplog.text


async def test_time_from_the_log_alone(settings: Settings, produce: Many) -> None:
    """With `--time log` the wall clock fires nothing, and a heartbeat's log time does."""
    journal = settings.topic("tickets")
    simulated = replace(settings, time="log")
    async with running(simulated) as worker:
        due = now_ms() + 1_000
        await produce(journal, [arm("a", due)], partition=0)
        await until(lambda: worker.owners.actors[0].position == 1)
        await until(lambda: now_ms() > due + 1_000)

        assert await committed(settings, "alerts") == []
        await produce(journal, [(HEARTBEAT, None)], partition=0)

        async def announced() -> bool:
            return bool(await committed(settings, "alerts"))

        await until(announced)

    assert values(await committed(settings, "alerts")) == [b"a@%d" % due]


async def test_what_time_it_was_outlives_an_owner(settings: Settings, produce: Many) -> None:
    """A heartbeat that was passed is not read again; what was due by it is announced all the same."""
    losing = False

    def at(point: str) -> None:
        nonlocal losing
        if losing and point == "committed":
            losing = False
            raise Uncertain("the test lost the answer")

    due = now_ms() - 1_000
    async with running(replace(settings, time="log"), at=at) as worker:
        await until(lambda: worker.owners.actors[0]._group_offset == 0)
        losing = True  # the next commit is that of these records
        journal = settings.topic("tickets")
        await produce(journal, [arm("a", due), (HEARTBEAT, None)], partition=0)

        async def announced() -> bool:
            return bool(await committed(settings, "alerts"))

        await until(announced, 10)

    assert not losing
    assert values(await committed(settings, "alerts")) == [b"a@%d" % due]


async def test_a_partition_that_hangs_delays_nobody(
    settings: Settings, produce: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A partition that takes nothing more pauses itself; the other one is fed as before."""
    journal = settings.topic("tickets")
    async with running(settings) as worker:
        hung = asyncio.Event()
        monkeypatch.setattr(worker.owners.actors[0], "_ingest", hung.wait)
        for _ in range(12):
            # Two fetches for each that the stuck one may still be handed, and then some.
            await produce(journal, [arm(f"a{n}", 10**13) for n in range(50)], partition=0)
            await produce(journal, [arm(f"b{n}", 10**13) for n in range(50)], partition=1)
        began = time.monotonic()
        await until(lambda: worker.owners.actors[1].position == 600, 5)

        assert time.monotonic() - began < 3
        assert worker.owners.actors[0].position == 0
        monkeypatch.undo()
        hung.set()
        await until(lambda: worker.owners.actors[0].position == 600, 5)


async def test_a_partition_that_is_parked_delays_nobody(settings: Settings, produce: Many) -> None:
    """A partition whose engine breaks is parked alone; the other one goes on."""
    journal = settings.topic("tickets")
    async with running(settings) as worker:
        await produce(journal, [(b"x", b'{"bug": true}')], partition=0)
        await until(lambda: worker.owners.actors[0].state == "parked")
        for n in range(20):
            await produce(journal, [arm(f"a{n}", 10**13) for _ in range(50)], partition=0)
            await produce(journal, [arm(f"b{n}", 10**13) for _ in range(50)], partition=1)

        async def all_out() -> bool:
            return len(await committed(settings, "outcomes")) >= 1_000

        await until(all_out)
        assert worker.owners.actors[1].state == "ready"


async def test_a_data_directory_has_one_worker(settings: Settings) -> None:
    """A second worker in the same folder is refused with a sentence that says what to do."""
    async with running(settings):
        with pytest.raises(Misconfigured, match="another worker runs in this data directory"):
            async with running(settings):
                pass


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"tickets": (2, {})}, "LogAppendTime"),
        ({"state": (2, STAMPED)}, "cleanup.policy"),
        ({"alerts": (3, {})}, "are 3 here and 2 in"),
        ({"clocks": (1, COMPACT)}, "are 1 here and 2 in"),
    ],
)
async def test_topics_that_cannot_keep_the_promise(
    broker: LocalBroker, prefix: str, tmp_path: Path, over: dict[str, Any], said: str
) -> None:
    """A worker refuses topics on which it could lose or mistime something, naming the setting."""
    await create_topics(broker.bootstrap, prefix, **over)
    with pytest.raises(Misconfigured, match=said):
        async with running(settings_for(broker.bootstrap, prefix, tmp_path)):
            pass


async def test_missing_topics_are_named(broker: LocalBroker, prefix: str, tmp_path: Path) -> None:
    """A worker on a broker without its topics says which, and how they are made."""
    with pytest.raises(Misconfigured, match=r"slastream topics create"):
        async with running(settings_for(broker.bootstrap, prefix, tmp_path)):
            pass


async def test_a_newer_store_is_refused(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """A store that a newer release wrote parks its partition, and is left as it is."""
    store = RocksStore(settings.data_dir / f"{settings.app_id}-0.rocksdb")
    store.write({}, meta={"format": b"99"})
    store.close()
    async with running(settings) as worker:
        assert worker.owners.actors[0].state == "parked"
        assert worker.owners.actors[1].state == "ready"

    assert "format 99" in caplog.text


async def test_heartbeats_move_the_position(settings: Settings, produce: Many) -> None:
    """A heartbeat is no ticket's: the engine never sees it, and it is not read again."""
    journal = settings.topic("tickets")
    async with running(settings) as worker:
        await produce(journal, [(HEARTBEAT, None)] * 3, partition=0)
        await produce(journal, [arm("a", 10**13)], partition=0)
        await until(lambda: worker.owners.actors[0].position == 4)

    assert values(await committed(settings, "outcomes")) == [b"0/3"]


async def claim(transactions: Transactions, tp: TopicPartition) -> int:
    """Return where a new owner's claim stands, as an actor writes it."""
    return (await transactions.commit({tp: [Item(CLAIM, None, [])]}))[tp] - 1


@pytest.mark.parametrize("disk", ["lost", "kept"])
async def test_all_in_front_of_the_claim_is_read(
    settings: Settings, tmp_path: Path, disk: str
) -> None:
    """Where a broker says that the changelog ends is no answer: one that was frozen says it wrongly.

    Here it ends before the claim for as long as what was acknowledged has not reached the reader.
    """
    client, tp = client_of(settings), TopicPartition(settings.topic("state"), 0)
    journal = TopicPartition(settings.topic("tickets"), 0)
    position = Item(POSITION, Position(0, "first", "here").encode(), [])
    transactions = Transactions(client, "t-0", 10.0)
    await transactions.start()
    row = Item(b"t0", b'{"due": 1}', [])
    ends = await transactions.commit({tp: [row, position]})
    log = Changelog(client, tp, journal, "here", toy_deadline)
    if disk == "kept":
        (await log.catch_up(tmp_path / "store", ends[tp])).store.close()

    reading = asyncio.create_task(log.catch_up(tmp_path / "store", ends[tp] + 3))
    await asyncio.sleep(1.5)
    early = reading.done()
    late = Item(b"t1", b'{"due": 2}', [])
    ends = await transactions.commit({tp: [late, position]})
    recovered = await asyncio.wait_for(reading, 10)
    await transactions.close()

    assert not early
    assert recovered.store.due(10, 10) == [(1, b"t0"), (2, b"t1")]
    recovered.store.close()


async def test_catching_up_that_comes_to_nothing_is_begun_anew(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that brings nothing more is given up; as long as records come, it is not."""
    monkeypatch.setattr(changelog, "PATIENCE", 2.0)
    client, tp = client_of(settings), TopicPartition(settings.topic("state"), 0)
    journal = TopicPartition(settings.topic("tickets"), 0)
    position = Item(POSITION, Position(0, "first", "here").encode(), [])
    transactions = Transactions(client, "t-0", 10.0)
    await transactions.start()
    end = (await transactions.commit({tp: [position]}))[tp] + 1_000
    log = Changelog(client, tp, journal, "here", toy_deadline)
    began = time.monotonic()
    reading = asyncio.create_task(log.catch_up(tmp_path / "store", end))
    for _ in range(3):
        await asyncio.sleep(1.0)
        await transactions.commit({tp: [position]})
    await transactions.close()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reading, 15)
    assert 4.0 < time.monotonic() - began < 10.0


async def test_a_store_that_is_whole_is_not_rebuilt(settings: Settings, tmp_path: Path) -> None:
    """Whatever stands behind the last transaction, a control record or a probe, a store goes on."""
    client, tp = client_of(settings), TopicPartition(settings.topic("state"), 0)
    journal = TopicPartition(settings.topic("tickets"), 0)
    rows = [Item(b"t%d" % n, b'{"due": %d}' % (100 + n), []) for n in range(10)]
    position = Item(POSITION, Position(0, "first", "here").encode(), [])
    transactions = Transactions(client, "t-0", 10.0)
    await transactions.start()
    await transactions.commit({tp: [*rows, position]})
    async with AIOKafkaProducer(bootstrap_servers=settings.broker) as producer:
        await producer.send_and_wait(tp.topic, b"", PROBE, partition=0)
    end = await claim(transactions, tp)
    because = []
    for _ in range(3):
        log = Changelog(client, tp, journal, "here", toy_deadline)
        recovered = await log.catch_up(tmp_path / "store", end)
        because.append(recovered.because)
        deadlines = recovered.store.due(10**6, 100)
        recovered.store.close()

        assert deadlines == [(100 + n, b"t%d" % n) for n in range(10)]
    await transactions.commit({tp: [Item(b"t0", None, []), position]})
    end = await claim(transactions, tp)
    recovered = await Changelog(client, tp, journal, "here", toy_deadline).catch_up(
        tmp_path / "store", end
    )

    assert because == ["no store on this disk", "", ""]
    assert recovered.because == ""
    assert recovered.store.due(10**6, 1) == [(101, b"t1")]
    recovered.store.close()
    await transactions.close()
