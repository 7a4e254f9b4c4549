"""What each vendor's source refuses, and who it takes to have acted. Whole events: the samples."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from msgspec import UNSET

from slastream.core.errors import Rejected
from slastream.core.event import Event
from slastream.sources import Delivery, read

AT = "2026-03-02T09:00:00Z"
NOW = 1_772_442_000_000


def events(
    source: str, body: Any, headers: dict[str, str] | None = None, **more: Any
) -> list[Event]:
    raw = {name: value.encode() for name, value in (headers or {}).items()}
    return read(
        Delivery(source, "acme", value=orjson.dumps(body), headers=raw, received_at=NOW, **more)
    )


def event(source: str, body: Any, headers: dict[str, str] | None = None, **more: Any) -> Event:
    (only,) = events(source, body, headers, **more)
    return only


ENTITY = {"id": 1, "_info": {"lastUpdated": AT}}


@pytest.mark.parametrize(
    ("source", "reason", "body"),
    [
        ("connectwise", "not_a_ticket", {"Action": "added", "Type": "company", "ID": 1}),
        ("connectwise", "bad_kind", {"Action": "exploded", "Type": "ticket", "ID": 1}),
        ("connectwise", "not_json", {"Action": "updated", "ID": 1, "Entity": "{"}),
        ("connectwise", "not_an_object", {"Action": "updated", "ID": 1, "Entity": "[]"}),
        ("connectwise", "not_an_object", {"Action": "updated", "ID": 1, "Entity": None}),
        ("connectwise", "no_ticket", {"Action": "updated", "ID": None, "Entity": ENTITY}),
        ("connectwise", "no_time", {"Action": "updated", "ID": 1, "Entity": {"id": 1}}),
        ("connectwise", "no_ticket", {"hello": "world"}),
        (
            "autotask",
            "not_a_ticket",
            {"Action": "Update", "EntityType": "Account", "EventTime": AT},
        ),
        ("autotask", "bad_kind", {"Action": "Explode", "Id": 1, "EventTime": AT}),
        ("autotask", "no_time", {"Action": "Update", "Id": 1}),
        (
            "autotask",
            "no_ticket",
            {"Action": "Create", "EntityType": "TicketNote", "EventTime": AT},
        ),
        ("halopsa", "no_ticket", {"ticket": {"lastactiondate": AT}}),
        ("halopsa", "no_time", {"ticket": {"id": 1}}),
        ("servicenow", "no_ticket", {"number": "INC1", "sys_updated_on": AT}),
        ("servicenow", "bad_time", {"sys_id": "a", "sys_updated_on": "soon"}),
        ("jira", "not_a_ticket", {"webhookEvent": "user_created", "timestamp": 1}),
        (
            "jira",
            "bad_kind",
            {"webhookEvent": "jira:worklog", "timestamp": 1, "issue": {"id": "1"}},
        ),
        ("jira", "no_time", {"webhookEvent": "jira:issue_updated", "issue": {"id": "1"}}),
        ("zendesk", "not_a_ticket", {"type": "zen:event-type:user.created", "time": AT}),
        ("zendesk", "no_ticket", {"type": "zen:event-type:ticket.created", "time": AT}),
        ("freshservice", "bad_ticket", {"ticket": {"id": "abc", "updated_at": AT}}),
        ("freshservice", "not_a_ticket", {"event": "onAppInstall", "data": {}}),
        ("glpi", "bad_kind", {"event": "explode", "item": {"id": 1}}),
        ("glpi", "not_an_object", {"event": "new"}),
        ("glpi", "naive_time", {"item": {"id": 1, "date_mod": "2026-03-02 09:00:00"}}),
        ("glpi", "not_a_ticket", {"event": "new", "item": {"itemtype": "Problem", "items_id": 1}}),
        ("itop", "naive_time", {"ref": "R-1", "last_update": "2026-03-02 09:00:00"}),
        ("zammad", "no_ticket", {"ticket": {"updated_at": AT}}),
        ("znuny", "no_ticket_data", {"Event": "TicketStateUpdate", "TicketID": 5}),
        ("frappe_helpdesk", "not_a_ticket", {"doctype": "ToDo", "name": "1", "modified": AT}),
        ("frappe_helpdesk", "not_a_ticket", {"doctype": "Communication", "reference_name": "1"}),
        ("frappe_helpdesk", "naive_time", {"name": "1", "modified": "2026-03-02 09:00:00.1"}),
        ("debezium", "bad_kind", {"op": "t", "before": None, "after": None}),
        ("debezium", "not_an_object", {"op": "u", "before": {"id": 1}, "after": None}),
        (
            "debezium",
            "not_a_ticket",
            {"op": "c", "after": {"id": 1, "date_mod": AT}, "source": {"table": "glpi_users"}},
        ),
    ],
)
def test_refused(source: str, reason: str, body: Any) -> None:
    """A delivery about something else, or without what a ticket needs, is refused by name."""
    with pytest.raises(Rejected) as caught:
        events(source, body)

    assert reason == caught.value.reason


def test_a_record_of_another_table() -> None:
    """ServiceNow's header says which table: users and SLA rows are no tickets."""
    with pytest.raises(Rejected, match="not_a_ticket"):
        events("servicenow", {"sys_id": "a", "sys_updated_on": AT}, {"table_name": "task_sla"})


