"""What `slastream backtest` writes, to the letter of `docs/contracts.md` 5: people parse it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from slastream.cli import root

BOOK = """
apiVersion: slastream/v1
effective_from: 2026-01-01T00:00:00Z
tenant: acme-msp
calendars:
  office: {timezone: Europe/Paris, open: {mon-fri: ["09:00-17:00"]}}
policies:
  - name: gold
    when: {client: harbour-dental}
    calendar: office
    targets:
      response: {P1: PT15M, default: PT1H}
      resolution: {P1: PT4H, default: PT8H}
    at_risk: ["75%"]
  - name: everyone-else
    calendar: office
"""

FIELDS = [
    "tenant", "source", "ticket", "client", "priority", "indicator", "cycle", "policy", "calendar",
    "target_ms", "elapsed_ms", "remaining_ms", "started_at", "due", "reached_at", "breached_at",
    "phase", "verdict", "outcome", "paused_ms", "reopen_count",
]  # fmt: skip
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
HOUR = 3_600_000


def told(when: str, ticket: str = "7", **members: Any) -> dict[str, Any]:
    """Return an event; `when` is UTC on 2 March 2026, where Paris is an hour ahead."""
    return {
        "tenant": "acme-msp",
        "source": "desk",
        "ticket": ticket,
        "occurred_at": f"2026-03-02T{when}Z",
        **members,
    }


CREATED = told("09:00:00", kind="created", state="new", client="harbour-dental", priority="P2")


def backtest(folder: Path, *events: dict[str, Any] | str, args: tuple[str, ...] = ()) -> Result:
    """Run the command over these lines."""
    (folder / "book.yaml").write_text(BOOK)
    lines = [each if isinstance(each, str) else orjson.dumps(each).decode() for each in events]
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n")
    files = [str(folder / "book.yaml"), str(folder / "events.jsonl")]
    return CliRunner().invoke(root, ["backtest", *files, *args])


def lines(folder: Path, *events: dict[str, Any] | str, args: tuple[str, ...] = ()) -> list[Any]:
    """Return what `--format jsonl` writes."""
    result = backtest(folder, *events, args=("--format", "jsonl", *args))
    assert result.exit_code == 0, result.output
    return [orjson.loads(line) for line in result.stdout.splitlines()]


def clock(found: list[Any], indicator: str, cycle: int = 1) -> dict[str, Any]:
    """Return the line of one clock cycle."""
    return next(each for each in found if (each["indicator"], each["cycle"]) == (indicator, cycle))


def test_one_line_a_clock_cycle_with_the_members_in_their_order(tmp_path: Path) -> None:
    """Each ticket has a line for response, plan and resolution, all members always there."""
    found = lines(tmp_path, CREATED)

    assert [FIELDS] * 3 == [list(line) for line in found]
    assert ["response", "plan", "resolution"] == [line["indicator"] for line in found]


def test_a_running_clock_says_when_it_is_due(tmp_path: Path) -> None:
    """Times are RFC 3339 in UTC with milliseconds; what has not happened is null."""
    line = clock(lines(tmp_path, CREATED, args=("--as-of", "2026-03-02T11:30:00Z")), "resolution")

    assert {
        "tenant": "acme-msp", "source": "desk", "ticket": "7", "client": "harbour-dental",
        "priority": "P2", "indicator": "resolution", "cycle": 1, "policy": "gold",
        "calendar": "office", "target_ms": 8 * HOUR, "elapsed_ms": 9_000_000,
        "remaining_ms": 8 * HOUR - 9_000_000, "started_at": "2026-03-02T09:00:00.000Z",
        "due": "2026-03-03T09:00:00.000Z", "reached_at": None, "breached_at": None,
        "phase": "running", "verdict": "on_track", "outcome": "running", "paused_ms": 0,
        "reopen_count": 0,
    } == line  # fmt: skip


def test_an_open_clock_past_its_due_is_breached_at_as_of(tmp_path: Path) -> None:
    """Nobody says anything after the opening: the reading instant alone makes it missed."""
    line = clock(lines(tmp_path, CREATED, args=("--as-of", "2026-03-02T12:00:00Z")), "response")

    assert ("running", "breached", "missed") == (line["phase"], line["verdict"], line["outcome"])
    assert ("2026-03-02T10:00:00.000Z", -2 * HOUR) == (line["breached_at"], line["remaining_ms"])


def test_exactly_at_due_is_still_met(tmp_path: Path) -> None:
    """Only more than the target is a breach (D13)."""
    done = told("10:00:00", state="resolved")
    line = clock(lines(tmp_path, CREATED, done), "response")

    assert ("met", None, 0) == (line["outcome"], line["breached_at"], line["remaining_ms"])


def test_a_paused_clock_has_no_due_and_a_frozen_rest(tmp_path: Path) -> None:
    """What was waited is told in covered milliseconds."""
    found = lines(
        tmp_path,
        CREATED,
        told("10:00:00", state="in_progress", actor={"kind": "agent"}),
        told("11:00:00", state="waiting", waiting_on="client"),
        args=("--as-of", "2026-03-02T13:00:00Z"),
    )
    line = clock(found, "resolution")

    assert ("paused", "paused", None) == (line["phase"], line["outcome"], line["due"])
    assert (2 * HOUR, 6 * HOUR, 2 * HOUR) == (
        line["elapsed_ms"], line["remaining_ms"], line["paused_ms"],
    )  # fmt: skip


def test_a_stopped_clock_keeps_its_due_and_says_when_it_was_reached(tmp_path: Path) -> None:
    """The due it had while it ran."""
    line = clock(lines(tmp_path, CREATED, told("09:30:00.250", state="resolved")), "resolution")

    assert ("stopped", "met") == (line["phase"], line["outcome"])
    assert ("2026-03-03T09:00:00.000Z", "2026-03-02T09:30:00.250Z") == (
        line["due"], line["reached_at"],
    )  # fmt: skip


def test_without_a_target_a_clock_is_measured(tmp_path: Path) -> None:
    """No target, so no remaining, no due, and no verdict but on_track."""
    line = clock(
        lines(tmp_path, told("09:00:00", kind="created"), CREATED | {"ticket": "8"}), "plan"
    )

    assert (None, None, None, "measured", "on_track", "everyone-else") == (
        line["target_ms"], line["remaining_ms"], line["due"], line["outcome"], line["verdict"],
        line["policy"],
    )  # fmt: skip


def test_a_merged_ticket_is_cancelled(tmp_path: Path) -> None:
    """Neither met nor missed."""
    merged = told("09:30:00", kind="merged", merged_into="8")
    line = clock(lines(tmp_path, CREATED, merged), "resolution")

    assert ("cancelled", "cancelled", None) == (line["phase"], line["outcome"], line["reached_at"])


def test_a_reopening_is_counted(tmp_path: Path) -> None:
    """The clock goes on, and every line of the ticket says how often."""
    again = told("10:00:00", state="in_progress")
    found = lines(tmp_path, CREATED, told("09:30:00", state="resolved"), again)

    assert [1, 1, 1] == [line["reopen_count"] for line in found]
    assert "running" == clock(found, "resolution")["outcome"]


def test_every_time_is_rfc_3339_in_utc_with_milliseconds(tmp_path: Path) -> None:
    """Whatever offset the events are in."""
    created = {**CREATED, "occurred_at": "2026-03-02T10:00:00+01:00"}
    found = lines(tmp_path, created, told("12:00:00", state="resolved"))
    times = [line[name] for line in found for name in FIELDS if name.endswith("_at")]

    assert all(TIME.fullmatch(each) for each in times if each is not None)
    assert "2026-03-02T09:00:00.000Z" == found[0]["started_at"]


def test_without_as_of_the_last_event_is_the_instant(tmp_path: Path) -> None:
    """Of all the files' tickets, whichever had it."""
    found = lines(tmp_path, CREATED, told("11:00:00", ticket="8", kind="created", state="new"))

    assert 2 * HOUR == clock(found, "resolution")["elapsed_ms"]


