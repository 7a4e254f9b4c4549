"""Tables through a mapping file, and files of events line by line."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest
from msgspec import UNSET

from slastream.core.errors import Misconfigured, Rejected
from slastream.core.event import Event
from slastream.sources.files import Bad, read_events
from slastream.sources.table import Table, load_mapping, read_table, table_of

EXAMPLES = Path(__file__).parents[3] / "deploy" / "examples"
MAPPING: dict[str, Any] = {
    "tenant": "acme",
    "source": "desk",
    "missing": ["?"],
    "time": {"format": "%d-%m-%Y %H:%M", "zone": "Europe/Paris"},
    "members": {
        "ticket": {"column": "case", "strip_prefix": "Case "},
        "occurred_at": "when",
        "created_at": "first_row",
        "status": "what",
        "priority": "prio",
        "type": {"constant": "incident"},
        "sequence": "n",
        "state": {"column": "what", "values": {"Open": "new", "Done": "resolved"}},
        "actor.kind": {"column": "who", "values": {"robot": "automation"}, "default": "agent"},
        "client": {"column": "client", "prefix": "c-"},
    },
    "skip": {"what": ["noise"]},
}
HEAD = "case,when,what,prio,n,who,client\n"


def events(tmp_path: Path, text: str, mapping: dict[str, Any] = MAPPING) -> list[Event | Bad]:
    file = tmp_path / "log.csv"
    file.write_bytes(text.encode())
    return list(read_events([file], mapping=table_of(mapping)))


def test_rows_become_events(tmp_path: Path) -> None:
    """Columns, constants, word lists, prefixes and zones become the members of an event."""
    (event,) = events(tmp_path, HEAD + "Case 7,02-03-2026 10:30,Open,P1,3,robot,harbour\n")

    assert isinstance(event, Event)
    assert event.id
    event.id = ""
    expected = Event(
        tenant="acme",
        source="desk",
        ticket="7",
        id="",
        occurred_at=1_772_443_800_000,
        created_at=1_772_443_800_000,
        kind="created",
        status="Open",
        state="new",
        priority="P1",
        type="incident",
        sequence=3,
        client="c-harbour",
        actor=event.actor,
    )
    assert expected == event
    assert event.actor is not None
    assert event.actor.kind == "automation"


def test_missing_cells_say_nothing(tmp_path: Path) -> None:
    """A cell that is declared missing, or empty, leaves its member as it was."""
    (event,) = events(tmp_path, HEAD + "Case 7,02-03-2026 10:30,?,,1,x,?\n")

    assert isinstance(event, Event)
    assert [event.status, event.priority, event.client, event.state] == [UNSET, UNSET, UNSET, None]


def test_a_case_begins_with_its_earliest_row(tmp_path: Path) -> None:
    """Rows in any order: the earliest one of a case is its creation, and only one is `created`."""
    rows = (
        "Case 7,02-03-2026 11:00,Done,P1,2,x,h\n"
        "Case 7,02-03-2026 10:00,Open,P1,0,x,h\n"
        "Case 7,02-03-2026 10:00,Open,P1,1,x,h\n"
    )
    found = [event for event in events(tmp_path, HEAD + rows) if isinstance(event, Event)]

    assert [event.kind for event in found] == ["updated", "created", "updated"]
    assert len({event.created_at for event in found}) == 1
    assert found[1].occurred_at == found[0].created_at


def test_skipped_rows_are_nobodys(tmp_path: Path) -> None:
    """Rows that the mapping skips are no events."""
    assert events(tmp_path, HEAD + "Case 7,02-03-2026 11:00,noise,P1,2,x,h\n") == []


def test_bad_rows_are_told_and_do_not_stop_the_reading(tmp_path: Path) -> None:
    """Each bad row is told with its line and reason, and the good ones around it are read."""
    rows = (
        "Case 1,02-03-2026 11:00,Open,P1,1,x,h\n"
        "Case 2,yesterday,Open,P1,1,x,h\n"
        "Case 3,02-03-2026 11:00,Open\n"
        ",02-03-2026 11:00,Open,P1,1,x,h\n"
        "Case 5,02-03-2026 11:00,Open,P1,many,x,h\n"
        "Case 6,,Open,P1,1,x,h\n"
        "Case 7,02-03-2026 11:00,Open,P1,1,x,h\n"
    )
    found = events(tmp_path, HEAD + rows)
    bad = [(each.line, each.rejected.reason) for each in found if isinstance(each, Bad)]

    assert bad == [
        (3, "bad_time"),
        (4, "bad_row"),
        (5, "no_ticket"),
        (6, "bad_type"),
        (7, "no_time"),
    ]
    assert [each.ticket for each in found if isinstance(each, Event)] == ["1", "7"]


def test_bytes_that_are_not_utf8_are_a_bad_row(tmp_path: Path) -> None:
    """A Latin-1 cell is refused, not guessed at."""
    file = tmp_path / "log.csv"
    file.write_bytes(HEAD.encode() + b"Case 7,02-03-2026 10:30,R\xe9solu,P1,3,x,h\n")
    (bad,) = read_events([file], mapping=table_of(MAPPING))

    assert isinstance(bad, Bad)
    assert (bad.line, bad.rejected.reason) == (2, "bad_row")


def test_times_that_the_clock_change_skips_or_repeats(tmp_path: Path) -> None:
    """A skipped local time moves forward, a repeated one is its first occurrence."""
    rows = "Case 1,29-03-2026 02:30,Open,P1,1,x,h\nCase 2,25-10-2026 02:30,Open,P1,1,x,h\n"
    spring, autumn = (e for e in events(tmp_path, HEAD + rows) if isinstance(e, Event))

    assert spring.occurred_at == 1_774_747_800_000  # 01:30Z, 03:30 in Paris
    assert autumn.occurred_at == 1_792_888_200_000  # 00:30Z, still summer time


def test_read_table_raises_at_a_bad_row(tmp_path: Path) -> None:
    """The plain iterator names file and line of the first bad row."""
    file = tmp_path / "log.csv"
    file.write_text(HEAD + "Case 1,yesterday,Open,P1,1,x,h\n")
    with pytest.raises(Rejected, match=r"log\.csv:2: "):
        list(read_table(file, table_of(MAPPING)))


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("members.colour", {"members": {**MAPPING["members"], "colour": "x"}}),
        ("members.ticket", {"members": {"occurred_at": "when"}}),
        ("members.status", {"members": {**MAPPING["members"], "status": {"values": {}}}}),
        ("members.status.colum", {"members": {**MAPPING["members"], "status": {"colum": "x"}}}),
        ("time.zone", {"time": {"zone": "Mars/Olympus"}}),
        ("speed", {"speed": 3}),
        ("members", {"members": None}),
    ],
)
def test_a_wrong_mapping_names_its_key(key: str, change: dict[str, Any]) -> None:
    """A mapping is checked before any row is read."""
    with pytest.raises(Misconfigured) as caught:
        table_of({**MAPPING, **change}, "mapping.yaml")

    assert (caught.value.where, caught.value.key) == ("mapping.yaml", key)


def test_columns_must_be_there(tmp_path: Path) -> None:
    """A table without a mapped column is a wrong mapping, not a thousand bad rows."""
    with pytest.raises(Misconfigured, match="no column prio"):
        events(tmp_path, HEAD.replace("prio", "priority") + "Case 1,x,Open,P1,1,x,h\n")


def test_broken_yaml_names_its_line(tmp_path: Path) -> None:
    """A mapping that is no YAML says where."""
    file = tmp_path / "mapping.yaml"
    file.write_text("source: desk\nmembers: {ticket: [\n")
    with pytest.raises(Misconfigured, match=r"mapping\.yaml:3"):
        load_mapping(file)


@pytest.mark.parametrize("name", ["helpdesk", "incidents"])
def test_shipped_mappings_are_valid(name: str) -> None:
    """The mappings of the two public logs load."""
    table = load_mapping(EXAMPLES / name / "mapping.yaml")

    assert isinstance(table, Table)


LINE: dict[str, Any] = {
    "tenant": "acme",
    "source": "desk",
    "ticket": "7",
    "occurred_at": "2026-03-02T09:00:00Z",
}


def test_json_lines_with_a_bad_one(tmp_path: Path) -> None:
    """A bad line gives its place and reason; blank lines are nothing; the rest is read."""
    file = tmp_path / "events.jsonl"
    file.write_bytes(orjson.dumps(LINE) + b'\n\n{"tenant": \n' + orjson.dumps(LINE))
    first, bad, last = read_events([file])

    assert isinstance(bad, Bad)
    assert (str(file), 3, "not_json") == (bad.path, bad.line, bad.rejected.reason)
    assert first == last


def test_gzip_and_a_truncated_one(tmp_path: Path) -> None:
    """A gzipped file reads like a plain one; one that ends too early says so after what it has."""
    whole = gzip.compress(b"".join(orjson.dumps({**LINE, "n": n}) + b"\n" for n in range(5_000)))
    file = tmp_path / "events.jsonl.gz"
    file.write_bytes(whole)
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    found = list(read_events([cut]))

    assert len(list(read_events([file]))) == 5_000
    assert isinstance(found[-1], Bad)
    assert found[-1].rejected.reason == "truncated"
    assert all(isinstance(each, Event) for each in found[:-1])


def test_vendor_export_with_recorded_deliveries(tmp_path: Path) -> None:
    """An export has a delivery a line; a recorded one brings its headers, and a time for a deletion."""
    ticket = {"id": 9, "status": {"name": "New"}, "_info": {"lastUpdated": "2026-03-02T09:00:00Z"}}
    gone = {"Action": "deleted", "Type": "ticket", "ID": 9, "MessageId": "m-2", "Entity": None}
    file = tmp_path / "export.jsonl"
    file.write_bytes(
        orjson.dumps(ticket)
        + b"\n"
        + orjson.dumps({"body": gone, "headers": {"x-any": "1"}, "received_at": 1_772_445_600_000})
        + b"\n"
        + orjson.dumps(gone)
    )
    found = [e for e in read_events([file], "connectwise", tenant="acme") if isinstance(e, Event)]

    assert [event.status for event in found] == ["New", UNSET, UNSET]
    assert [event.occurred_at for event in found] == [
        1_772_442_000_000,
        1_772_445_600_000,
        1_772_445_600_000,
    ]


def test_a_recorded_delivery_that_nests_too_deep_is_bad(tmp_path: Path) -> None:
    """A recorded body that cannot be written again is told like any other bad line."""
    file = tmp_path / "export.jsonl"
    file.write_bytes(b'{"body": ' + b"[" * 400 + b"]" * 400 + b"}")
    (bad,) = read_events([file], "connectwise", tenant="acme")

    assert isinstance(bad, Bad)
    assert bad.rejected.reason == "too_deep"


def test_what_cannot_be_opened_is_misconfigured(tmp_path: Path) -> None:
    """A file that is not there, a table without a mapping, an unknown source: said once, clearly."""
    with pytest.raises(Misconfigured, match="cannot be read"):
        list(read_events([tmp_path / "none.jsonl"]))
    with pytest.raises(Misconfigured, match="mapping"):
        list(read_events([tmp_path / "none.csv"]))
    with pytest.raises(Misconfigured, match="no source"):
        list(read_events([tmp_path / "none.jsonl"], "pigeon"))
