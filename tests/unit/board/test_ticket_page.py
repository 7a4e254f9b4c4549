"""A ticket's page tells what `explain` tells, shows corrections, and is well formed in both languages."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest

from slastream.board.alerts import Alerts
from slastream.board.hours import Hours
from slastream.board.picture_words import FRENCH
from slastream.board.shelf import Shelf
from slastream.board.ticket import body, picture, tell
from slastream.board.words import Words
from slastream.core.books import Books
from slastream.core.instant import parse_instant
from slastream.offline.alerts import arrivals
from slastream.offline.explain import explain
from tests.support.desk import Desk, at
from tests.unit.offline.test_explain import GOLD, STORY

SAMPLES = Path(__file__).parents[3] / "topics" / "samples"
KEY = "acme/desk/1"


def page_of(desk: Desk) -> dict[str, Any]:
    """The ticket as its page shows it, from what the desk has published."""
    hours, alerts = Hours(), Alerts()
    hours.add(GOLD)
    shelf = Shelf(hours)
    for said in desk.said:
        if said.output == "clocks":
            shelf.put(KEY, orjson.dumps(said.value))
        elif said.output == "alerts":
            headers = {
                "ce_type": f"io.slastream.sla.{said.type}.v1".encode(),
                "ce_id": said.id.encode(),
            }
            alerts.put(KEY, headers, orjson.dumps(said.value))
    held = shelf.ticket(KEY)
    assert held is not None
    return tell(KEY, held, hours, list(alerts.of(KEY)), desk.now)


@pytest.mark.parametrize("count", range(1, len(STORY) + 1))
def test_its_figures_are_those_of_explain(count: int) -> None:
    """After every event: elapsed, remaining, due, ledger and winner are the same, to the millisecond."""
    desk = Desk(GOLD)
    for each in STORY[:count]:
        desk.until(each.occurred_at)
        desk.feed(each)
    found = page_of(desk)
    as_of = parse_instant(found["as_of"])
    expected = explain(list(arrivals(STORY[:count], by_time=True)), Books(GOLD), as_of)

    assert len(expected["clocks"]) == len(found["clocks"])
    for theirs, ours in zip(expected["clocks"], found["clocks"], strict=True):
        for name in ("indicator", "cycle", "policy", "calendar", "target_ms", "elapsed_ms",
                     "remaining_ms", "due", "reached_at", "breached_at", "outcome", "paused_by",
                     "zone", "windows"):  # fmt: skip
            assert theirs[name] == ours[name], (ours["indicator"], name)
        rows = [(r["from"], r["to"], r["state"], r["waiting_on"], r["counted_ms"], r["waited_ms"])
                for r in theirs["ledger"]]  # fmt: skip

        assert rows == [
            (r["from"], r["to"], r["state"], r["waiting_on"], r["counted_ms"], r["waited_ms"])
            for r in ours["ledger"]
        ]
        assert ours["reason"] is not None
        assert theirs["choice"]["reason"] == ours["reason"][0]


def test_a_correction_is_told_on_the_page() -> None:
    """What was announced and had not been so stands there with what is true now."""
    desk = Desk(GOLD)
    desk.feed(STORY[0]).until("2026-03-02 10:01")
    desk.say(
        "2026-03-02 09:10", state="responded", actor=STORY[1].actor, arrives="2026-03-02 10:02"
    )
    desk.until("2026-03-02 10:03")
    page = body(Words("en"), page_of(desk), evidence=False)

    assert any(said.type == "corrected" for said in desk.alerts)
    assert "corrected" in page
    assert "it had not been so" in page


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("evidence", [False, True])
def test_every_sample_makes_a_page(language: str, evidence: bool) -> None:
    """The samples that others build on are shown without exception, and every sum is exact."""
    shelf = Shelf(Hours())
    shelf.advance(at("2026-03-03 12:00"))
    for line in (SAMPLES / "clocks.jsonl").read_text("utf-8").splitlines():
        record = orjson.loads(line)
        if record["value"] is None:
            continue
        shelf.put(record["key"], orjson.dumps(record["value"]))
        held = shelf.ticket(record["key"])
        assert held is not None
        told = tell(record["key"], held, shelf.hours, [], shelf.now)
        page = body(Words(language), told, evidence=evidence)
        drawn = ElementTree.fromstring(picture(Words(language), told))
        words = {each.text for each in drawn.iter()}

        assert ("hours" in words, "horaires" in words) == (language == "en", language == "fr")
        if language == "fr":
            assert set() == words & {ours for ours, theirs in FRENCH.items() if ours != theirs}

        assert Words(language)("sum_not") not in page
        assert ("<details" in page, " open>" in page) == (True, evidence)
