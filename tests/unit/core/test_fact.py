"""What a row remembers of an event, and the order in which it counts (D38, D39)."""

from __future__ import annotations

import pytest

from slastream.core.event import State
from slastream.core.fact import SKEW_TOLERANCE, fact_of, id_hash, order, structural, told_by
from tests.support.desk import event


def test_a_time_ahead_of_the_log_is_clamped() -> None:
    """Up to a minute ahead is believed, more is clamped to it and flagged (D39)."""
    said = event("2026-03-02 09:00", state="new")
    near = fact_of(said, said.occurred_at - SKEW_TOLERANCE, 0)
    far = fact_of(said, said.occurred_at - SKEW_TOLERANCE - 1, 0)

    assert (near.at, near.skewed) == (said.occurred_at, False)
    assert (far.at, far.skewed) == (said.occurred_at - 1, True)


def test_a_creation_after_the_event_that_tells_it_is_clamped() -> None:
    """A ticket that has an event exists: a creation in the year 2200 cannot park it there (D39)."""
    said = event("2026-03-02 09:00", created_at="2200-01-01 00:00")

    assert fact_of(said, said.occurred_at, 0).created == said.occurred_at


def test_order_is_time_then_sequence_then_rank_then_id() -> None:
    """Nothing of it depends on when an event arrived."""
    said = event("2026-03-02 09:00", state="new", sequence=4, id="x")

    assert order(fact_of(said, said.occurred_at, 2)) == (said.occurred_at, 4, 2, id_hash("x"))


def test_absent_is_unchanged_and_null_is_cleared() -> None:
    """A member that is not there says nothing; one that is null says that there is none."""
    assert told_by(event("2026-03-02 09:00", priority=None, client="x")) == {
        "priority": None,
        "client": "x",
    }


def test_unknown_members_are_attributes() -> None:
    """What the contract does not name is kept as text, to select a policy by."""
    said = event("2026-03-02 09:00", attributes={"vip": True, "floor": 3, "deep": {"no": 1}})

    assert told_by(said) == {"attributes.vip": "True", "attributes.floor": "3"}


STRUCTURAL = [
    ({"state": "waiting"}, (State.WAITING, "unknown")),
    ({"state": "waiting", "waiting_on": "vendor"}, (State.WAITING, "vendor")),
    ({"state": "cancelled", "reason": "spam"}, (State.CANCELLED, "spam")),
    ({"state": "cancelled"}, (State.CANCELLED, "void")),
    ({"merged_into": "7", "state": "closed"}, (State.CANCELLED, "merged")),
    ({"status": "Open"}, (-1, "")),
]


@pytest.mark.parametrize(("told", "state"), STRUCTURAL)
def test_the_state_that_an_event_gives_by_itself(told: dict[str, str], state: object) -> None:
    """A merge cancels whatever else is said; a status needs a mapping (D02, D42)."""
    assert structural(event("2026-03-02 09:00", **told), -1) == state
