"""Each way in which a release may break those who read the last one's topics is seen, and no other."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from click.testing import CliRunner

from slastream import __version__
from slastream.cli.topics import command
from slastream.kafka import topics
from slastream.kafka.compat import breaks

Change = Callable[[dict[str, Any]], Any]


def test_what_the_last_release_promised_is_kept() -> None:
    """Today's topics break nobody who was built on those of the last release."""
    assert [] == [str(each) for each in breaks(topics.released())]


def test_the_last_release_is_kept_as_it_was() -> None:
    """It is the one whose number the package has, or an earlier one; each of its schemas is there."""
    kept = topics.released()
    files = {file for one in topics.load(kept) for file in one.events.values()}

    assert [int(part) for part in kept.name.split(".")] <= [
        int(part) for part in __version__.split(".")
    ]
    assert all(topics.schema(file, kept)["title"] for file in files)


@pytest.fixture
def today(tmp_path: Path) -> Path:
    """A copy of the topic files, to be changed."""
    place = tmp_path / "topics"
    shutil.copytree(topics.released(), place)
    return place


def change(place: Path, file: str, edit: Change) -> None:
    path = place / "schemas" / f"{file}.v1.json"
    schema = orjson.loads(path.read_bytes())
    edit(schema)
    path.write_bytes(orjson.dumps(schema))


