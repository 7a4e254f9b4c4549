"""`slastream replay` onto a real broker, with a real worker that follows the simulated time."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from slastream.kafka import admin
from slastream.kafka.local import LocalBroker
from slastream.kafka.plan import plan
from tests.e2e.conftest import Start, at_least, published

BOOK = """
apiVersion: slastream/v1
effective_from: 2026-01-01T00:00:00Z
tenant: acme
policies:
  - name: everyone
    calendar: 24x7
    targets: {response: PT1H}
    at_risk: ["50%"]
"""


def event(ticket: str, clock: str, **told: object) -> dict[str, object]:
    return {
        "tenant": "acme",
        "source": "desk",
        "ticket": ticket,
        "occurred_at": f"2026-03-02T{clock}Z",
    } | told


EVENTS = [
    event("1", "09:00:00", kind="created", created_at="2026-03-02T09:00:00Z", state="new"),
    event("2", "09:10:00", kind="created", created_at="2026-03-02T09:10:00Z", state="new"),
    event("2", "09:20:00", state="in_progress", actor={"id": "ada", "kind": "agent"}),
    event("3", "09:30:00", kind="created", created_at="2026-03-02T09:30:00Z", state="new"),
    event("3", "10:29:59", state="in_progress", actor={"id": "ada", "kind": "agent"}),
]


@pytest.fixture
async def files(tmp_path: Path) -> tuple[Path, Path]:
    """A file of events, not in their order, and the book that judges them."""
    events, book = tmp_path / "events.jsonl", tmp_path / "book.yaml"
    events.write_bytes(b"\n".join(orjson.dumps(each) for each in reversed(EVENTS)))
    book.write_text(BOOK)
    return events, book


async def worker(
    start: Start, broker: LocalBroker, prefix: str, book: Path, data: Path, simulated: bool
) -> None:
    """Create the topics and start a worker on them."""
    client = {"bootstrap_servers": broker.bootstrap}
    await admin.create(client, plan(prefix=prefix, simulated=simulated, sources=["canonical"]))
    start(
        "worker", "--broker", broker.bootstrap, "--prefix", prefix, "--app-id", prefix,
        "--book", str(book), "--data-dir", str(data), "--web-port", "0",
        "--time", "log" if simulated else "wall",
    )  # fmt: skip


async def test_simulated_time_fires_what_fell_due_and_nothing_else(
    start: Start, broker: LocalBroker, prefix: str, files: tuple[Path, Path],
    tmp_path: Path,
) -> None:  # fmt: skip
    """A ticket that nobody touches is announced at its due, one that was answered is not.

    Two hours pass in seconds; the alerts carry the simulated instants.
    """
    events, book = files
    await worker(start, broker, prefix, book, tmp_path / "data", simulated=True)
    replay = start(
        "replay", str(events), "--broker", broker.bootstrap, "--prefix", prefix, "--app-id", prefix,
        "--speed", "3600", "--until", "2026-03-02T11:00:00Z",
    )  # fmt: skip
    code = replay.ends(60)
    told = sorted(
        (headers["ce_time"].decode(), value["ticket"], headers["ce_type"].decode())
        for record in await at_least(4, broker.bootstrap, f"{prefix}alerts.v1")
        for headers, value in [(dict(record.headers), orjson.loads(record.value))]
        if not headers["ce_type"].endswith(b"cleared.v1")
    )

    assert code == 0
    assert told == [
        ("2026-03-02T09:30:00.000Z", "1", "io.slastream.sla.at_risk.v1"),
        ("2026-03-02T10:00:00.000Z", "1", "io.slastream.sla.breached.v1"),
        ("2026-03-02T10:00:00.000Z", "3", "io.slastream.sla.at_risk.v1"),
    ]


async def test_imported_history_announces_nothing(
    start: Start, broker: LocalBroker, prefix: str, files: tuple[Path, Path],
    tmp_path: Path,
) -> None:  # fmt: skip
    """Without --speed the events are history: they arrive in the journal and raise no alarm."""
    events, book = files
    await worker(start, broker, prefix, book, tmp_path / "data", simulated=False)
    replay = start("replay", str(events), "--broker", broker.bootstrap, "--prefix", prefix)
    code = replay.ends(60)
    clocks = await at_least(3, broker.bootstrap, f"{prefix}clocks.v1")
    journal = await published(broker.bootstrap, f"{prefix}tickets.v1")

    assert code == 0
    assert {b"acme/desk/1", b"acme/desk/2", b"acme/desk/3"} == {each.key for each in clocks}
    assert len(journal) == len(EVENTS)
    assert all(orjson.loads(record.value)["imported"] for record in journal)
    assert await published(broker.bootstrap, f"{prefix}alerts.v1") == []


def test_a_line_that_cannot_be_read_is_shown_and_the_rest_goes_on(
    start: Start, tmp_path: Path, broker: LocalBroker
) -> None:
    """The answer is no (1), with file, line and reason, and the other lines were published."""
    events = tmp_path / "events.jsonl"
    events.write_text("not json\n")
    replay = start("replay", str(events), "--broker", broker.bootstrap)
    code = replay.ends(30)

    assert code == 1
    assert any(f"{events}:1: not_json" in line for line in replay.err)


def test_simulated_time_refuses_the_topics_of_real_time(start: Start, tmp_path: Path) -> None:
    """Nobody mixes simulated log times into the journal that a real worker reads."""
    replay = start("replay", "events.jsonl", "--speed", "10")
    code = replay.ends(20)

    assert code == 2
    assert any("--prefix" in line for line in replay.err)
