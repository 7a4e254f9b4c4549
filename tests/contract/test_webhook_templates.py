"""The templates of deploy/webhooks, with values put in, are read as the tickets that they tell of."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest

from slastream.core.event import Event
from slastream.sources import read
from slastream.sources.files import recorded

FOLDER = Path(__file__).parents[2] / "deploy" / "webhooks"

VALUES = {
    "itop": {
        "finalclass": "UserRequest", "id": "2209", "ref": "R-002209", "status": "pending",
        "pending_reason": "Spare part ordered", "priority": "2", "impact": "1", "urgency": "2",
        "org_name": "Atelier Lumen", "service_name": "Network", "team_name": "N1",
        "agent_name": "Ines Duval", "origin": "phone", "start_date": "2026-03-02 09:00:00",
        "last_update": "2026-03-02 10:05:00", "assignment_date": "2026-03-02 09:20:40",
        "resolution_date": "",
    },
    "zendesk": {
        "ticket.id": "30501", "ticket.status": "Pending", "ticket.priority": "High",
        "ticket.ticket_type": "Incident", "ticket.organization.name": "Atelier Lumen",
        "ticket.group.name": "N1", "ticket.assignee.name": "Ines Duval", "ticket.brand.name": "Lumen",
        "ticket.via": "Mail", "ticket.link": "https://lumen.zendesk.com/agent/tickets/30501",
        "ticket.created_at_with_timestamp": "2026-03-02T08:00:00Z",
        "ticket.updated_at_with_timestamp": "2026-03-02T09:05Z", "current_user.name": "Ines Duval",
    },
    "freshservice": {
        "ticket.id_numeric": "771", "ticket.id": "INC-771", "ticket.status": "Pending",
        "ticket.priority": "High", "ticket.ticket_type": "Incident",
        "ticket.department.name": "Atelier Lumen", "ticket.group.name": "N1",
        "ticket.agent.name": "Ines Duval", "ticket.url": "https://lumen.freshservice.com/771",
        "ticket.created_at": "2026-03-02T08:00:00Z", "ticket.updated_at": "2026-03-02T09:05:00Z",
    },
}  # fmt: skip
"""Source -> placeholder -> what the vendor's tool would put there."""

NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
AT = 1_772_442_300_000
"""The 2nd of March 2026, 09:05 UTC, which is 10:05 in Paris."""


def told(name: str) -> Event:
    """Return the event of a template with values in its holes."""
    source = name.partition("-")[0]
    text = (FOLDER / f"{name}.json").read_text("utf-8")
    filled = re.sub(
        r"\{\{(.+?)\}\}|\$this->(\w+)\$", lambda hole: VALUES[source][hole[1] or hole[2]], text
    )
    delivery = {"timezone": "Europe/Paris", "body": orjson.loads(filled)}
    (event,) = read(recorded(delivery, source, "acme"))
    return event


@pytest.mark.parametrize("name", NAMES)
def test_a_template_tells_its_ticket(name: str) -> None:
    """Whose ticket it is, when it happened, and what state it has arrive from every template."""
    event = told(name)

    assert event.occurred_at == AT
    assert event.created_at == AT - 65 * 60_000
    assert event.ticket in ("R-002209", "30501", "771")
    assert str(event.status).lower() == "pending"


@pytest.mark.parametrize("name", ["itop", "zendesk-trigger", "freshservice"])
def test_a_template_of_the_ticket_tells_what_policies_ask_for(name: str) -> None:
    """Client, priority, type, team and responder are in the template of every system that needs one."""
    event = told(name)

    assert event.client == "Atelier Lumen"
    assert event.priority in ("2", "High")
    assert str(event.type).lower() in ("request", "incident")
    assert (event.team, event.assignee) == ("N1", "Ines Duval")


@pytest.mark.parametrize(
    ("name", "actor"), [("itop-public-log", "unknown"), ("zendesk-trigger-answer", "agent")]
)
def test_a_template_of_an_answer_tells_one(name: str, actor: str) -> None:
    """A public comment is told as such, with as much of its author as the tool knows."""
    event = told(name)

    assert event.comment is not None
    assert event.comment.public
    assert event.actor is None or event.actor.kind == actor


def test_every_template_is_on_the_page_about_them() -> None:
    """Nobody has to look through a folder: docs/webhooks.md links to each."""
    page = (FOLDER.parents[1] / "docs" / "webhooks.md").read_text("utf-8")

    assert NAMES == sorted(re.findall(r"\(\.\./deploy/webhooks/([\w-]+)\.json\)", page))
