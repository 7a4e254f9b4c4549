"""The JSON Schema that editors use, and the loader, are of one mind."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from slastream.book import BookErrors, load
from slastream.book.lint import LINTS
from slastream.book.loading import FIELDS
from slastream.book.mappings import PRESET_FIELDS, SOURCE_FIELDS, presets
from slastream.book.nodes import compose
from slastream.book.promises import CHOICES, OPTION_FIELDS, POLICY_FIELDS, WHEN
from slastream.core.event import CANCELLED_BECAUSE, STATES, WAITING_ON
from slastream.core.policy import INDICATORS

ROOT = Path(__file__).parents[2]
SCHEMA: dict[str, Any] = json.loads((ROOT / "slastream/book/book.schema.json").read_text())
BOOKS = sorted((ROOT / "deploy").rglob("*.yaml"))
BOOKS = [path for path in BOOKS if re.search("^apiVersion: slastream/v1", path.read_text(), re.M)]

PLAIN = {"null": None, "~": None, "": None, "true": True, "false": False}


def plain(node: yaml.Node) -> Any:
    """Return a node as an editor's YAML 1.2 parser hands it to a schema."""
    if isinstance(node, yaml.MappingNode):
        return {name.value: plain(value) for name, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [plain(value) for value in node.value]
    if node.tag != "plain":
        return node.value
    if node.value in PLAIN:
        return PLAIN[node.value]
    if re.fullmatch(r"-?\d+(\.\d+)?", node.value):
        return float(node.value) if "." in node.value else int(node.value)
    return node.value


def complaints(text: str, part: str = "") -> list[str]:
    schema = {**SCHEMA, "$ref": f"#/$defs/{part}"} if part else SCHEMA
    if part:
        schema = {"$ref": f"#/$defs/{part}", "$defs": SCHEMA["$defs"]}
    document = plain(compose("book.yaml", text.encode()))
    return [error.message for error in Draft202012Validator(schema).iter_errors(document)]


def test_the_schema_is_a_schema() -> None:
    """It follows JSON Schema 2020-12."""
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.name)
def test_the_books_that_we_ship(path: Path) -> None:
    """Every book under deploy/ loads and satisfies the schema."""
    assert load(path)
    assert [] == complaints(path.read_text())


@pytest.mark.parametrize("name", presets())
def test_the_presets_that_we_ship(name: str) -> None:
    """Every preset satisfies the schema."""
    text = (ROOT / f"slastream/book/presets/{name}.yaml").read_text()

    assert [] == complaints(text, "preset")


def test_the_example_of_the_reference(tmp_path: Path) -> None:
    """What the reference shows as a whole book loads, and satisfies the schema."""
    shown = re.findall(r"```yaml\n(apiVersion.*?)```", (ROOT / "docs/book.md").read_text(), re.S)

    assert shown
    for text in shown:
        file = tmp_path / "book.yaml"
        file.write_text(text)
        assert load(file)
        assert [] == complaints(text)


def test_the_reference_names_everything() -> None:
    """Every option, preset, key of a policy and lint is in the reference."""
    text = (ROOT / "docs/book.md").read_text()
    words = {*OPTION_FIELDS, *presets(), *POLICY_FIELDS, *SOURCE_FIELDS, *WHEN, *LINTS}

    assert set() == {word for word in words if f"`{word}`" not in text}


def test_schema_and_loader_know_the_same_words() -> None:
    """Keys, states, presets and options are the same in both."""
    parts = SCHEMA["$defs"]

    assert set(FIELDS) == set(SCHEMA["properties"])
    assert set(SOURCE_FIELDS) == set(parts["source"]["properties"])
    assert set(PRESET_FIELDS) == set(parts["preset"]["properties"])
    assert set(presets()) == set(parts["source"]["properties"]["preset"]["enum"])
    assert set(POLICY_FIELDS) == set(parts["policy"]["properties"])
    assert set(WHEN) == set(parts["policy"]["properties"]["when"]["properties"])
    assert set(INDICATORS) == set(parts["policy"]["properties"]["targets"]["properties"])
    assert set(OPTION_FIELDS) == set(parts["options"]["properties"])
    for name, values in CHOICES.items():
        assert list(values) == parts["options"]["properties"][name]["enum"]
    states = {*STATES, *(f"waiting/{on}" for on in WAITING_ON)}
    assert states | {f"cancelled/{why}" for why in CANCELLED_BECAUSE} == set(parts["state"]["enum"])