def of(*path: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def find(schema: dict[str, Any]) -> dict[str, Any]:
        for name in path:
            schema = schema[name]
        return schema

    return find


def put(path: tuple[str, ...], name: str, value: Any) -> Change:
    """Return a change that sets one member; None takes it away."""

    def edit(schema: dict[str, Any]) -> None:
        place = of(*path)(schema)
        if value is None:
            del place[name]
        else:
            place[name] = value

    return edit


CYCLE = ("properties", "cycle")
SEVERITY = ("properties", "severity")
FACT = ("$defs", "fact", "properties")
REQUIRED = orjson.loads((topics.folder() / "schemas" / "alert.v1.json").read_bytes())["required"]

READERS = [
    (put(("properties",), "dedup_key", None), "dedup_key: the member is gone"),
    (put(FACT, "threshold", None), "before.threshold: the member is gone"),
    (
        put((), "required", [n for n in REQUIRED if n != "cycle"]),
        "cycle: may be absent, was required",
    ),
    (put(CYCLE, "type", "string"), "cycle: its type was integer, is string"),
    (put(CYCLE, "type", "number"), "cycle: its type was integer, is number"),
    (put(CYCLE, "type", ["integer", "null"]), "cycle: its type was integer, is integer or null"),
    (put(CYCLE, "type", None), "cycle: its type was integer, is any"),
    (put(CYCLE, "minimum", 0), "cycle: minimum was 1, is 0"),
    (put(CYCLE, "minimum", None), "cycle: minimum was 1, is None"),
    (put(SEVERITY, "enum", ["warning", "critical", "info"]), "severity: it may say info"),
    (put(SEVERITY, "enum", None), "severity: its words were listed, are any"),
    (put(("properties", "indicator"), "pattern", "^x"), "indicator: pattern was None, is ^x"),
    (put(("properties", "because"), "items", None), "because: items says nothing any more"),
    (put(("$defs", "instant"), "format", None), "started_at: format was date-time, is None"),
]
"""Changes of the alert's schema, and what is said of them."""


@pytest.mark.parametrize(
    ("edit", "said"), READERS, ids=lambda each: each if isinstance(each, str) else ""
)
def test_a_break_for_readers_is_seen(today: Path, edit: Change, said: str) -> None:
    """It is said of which topic, where in its value, and what changed."""
    change(today, "alert", edit)
    found = [str(each) for each in breaks(topics.released(), today)]

    assert f"alerts.v1: {said}" in found


HARMLESS = [
    put(("properties",), "room", {"type": "string"}),
    put((), "required", [*REQUIRED, "reason"]),
    put(("properties", "client"), "type", "string"),
    put(CYCLE, "minimum", 2),
    put(SEVERITY, "enum", ["warning"]),
    put(CYCLE, "description", "another word for it"),
]


@pytest.mark.parametrize("edit", HARMLESS)
def test_what_hurts_no_reader_is_let_pass(today: Path, edit: Change) -> None:
    """A member more, or a promise that is narrower than it was."""
    change(today, "alert", edit)

    assert [] == breaks(topics.released(), today)


def test_words_that_were_announced_to_grow_may(tmp_path: Path, today: Path) -> None:
    """Where the last release said that others will come, readers were told to expect them."""
    before = tmp_path / "before"
    shutil.copytree(topics.released(), before)
    change(before, "alert", put(SEVERITY, "x-open", True))
    change(today, "alert", put(SEVERITY, "enum", ["warning", "critical", "info"]))

    assert [] == breaks(before, today)


JOURNAL = [
    (put(("properties",), "status", None), "status: the member is gone"),
    (put((), "required", ["tenant", "source", "ticket", "occurred_at", "id", "sequence"]),
     "sequence: is required, might be absent"),
    (put(("properties", "status"), "type", "string"),
     "status: its type was null or string, is string"),
    (put(("properties", "tenant"), "minLength", 2), "tenant: minLength was 1, is 2"),
    (put(("properties", "kind"), "enum", ["created", "updated"]),
     "kind: it may not say comment, deleted, merged, restored, snapshot, absorbed any more"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("edit", "said"), JOURNAL, ids=lambda each: each if isinstance(each, str) else ""
)
def test_the_journal_is_read_with_what_the_last_release_wrote(
    today: Path, edit: Change, said: str
) -> None:
    """What is in the journal must still be read after an upgrade."""
    change(today, "ticket", edit)

    assert [f"tickets.v1: {said}"] == [str(each) for each in breaks(topics.released(), today)]


def test_the_journal_may_take_more(today: Path) -> None:
    """A kind of event that the last release did not know breaks no record that it wrote."""
    kinds = topics.schema("schemas/ticket.v1.json")["properties"]["kind"]["enum"]
    change(today, "ticket", put(("properties", "kind"), "enum", [*kinds, "split"]))

    assert [] == breaks(topics.released(), today)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ({"name": "alerts.v2"}, "alerts.v1: the topic is gone"),
        ({"key": "<tenant>"}, "alerts.v1: its key was <tenant>/<source>/<ticket>, is <tenant>"),
        ({"events": {}}, "alerts.v1: io.slastream.sla.breached.v1: the type of event is gone"),
    ],
)
def test_a_topic_that_changes_its_name_its_key_or_its_events(
    today: Path, edit: dict[str, Any], said: str
) -> None:
    """A topic is found by its name, a ticket by its key, an event by its type."""
    path = today / "alerts.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text("utf-8")) | edit))

    assert said in [str(each) for each in breaks(topics.released(), today)]


def test_a_topic_may_come(today: Path, tmp_path: Path) -> None:
    """What an earlier release did not have, it did not promise."""
    before = tmp_path / "before"
    shutil.copytree(topics.released(), before)
    (before / "ops.yaml").unlink()

    assert [] == breaks(before, today)


def test_the_command_says_what_breaks(today: Path) -> None:
    """Exit code 1 and a line for each; 0 and one sentence when nothing does."""
    change(today, "alert", put(("properties",), "room", {"type": "string"}))
    change(today, "alert", put((), "required", ["room", *REQUIRED]))
    broken = CliRunner().invoke(command, ["compat", str(today), "--format", "jsonl"])
    whole = CliRunner().invoke(command, ["compat"])

    assert broken.exit_code == 1
    assert {"topic": "alerts.v1", "where": "room", "what": "the member is gone"} in [
        orjson.loads(line) for line in broken.stdout.splitlines()
    ]
    assert (whole.exit_code, whole.stdout) == (0, "")
    assert "Nothing breaks since 0." in whole.stderr
