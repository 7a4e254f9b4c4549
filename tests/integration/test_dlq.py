"""What an operator can do about dead letters, from both places where they are written."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result
from rig import committed, create_topics, running, settings_for, until

from slastream.cli.dlq import command
from slastream.engine.partition import Partition
from slastream.engine.row import deadline_of
from slastream.kafka.local import LocalBroker
from slastream.settings import Settings
from slastream.stream.ingest import LARGEST
from slastream.stream.partitioner import partition_of

Produce = Callable[..., Awaitable[None]]
ESC = "\x1b[2J"


def ticket(n: int, **more: Any) -> dict[str, Any]:
    return {
        "tenant": "acme", "source": "cw", "ticket": str(n), "kind": "created", "state": "new",
        "occurred_at": "2026-03-02T09:00:00Z", "created_at": "2026-03-02T08:00:00Z", **more,
    }  # fmt: skip


NAIVE = orjson.dumps(ticket(1, occurred_at="2026-03-02T09:00:00"))
NOT_JSON = b"\xff\xfe{" + ESC.encode()


@pytest.fixture
async def settings(broker: LocalBroker, prefix: str, tmp_path: Path, produce: Produce) -> Settings:
    """Four letters: three of ingest in two reasons, and one of the journal's."""
    await create_topics(broker.bootstrap, prefix, raw=("canonical", "jira"))
    settings = settings_for(broker.bootstrap, prefix, tmp_path / "data", ingest=True)
    arrived = [("sla-tenant", b"acme"), ("sla-delivery", b"d-1"), ("sla-topic", b"forged")]
    await produce(settings.topic("raw.canonical"), [(b"k1", NAIVE, arrived), (b"k2", NOT_JSON)])
    await produce(settings.topic("raw.jira"), [(b"j", b"[]]", [("sla-tenant", b"acme")])])
    await produce(settings.topic("tickets"), [(b"acme/cw/9", b'{"not": "an event"}')])
    await worked(settings, dead=4)
    return settings


async def worked(settings: Settings, *, dead: int = 0, clocks: int = 0) -> None:
    """Let a worker run until so many letters and clocks are there."""
    async with running(settings, engine=Partition, deadlines=deadline_of):

        async def done() -> bool:
            letters, seen = await committed(settings, "dlq", 1), await committed(settings, "clocks")
            return len(letters) >= dead and len(seen) >= clocks

        await until(done)


async def dlq(settings: Settings, *words: str) -> Result:
    where = ["--broker", settings.broker, "--prefix", settings.prefix]
    verb, *rest = words
    return await asyncio.to_thread(CliRunner().invoke, command, [verb, *where, *rest])


