"""docs/settings.md knows every setting, and the files that the pages of operators send people to are there."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from pathlib import Path

import click
import pytest

from slastream.cli.board import command as board
from slastream.cli.gateway import command as gateway
from slastream.settings import Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "settings.md").read_text("utf-8")


def default(field: object) -> str | None:
    """Return a setting's default as the document writes it; None where a worker makes it up."""
    value = field.default  # type: ignore[attr-defined]
    if value is MISSING:
        return None
    return "none" if value == "" else str(value).lower() if isinstance(value, bool) else str(value)


def test_every_setting_is_told_with_its_default() -> None:
    """A setting that exists is in the table with the default that it has, and no other one is."""
    table = TEXT.split("## Worker")[1].split("## Kafka")[0]
    told = dict(re.findall(r"^\| `SLASTREAM_(\w+)` \| (.*?) \|", table, re.MULTILINE))

    assert sorted(told) == sorted(field.name.upper() for field in fields(Settings))
    for field in fields(Settings):
        expected = default(field)

        assert expected is None or told[field.name.upper()].strip("` ") == expected


def test_kafkas_settings_are_those_that_are_read() -> None:
    """Every variable that slastream.kafka.security describes is in the document."""
    read = (ROOT / "slastream" / "kafka" / "security.py").read_text("utf-8").split('"""')[1]

    assert set(re.findall(r"SLASTREAM_KAFKA_\w+", read)) <= set(
        re.findall(r"SLASTREAM_KAFKA_\w+", TEXT)
    )


@pytest.mark.parametrize(("name", "command"), [("Gateway", gateway), ("Board", board)])
def test_every_setting_of_a_command_is_told_with_its_default(
    name: str, command: click.Command
) -> None:
    """What the gateway or the board reads from the environment is in its table, and no more."""
    table = TEXT.split(f"## {name}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`SLASTREAM_.*?) \| (.*?) \|", table, re.MULTILINE)
    told = {one: said for ones, said in rows for one in re.findall(r"`(\w+)`", ones)}
    read = {str(it.envvar): it for it in command.params if it.envvar and "_WEB_" not in it.envvar}

    assert sorted(told) == sorted(read)
    for variable, option in read.items():
        default = option.to_info_dict()["default"]
        expected = "none" if default in (None, (), []) else str(default)

        assert told[variable].strip("` ") == expected, variable


def test_links_and_paths_lead_somewhere() -> None:
    """Links of operators' pages and runbooks are files, and so is every deploy/ path they name."""
    names = ("operations", "metrics", "install", "settings", "upgrades", "recovery")
    documents = [ROOT / "docs" / f"{name}.md" for name in names]
    documents += sorted((ROOT / "docs" / "runbooks").glob("*.md"))
    for document in documents:
        text = document.read_text("utf-8")
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
        for path in re.findall(r"`((?:deploy|docs|bench)/[\w./-]+)`", text):
            assert (ROOT / path).exists(), f"{document.name}: {path}"


def test_the_unit_and_the_chart_set_only_what_is_read() -> None:
    """A variable that nobody reads is a setting that somebody believes in."""
    known = {f"SLASTREAM_{field.name.upper()}" for field in fields(Settings)}
    known |= set(re.findall(r"SLASTREAM_KAFKA_\w+", TEXT))
    known |= {str(option.envvar) for option in gateway.params if option.envvar}
    places = [
        ROOT / "docker-compose.yml",
        ROOT / "deploy" / "Dockerfile",
        ROOT / "deploy" / "systemd" / "slastream.service",
        *(ROOT / "deploy" / "helm" / "slastream" / "templates").glob("*.yaml"),
    ]
    for place in places:
        used = set(re.findall(r"\bSLASTREAM_[A-Z_]+[A-Z]\b", place.read_text("utf-8")))

        assert used - known - {"SLASTREAM_KAFKA"} == set(), place.name