def connectwise(action: str, **ticket: Any) -> Event:
    info = {"lastUpdated": AT, **ticket.pop("info", {})}
    entity = {"id": 1, "_info": info, **ticket}
    return event("connectwise", {"Action": action, "ID": 1, "MemberId": "jl", "Entity": entity})


@pytest.mark.parametrize(
    ("kind", "action", "ticket"),
    [
        ("agent", "updated", {"info": {"updatedBy": "jlind"}}),
        ("agent", "updated", {}),
        ("customer", "updated", {"customerUpdatedFlag": True}),
        ("automation", "updated", {"info": {"updatedBy": "Workflow Rule 5"}}),
        ("agent", "added", {"source": {"name": "Phone"}, "info": {"enteredBy": "jlind"}}),
        ("customer", "added", {"source": {"name": "Client Portal"}, "info": {"enteredBy": "chef"}}),
        ("automation", "added", {"source": {"name": "RMM"}, "info": {"enteredBy": "rmm"}}),
    ],
)
def test_who_acted_in_connectwise(kind: str, action: str, ticket: dict[str, Any]) -> None:
    """A callback names a member always; who acted is told by flags, names and the channel."""
    told = connectwise(action, **ticket)

    assert told.actor is not None
    assert kind == told.actor.kind


def test_connectwise_link_only_to_its_own_hosts() -> None:
    """A link is made for hosts of ConnectWise's cloud alone: the name came with the delivery."""
    bodies = (
        {"Action": "updated", "ID": 1, "Entity": ENTITY, "FromUrl": host}
        for host in ("api-eu.myconnectwise.net", "evil.example", "x/.myconnectwise.net", None)
    )
    first, *others = [event("connectwise", body).url for body in bodies]

    assert isinstance(first, str)
    assert first.startswith("https://eu.myconnectwise.net/")
    assert [UNSET] * 3 == others


def jira(user: dict[str, Any], fields: dict[str, Any] | None = None, **more: Any) -> Event:
    issue = {"id": "1", "key": "A-1", "fields": fields or {}}
    body = {"webhookEvent": "jira:issue_updated", "timestamp": NOW, "user": user, "issue": issue}
    return event("jira", {**body, **more})


@pytest.mark.parametrize(
    ("kind", "user", "fields"),
    [
        ("customer", {"accountId": "q", "accountType": "customer"}, {}),
        ("automation", {"accountId": "b", "accountType": "app"}, {}),
        ("agent", {"accountId": "a", "accountType": "atlassian"}, {}),
        (
            "customer",
            {"accountId": "a", "accountType": "atlassian"},
            {"reporter": {"accountId": "a"}, "assignee": None},
        ),
        (
            "agent",
            {"accountId": "a", "accountType": "atlassian"},
            {"reporter": {"accountId": "a"}, "assignee": {"accountId": "a"}},
        ),
        ("unknown", {"name": "server-user"}, {}),
    ],
)
def test_who_acted_in_jira(kind: str, user: dict[str, Any], fields: dict[str, Any]) -> None:
    """The account's type tells, and whose issue it is where the client has licences too."""
    told = jira(user, fields)

    assert told.actor is not None
    assert kind == told.actor.kind


@pytest.mark.parametrize(
    ("public", "comment"),
    [
        (True, {"jsdPublic": True}),
        (False, {"jsdPublic": False}),
        (False, {"visibility": {"type": "role", "value": "Team"}}),
        (False, {"properties": [{"key": "sd.public.comment", "value": {"internal": True}}]}),
        (True, {"body": "plain"}),
    ],
)
def test_public_and_internal_comments_in_jira(public: bool, comment: dict[str, Any]) -> None:
    """Each way in which Jira hides a comment from the customer is seen."""
    told = jira({}, None, comment=comment, issue_event_type_name="issue_commented")

    assert told.comment is not None
    assert (told.kind, told.comment.public) == ("comment", public)


