"""Alerts and outcomes as a person sees them."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import click

from slastream.cli.tally import Tally, alert_line, summary

PARIS = ZoneInfo("Europe/Paris")
AT_RISK, BREACHED = "io.slastream.sla.at_risk.v1", "io.slastream.sla.breached.v1"


def alert(**changed: Any) -> dict[str, Any]:
    return {
        "tenant": "acme-msp", "source": "jira", "ticket": "20417", "number": "LUM-17",
        "client": "Atelier Lumen", "priority": "P2", "indicator": "response", "cycle": 1,
        "threshold": "75%",
        "due": "2026-03-03T09:47:00.000Z", "remaining_ms": 900_000,
    } | changed  # fmt: skip


def outcome(result: str, **changed: Any) -> dict[str, Any]:
    return alert(outcome=result, finality="provisional", **changed)


def line(type_: str, **changed: Any) -> str:
    return click.unstyle(alert_line(type_, "2026-03-03T09:32:00.000Z", alert(**changed), PARIS))


def test_an_alert_is_one_aligned_line() -> None:
    """Simulated time, kind, threshold, number, client, priority, indicator, due and what is left."""

    assert (
        line(AT_RISK)
        == "10:32:00  at risk          75%  LUM-17          Atelier Lumen       P2    response    "
        "due 10:47, 15 min left"
    )


def test_a_breach_lines_up_with_a_warning() -> None:
    """The eye finds the columns in the same place whatever the kind."""
    warned, broken = line(AT_RISK), line(BREACHED, threshold="breach", remaining_ms=-1)

    assert warned.index("LUM-17") == broken.index("LUM-17")
    assert warned.index("due") == broken.index("due")


def test_levels_after_the_breach_say_how_far_over() -> None:
    """One hour over is another alert than the breach itself."""

    assert "BREACHED     1H over  LUM-17" in line(BREACHED, threshold="PT1H over")


def test_a_paused_clock_has_no_due_and_says_what_is_left() -> None:
    """A clock that waits for the client shows its remaining time, not a date."""

    assert line(AT_RISK, due=None, remaining_ms=5_400_000).endswith("paused with 1 h 30 min left")


def test_an_alert_without_a_number_shows_the_ticket() -> None:
    """Some systems have no number apart from the id."""

    assert "20417" in line(AT_RISK, number=None)


def test_a_later_outcome_replaces_the_earlier_one() -> None:
    """A ticket that was met, reopened and missed counts once, as missed."""
    tally = Tally()
    tally.outcome(outcome("met"))
    tally.outcome(outcome("missed"))

    assert tally.decided() == {("Atelier Lumen", "response", "missed"): 1}


def test_a_retracted_outcome_does_not_count() -> None:
    """A reopening takes the outcome back until the next one."""
    tally = Tally()
    tally.outcome(outcome("met"))
    tally.outcome(outcome("met") | {"finality": "retracted"})

    assert not tally.decided()


def test_attainment_is_met_of_decided_by_client_and_indicator() -> None:
    """Nine of ten kept are 90 %, and the ten are shown beside it."""
    tally = Tally()
    for number in range(9):
        tally.outcome(outcome("met", ticket=str(number)))
    tally.outcome(outcome("missed", ticket="9"))

    assert tally.attainment() == [
        {"client": "Atelier Lumen", "response": "90.0 % of 10", "plan": "-", "resolution": "-"}
    ]


def test_the_summary_tells_what_went_in_and_what_came_out() -> None:
    """Tickets, deliveries, alerts by kind, dead letters by reason."""
    tally = Tally()
    tally.alert(AT_RISK, alert())
    tally.alert(BREACHED, alert())
    tally.dead_letter("not_json")
    lines = list(summary(tally, 3, 12, 20.4))

    assert lines[0] == "In:   3 tickets opened in 12 deliveries, fed in 20 s"
    assert lines[1] == "Out:  1 breached, 1 at risk, about 1 tickets"
    assert lines[2] == "      1 dead letters (not_json 1)"
