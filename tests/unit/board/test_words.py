"""Both languages are whole, and other people's text stays text."""

from __future__ import annotations

import ast
import re
import string
from datetime import date
from pathlib import Path

import pytest

from slastream.board.pages import data
from slastream.board.picture_words import FRENCH
from slastream.board.text import CLIP, html, plain, safe_url
from slastream.board.words import LANGUAGES, ON_PAGE, WORDS, Words, choose
from slastream.core.event import STATES, WAITING_ON
from slastream.core.policy import INDICATORS
from slastream.offline import picture


def test_every_word_is_there_in_every_language() -> None:
    """No page falls back to another language in the middle of a sentence."""
    assert all(len(both) == len(LANGUAGES) and all(both) for both in WORDS.values())
    assert set(ON_PAGE) <= set(WORDS)


def test_every_word_of_a_picture_is_there_in_french() -> None:
    """What the picture says by itself, and what a record may hold, has its word; no hole is lost."""
    source = (Path(picture.__file__)).read_text("utf-8")
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    own = {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Name)
        and call.func.id == "say"
        and isinstance(call.args[0], ast.Constant)
    }
    outcomes = {"met", "missed", "running", "paused", "cancelled", "measured"}
    dates = [date(2026, month, 1 + month % 7) for month in range(1, 13)]
    spoken = {f"{day:%b}" for day in dates} | {f"{date(2026, 3, n):%a}" for n in range(1, 8)}

    assert len(own) > 8
    assert set() == (own | outcomes | spoken | {*STATES, *WAITING_ON, *INDICATORS}) - set(FRENCH)
    for english, french in FRENCH.items():
        assert re.findall(r"{\w+}", english) == re.findall(r"{\w+}", french)


@pytest.mark.parametrize(
    ("expected", "asked", "accepted"),
    [
        ("en", None, ""), ("fr", None, "fr-CH, fr;q=0.9, en;q=0.8"), ("en", None, "de, en;q=0.5"),
        ("fr", "fr", "en"), ("fr", "xx", "fr"), ("en", None, "en-US,fr"),
    ],
)  # fmt: skip
def test_a_page_speaks_the_language_that_was_asked_for(
    expected: str, asked: str | None, accepted: str
) -> None:
    """The address wins over the browser, and English over silence."""
    assert expected == choose(asked, accepted).language


def test_the_other_language_is_offered() -> None:
    """Each page offers the language that it does not speak."""
    assert ("fr", "en") == (Words("en").other, Words("fr").other)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "JaVaScRiPt:alert(1)", "\tjavascript:alert(1)", " https://x.example",
        "data:text/html,<script>", "//evil.example", "/relative", "https://", "http:///x", "ftp://x",
        "https://x.example/\n", "https://x.example/\u202egpj.exe", "vbscript:x", "https://[::1", 7,
        None, "https://x.example/" + "a" * 3000, "java\nscript:alert(1)", "https:\\\\x", "https:x",
    ],
)  # fmt: skip
def test_only_plain_web_links_are_followed(url: object) -> None:
    """Anything but http or https with a host is no link."""
    assert "" == safe_url(url)


@pytest.mark.parametrize(
    "url",
    ["https://desk.example/t/1?x=1&y=2#z", "http://127.0.0.1:8080/t", "https://désk.example/é",
     "https://[::1]/t", 'https://x.example/"quoted"'],
)  # fmt: skip
def test_web_links_are_kept_as_they_are(url: str) -> None:
    """What can be followed safely is followed."""
    assert url == safe_url(url)


def test_marks_that_turn_text_around_are_shown_as_what_they_are() -> None:
    """A name cannot rewrite the row it stands in, nor hide a part of itself."""
    assert "a\ufffdb\ufffdc\ufffdd" == plain("a\u202eb\u200bc\x00d")
    assert "\ufffd" == plain("\ud800")


def test_long_text_is_clipped() -> None:
    """Ten kilobytes of a name do not reach a browser."""
    assert (CLIP, "…") == (len(plain("x" * 10_000, CLIP)), plain("x" * 10_000, CLIP)[-1])


def test_markup_is_text() -> None:
    """Nothing of a ticket opens an element or ends an attribute."""
    assert "&lt;img src=x onerror=&quot;x&quot;&gt;&#x27;&amp;" == html(
        '<img src=x onerror="x">\'&'
    )


def test_data_cannot_end_its_script_element() -> None:
    """JSON in a page holds no character that HTML reads."""
    told = data({"x": "</script><!--\u2028&", "y": string.printable})

    assert not set("<>&\u2028") & set(told)