def test_an_edited_comment_answers_nobody() -> None:
    """A comment that is edited or deleted in Jira is no new word to the client."""
    assert (
        jira({}, None, comment={"jsdPublic": True}, webhookEvent="comment_updated").comment is None
    )


@pytest.mark.parametrize(
    "value",
    [
        *([5], ["my name"], [["name"]], [None], "name", 7),
        [{"name": "x", "self": "y"}],
        {"ongoingCycle": 5},
        {"completedCycles": [3]},
        {"name": 4, "ongoingCycle": {"breached": "?"}},
    ],
)
def test_custom_fields_of_other_shapes_in_jira(value: Any) -> None:
    """A custom field is the client or a clock by its shape alone; all others say nothing."""
    told = jira({}, {"customfield_10001": value})

    assert (told.client, told.reported) == (UNSET, UNSET)


def test_zendesk_actor() -> None:
    """Zendesk's -1 is a machine, the requester a customer, the assignee an agent."""
    found = []
    for actor, assignee in (("-1", None), ("7", None), ("9", "9"), ("7", "7"), ("5", "9")):
        detail = {"id": "1", "actor_id": actor, "requester_id": "7", "assignee_id": assignee}
        body = {"type": "zen:event-type:ticket.status_changed", "time": AT, "detail": detail}
        told = event("zendesk", body)
        found.append(told.actor.kind if told.actor else None)

    assert ["automation", "customer", "agent", "agent", "unknown"] == found


def test_halo_action_that_only_moves_the_ticket_says_nothing() -> None:
    """A change of status is an action in Halo, and no word to the user."""
    ticket = {"id": 1, "lastactiondate": AT}
    moved = {"outcome": "Change Status", "datetime": AT, "who": "x", "hiddenfromuser": False}

    assert event("halopsa", {"ticket": ticket, "action": moved}).comment is None


def test_freshservice_events_in_the_simple_webhook() -> None:
    """Text that only looks like JSON still tells replies, notes and creation apart."""
    found = []
    for what in (
        "{ticket_action:created}",
        "{reply_sent:true}",
        "{note_type: private}",
        "{}",
        None,
    ):
        inner = {"ticket_id": "SR-5", "triggered_event": what}
        told = event("freshservice", {"freshdesk_webhook": inner})
        found.append((told.kind, told.comment.public if told.comment else None))

    assert found == [
        ("created", None),
        ("comment", True),
        ("comment", False),
        ("updated", None),
        ("updated", None),
    ]


def test_debezium_row_that_an_update_left_as_it_was() -> None:
    """Where a change did not touch date_mod, the time is when it was committed."""
    row = {"id": 1, "date_mod": AT}
    body = {"op": "u", "before": row, "after": row, "source": {"ts_ms": NOW + 60_000}}

    assert event("debezium", body).occurred_at == NOW + 60_000


def test_debezium_undeleted() -> None:
    """A row that leaves the bin is restored."""
    before = {"id": 1, "date_mod": "2026-03-01T09:00:00Z", "is_deleted": 1}
    body = {"op": "u", "before": before, "after": {"id": 1, "date_mod": AT, "is_deleted": 0}}

    assert event("debezium", body).kind == "restored"


def test_debezium_order_in_the_log() -> None:
    """Places in the binlog grow with file, position and row; a Postgres lsn is its own order."""
    found = []
    for file, pos, row in (
        ("b.000001", 9, 0),
        ("b.000001", 9, 1),
        ("b.000001", 10, 0),
        ("b.2", 4, 0),
    ):
        origin = {"file": file, "pos": pos, "row": row}
        body = {"op": "u", "after": {"id": 1, "date_mod": AT}, "source": origin}
        found.append(event("debezium", body).sequence or 0)
    lsn = {"op": "u", "after": {"id": 1, "date_mod": AT}, "source": {"lsn": 33_000_001}}

    assert sorted(set(found)) == found
    assert event("debezium", lsn).sequence == 33_000_001


@pytest.mark.parametrize("key", [b'{"id":5}', b'{"schema":{},"payload":{"id":5}}', b"5", b'"5"'])
def test_debezium_tombstone_keys(key: bytes) -> None:
    """A tombstone's key is JSON, with or without its schema, or bare."""
    (told,) = read(Delivery("debezium", "acme", key=key, received_at=NOW))

    assert (told.ticket, told.kind) == ("5", "deleted")


def test_a_zone_that_is_none_is_said() -> None:
    """A source whose timezone setting is wrong rejects, and says which name is wrong."""
    body = {"ref": "R-1", "last_update": "2026-03-02 09:00:00"}
    with pytest.raises(Rejected, match=r"bad_zone: 'Europe/Pariss'"):
        events("itop", body, timezone="Europe/Pariss")
