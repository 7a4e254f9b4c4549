"""The verbs around the offline engine, as a person meets them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from slastream.cli import root
from slastream.core.errors import Rejected

BOOK = """
apiVersion: slastream/v1
effective_from: 2026-01-01T00:00:00Z
tenant: acme
calendars: {office: {timezone: Europe/Paris, open: {mon-fri: ["09:00-17:00"]}}}
policies:
  - name: all
    calendar: office
    targets: {resolution: {default: PT%dH}}
    objective: {resolution: 90%%}
"""


def told(ticket: str, when: str, **members: Any) -> bytes:
    said = {"source": "desk", "ticket": ticket, "occurred_at": f"2026-03-02T{when}:00Z", **members}
    return orjson.dumps({"tenant": "acme", **said}) + b"\n"


LINES = (
    told("1", "09:00", kind="created", number="T-1", client="dental", priority="P2")
    + told("1", "12:00", state="resolved")
    + told("2", "09:00", kind="created", number="T-2", client="dental", priority="P2")
    + told("2", "10:00", state="resolved")
)


def call(folder: Path, verb: str, *args: str, lines: bytes = LINES) -> Result:
    """Run a verb over a book of two hours and these lines."""
    (folder / "book.yaml").write_text(BOOK % 2)
    (folder / "other.yaml").write_text(BOOK % 4)
    (folder / "events.jsonl").write_bytes(lines)
    given = [str(folder / name) for name in ("book.yaml", "events.jsonl")]
    return CliRunner().invoke(root, [verb, *given, *args])


def test_the_table_is_attainment_beside_the_objective(tmp_path: Path) -> None:
    """One of two is 50 %, below what was promised, and the denominator is there."""
    found = call(tmp_path, "backtest").stdout.splitlines()

    assert ["dental", "resolution", "2026-03", "1", "2", "50.00", "%"] == found[1].split()[:7]
    assert "below" in found[1]
    assert "4 events of 2 tickets" in found[2]
    assert "1 met, 1 missed (0 of them open still)" in found[2]


def test_json_is_one_document_with_both(tmp_path: Path) -> None:
    """Attainment and clocks, and how much was read."""
    found = orjson.loads(call(tmp_path, "backtest", "--format", "json").stdout)

    assert (4, 2, 6, 1) == (
        found["events"], found["tickets"], len(found["clocks"]), len(found["attainment"]),
    )  # fmt: skip


def test_two_books_are_compared(tmp_path: Path) -> None:
    """The ticket of three hours flips, and three hours are what all of them need."""
    args = ("--compare", str(tmp_path / "other.yaml"), "--share", "100", "--format", "json")
    found = orjson.loads(call(tmp_path, "backtest", *args).stdout)
    table = call(tmp_path, "backtest", *args[:2]).stdout

    assert [("1", "missed", "met")] == [
        (row["ticket"], row["outcome_before"], row["outcome_after"]) for row in found["flips"]
    ]
    assert [3 * 3_600_000] == [
        row["needed_ms_before"] for row in found["breakpoints"] if row["indicator"] == "resolution"
    ]
    assert "Outcomes that flip" in table


def test_alerts_and_compare_are_two_answers(tmp_path: Path) -> None:
    """One of them at a time."""
    assert 2 == call(tmp_path, "backtest", "--alerts", "--compare", "x").exit_code


def test_an_unknown_dimension_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    """Before anything is read."""
    found = call(tmp_path, "backtest", "--by", "weather")

    assert 2 == found.exit_code
    assert "'weather' is none of tenant, source, client" in found.stderr


def test_tickets_that_were_never_created_are_told(tmp_path: Path) -> None:
    """They are measured and not judged (D41), which must not pass for a good month."""
    found = call(tmp_path, "backtest", lines=told("3", "09:00", state="in_progress"))

    assert "1 tickets were never told to be created" in found.stderr


@pytest.mark.parametrize("key", ["1", "T-1", "acme/desk/1"])
def test_a_ticket_is_explained_by_any_of_its_names(tmp_path: Path, key: str) -> None:
    """Its id, its number, its key."""
    found = call(tmp_path, "explain", "--ticket", key)

    assert 0 == found.exit_code
    assert found.stdout.startswith("Ticket 1 (T-1), dental, priority P2\n")
    assert "RESOLUTION: missed, 1 h over" in found.stdout


def test_a_name_that_two_tickets_have_must_be_written_in_full(tmp_path: Path) -> None:
    """Never a guess."""
    lines = LINES + told("1", "09:00", kind="created", source="other")
    found = call(tmp_path, "explain", "--ticket", "1", lines=lines)

    assert isinstance(found.exception, Rejected)
    assert "acme/desk/1 or acme/other/1" in str(found.exception)


def test_a_ticket_that_is_not_there_is_said(tmp_path: Path) -> None:
    """With its name."""
    found = call(tmp_path, "explain", "--ticket", "99")

    assert "no event of a ticket '99' was found" in str(found.exception)


def test_a_picture_is_drawn_beside_the_text(tmp_path: Path) -> None:
    """The text stays on standard output."""
    found = call(tmp_path, "explain", "--ticket", "1", "--picture", str(tmp_path / "one.svg"))

    assert "Ticket 1" in found.stdout
    assert (tmp_path / "one.svg").read_text().startswith("<svg")


def test_explain_without_events_says_what_is_missing(tmp_path: Path) -> None:
    """A book alone explains nothing."""
    (tmp_path / "book.yaml").write_text(BOOK % 2)
    found = CliRunner().invoke(root, ["explain", str(tmp_path / "book.yaml"), "--ticket", "1"])

    assert 2 == found.exit_code
    assert "--broker" in found.stderr
