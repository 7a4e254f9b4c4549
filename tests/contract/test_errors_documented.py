"""docs/errors.md holds every error of the code, and no other.

`python -m docs.list_errors` prints what differs.
"""

from __future__ import annotations

import re

import pytest

from docs.list_errors import PAGE, RELAYS, listed, messages, reasons


def test_every_message_has_its_remedy() -> None:
    """What an operator can be told stands on the page once, and what stands there can be told."""
    told = sorted({said.text for said in messages()})

    assert len(told) > 100
    assert told == sorted(listed("Messages"))


def test_every_reason_is_explained() -> None:
    """A word under which data is refused is in the table, and no other is."""
    words, relays = reasons()
    page = PAGE.read_text("utf-8").split("\n## Reasons\n")[1].split("\n## ")[0]
    explained = [
        word
        for cell in re.findall(r"^\| (`.*?`) \|", page, re.MULTILINE)
        for word in re.findall(r"`(\w+)`", cell)
    ]

    assert sorted(words) == sorted(explained)
    assert relays == RELAYS


@pytest.mark.parametrize("section", ["Reasons", "Messages"])
def test_a_remedy_says_something(section: str) -> None:
    """No row is left for later."""
    page = PAGE.read_text("utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `.+? \| (.*) \|$", page, re.MULTILINE)

    assert rows
    assert [] == [row for row in rows if len(row) < 4 or "TODO" in row]