def test_events_after_as_of_are_not_yet_known(tmp_path: Path) -> None:
    """They are left out, and that is said."""
    result = backtest(
        tmp_path, CREATED, told("09:30:00", state="resolved"),
        args=("--format", "jsonl", "--as-of", "2026-03-02T09:10:00Z"),
    )  # fmt: skip

    assert "running" == orjson.loads(result.stdout.splitlines()[2])["outcome"]
    assert "1 event lies after 2026-03-02T09:10:00.000Z" in result.stderr


def test_the_order_of_the_lines_changes_nothing(tmp_path: Path) -> None:
    """The same events in another order end in the same verdicts."""
    events = [
        CREATED,
        told("10:00:00", state="in_progress", actor={"kind": "agent"}),
        told("11:00:00", state="waiting", waiting_on="client"),
        told("13:00:00", state="in_progress", priority="P1"),
        told("14:00:00", state="resolved"),
    ]

    assert lines(tmp_path, *events) == lines(tmp_path, *reversed(events))


def test_a_bad_line_is_told_with_its_place_and_never_stops_the_run(tmp_path: Path) -> None:
    """File, line and reason on standard error, nothing of it on standard output."""
    naive = told("09:05:00") | {"occurred_at": "2026-03-02T09:05:00"}
    result = backtest(tmp_path, "{", CREATED, naive, args=("--format", "jsonl"))

    assert 0 == result.exit_code
    assert 3 == len(result.stdout.splitlines())
    assert "events.jsonl:1: not_json" in result.stderr
    assert "events.jsonl:3: naive_time" in result.stderr
    assert "2 lines could not be read: 1 not_json, 1 naive_time." in result.stderr


