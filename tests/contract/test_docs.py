"""What the documents promise is there: links, commands, decisions with their tests, the drawing."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from docs.draw_clock import PAGE, drawn
from slastream.cli import VERBS, root

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for place in (".", "docs", "deploy", "topics", "tests", "bench")
    for page in (ROOT.glob("*.md") if place == "." else (ROOT / place).rglob("*.md"))
)
SEMANTICS = (ROOT / "docs" / "semantics.md").read_text("utf-8")
ROWS = re.findall(
    r"^\| (D\d\d(?:, D\d\d)*) \| (.*?) \| (.*?) ?\| (.*?) ?\|$", SEMANTICS, re.MULTILINE
)


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def prose(page: str) -> str:
    """Return a page without its blocks of code."""
    return re.sub(
        r"^```.*?^```", "", (ROOT / page).read_text("utf-8"), flags=re.DOTALL | re.MULTILINE
    )


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """A relative link names a file that is there, and a heading of it."""
    broken = []
    for link in re.findall(r"\]\((?!https?:|mailto:)<?([^)>\s]+)>?\)", prose(page)):
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        known = target.exists() and (
            not anchor or target.suffix != ".md" or anchor in anchors(target)
        )
        broken += [] if known else [link]

    assert [] == broken


def commands() -> list[str]:
    """Return every `slastream ...` line of the documents, whole."""
    found: set[str] = set()
    for page in PAGES:
        text = re.sub(r"\\\n\s*", " ", (ROOT / page).read_text("utf-8"))
        found |= set(re.findall(r"^(?:    |\$ |    \$ )(slastream [a-z].*)$", text, re.MULTILINE))
    return sorted({re.sub(r"\s+#.*", "", line) for line in found})


@pytest.mark.parametrize("line", commands())
def test_a_command_of_the_documents_can_be_typed(line: str) -> None:
    """Its verbs exist, and so does every flag."""
    words = shlex.split(re.split(r"\s[|>#]|\s&&|\s{2,}", line)[0])[1:]
    command: click.Command = root
    context = click.Context(root)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        found = command.get_command(context, name)

        assert found is not None, f"{name} is no verb"

        command, context = found, click.Context(found, parent=context)
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    flags = {word.partition("=")[0] for word in words if word.startswith("--")}

    assert set() == flags - known - {"--help"}
    assert 0 == CliRunner().invoke(command, ["--help"]).exit_code


def test_the_readme_tells_of_every_verb() -> None:
    """Whoever reads the README knows all that `slastream` can do."""
    told = re.findall(
        r"^\| `slastream ([a-z]+)", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE
    )

    assert sorted(VERBS) == sorted(told)


def test_each_decision_has_its_row_once() -> None:
    """D01 to D59 are all in the table, in order."""
    numbers = [number for row in ROWS for number in row[0].split(", ")]

    assert [f"D{number:02}" for number in range(1, 60)] == numbers


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_decision_names_code_and_tests_that_exist(row: tuple[str, str, str, str]) -> None:
    """What is built has a file and a test to its name; what is open says so and has none."""
    _, meaning, code, tests = row
    word = meaning.split(".")[0].split(" ")[0]
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", tests)

    assert word in ("built", "part", "open")
    assert (word == "open") or (re.findall(r"`([\w/]+\.py)`", code) and named) or row[0] == "D33"
    assert [] == [
        one
        for one in re.findall(r"`([\w/]+\.py)`", code)
        if not (ROOT / "slastream" / one).exists()
    ]
    for path, name in named:
        held = (ROOT / "tests" / path).read_text("utf-8")

        assert re.search(rf"\bdef {name}\(", held), f"{path} has no {name}"


def test_the_drawing_of_the_clock_is_current() -> None:
    """The state diagrams are what the code does; `python -m docs.draw_clock` draws them anew."""

    assert drawn(SEMANTICS) == SEMANTICS
    assert PAGE.read_text("utf-8") == SEMANTICS


def test_every_decision_record_is_listed() -> None:
    """A page of docs/adr is in its index, and numbers have no gap."""
    folder = ROOT / "docs" / "adr"
    pages = sorted(page.name for page in folder.glob("0*.md"))

    assert pages == re.findall(r"\]\((0[\w-]+\.md)\)", (folder / "README.md").read_text("utf-8"))
    assert [f"{number:04}" for number in range(1, len(pages) + 1)] == [page[:4] for page in pages]
