"""`slastream check`, as a person and as a script call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from slastream.cli.check import command

EXAMPLE = str(Path(__file__).parents[3] / "deploy/books/acme-msp.yaml")
HEAD = "apiVersion: slastream/v1\neffective_from: 2026-01-01T00:00:00Z\ntenant: acme\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "book.yaml"


def test_a_sound_book() -> None:
    """A sound book is told in one line, and passes --strict."""
    result = CliRunner().invoke(command, [EXAMPLE, "--strict"])

    assert result.exit_code == 0
    assert "acme-msp 2026-01-01T00:00:00Z#" in result.stdout
    assert "7 policies, 5 calendars, 14 sources" in result.stdout


def test_warnings(file: Path) -> None:
    """Warnings are told; only --strict makes them a no."""
    file.write_text(HEAD)

    loose = CliRunner().invoke(command, [str(file)])
    strict = CliRunner().invoke(command, [str(file), "--strict"])

    assert (0, 1) == (loose.exit_code, strict.exit_code)
    told = f"warning: {file}: policies: the book promises nothing [no-policies]"
    assert told == loose.stdout.splitlines()[0]
    assert "1 warning" in loose.stderr


def test_mistakes(file: Path) -> None:
    """Each mistake is a line of its own on standard error, and the code is 2."""
    file.write_text(HEAD + "polices: []\nsources: {a: {preset: remedy}}\n")

    result = CliRunner().invoke(command, [str(file)])

    assert (2, "") == (result.exit_code, result.stdout)
    first, second = result.stderr.splitlines()
    assert first == f"error: {file}:4: polices: unknown key 'polices' (did you mean 'policies'?)"
    assert second.startswith(f"error: {file}:5: sources.a.preset: 'remedy' is not known here")


def test_for_machines(file: Path) -> None:
    """Mistakes and warnings have one shape in JSON."""
    file.write_text(HEAD + "polices: []\n")
    wrong = CliRunner().invoke(command, [str(file), "--format", "jsonl"])
    file.write_text(HEAD)
    warned = CliRunner().invoke(command, [str(file), "--format", "json"])

    mistake, (warning,) = json.loads(wrong.stdout), json.loads(warned.stdout)
    assert ("error", f"{file}:4", "polices") == (
        mistake["level"], mistake["where"], mistake["key"],
    )  # fmt: skip
    assert ("warning", "no-policies") == (warning["level"], warning["code"])
    assert mistake.keys() == warning.keys()


def test_usage() -> None:
    """Without a book there is nothing to check; the codes can be listed."""
    assert CliRunner().invoke(command, []).exit_code == 2
    assert "provider-owes" in CliRunner().invoke(command, ["--lints"]).stdout
