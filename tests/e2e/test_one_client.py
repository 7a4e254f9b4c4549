"""One client of two ticket systems, told by each in its own words, through a broker and a worker."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import orjson

from slastream.core.instant import HOUR, MINUTE, format_instant
from slastream.kafka import admin
from slastream.kafka.local import LocalBroker
from slastream.kafka.plan import plan
from tests.conftest import Produce
from tests.e2e.conftest import Start, at_least

BOOK = """
apiVersion: slastream/v1
effective_from: 2026-01-01T00:00:00Z
tenant: acme
sources:
  connectwise: {preset: connectwise, clients: {MAISONVERTE: Maison Verte}}
  zendesk: {preset: zendesk, clients: {"640017": Maison Verte}}
policies:
  - name: maison-verte
    when: {client: Maison Verte}
    calendar: 24x7
    targets: {resolution: PT1H}
"""


def connectwise(status: str, at: int, opened: int) -> dict[str, Any]:
    info = {"lastUpdated": format_instant(at), "dateEntered": format_instant(opened)}
    entity = {
        "id": 802001, "board": {"name": "Projects"}, "status": {"id": 1, "name": status},
        "company": {"id": 311, "identifier": "MAISONVERTE", "name": "Maison Verte SARL"},
        "_info": info | {"updatedBy": "maalto"},
    }  # fmt: skip
    return {
        "MessageId": f"m-{status}", "Action": "updated", "Type": "ticket", "ID": 802001,
        "Entity": orjson.dumps(entity).decode(),
    }  # fmt: skip


def zendesk(status: str, at: int, opened: int) -> dict[str, Any]:
    detail = {
        "id": "30501", "subject": "x", "status": status, "organization_id": "640017",
        "created_at": format_instant(opened), "updated_at": format_instant(at),
    }  # fmt: skip
    return {
        "type": "zen:event-type:ticket.status_changed", "id": f"z-{status}",
        "time": format_instant(at), "account_id": 1, "zendesk_event_version": "2022-11-06",
        "subject": "zen:ticket:30501", "detail": detail, "event": {"current": status},
    }  # fmt: skip


async def tell(produce: Produce, prefix: str, payloads: list[dict[str, Any]]) -> None:
    for source, payload in zip(("connectwise", "zendesk"), payloads, strict=True):
        await produce(f"{prefix}raw.{source}", [(source.encode(), orjson.dumps(payload))])


async def test_two_systems_tell_of_one_client(
    start: Start, broker: LocalBroker, prefix: str, produce: Produce, tmp_path: Path
) -> None:
    """Alerts, outcomes and clocks name one client, and one policy judged its tickets."""
    now = time.time_ns() // 1_000_000
    book = tmp_path / "book.yaml"
    book.write_text(BOOK)
    client = {"bootstrap_servers": broker.bootstrap}
    await admin.create(client, plan(prefix=prefix, sources=["connectwise", "zendesk"]))
    worker = start(
        "worker", "--broker", broker.bootstrap, "--prefix", prefix, "--app-id", prefix,
        "--book", str(book), "--data-dir", str(tmp_path / "data"), "--web-port", "0",
        "--tenant", "acme",
    )  # fmt: skip
    worker.until(lambda: any("ready:" in line for line in worker.err), 40)
    opened, solved = now - 2 * HOUR, now - MINUTE
    await tell(
        produce, prefix, [connectwise("New", opened, opened), zendesk("NEW", opened, opened)]
    )
    alerts = await at_least(2, broker.bootstrap, f"{prefix}alerts.v1")
    await tell(
        produce,
        prefix,
        [connectwise("Resolved", solved, opened), zendesk("SOLVED", solved, opened)],
    )
    outcomes = await at_least(2, broker.bootstrap, f"{prefix}outcomes.v1")
    clocks = await at_least(4, broker.bootstrap, f"{prefix}clocks.v1")
    found = {
        name: [orjson.loads(record.value) for record in records]
        for name, records in (("alerts", alerts), ("outcomes", outcomes), ("clocks", clocks))
    }

    for name, values in found.items():
        assert {"connectwise", "zendesk"} == {value["source"] for value in values}, name
        assert {"Maison Verte"} == {value["client"] for value in values}, name
    assert {"maison-verte"} == {value["policy"] for value in found["outcomes"]}
