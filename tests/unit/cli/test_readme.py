"""What the documents tell a reader to type is there to be typed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from slastream.cli import VERBS

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = ["README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/adr/README.md"]


def verbs_of_make() -> set[str]:
    told = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^  make (\S+)", told, re.MULTILINE))


def test_make_alone_prints_its_verbs() -> None:
    """A newcomer types `make` and learns what there is, and nothing is started."""

    assert {"setup", "up", "test", "lint", "types"} <= verbs_of_make()


def test_every_make_verb_in_the_documents_exists() -> None:
    """README and CONTRIBUTING name no verb that the Makefile lacks."""
    told = {
        verb
        for page in PAGES
        for verb in re.findall(r"\bmake ([a-z-]+)\b(?=[`\s])", (ROOT / page).read_text("utf-8"))
        if re.search(rf"(^    |`)make {verb}\b", (ROOT / page).read_text("utf-8"), re.MULTILINE)
    }

    assert {"up", "test"} <= told <= verbs_of_make()


def test_every_slastream_verb_in_the_readme_exists() -> None:
    """Each `slastream VERB` of the README is one; `slastream --help` lists them all."""
    told = set(re.findall(r"\| `slastream ([a-z]+)", README))

    assert {"up", "worker", "check", "replay"} <= told <= set(VERBS)


@pytest.mark.parametrize("page", PAGES)
def test_links_between_documents_lead_somewhere(page: str) -> None:
    """A relative link names a file that is there."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / page).read_text("utf-8"))

    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []
