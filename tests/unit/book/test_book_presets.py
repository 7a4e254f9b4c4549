"""The shipped presets: what each vendor's own words mean."""

from __future__ import annotations

import pytest

from slastream.book.lint import owed_by_provider
from slastream.book.mappings import preset, presets
from slastream.core.event import State
from slastream.core.policy import fold_text

NATIVE = {
    "canonical": "new responded in_progress waiting_client resolved closed cancelled",
    "connectwise": "NotResponded Responded ResolutionPlan NoEscalation Resolved Closed Merged",
    "autotask": "New|Assigned|In Progress|Waiting Customer|Waiting Vendor|Resolved|Complete|1|5",
    "halopsa": "New|In Progress|With User|With Supplier|On Hold|Resolved|Closed|Merged",
    "servicenow": "1 2 3 6 7 8",
    "jira": "Open|In Progress|Waiting for support|Waiting for customer|Pending|Resolved|Canceled",
    "zendesk": "new open pending hold solved closed deleted",
    "freshservice": "2 3 4 5 Open Pending Resolved Closed",
    "glpi": "1 2 3 4 5 6 10",
    "itop": "new waiting_for_approval approved rejected assigned pending escalated_tto "
    "escalated_ttr resolved closed",
    "zammad": "new|open|pending reminder|pending close|closed|merged|removed",
    "znuny": "new|open|pending reminder|pending auto close+|closed successful|removed|merged",
    "rt": "new open stalled resolved rejected deleted",
    "frappe_helpdesk": "Open Replied Resolved Closed",
}
"""Vendor -> the statuses that it ships, apart by blanks, or by bars where they hold blanks."""


def test_there_is_a_preset_for_every_desk() -> None:
    """Thirteen desks, and canonical events, have a preset."""
    assert set(NATIVE) == set(presets())


@pytest.mark.parametrize("name", presets())
def test_a_preset_maps_its_vendors_words(name: str) -> None:
    """Every shipped status has a meaning; the ends of a ticket's life can be told apart."""
    found = preset(name)
    known = {at[1]: mapped for at, mapped in found.statuses.items()}
    words = NATIVE[name].split("|") if "|" in NATIVE[name] else NATIVE[name].split()

    assert set() == {word for word in words if fold_text(word) not in known}
    states = {mapped.state for mapped in known.values()}
    assert {State.NEW, State.IN_PROGRESS, State.WAITING, State.RESOLVED, State.CLOSED} <= states
    assert found.title
    assert set(found.priorities.values()) <= {"P1", "P2", "P3", "P4", "P5"}


@pytest.mark.parametrize("name", presets())
def test_no_preset_pauses_where_the_provider_owes_the_next_step(name: str) -> None:
    """A preset keeps the rule that the linter asks of books (D36)."""
    found = preset(name)

    assert [] == [
        label
        for at, (label, _) in found.written.items()
        if found.statuses[at].state is State.WAITING
        and found.statuses[at].on not in ("provider", "scheduled_by_client")
        and owed_by_provider(label)
    ]


@pytest.mark.parametrize("name", presets())
@pytest.mark.parametrize(
    ("word", "state", "on"),
    [
        ("Non répondu", State.NEW, ""),
        ("Pris en charge", State.IN_PROGRESS, ""),
        ("En cours", State.IN_PROGRESS, ""),
        ("Attente client", State.WAITING, "client"),
        ("À rappeler", State.RESPONDED, ""),
        ("Résolu", State.RESOLVED, ""),
        ("Clôturé", State.CLOSED, ""),
    ],
)
def test_presets_read_french(name: str, word: str, state: State, on: str) -> None:
    """Desks in French need no mapping of their own for the usual words."""
    mapped = preset(name).statuses["", fold_text(word), ""]

    assert (state, on) == (mapped.state, mapped.on)


def test_servicenow_holds_by_reason() -> None:
    """On hold for a caller or a vendor pauses; for a problem or a change it does not."""
    found = preset("servicenow").statuses

    assert "client" == found["", "3", "1"].on == found["", "on hold", "awaiting caller"].on
    assert "vendor" == found["", "3", "4"].on
    assert "provider" == found["", "3", "3"].on == found["", "3", "5"].on


def test_a_duplicate_in_jira_is_cancelled() -> None:
    """The resolution of an issue tells a solution from a ticket that was none."""
    found = preset("jira").statuses

    assert State.RESOLVED is found["", "resolved", ""].state
    assert (State.CANCELLED, "duplicate") == (
        found["", "resolved", "duplicate"].state, found["", "resolved", "duplicate"].on,
    )  # fmt: skip
