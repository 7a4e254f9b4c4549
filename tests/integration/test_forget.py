"""A client's data erased on a real broker: every committed record is looked at before and after."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result
from rig import committed, create_topics, running, settings_for, until

from slastream.cli.book import command as book
from slastream.cli.forget import command
from slastream.cli.journal import journal
from slastream.core.instant import DAY, format_instant
from slastream.engine.partition import Partition
from slastream.engine.row import deadline_of, decode_row
from slastream.kafka.local import LocalBroker
from slastream.settings import Settings
from slastream.stream.partitioner import partition_of

Produce = Callable[..., Awaitable[None]]
NAME, OTHER = "Zahnarztpraxis Müller", "Old Mill"
JSON = ("tickets", "clocks", "alerts", "outcomes", "state")


def told(n: int, client: str, **more: Any) -> bytes:
    now = int(time.time() * 1000)
    return orjson.dumps(
        {"tenant": "acme", "source": "cw", "ticket": str(n), "kind": "created", "state": "new",
         "occurred_at": now - 60_000 + n, "created_at": now - 60_000 + n, "client": client, **more}
    )  # fmt: skip


@pytest.fixture
async def settings(broker: LocalBroker, prefix: str, tmp_path: Path, produce: Produce) -> Settings:
    """Six tickets of two clients, a letter that names one, one ticket that has changed hands."""
    quick = {
        "min.compaction.lag.ms": "0",
        "segment.ms": "1000",
        "min.cleanable.dirty.ratio": "0.01",
    }
    compact = {"cleanup.policy": "compact", "max.compaction.lag.ms": "1000", **quick}
    stamped = {"message.timestamp.type": "LogAppendTime"}
    month = {"retention.ms": str(30 * DAY), "segment.ms": str(7 * DAY)}
    await create_topics(
        broker.bootstrap,
        prefix,
        clocks=(2, compact),
        state=(2, {**compact, **stamped}),
        tickets=(2, {**month, **stamped}),
    )
    settings = settings_for(broker.bootstrap, prefix, tmp_path / "data", ingest=True)
    tickets = [told(n, NAME if n % 2 else OTHER) for n in range(1, 7)]
    letter = orjson.dumps({"tenant": "acme", "client": NAME, "ticket": "9"})
    await produce(settings.topic("raw.canonical"), [(b"k", value) for value in [*tickets, letter]])
    moved = [(b"k", told(7, NAME, id="7a")), (b"k", told(7, OTHER, kind="updated", id="7b"))]
    await produce(settings.topic("raw.canonical"), moved)
    return settings


def worker(settings: Settings) -> Any:
    return running(settings, engine=Partition, deadlines=deadline_of)


async def judged(settings: Settings, count: int) -> bool:
    return len({record.key for record in await committed(settings, "clocks")}) >= count


async def forget(settings: Settings, *words: str) -> Result:
    where = ["--broker", settings.broker, "--prefix", settings.prefix, "--format", "jsonl"]
    return await asyncio.to_thread(CliRunner().invoke, command, [*where, *words])


def report(settings: Settings, result: Result) -> dict[str, dict[str, Any]]:
    rows = [orjson.loads(line) for line in result.stdout.splitlines()]
    return {row["topic"].removeprefix(settings.prefix): row for row in rows}


async def naming(settings: Settings, short: str, name: str) -> list[Any]:
    """Return the committed records of a topic that hold a name."""
    partitions = 1 if short in ("ops", "dlq", "raw.canonical") else 2
    found = await committed(settings, short, partitions)
    return [each for each in found if name.encode() in (each.value or b"")]


async def latest(settings: Settings, short: str) -> dict[bytes, bytes | None]:
    return {record.key: record.value for record in await committed(settings, short)}


async def test_without_yes_it_only_says(settings: Settings) -> None:
    """What would be erased, how much of it is where, and by which day retention has dropped it."""
    async with worker(settings):
        await until(lambda: judged(settings, 7))
        before = {short: await committed(settings, short) for short in JSON[:-1]}
        result = await forget(settings, "--client", "zahnarztpraxis  MÜLLER")
    rows = report(settings, result)
    journal = [each for each in before["tickets"] if NAME.encode() in each.value]
    # A broker drops whole segments: 30 days after the youngest record of one that took 7 to fill.
    by = format_instant(max(each.timestamp for each in journal) + 37 * DAY)

    assert result.exit_code == 0, result.stderr
    assert [len(each) for each in before.values()] == [
        len(await committed(settings, short)) for short in JSON[:-1]
    ]
    assert "to erase: acme/cw/1\n" in result.stderr
    assert "1 were the client's once and are another's now: acme/cw/7\n" in result.stderr
    assert "Nothing was changed" in result.stderr
    assert (rows["tickets.v1"]["found"], rows["raw.canonical"]["found"]) == (5, 5)
    assert (rows["dlq.v1"]["found"], rows["alerts.v1"]["found"]) == (1, 0)
    assert rows["tickets.v1"]["gone at the latest"] == by
    assert rows["alerts.v1"]["gone at the latest"] == "empty"
    assert rows["dlq.v1"]["gone at the latest"] == "kept for ever"


async def test_a_client_is_erased(
    settings: Settings, broker: LocalBroker, produce: Produce
) -> None:
    """State and clocks hold nothing of it once compaction has been there, and what comes late stays out.

    Others' tickets are as they were. The journal, the raw topic and the dead letters still name it, which
    is what the report says of them.
    """
    async with worker(settings):
        await until(lambda: judged(settings, 7))
        before = await latest(settings, "clocks")
        done = await forget(settings, "--client", NAME, "--tenant", "acme", "--yes")
        late = told(1, NAME, kind="updated", id="late"), told(8, OTHER)
        await produce(settings.topic("raw.canonical"), [(b"k", value) for value in late])
        await until(lambda: judged(settings, 8))
        clocks, state = await latest(settings, "clocks"), await latest(settings, "state")
        again = await forget(settings, "--client", NAME, "--yes")
        told_of = await asyncio.to_thread(journal, settings, None, lambda arrival: True)
        rest = await forget(settings, "--client", NAME, "--moved", "--yes")
        await _compacted(settings, produce)
        left = {
            short: len(await naming(settings, short, NAME))
            for short in (*JSON, "ops", "dlq", "raw.canonical")
        }
    gone = [f"acme/cw/{n}".encode() for n in (1, 3, 5)]

    assert done.exit_code == 0, done.stderr
    assert "3 of 3 are erased from state and clocks." in done.stderr
    assert [clocks[key] for key in gone] == [None] * 3
    assert all(decode_row(state[key] or b"").erased for key in gone)
    assert {key: value for key, value in before.items() if key not in gone} == {
        key: value for key, value in clocks.items() if key not in gone and key != b"acme/cw/8"
    }
    assert "The worker holds nothing of it any more." in again.stderr
    assert {each.event.ticket for each in told_of} == {"2", "4", "6", "7", "8"}
    assert "1 of 1 are erased" in rest.stderr
    assert left == {
        "tickets": 5, "clocks": 0, "alerts": 0, "outcomes": 0, "state": 0, "ops": 0, "dlq": 1,
        "raw.canonical": 6,
    }  # fmt: skip


async def _compacted(settings: Settings, produce: Produce) -> None:
    """Let both compacted topics be written to until the cleaner has been there."""
    numbers = iter(range(100, 10_000))

    async def clean() -> bool:
        some = [(b"k", told(n, OTHER)) for _, n in zip(range(4), numbers, strict=False)]
        await produce(settings.topic("raw.canonical"), some)
        await asyncio.sleep(1.0)
        return not [
            each for short in ("clocks", "state") for each in await naming(settings, short, NAME)
        ]

    await until(clean, 120, "compaction has dropped what was erased")


async def test_a_worker_that_is_away_obeys_when_it_comes(settings: Settings) -> None:
    """The request waits in the journal: exit code 1 says that it is not done yet."""
    async with worker(settings):
        await until(lambda: judged(settings, 7))
    away = await forget(settings, "acme/cw/2", "--yes", "--wait", "1s")
    async with worker(settings):
        await until(lambda: _gone(settings, b"acme/cw/2"))
    clocks = await latest(settings, "clocks")

    assert (away.exit_code, "is a worker running?" in away.stderr) == (1, True)
    assert [key for key, value in clocks.items() if value is None] == [b"acme/cw/2"]


async def _gone(settings: Settings, key: bytes) -> bool:
    return (await latest(settings, "clocks")).get(key, b"") is None


async def test_now_deletes_up_to_the_last_record_found(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the user says so, records go at once, others' before them too, and none behind them."""
    monkeypatch.setenv("SLASTREAM_APP_ID", settings.app_id)
    async with worker(settings):
        await until(lambda: judged(settings, 7))
        before = await committed(settings, "tickets")
        done = await forget(settings, "--client", NAME, "--moved", "--yes", "--now", "tickets")
        after = await committed(settings, "tickets")
        found = [each for each in before if NAME.encode() in (each.value or b"")]
        reach = {each.partition: each.offset for each in found}
    rows = report(settings, done)
    # The last event of ticket 7 names the other client, and is the ticket's all the same.
    seven = partition_of(b"acme/cw/7", 2)
    reach[seven] = max(each.offset for each in before if each.key == b"acme/cw/7")

    assert done.exit_code == 0, done.stderr
    assert {(each.partition, each.offset) for each in after if each.value is not None} == {
        (each.partition, each.offset) for each in before if each.offset > reach[each.partition]
    }
    assert (
        rows["tickets.v1"]["others before"]
        == sum(each.offset <= reach[each.partition] for each in before) - len(found) - 1
    )