def rows(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [orjson.loads(line) for line in result.stdout.splitlines()]


async def place_of(settings: Settings, reason: str, source: str = "canonical") -> str:
    each = rows(await dlq(settings, "list", "--each", "--format", "jsonl", "--source", source))
    return next(row["letter"] for row in each if row["reason"] == reason)


async def test_list(settings: Settings) -> None:
    """Letters are counted by reason and source; a reason, a source, a time and a limit choose."""
    counted = rows(await dlq(settings, "list", "--format", "jsonl"))
    chosen = rows(await dlq(settings, "list", "--format", "jsonl", "--reason", "not_json"))
    later = await dlq(settings, "list", "--since", "2099-01-01T00:00:00Z")
    newest = await dlq(settings, "list", "--each", "--format", "jsonl", "--limit", "1")

    assert {(row["reason"], row["source"]): row["letters"] for row in counted} == {
        ("naive_time", "canonical"): 1,
        ("not_json", "canonical"): 1,
        ("not_json", "jira"): 1,
        (await _journal_reason(settings), "journal"): 1,
    }
    assert {row["source"] for row in chosen} == {"canonical", "jira"}
    assert (later.exit_code, later.stdout) == (0, "")
    assert len(rows(newest)) <= 1
    assert "older records were not looked at" in newest.stderr


async def _journal_reason(settings: Settings) -> str:
    each = rows(await dlq(settings, "list", "--each", "--format", "jsonl", "--source", "journal"))
    assert len(each) == 1
    return str(each[0]["reason"])


async def test_show(settings: Settings) -> None:
    """A letter is shown with its reason, its place and its bytes, by any of its names."""
    place = await place_of(settings, "naive_time")
    origin = f"{settings.topic('raw.canonical')}-"
    by_place = await dlq(settings, "show", place)
    by_id = await dlq(settings, "show", "d-1")
    came_from = next(
        line.split()[-1] for line in by_place.stdout.splitlines() if line.startswith("came from")
    )
    by_origin = await dlq(settings, "show", came_from)
    short = await dlq(settings, "show", place.partition("-")[2])

    assert by_place.exit_code == 0
    assert by_place.stdout == by_id.stdout == by_origin.stdout == short.stdout
    assert came_from.startswith(origin)
    for told in ("naive_time", "has no offset", "k1", "header sla-tenant", NAIVE.decode()):
        assert told in by_place.stdout


async def test_show_bytes(settings: Settings) -> None:
    """Bytes that are no text are shown as digits, never sent to the terminal; --raw gives them."""
    place = await place_of(settings, "not_json")
    shown = await dlq(settings, "show", place)
    raw = await dlq(settings, "show", place, "--raw")

    assert "ff fe 7b 1b" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert raw.stdout_bytes == NOT_JSON


async def test_nothing_is_sent_without_yes(settings: Settings) -> None:
    """Without --yes it is said what would be sent, and nothing is; a bad one is told and is 1."""
    place = await place_of(settings, "naive_time")
    before = len(await committed(settings, "raw.canonical", 1))
    done = await dlq(settings, "resend", place)

    assert done.exit_code == 1
    assert "is left: naive_time" in done.stderr
    assert "Nothing was sent" in done.stderr
    assert len(await committed(settings, "raw.canonical", 1)) == before


async def test_corrected(settings: Settings, tmp_path: Path) -> None:
    """A corrected delivery goes back with its key and headers, says so, and becomes a clock."""
    place = await place_of(settings, "naive_time")
    mended = tmp_path / "mended.json"
    mended.write_bytes(NAIVE.replace(b"09:00:00", b"09:00:00Z", 1))
    looked = await dlq(settings, "resend", place, "--with", str(mended))
    done = await dlq(settings, "resend", place, "--with", str(mended), "--yes")
    found = [
        r for r in await committed(settings, "raw.canonical", 1) if r.value == mended.read_bytes()
    ]
    (record,) = found
    headers = dict(record.headers)
    await worked(settings, clocks=1)

    assert (looked.exit_code, done.exit_code) == (0, 0)
    assert "created of acme/cw/1" in looked.stdout
    assert "(not sent)" in looked.stdout
    assert record.key == b"k1"
    assert headers.pop("sla-topic") == b"forged"
    assert headers == {
        "sla-tenant": b"acme",
        "sla-delivery": b"d-1",
        "sla-resent": place.encode(),
        "sla-corrected": b"true",
    }
    assert {r.key for r in await committed(settings, "clocks")} == {b"acme/cw/1"}


async def test_of_the_journal(settings: Settings, tmp_path: Path) -> None:
    """A letter of the journal goes back to the journal, to its ticket's partition, if it is an
    event of that ticket."""
    from slastream import wire
    from slastream.sources import Delivery, read

    place = await place_of(settings, await _journal_reason(settings), "journal")
    mended = tmp_path / "mended.json"

    def event(n: int) -> bytes:
        delivery = Delivery("canonical", value=orjson.dumps(ticket(n)), received_at=1)
        return wire.encode_event(read(delivery)[0])

    mended.write_bytes(event(8))
    other = await dlq(settings, "resend", place, "--with", str(mended), "--yes")
    mended.write_bytes(event(9))
    done = await dlq(settings, "resend", place, "--with", str(mended), "--yes")
    (record,) = [r for r in await committed(settings, "tickets") if r.value == event(9)]
    await worked(settings, clocks=1)

    assert (other.exit_code, done.exit_code) == (1, 0)
    assert "bad_key" in other.stderr
    assert (record.key, record.partition) == (b"acme/cw/9", partition_of(b"acme/cw/9", 2))
    assert dict(record.headers)["sla-resent"] == place.encode()
    assert {r.key for r in await committed(settings, "clocks")} == {b"acme/cw/9"}


async def test_all_of_a_choice(settings: Settings) -> None:
    """--all sends each letter of the choice once; --anyway also what still cannot be read."""
    left = await dlq(settings, "resend", "--all", "--reason", "not_json", "--yes")
    sent = await dlq(settings, "resend", "--all", "--reason", "not_json", "--yes", "--anyway")
    again = await committed(settings, "raw.canonical", 1)
    nothing = await dlq(settings, "resend")

    assert (left.exit_code, sent.exit_code, nothing.exit_code) == (1, 0, 2)
    assert len(sent.stdout.splitlines()) == 2
    assert [r.value for r in again if "sla-resent" in dict(r.headers)] == [NOT_JSON]


async def test_a_letter_that_was_cut(
    settings: Settings, produce: Produce, broker: LocalBroker, tmp_path: Path
) -> None:
    """Of a delivery too large for the dead letters the whole is taken from where it was."""
    raw = settings.topic("raw.canonical")
    large = b"[" + b"1" * (LARGEST + 10_000)
    await produce(raw, [(b"large", large)])
    await worked(settings, dead=5)
    each = rows(await dlq(settings, "list", "--each", "--format", "jsonl"))
    place = next(row["letter"] for row in each if row["bytes"] == len(large))
    whole = await dlq(settings, "show", place, "--raw")
    sent = await dlq(settings, "resend", place, "--yes", "--anyway")
    found = [r for r in await committed(settings, "raw.canonical", 1) if r.key == b"large"]

    assert whole.stdout_bytes == large
    assert sent.exit_code == 0, sent.output
    assert [len(r.value) for r in found] == [len(large)] * 2


async def test_what_is_not_there(settings: Settings) -> None:
    """A letter that does not exist is one clear error."""
    for name in ("0@99999", "7@0", "nothing", f"{settings.topic('dlq')}-0@x"):
        done = await dlq(settings, "show", name)

        assert "there is no such letter" in str(done.exception)


async def test_no_broker(settings: Settings) -> None:
    """Without a broker the error says so in one sentence."""
    done = await asyncio.to_thread(CliRunner().invoke, command, ["list", "--broker", "127.0.0.1:9"])

    assert "no broker listens there" in str(done.exception)
