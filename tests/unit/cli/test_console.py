"""What the verbs share at a terminal."""

from __future__ import annotations

import click
import orjson
import pytest

from slastream.cli.console import LENGTH, aligned, progress, show

ROWS = [{"name": "tickets", "partitions": 4}, {"name": "dlq", "partitions": 12}]


@pytest.mark.parametrize(
    ("text", "millis"),
    [("90", 90_000), ("60s", 60_000), ("5m", 300_000), ("1h", 3_600_000), ("250ms", 250),
     ("1.5s", 1_500), ("PT90S", 90_000), ("pt1h", 3_600_000)],
)  # fmt: skip
def test_a_length_of_time_is_read_as_milliseconds(text: str, millis: int) -> None:
    """People write 60s, standards write PT60S; both are understood."""

    assert millis == LENGTH.convert(text, None, None)


@pytest.mark.parametrize("text", ["soon", "5 parsecs", "-3s", "", "P1M"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    """The error repeats the text and shows what would do."""
    with pytest.raises(click.BadParameter, match="such as 60s"):
        LENGTH.convert(text, None, None)


def test_a_table_has_a_header_and_numbers_to_the_right() -> None:
    """Columns line up, so that a person can run an eye down them."""

    assert list(aligned(ROWS)) == [
        "name     partitions",
        "tickets           4",
        "dlq              12",
    ]


def test_a_table_of_nothing_is_nothing() -> None:
    """An empty answer prints no lonely header."""

    assert list(aligned([])) == []


@pytest.mark.parametrize(("form", "lines"), [("json", 10), ("jsonl", 2)])
def test_machines_get_the_same_rows(
    form: str, lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--format json` is one document, `jsonl` one object a line, both with all members."""
    show(ROWS, form)
    out = capsys.readouterr().out
    read = (
        orjson.loads(out)
        if form == "json"
        else [orjson.loads(line) for line in out.split("\n") if line]
    )

    assert read == ROWS
    assert len(out.splitlines()) == lines


def test_no_progress_bar_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """Logs of a job are not filled with redrawn bars."""
    with progress("Publishing", 10) as advance:
        advance(10)
    out = capsys.readouterr()

    assert (out.out, out.err) == ("", "")