@pytest.mark.parametrize("event", ["", "nonsense", "[]"])
def test_nothing_readable_is_wrong_input(tmp_path: Path, event: str) -> None:
    """An empty answer would look like a perfect month."""
    result = backtest(tmp_path, event, args=("--format", "jsonl"))

    assert result.exception is not None
    assert "" == result.stdout


def test_another_tenants_tickets_are_measured_and_that_is_said(tmp_path: Path) -> None:
    """A book promises its own tenant only."""
    other = CREATED | {"tenant": "somebody"}
    result = backtest(tmp_path, other, args=("--format", "jsonl"))

    assert ["measured"] * 3 == [orjson.loads(x)["outcome"] for x in result.stdout.splitlines()]
    assert "tenant 'somebody', and the book is that of acme-msp" in result.stderr


def test_alerts_come_in_the_order_in_which_a_worker_announces_them(tmp_path: Path) -> None:
    """At risk, breach, and what the resolution clears, each with its own instants."""
    done = told("10:30:00", state="resolved")
    found = lines(tmp_path, CREATED, done, args=("--alerts",))

    assert [
        ("io.slastream.sla.at_risk.v1", "response", "75%", "2026-03-02T09:45:00.000Z"),
        ("io.slastream.sla.breached.v1", "response", "breach", "2026-03-02T10:00:00.000Z"),
        ("io.slastream.sla.cleared.v1", "response", "75%", "2026-03-02T09:45:00.000Z"),
        ("io.slastream.sla.cleared.v1", "response", "breach", "2026-03-02T10:00:00.000Z"),
    ] == [(a["ce_type"], a["indicator"], a["threshold"], a["reached_at"]) for a in found]
    assert found[1]["elapsed_ms"] == sum(row["counted_ms"] for row in found[1]["because"])
    assert found[1]["dedup_key"] == found[3]["dedup_key"]


def test_a_resolution_told_late_is_announced_and_corrected(tmp_path: Path) -> None:
    """The lines are the order of arrival: the worker could not know better at 10:00."""
    late = told("09:50:00", state="resolved")
    other = told("11:00:00", ticket="8", kind="created", state="new")
    found = lines(tmp_path, CREATED, other, late, args=("--alerts",))

    assert ["at_risk", "breached", "cleared", "corrected"] == [
        each["ce_type"].split(".")[3] for each in found
    ]
