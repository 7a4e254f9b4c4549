"""The canonical event of the contract, member by member."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from msgspec import UNSET

from slastream.core.errors import Rejected
from slastream.core.event import Actor, Comment, Event
from slastream.sources import Delivery, read

LEAST: dict[str, Any] = {
    "tenant": "acme-msp",
    "source": "connectwise",
    "ticket": "714502",
    "occurred_at": "2026-03-02T09:02:11.000Z",
}
FULL: dict[str, Any] = {
    **LEAST,
    "created_at": "2026-03-02T08:58:40.000Z",
    "id": "6dd80001-5e46",
    "sequence": 12,
    "kind": "updated",
    "status": "Waiting Client",
    "sub_status": "3",
    "state": "waiting",
    "waiting_on": "client",
    "board": "Service Desk",
    "channel": "mail",
    "priority": "P2",
    "impact": "high",
    "urgency": "medium",
    "client": "harbour-dental",
    "contract": "gold",
    "service": "network",
    "type": "incident",
    "site": "leith",
    "team": "network",
    "assignee": "maalto",
    "actor": {"id": "maalto", "kind": "agent"},
    "comment": {"public": True},
    "number": "T20260302.0012",
    "url": "https://desk.example/714502",
    "reported": {"breached": False},
    "merged_into": None,
    "previous_ticket": None,
    "imported": False,
}


def events(doc: dict[str, Any], **more: Any) -> list[Event]:
    return read(Delivery("canonical", value=orjson.dumps(doc), **more))


def event(doc: dict[str, Any], **more: Any) -> Event:
    (only,) = events(doc, **more)
    return only


def test_every_member_is_taken_over() -> None:
    """The example of the contract arrives whole."""
    expected = Event(
        tenant="acme-msp",
        source="connectwise",
        ticket="714502",
        occurred_at=1_772_442_131_000,
        created_at=1_772_441_920_000,
        id="6dd80001-5e46",
        sequence=12,
        status="Waiting Client",
        sub_status="3",
        state="waiting",
        waiting_on="client",
        board="Service Desk",
        channel="mail",
        priority="P2",
        impact="high",
        urgency="medium",
        client="harbour-dental",
        contract="gold",
        service="network",
        type="incident",
        site="leith",
        team="network",
        assignee="maalto",
        actor=Actor(id="maalto", kind="agent"),
        comment=Comment(public=True),
        number="T20260302.0012",
        url="https://desk.example/714502",
        reported={"breached": False},
    )

    assert expected == event(FULL)


def test_absent_is_unchanged_and_null_is_cleared() -> None:
    """A partial update says only what it carries."""
    told = event({**LEAST, "assignee": None})

    assert None is told.assignee
    assert UNSET is told.status
    assert UNSET is told.priority


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-03-02T09:02:11Z", 1_772_442_131_000),
        ("2026-03-02T10:02:11.5+01:00", 1_772_442_131_500),
        ("2026-03-02 09:02:11.000999+00:00", 1_772_442_131_000),
        (1_772_442_131_007, 1_772_442_131_007),
        (0, 0),
    ],
)
def test_times(written: object, instant: int) -> None:
    """RFC 3339 with an offset and epoch milliseconds are the same instants."""
    assert instant == event({**LEAST, "occurred_at": written}).occurred_at


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("no_tenant", {"tenant": None}),
        ("no_tenant", {"tenant": ""}),
        ("bad_tenant", {"tenant": "a/b"}),
        ("bad_tenant", {"tenant": 5}),
        ("bad_tenant", {"tenant": "a\n"}),
        ("no_source", {"source": None}),
        ("bad_source", {"source": "a/b"}),
        ("no_ticket", {"ticket": None}),
        ("no_ticket", {"ticket": " "}),
        ("bad_type", {"ticket": 714502}),
        ("bad_ticket", {"ticket": "a\x00b"}),
        ("bad_ticket", {"ticket": "9" * 201}),
        ("no_time", {"occurred_at": None}),
        ("naive_time", {"occurred_at": "2026-03-02T09:02:11"}),
        ("bad_time", {"occurred_at": "yesterday"}),
        ("bad_time", {"occurred_at": "2" * 100}),
        ("bad_time", {"occurred_at": -1}),
        ("bad_time", {"occurred_at": 10**18}),
        ("bad_time", {"occurred_at": 1.5}),
        ("bad_time", {"occurred_at": True}),
        ("bad_time", {"occurred_at": "1969-12-31T23:59:59Z"}),
        ("bad_time", {"occurred_at": "0001-01-01T00:00:00+14:00"}),
        ("naive_time", {"created_at": "2026-03-02"}),
        ("bad_type", {"id": 5}),
        ("bad_type", {"sequence": "5"}),
        ("bad_type", {"sequence": True}),
        ("bad_kind", {"kind": "exploded"}),
        ("bad_state", {"state": "paused"}),
        ("bad_waiting_on", {"waiting_on": "godot"}),
        ("bad_reason", {"reason": "bored"}),
        ("bad_type", {"status": 3}),
        ("bad_type", {"priority": ["P1"]}),
        ("too_large", {"client": "x" * 1_001}),
        ("bad_type", {"actor": "maalto"}),
        ("bad_actor", {"actor": {"kind": "ghost"}}),
        ("bad_type", {"actor": {"id": 5}}),
        ("bad_type", {"comment": {"public": "yes"}}),
        ("bad_type", {"comment": True}),
        ("bad_type", {"reported": []}),
        ("bad_type", {"imported": 1}),
        ("too_large", {"note": "x" * 70_000}),
        ("too_deep", {"note": [[[[[[[[[[[1]]]]]]]]]]]}),
    ],
)
def test_a_wrong_member_is_refused_by_name(reason: str, change: dict[str, Any]) -> None:
    """Each wrong member is refused with its own bounded word."""
    with pytest.raises(Rejected) as caught:
        events({**LEAST, **change})

    assert reason == caught.value.reason


def test_unknown_members_are_kept() -> None:
    """A member that the contract does not know is an attribute, and joins those that are given."""
    told = event({**LEAST, "attributes": {"floor": 3}, "colour": "red"})

    assert told.attributes == {"floor": 3, "colour": "red"}


def test_id_is_made_of_what_is_said() -> None:
    """Without an id, equal events have equal ids however their JSON is written, others do not."""
    one = event({**LEAST, "status": "Open", "priority": "P1", "a": {"x": 1, "y": 2}})
    again = event({"a": {"y": 2, "x": 1}, "priority": "P1", **LEAST, "status": "Open"})
    other = event({**LEAST, "status": "Open", "priority": None, "a": {"x": 1, "y": 2}})

    assert one.id == again.id
    assert len(one.id) == 16
    assert one.id != other.id


def test_an_overlong_id_stays_recognisable() -> None:
    """An id too long to keep is replaced by its digest, the same one every time."""
    long = event({**LEAST, "id": "x" * 5_000})

    assert len(long.id) == 32
    assert long.id == event({**LEAST, "id": "x" * 5_000}).id


def test_tenant_may_come_from_the_delivery() -> None:
    """An event that names no tenant belongs to the one it was delivered for."""
    nobodys = {name: LEAST[name] for name in ("source", "ticket", "occurred_at")}

    assert event(nobodys, tenant="acme-msp").tenant == "acme-msp"


def test_a_body_cannot_reach_over_to_another_tenant() -> None:
    """A tenant header, set by whoever checked the signature, outranks the body."""
    with pytest.raises(Rejected, match="wrong_tenant"):
        events(LEAST, headers={"sla-tenant": b"somebody-else"})

    assert event(LEAST, headers={"sla-tenant": b"acme-msp"}).tenant == "acme-msp"


def test_merge_tells_the_survivor() -> None:
    """A merged ticket is cancelled, and its survivor learns when it began and how urgent it was."""
    child, told = events({**FULL, "merged_into": "714498"})

    assert (
        child.kind,
        child.state,
        child.reason,
        child.merged_into,
    ) == ("merged", "cancelled", "merged", "714498")
    assert (told.ticket, told.kind, told.id) == ("714498", "absorbed", "6dd80001-5e46/absorbed")
    assert told.absorbed == {
        "ticket": "714502",
        "created_at": 1_772_441_920_000,
        "priority": "P2",
    }


def test_merge_of_an_unknown_child_tells_nothing() -> None:
    """A merge without a creation time or a priority has nothing to pass on."""
    (child,) = events({**LEAST, "merged_into": "714498"})

    assert child.kind == "merged"


def test_a_moved_ticket_ends_its_predecessor() -> None:
    """A ticket that goes on under a new id cancels the old one as moved."""
    new, old = events({**FULL, "previous_ticket": "700001"})

    assert new.state == "waiting"
    assert (old.ticket, old.state, old.reason) == ("700001", "cancelled", "moved")
    assert new.id != old.id


def test_a_deletion_is_the_end() -> None:
    """Kind `deleted` cancels, whatever status travelled with it."""
    gone = event({**LEAST, "kind": "deleted", "status": "Open"})

    assert (gone.state, gone.reason) == ("cancelled", "deleted")


def test_an_event_of_the_journal_reads_back() -> None:
    """What ingest told a survivor can be read from a dump of the journal, and is not told twice."""
    child, told = events({**FULL, "merged_into": "714498"})
    again = event(
        {
            "tenant": told.tenant,
            "source": told.source,
            "ticket": told.ticket,
            "occurred_at": told.occurred_at,
            "id": told.id,
            "sequence": told.sequence,
            "kind": told.kind,
            "absorbed": told.absorbed,
        }
    )

    assert told == again
    assert child.merged_into == again.ticket