HEAD = "apiVersion: slastream/v1\neffective_from: 2026-01-01T00:00:00Z\ntenant: acme\n"
BAD = {
    "no tenant": "apiVersion: slastream/v1\neffective_from: 2026-01-01T00:00:00Z\n",
    "other version": HEAD.replace("v1", "v9"),
    "no offset": HEAD.replace("00:00Z", "00:00"),
    "tenant with a slash": HEAD.replace("acme", "a/b"),
    "unknown key": HEAD + "polices: []\n",
    "calendars as a list": HEAD + "calendars: []\n",
    "24x7 typo": HEAD + "calendars: {a: 24/7}\n",
    "calendar key": HEAD + "calendars: {a: {timezome: UTC, open: {daily: ['00:00-24:00']}}}\n",
    "day": HEAD + "calendars: {a: {open: {monday: ['09:00-10:00']}}}\n",
    "window": HEAD + "calendars: {a: {open: {mon: ['9-10']}}}\n",
    "number as a window": HEAD + "calendars: {a: {open: {mon: 8}}}\n",
    "two kinds of holiday": HEAD + "calendars: {a: {open: {mon: ['09:00-10:00']}, "
    "holidays: [{country: FR, date: 2026-01-01}]}}\n",
    "exception without effect": HEAD + "calendars: {a: {open: {mon: ['09:00-10:00']}, "
    "exceptions: [{date: 2026-01-01}]}}\n",
    "closed false": HEAD + "calendars: {a: {open: {mon: ['09:00-10:00']}, "
    "exceptions: [{date: 2026-01-01, closed: false}]}}\n",
    "preset": HEAD + "sources: {a: {preset: remedy}}\n",
    "state": HEAD + "sources: {a: {statuses: {New: fresh}}}\n",
    "waiting for whom": HEAD + "sources: {a: {statuses: {Hold: waiting/customer}}}\n",
    "boolean": HEAD + "sources: {a: {assigned_is_responded: yes}}\n",
    "policy without a name": HEAD + "policies: [{calendar: 24x7}]\n",
    "policy without a calendar": HEAD + "policies: [{name: a}]\n",
    "attribute": HEAD + "policies: [{name: a, calendar: 24x7, when: {clent: b}}]\n",
    "indicator": HEAD + "policies: [{name: a, calendar: 24x7, targets: {answer: PT1H}}]\n",
    "bare day": HEAD + "policies: [{name: a, calendar: 24x7, targets: {plan: 1 day}}]\n",
    "negative": HEAD + "policies: [{name: a, calendar: 24x7, targets: {plan: -PT5M}}]\n",
    "bare number": HEAD + "policies: [{name: a, calendar: 24x7, targets: {plan: 240}}]\n",
    "level": HEAD + "policies: [{name: a, calendar: 24x7, at_risk: [soon]}]\n",
    "objective": HEAD + "policies: [{name: a, calendar: 24x7, objective: 120}]\n",
    "rank": HEAD + "policies: [{name: a, calendar: 24x7, rank: high}]\n",
    "option": HEAD + "options: {reopn: continue}\n",
    "value of an option": HEAD + "options: {reopen: maybe}\n",
    "new cycle in days": HEAD + "options: {reopen: {new_cycle_after: P5D}}\n",
}


@pytest.mark.parametrize("name", BAD)
def test_both_refuse(tmp_path: Path, name: str) -> None:
    """What the loader refuses for its form, an editor underlines."""
    file = tmp_path / "book.yaml"
    file.write_text(BAD[name])

    with pytest.raises(BookErrors):
        load(file)
    assert complaints(BAD[name])
