"""Whatever is in the file, an operator gets a book or a message."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from slastream.book import load
from slastream.core.errors import Misconfigured

EXAMPLE = (Path(__file__).parents[3] / "deploy/books/acme-msp.yaml").read_text()
LINES = EXAMPLE.splitlines()

ODD = st.sampled_from(
    ["~", "[]", "{}", "&a [*a]", "*a", "!!int 1", "24x7", "08:30", "NO", "1e9", "-1", "P1D", "''",
     "PT" + "9" * 40 + "H", "\t", "[[[[", "? {a: b}", "<<: *x", "0x1F", ".inf", "2026-02-30", "|",
     "\u2028", "{{}: {}}", "FREQ=YEARLY;COUNT=0", "9999-12-31T00:00:00Z", "0001-01-01T00:00:00Z",
     "{ics: .}", "{rrule: 'FREQ=DAILY;INTERVAL=0'}", "12345678901234567890", "P99999BD", "\x85"]
)  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("book") / "book.yaml"


def check(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with suppress(Misconfigured):
        assert load(file)


@given(st.binary(max_size=300))
@example(b"[" * 100_000)
@example(b"- " * 100_000)
@example(b"{a: " * 5_000)
@example(b"\xff")
@settings(deadline=None)
def test_any_bytes(file: Path, content: bytes) -> None:
    """Bytes of no kind at all are refused, with a message."""
    check(file, content)


@given(st.text(max_size=300))
@settings(deadline=None)
def test_any_text(file: Path, text: str) -> None:
    """Text of no kind at all is refused, with a message."""
    check(file, text.encode("utf-8", "surrogatepass"))


@given(
    at=st.integers(0, len(LINES) - 1),
    how=st.sampled_from(["drop", "twice", "value", "cut", "indent", "item"]),
    odd=st.one_of(ODD, st.text(max_size=12)),
)
@settings(deadline=None, max_examples=300)
def test_a_good_book_with_one_odd_line(file: Path, at: int, how: str, odd: str) -> None:
    """One odd line in a good book is understood or refused, and never an exception of Python's."""
    lines = list(LINES)
    line = lines[at]
    if how == "drop":
        del lines[at]
    elif how == "twice":
        lines.insert(at, line)
    elif how == "cut":
        lines[at] = line[: len(line) // 2]
    elif how == "indent":
        lines[at] = "  " + line
    elif how == "item":
        lines[at] = line.partition("[")[0] + f"[{odd}]"
    else:
        lines[at] = line.partition(":")[0] + ": " + odd
    check(file, "\n".join(lines).encode("utf-8", "surrogatepass"))
