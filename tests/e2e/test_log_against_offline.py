"""A help desk's log through broker and worker, counted against an offline run of the same log.

The log is one of our own, made here; where the public log of `deploy/examples/helpdesk` lies beside
the checkout, it is told as well.
"""

from __future__ import annotations

import csv
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from slastream.kafka import admin
from slastream.kafka.local import LocalBroker
from slastream.kafka.plan import plan
from tests.e2e.conftest import Start, published

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "deploy" / "examples" / "helpdesk"
PUBLIC = ROOT.parent / "shared" / "data" / "helpdesk_event_log.csv"
COLUMNS = (
    "case_id", "timestamp", "activity", "resource", "seriousness", "customer", "product",
    "service_level", "service_type", "support_section", "workgroup",
)  # fmt: skip
STEPS = (
    "Assign seriousness",
    "Take in charge ticket",
    "Wait",
    "Take in charge ticket",
    "Resolve ticket",
    "Closed",
)


def made(path: Path) -> Path:
    """Write a log of three hundred cases in the columns of the public one, sorted by case."""
    rng = random.Random(7)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for case in range(1, 301):
            at = datetime(2013, 3, 4, 8, tzinfo=UTC) + timedelta(
                minutes=rng.randrange(60 * 24 * 20)
            )
            level = f"Value {rng.randrange(1, 5)}"
            for activity in STEPS[: rng.randrange(2, len(STEPS) + 1)]:
                rows.writerow([
                    f"Case {case}", at.isoformat(), activity, f"Value {rng.randrange(9)}", "Value 1",
                    f"Value {case % 40}", "Value 1", level, "Value 1", "Value 1", "Value 1",
                ])  # fmt: skip
                at += timedelta(minutes=rng.randrange(3, 3_000))
    return path


LOGS = ["made", *(["public"] if PUBLIC.exists() else [])]


@pytest.mark.parametrize("log", LOGS)
async def test_worker_and_backtest_announce_the_same(
    log: str, start: Start, broker: LocalBroker, prefix: str, tmp_path: Path
) -> None:
    """Tickets, alert ids and decided outcomes on the broker are those of `backtest`, none more or less."""
    events = PUBLIC if log == "public" else made(tmp_path / "log.csv")
    end = "2014-02-01T00:00:00Z"
    told = [
        "--source",
        "csv",
        "--mapping",
        f"{EXAMPLE}/mapping.yaml",
        "--tenant",
        "helpdesk-example",
    ]
    client = {"bootstrap_servers": broker.bootstrap}
    await admin.create(client, plan(prefix=prefix, simulated=True, sources=["canonical"]))
    start(
        "worker", "--broker", broker.bootstrap, "--prefix", prefix, "--app-id", prefix,
        "--book", f"{EXAMPLE}/book.yaml", "--data-dir", str(tmp_path / "data"),
        "--web-port", "0", "--time", "log",
    )  # fmt: skip
    replay = start(
        "replay", *told, "--broker", broker.bootstrap, "--prefix", prefix, "--app-id", prefix,
        "--speed", "100000000", "--until", end, str(events),
    )  # fmt: skip
    offline = [f"{EXAMPLE}/book.yaml", str(events), *told, "--as-of", end, "--format", "jsonl"]
    alerts, verdicts = start("backtest", *offline, "--alerts"), start("backtest", *offline)
    codes = [each.ends(240) for each in (replay, alerts, verdicts)]
    expected = {line["ce_id"] for line in map(orjson.loads, alerts.out)}
    decided, tickets = _decided_offline(verdicts.out)

    assert codes == [0, 0, 0]
    found = await _settled(broker.bootstrap, prefix, len(expected))
    assert expected == {_id(record) for record in found}
    assert len(expected) == len(found)
    assert decided == _decided(await published(broker.bootstrap, f"{prefix}outcomes.v1"))
    assert tickets == {
        each.key.decode().split("/", 2)[2]
        for each in await published(broker.bootstrap, f"{prefix}clocks.v1")
    }


async def _settled(bootstrap: str, prefix: str, expected: int) -> list[object]:
    """Return the alerts once there are as many as expected, and a look later still."""
    found: list[object] = []
    for _ in range(60):
        before, found = len(found), await published(bootstrap, f"{prefix}alerts.v1")
        if len(found) >= expected and len(found) == before:
            break
    return found


def _id(record: object) -> str:
    return dict(record.headers)["ce_id"].decode()  # type: ignore[attr-defined]


def _decided_offline(lines: list[str]) -> tuple[dict[tuple[str, str, int], str], set[str]]:
    rows = [orjson.loads(line) for line in lines]
    decided = {
        (row["ticket"], row["indicator"], row["cycle"]): row["outcome"]
        for row in rows
        if row["phase"] == "stopped" and row["outcome"] in ("met", "missed")
    }
    return decided, {row["ticket"] for row in rows}


def _decided(records: list[object]) -> dict[tuple[str, str, int], str]:
    latest: dict[tuple[str, str, int], str] = {}
    for record in sorted(records, key=lambda each: (each.partition, each.offset)):  # type: ignore[attr-defined]
        value = orjson.loads(record.value)  # type: ignore[attr-defined]
        key = (value["ticket"], value["indicator"], value["cycle"])
        if value["finality"] == "retracted":
            latest.pop(key, None)
        else:
            latest[key] = value["outcome"]
    return latest
