"""`slastream sources`, as a person calls it."""

from __future__ import annotations

import orjson
import pytest
from click.testing import CliRunner

from slastream.cli.sources import command
from slastream.sources import SOURCES


def test_list() -> None:
    """Every source that ships is listed once, in any format."""
    answer = CliRunner().invoke(command, ["--format", "jsonl"])
    rows = [orjson.loads(line) for line in answer.output.splitlines()]

    assert answer.exit_code == 0
    assert list(SOURCES) == [row["source"] for row in rows]
    assert all(row["samples"] >= 3 for row in rows)


@pytest.mark.parametrize("name", SOURCES)
def test_show(name: str) -> None:
    """Each source tells its key, time, signature, preset, and a sample in and out."""
    answer = CliRunner().invoke(command, ["show", name])

    assert answer.exit_code == 0, answer.output
    for word in ("key", "event time", "signature", "preset", "in:", "out:", '"occurred_at"'):
        assert word in answer.output


def test_show_one_sample() -> None:
    """A sample is shown by its name, and a wrong name tells the right ones."""
    right = CliRunner().invoke(command, ["show", "zendesk", "--sample", "trigger"])
    wrong = CliRunner().invoke(command, ["show", "zendesk", "--sample", "tigger"])

    assert '"ticket_id": "20551"' in right.output
    assert wrong.exit_code == 2
    assert "trigger" in wrong.output


def test_show_the_preset() -> None:
    """The preset is printed as it is, ready to be copied into a book."""
    answer = CliRunner().invoke(command, ["show", "zendesk", "--preset"])

    assert answer.output.startswith("#")
    assert "statuses:" in answer.output


def test_unknown_source() -> None:
    """A wrong name is wrong usage, and the answer lists the right ones."""
    answer = CliRunner().invoke(command, ["show", "pigeon"])

    assert answer.exit_code == 2
    assert "connectwise" in answer.output