async def test_now_deletes_nothing_that_is_yet_to_be_read(
    settings: Settings, produce: Produce, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A delivery that waits for a worker is somebody's ticket: it stays, and so does all before it."""
    monkeypatch.setenv("SLASTREAM_APP_ID", settings.app_id)
    async with worker(settings):
        await until(lambda: judged(settings, 7))
        read = await forget(settings, "--client", NAME, "--moved", "--yes", "--now", "raw")
    await produce(
        settings.topic("raw.canonical"), [(b"k", told(40, OTHER)), (b"k", told(41, NAME))]
    )
    refused = await forget(settings, "--client", NAME, "--yes", "--now", "raw", "--wait", "1s")
    left = await committed(settings, "raw.canonical", 1)

    assert read.exit_code == 0, read.stderr
    assert "have yet to read some" in str(refused.exception)
    assert [orjson.loads(each.value)["ticket"] for each in left] == ["7", "40", "41"]


async def test_a_tenant_is_erased_whole(settings: Settings, produce: Produce) -> None:
    """All its tickets, and the notes of its statuses; another tenant's stay."""
    odd = orjson.loads(told(20, OTHER)) | {"state": None, "status": "Odd", "board": "Müller"}
    del odd["state"]
    theirs = orjson.dumps(orjson.loads(told(21, NAME)) | {"tenant": "globex"})
    await produce(settings.topic("raw.canonical"), [(b"k", orjson.dumps(odd)), (b"k", theirs)])
    async with worker(settings):
        await until(lambda: judged(settings, 9))
        unclear = await forget(settings, "--client", NAME)
        done = await forget(settings, "--tenant", "acme", "--yes")
        clocks, state = await latest(settings, "clocks"), await latest(settings, "state")
    notes = {key: value for key, value in state.items() if key.startswith(b"!")}

    assert "a client of acme, globex" in str(unclear.exception)
    assert done.exit_code == 0, done.stderr
    assert [key for key, value in clocks.items() if value is not None] == [b"globex/cw/21"]
    assert [*notes.values()] == [None]


async def test_nothing_found(settings: Settings) -> None:
    """A name that is nobody's is no success, and a mistyped one is told the right one."""
    async with worker(settings):
        await until(lambda: judged(settings, 7))
        nobody = await forget(settings, "--client", "Old Mil", "--yes")

    assert nobody.exit_code == 1
    assert "nothing was found; there is 'Old Mill'" in nobody.stderr


async def test_a_simulated_journal_goes_on_in_its_own_time(
    broker: LocalBroker, prefix: str, tmp_path: Path, produce: Produce
) -> None:
    """Where a feed writes log times, a request of today would be years ahead: it has the journal's time."""
    stamped = {"message.timestamp.type": "CreateTime"}
    await create_topics(
        broker.bootstrap, prefix, tickets=(2, stamped), **{"raw.canonical": (1, stamped)}
    )
    settings = settings_for(broker.bootstrap, prefix, tmp_path / "data", ingest=True, time="log")
    then = 1_772_442_000_000
    old = {"occurred_at": then, "created_at": then}
    await produce(
        settings.topic("raw.canonical"), [(b"k", told(1, NAME, **old))], timestamp_ms=then
    )
    async with worker(settings):
        await until(lambda: judged(settings, 1))
        done = await forget(settings, "acme/cw/1", "--yes")
    journal = await committed(settings, "tickets")

    assert done.exit_code == 0, done.stderr
    assert [(each.timestamp, each.value is None) for each in journal] == [
        (then, False),
        (then, True),
    ]


BOOK = """\
apiVersion: slastream/v1
effective_from: 2026-01-01T00:00:00Z
tenant: acme
calendars: {always: 24x7}
sources:
  cw:
    clients: {MUELLER01: Zahnarztpraxis Müller}
policies:
  - {name: all, calendar: always, targets: {resolution: PT4H}}
"""


async def test_a_client_that_a_source_calls_otherwise(
    settings: Settings, produce: Produce, tmp_path: Path
) -> None:
    """The book's name finds all, in the source's own words too; the source's name is told the book's."""
    path = tmp_path / "book.yaml"
    path.write_text(BOOK, "utf-8")
    where = ["--broker", settings.broker, "--prefix", settings.prefix]
    published = await asyncio.to_thread(CliRunner().invoke, book, ["publish", str(path), *where])
    await produce(settings.topic("raw.canonical"), [(b"k", told(30, "MUELLER01"))])
    async with worker(settings):
        await until(lambda: judged(settings, 8))
        asked = await forget(settings, "--client", "mueller01")
        found = await forget(settings, "--client", NAME, "--yes")
        clocks = await latest(settings, "clocks")

    assert published.exit_code == 0, published.output
    assert f"A source says 'mueller01' where the book says {NAME!r}" in asked.stderr
    assert found.exit_code == 0, found.stderr
    assert "4 of 4 are erased" in found.stderr
    assert clocks[b"acme/cw/30"] is None
    assert report(settings, found)["raw.canonical"]["found"] == 6
    assert report(settings, found)["books.v1"]["found"] == 1


@pytest.mark.parametrize(
    "words",
    [[], ["acme/cw/1", "--client", "x"], ["acme-cw-1"], ["--tenant", "a/b"]],
)
async def test_wrong_usage(words: list[str]) -> None:
    """What is meant must be said, once, and in the form of a key."""
    result = await asyncio.to_thread(CliRunner().invoke, command, words)

    assert result.exit_code == 2
    assert "Usage" in result.stderr


async def test_what_stands_cannot_be_deleted_by_offset(settings: Settings) -> None:
    """Compacted topics and the books are not cut off: what stands would go too."""
    result = await forget(settings, "acme/cw/2", "--now", "clocks")

    assert "no records are deleted there" in str(result.exception)
