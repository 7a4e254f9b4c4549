"""Complaints about whose ticket it was: one client, another name in each system.

The 2nd of March 2026 is a Monday; clocks run round the clock.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from slastream.core.books import Books
from slastream.core.policy import SourceMapping
from slastream.offline.attainment import Attainment
from slastream.offline.histories import read_histories
from slastream.offline.run import Trouble, run
from tests.support.desk import Desk, at, book, event, policy

NAMES = {
    "connectwise": MappingProxyType({"harbourdental": "Harbour Dental"}),
    "zendesk": MappingProxyType({"640017": "Harbour Dental"}),
    "halopsa": MappingProxyType({}),
}
"""Three systems of one client; the third calls it what everybody does."""

CALLED = {"connectwise": "HARBOURDENTAL", "zendesk": "640017", "halopsa": "Harbour Dental"}

SOURCES = MappingProxyType({name: SourceMapping(clients=map_) for name, map_ in NAMES.items()})


PROMISE = replace(
    book(policy("harbour", response="PT1H", when={"client": "Harbour Dental"})), sources=SOURCES
)
"""An answer in an hour for Harbour Dental, and nothing for others."""


def test_one_policy_serves_a_client_whatever_a_system_calls_it() -> None:
    """Each system's ticket has the promise, and its alerts, outcomes and clocks name one client."""
    desk = Desk(PROMISE)
    for source, client in CALLED.items():
        desk.say(
            "2026-03-02 09:00", "created", ticket=source, source=source, state="new", client=client
        )
    desk.until("2026-03-02 10:00")
    for source in CALLED:
        desk.say("2026-03-02 10:30", ticket=source, source=source, state="resolved")
    breached = [each for each in desk.alerts if each.type == "breached"]

    assert sorted(CALLED) == sorted(each.ticket for each in breached)
    said = [each.value for each in desk.said if each.value and each.output != "ops"]
    assert {"Harbour Dental"} == {value["client"] for value in said}
    assert {"alerts", "outcomes", "clocks"} <= {each.output for each in desk.said}


def test_attainment_of_a_client_is_one_figure() -> None:
    """Two answers in time and one late are two of three for the client, not a share for each name."""
    ends = {"connectwise": "09:30", "zendesk": "09:59", "halopsa": "11:00"}
    told = [
        one
        for source, client in CALLED.items()
        for one in (
            event("2026-03-02 09:00", "created", source, source=source, client=client),
            event(f"2026-03-02 {ends[source]}", "updated", source, source=source, state="resolved"),
        )
    ]
    attainment = Attainment(("client",))
    histories = read_histories(told, None, lambda _: None).histories.values()
    for each in run(list(histories), Books(PROMISE), at("2026-03-10 00:00"), Trouble()):
        attainment.add(each)

    assert [("Harbour Dental", 2, 3)] == [
        (row["client"], row["met"], row["decided"]) for row in attainment.rows()
    ]
