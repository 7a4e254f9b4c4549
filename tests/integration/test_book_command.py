"""Books published and tickets explained on a real broker."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from slastream import wire
from slastream.cli import root
from slastream.core.errors import Misconfigured
from slastream.core.event import Event
from slastream.core.instant import parse_instant
from slastream.kafka.local import LocalBroker

pytestmark = pytest.mark.broker

BOOK = """
apiVersion: slastream/v1
effective_from: %s
tenant: acme
policies: [{name: all, calendar: 24x7, targets: {resolution: {default: PT%dH}}}]
"""


def event(ticket: str, when: str, **told: Any) -> Event:
    return Event(
        tenant="acme", source="desk", ticket=ticket, occurred_at=parse_instant(when),
        id=f"{ticket}{when}", **told,
    )  # fmt: skip


async def call(*args: str) -> Result:
    """Run the command line beside the running loop, as a process of its own would."""
    result = await asyncio.to_thread(CliRunner().invoke, root, list(args))
    if result.exception is not None and not isinstance(
        result.exception, (SystemExit, Misconfigured)
    ):
        raise result.exception
    return result


@pytest.fixture
async def ready(broker: LocalBroker, prefix: str) -> list[str]:
    """A broker with the topics of this test; returns the flags that name them."""
    flags = ["--broker", broker.bootstrap, "--prefix", prefix]
    made = await call("topics", "create", *flags)

    assert made.exit_code == 0, made.output
    return flags


async def test_a_book_is_published_once_and_listed(ready: list[str], tmp_path: Path) -> None:
    """The same content is not published again; the list says which version is in force."""
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(BOOK % ("2026-01-01T00:00:00Z", 8))
    two.write_text(BOOK % ("2996-01-01T00:00:00Z", 4))
    first = await call("book", "publish", str(one), *ready)
    again = await call("book", "publish", str(one), *ready)
    await call("book", "publish", str(two), *ready)
    listed = await call("book", "list", *ready, "--format", "jsonl")
    rows = [orjson.loads(line) for line in listed.stdout.splitlines()]

    assert "1 of 1 versions are new" in first.stderr
    assert "0 of 1 versions are new" in again.stderr
    assert [("acme", "yes"), ("acme", "from then on")] == [
        (row["tenant"], row["in_force"]) for row in rows
    ]


async def test_a_book_with_a_mistake_is_refused(ready: list[str], tmp_path: Path) -> None:
    """Nothing of it reaches the broker."""
    bad = tmp_path / "bad.yaml"
    bad.write_text(BOOK.replace("24x7", "nowhere") % ("2026-01-01T00:00:00Z", 8))
    refused = await call("book", "publish", str(bad), *ready)
    listed = await call("book", "list", *ready, "--format", "jsonl")

    assert 2 == refused.exit_code
    assert "nowhere" in refused.stderr
    assert "" == listed.stdout


async def test_a_book_that_would_breach_open_tickets_wants_a_confirmation(
    ready: list[str], tmp_path: Path
) -> None:
    """Two hours are gone of what would be one (D56)."""
    old, new, told = tmp_path / "old.yaml", tmp_path / "new.yaml", tmp_path / "events.jsonl"
    old.write_text(BOOK % ("2026-01-01T00:00:00Z", 8))
    new.write_text(BOOK % ("2026-01-01T00:00:00Z", 1))
    told.write_bytes(
        orjson.dumps(
            {"tenant": "acme", "source": "desk", "ticket": "1", "kind": "created",
             "occurred_at": "2026-03-02T09:00:00Z"}
        )
    )  # fmt: skip
    await call("book", "publish", str(old), *ready)
    ask = ["book", "publish", str(new), *ready, "--against", str(told)]
    ask += ["--as-of", "2026-03-02T11:00:00Z"]
    refused = await call(*ask)
    confirmed = await call(*ask, "--confirm")

    assert (1, 0) == (refused.exit_code, confirmed.exit_code)
    assert "breaches now" in refused.stdout
    assert "1 of 1 versions are new" in confirmed.stderr


async def test_a_ticket_is_explained_from_the_journal_and_the_published_book(
    ready: list[str], prefix: str, produce: Any, tmp_path: Path
) -> None:
    """By its key, and by its id alone; other tickets of the partition are left out."""
    book = tmp_path / "book.yaml"
    book.write_text(BOOK % ("2026-01-01T00:00:00Z", 1))
    await call("book", "publish", str(book), *ready)
    events = [
        event("1", "2026-03-02T09:00:00Z", kind="created"),
        event("2", "2026-03-02T09:00:00Z", kind="created"),
        event("1", "2026-03-02T12:00:00Z", state="resolved"),
    ]
    await produce(
        f"{prefix}tickets.v1", [(wire.event_key(each), wire.encode_event(each)) for each in events]
    )
    whole = await call("explain", *ready, "--ticket", "acme/desk/1", "--format", "json")
    short = await call("explain", *ready, "--ticket", "1", "--format", "json")
    told = orjson.loads(whole.stdout)

    assert ("1", 2) == (told["ticket"], len(told["events"]))
    assert ("missed", 10_800_000) == (
        told["clocks"][2]["outcome"], told["clocks"][2]["elapsed_ms"],
    )  # fmt: skip
    assert told["clocks"] == orjson.loads(short.stdout)["clocks"]


async def test_a_check_against_a_broker_reads_its_journal_and_its_books(
    ready: list[str], broker: LocalBroker, prefix: str, produce: Any, tmp_path: Path
) -> None:
    """Beside the published version, the new one would put the open ticket in breach."""
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(BOOK % ("2026-01-01T00:00:00Z", 8))
    new.write_text(BOOK % ("2026-01-01T00:00:00Z", 1))
    await call("book", "publish", str(old), *ready)
    opened = event("1", "2026-03-02T09:00:00Z", kind="created")
    await produce(f"{prefix}tickets.v1", [(wire.event_key(opened), wire.encode_event(opened))])
    found = await call(
        "check", str(new), "--against-broker", broker.bootstrap, "--prefix", prefix,
        "--as-of", "2026-03-02T11:00:00Z", "--format", "json",
    )  # fmt: skip

    assert ["acme/desk/1"] == orjson.loads(found.stdout)["breaching"]


async def test_a_broker_without_the_topics_is_said(broker: LocalBroker, prefix: str) -> None:
    """With what creates them."""
    found = await call("book", "list", "--broker", broker.bootstrap, "--prefix", prefix)

    assert isinstance(found.exception, Misconfigured)
    assert "slastream topics create" in str(found.exception)
