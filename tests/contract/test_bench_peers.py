"""What the peers' runs are held against: a run that loses, repeats or invents is never called right."""

from __future__ import annotations

import importlib
import re

import orjson
import pytest

from bench.peers import check, report, workload
from bench.peers.engines import ENGINES, ROOT
from bench.peers.job import HEARTBEAT, HOUR, MINUTE, earliest, step
from bench.peers.run import turns
from bench.readme import found


@pytest.fixture(scope="module")
def told() -> workload.Input:
    """Return two hundred tickets of the canonical workload."""
    return workload.made(200, 4)[0]


def published(told: workload.Input) -> list[check.Read]:
    """Return the records of an engine that does all right."""
    records, rows = [], {}
    for part in told.parts:
        for key, value, _ in part:
            if value is None:
                continue
            rows[key], alerts = step(rows.get(key), orjson.loads(value))
            records.append(check.Read("clocks", key, orjson.dumps(rows[key])))
            records += [check.Read("alerts", key, orjson.dumps(alert)) for alert in alerts]
    return records


def test_what_is_right_is_called_right(told: workload.Input) -> None:
    """An engine that publishes every row and every alert once is right, in whatever order."""
    verdict = check.compare(
        check.expected_of_job(told), check.facts_of_job(reversed(published(told)))
    )

    assert str(verdict) == "right"


@pytest.mark.parametrize("topic", ["clocks", "alerts"])
def test_one_record_is_missed(told: workload.Input, topic: str) -> None:
    """A single row or alert that was not published is counted as lost."""
    records = published(told)
    records.remove(next(record for record in records if record.topic == topic))
    verdict = check.compare(check.expected_of_job(told), check.facts_of_job(records))

    assert str(verdict) == "1 lost"


@pytest.mark.parametrize("topic", ["clocks", "alerts"])
def test_one_record_is_too_many(told: workload.Input, topic: str) -> None:
    """A single row or alert that was published twice is counted as doubled."""
    records = published(told)
    records.append(next(record for record in records if record.topic == topic))
    verdict = check.compare(check.expected_of_job(told), check.facts_of_job(records))

    assert str(verdict) == "1 doubled"


def test_one_deadline_is_another(told: workload.Input) -> None:
    """An alert with another due instant is wrong, and the right one is lost."""
    records = published(told)
    at = next(n for n, record in enumerate(records) if record.topic == "alerts")
    alert = orjson.loads(records[at].value)
    records[at] = records[at]._replace(value=orjson.dumps({**alert, "due": alert["due"] + 1}))
    verdict = check.compare(check.expected_of_job(told), check.facts_of_job(records))

    assert str(verdict) == "1 lost, 1 wrong"


def test_slastream_is_held_against_its_offline_run() -> None:
    """An alert of slastream that is lost or repeated is counted by its id, and so is a ticket."""
    _, events = workload.made(20, 4)
    expected = check.expected_of_slastream(events)
    found: list[object] = [*expected]

    assert str(check.compare(expected, found)) == "right"
    assert str(check.compare(expected, found[1:])) == "1 lost"
    assert str(check.compare(expected, [*found, found[0]])) == "1 doubled"


def test_the_job_stops_pauses_and_moves() -> None:
    """A response stops the first clock, waiting holds the others, another priority moves them."""
    at = 1_000 * HOUR
    row, _ = step(None, {"occurred_at": at, "ticket": "1", "priority": "P2"})
    row, none = step(row, {"occurred_at": at + MINUTE, "ticket": "1", "state": "responded"})
    after_response = list(row["due"])
    row, _ = step(row, {"occurred_at": at + HOUR, "ticket": "1", "state": "waiting"})
    while_waiting = earliest(row)
    later = at + 6 * HOUR
    row, late = step(
        row, {"occurred_at": later, "ticket": "1", "state": "in_progress", "priority": "P1"}
    )

    assert none == []
    assert after_response == [0, at + 4 * HOUR, at + 8 * HOUR]
    assert while_waiting == 0
    assert late == []
    assert row["due"] == [0, 0, at + 8 * HOUR + 5 * HOUR - 4 * HOUR]


def test_an_alert_is_told_once() -> None:
    """What fell due before an event is told with it, with its own instant, and never again."""
    at = 1_000 * HOUR
    row, _ = step(None, {"occurred_at": at, "ticket": "1", "priority": "P1"})
    event = {"occurred_at": at + 2 * HOUR, "ticket": "1", "kind": "comment"}
    row, told = step(row, event)
    row, again = step(row, event)

    assert told == [
        {"ticket": "1", "clock": 0, "due": at + 15 * MINUTE},
        {"ticket": "1", "clock": 1, "due": at + HOUR},
    ]
    assert again == []


def test_time_goes_on_in_every_partition(told: workload.Input) -> None:
    """Each partition has the same hours, and the last lies behind all events."""
    hours = [[at for key, _, at in part if key == HEARTBEAT] for part in told.parts]
    last = max(at for part in told.parts for key, _, at in part if key != HEARTBEAT)

    assert all(each == hours[0] for each in hours)
    assert hours[0] == list(range(hours[0][0], last + HOUR, HOUR))


def test_every_round_begins_with_another_engine() -> None:
    """No engine always runs on a broker that is fresh, or always last."""
    first = [
        engine.name
        for n, (_, engine) in enumerate(turns(list(ENGINES), 5))
        if n % len(ENGINES) == 0
    ]

    assert len(set(first)) == 5


def test_a_run_that_was_not_right_stays_in_the_table() -> None:
    """The table says of an engine what its runs lost, beside the figures."""
    figures = {"events_per_second": 40_000, "cpu_us_per_event": 20.0, "peak_rss_mb": 400}
    runs = [
        {"engine": "streams-eos", "verdict": "right", **figures},
        {"engine": "faust", "verdict": "12 lost", **figures, "events_per_second": 4_000},
    ]
    table = report.table({"medians": report.summary(runs)})

    assert "12 lost" in table.splitlines()[-1]
    assert "| 0.1 |" in table.splitlines()[-1]


def test_every_program_is_told_of() -> None:
    """`bench/README.md` has a line for each program, and for none that is not there."""
    folder = ROOT / "bench"
    programs = {file.stem for file in folder.glob("*.py")} - {"__init__"} | {"peers"}
    told = set(re.findall(r"^\| `(\w+)` \|", (folder / "README.md").read_text("utf-8"), re.M))

    assert programs == told


def test_a_figure_is_found_by_its_path() -> None:
    """A star stands for every name and every run; what is not there, or is no figure, is left out."""
    told = {"a": {"runs": [{"x": 1}, {"x": 2.5}]}, "b": {"runs": [{"y": 3}]}, "c": "text"}

    assert [("a.runs.1.x", 1), ("a.runs.2.x", 2.5)] == list(found(told, "*.runs.*.x"))
    assert [] == list(found(told, "c"))
    assert [] == list(found(told, "d.e"))


@pytest.mark.parametrize("name", ["ours", "stock_faust"])
def test_an_engine_that_needs_nothing_more_can_be_started(name: str) -> None:
    """What starts it may have moved: a comparison that takes half an hour must not find that out."""
    importlib.import_module(f"bench.peers.{name}")
