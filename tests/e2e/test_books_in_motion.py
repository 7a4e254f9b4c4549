"""A new version of a book while a worker runs: open tickets are judged by it without a new event."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import orjson

from slastream.core.instant import HOUR, format_instant
from slastream.kafka import admin
from slastream.kafka.local import LocalBroker
from slastream.kafka.plan import plan
from tests.conftest import Produce
from tests.e2e.conftest import Start, at_least

BOOK = """
apiVersion: slastream/v1
effective_from: 2026-01-0{day}T00:00:00Z
tenant: acme
policies:
  - name: everyone
    calendar: 24x7
    targets: {{response: PT{hours}H}}
"""


async def test_a_stricter_version_reaches_tickets_that_nobody_touches(
    start: Start, broker: LocalBroker, prefix: str, produce: Produce, tmp_path: Path
) -> None:
    """Two hours old and due in six, the ticket is in breach once the published target is one hour."""
    now = time.time_ns() // 1_000_000
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(BOOK.format(day=1, hours=8))
    second.write_text(BOOK.format(day=2, hours=1))
    client = {"bootstrap_servers": broker.bootstrap}
    await admin.create(client, plan(prefix=prefix, sources=["canonical"]))
    worker = start(
        "worker", "--broker", broker.bootstrap, "--prefix", prefix, "--app-id", prefix,
        "--book", str(first), "--data-dir", str(tmp_path / "data"), "--web-port", "0",
    )  # fmt: skip
    worker.until(_said(worker.err, "ready:"), 40)
    created = {
        "tenant": "acme", "source": "desk", "ticket": "1", "kind": "created", "state": "new",
        "occurred_at": format_instant(now - 2 * HOUR), "created_at": format_instant(now - 2 * HOUR),
    }  # fmt: skip
    await produce(f"{prefix}raw.canonical", [(b"acme/desk/1", orjson.dumps(created))])
    before = await at_least(1, broker.bootstrap, f"{prefix}clocks.v1")
    published = start(
        "book", "publish", str(second), "--broker", broker.bootstrap, "--prefix", prefix
    )
    code = published.ends(30)
    alerts = await at_least(1, broker.bootstrap, f"{prefix}alerts.v1")

    assert code == 0, published.err
    assert "on_track" == orjson.loads(before[-1].value)["clocks"][0]["verdict"]
    assert [b"io.slastream.sla.breached.v1"] == [dict(each.headers)["ce_type"] for each in alerts]
    told = orjson.loads(alerts[0].value)
    assert told["target_ms"] == HOUR
    assert told["reached_at"] == format_instant(now - HOUR)


def _said(lines: list[str], words: str) -> Callable[[], bool]:
    return lambda: any(words in line for line in lines)
