"""How three systems would tell one step: canonical JSON, ConnectWise callbacks, Jira webhooks.

Shapes follow what those vendors document for their webhooks; every value is invented.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import orjson

from slastream.core.instant import Instant, format_instant
from slastream.demo.life import Step, Ticket

TENANT = "acme-msp"
Spelled = tuple[bytes, bytes, dict[str, bytes]]
"""Key, payload, headers, as they arrive on a raw topic."""


def spell(step: Step, rng: random.Random) -> Spelled:
    """Return the delivery that the ticket's own system would make of a step."""
    return _SPELLINGS[step.ticket.client.source](step, rng)


def _canonical(step: Step, rng: random.Random) -> Spelled:
    ticket = step.ticket
    kind = {"moved": "updated", "priority": "updated"}.get(step.happening, step.happening)
    event: dict[str, Any] = {
        "tenant": TENANT,
        "source": "canonical",
        "ticket": str(ticket.id),
        "id": _uuid(rng),
        "occurred_at": format_instant(step.at),
        "kind": kind,
        "actor": {"id": _actor(step), "kind": step.who},
    }
    if step.happening == "created":
        event |= {
            "created_at": format_instant(ticket.created_at), "client": ticket.client.name,
            "contract": ticket.client.contract, "type": ticket.type, "team": ticket.team,
            "site": ticket.site, "channel": ticket.channel, "number": f"NK-{ticket.id}",
            "url": f"https://desk.example/tickets/{ticket.id}", "board": ticket.client.project,
        }  # fmt: skip
    if step.happening in ("created", "priority"):
        event["priority"] = step.priority
    if step.happening in ("created", "moved"):
        event |= _CANONICAL_STATES[step.stage]
    if step.happening == "moved" and step.assigned:
        event["assignee"] = ticket.agent
    if step.public and step.happening in ("comment", "moved"):
        event["comment"] = {"public": True}
    if step.merged_into is not None:
        event["merged_into"] = str(step.merged_into)
    return f"{TENANT}/canonical/{ticket.id}".encode(), orjson.dumps(event), _headers()


_CANONICAL_STATES: dict[str, dict[str, str]] = {
    "new": {"state": "new"},
    "assigned": {"state": "responded"},
    "working": {"state": "in_progress"},
    "waiting_client": {"state": "waiting", "waiting_on": "client"},
    "waiting_vendor": {"state": "waiting", "waiting_on": "vendor"},
    "resolved": {"state": "resolved"},
    "closed": {"state": "closed"},
    "merged": {"state": "cancelled"},
}

_CW_STATUSES = {
    "new": (101, "New"), "assigned": (102, "Assigned"), "working": (103, "In Progress"),
    "waiting_client": (104, "Waiting Client"), "waiting_vendor": (105, "Waiting Vendor"),
    "resolved": (106, "Resolved"), "closed": (107, ">Closed"), "merged": (108, ">Closed (Merged)"),
}  # fmt: skip
_CW_FRENCH = _CW_STATUSES | {
    "new": (201, "Non répondu"), "assigned": (202, "À rappeler"), "working": (203, "Pris en charge"),
    "waiting_client": (204, "Attente client"), "waiting_vendor": (205, "Attente fournisseur"),
    "resolved": (206, "Résolu"), "closed": (207, "Clôturé"),
}  # fmt: skip
_CW_BOARDS = {"Service Desk": _CW_STATUSES, "Projects": _CW_FRENCH}
"""The board of the team in Nantes is named in French, as its book says."""
_CW_PRIORITIES = {
    "P1": (4, "Priority 1 - Emergency"), "P2": (6, "Priority 2 - Quick Response"),
    "P3": (8, "Priority 3 - Normal Response"), "P4": (11, "Priority 4 - Scheduled Maintenance"),
}  # fmt: skip
_CW_URL = "api-eu.myconnectwise.net"


def _connectwise(step: Step, rng: random.Random) -> Spelled:
    ticket = step.ticket
    gone = step.happening == "deleted"
    body = {
        "MessageId": _uuid(rng),
        "FromUrl": _CW_URL,
        "CompanyId": "acmemsp",
        "MemberId": _actor(step),
        "Action": "added" if step.happening == "created" else "deleted" if gone else "updated",
        "Type": "ticket",
        "ID": ticket.id,
        "ProductInstanceId": "639c0000b2eb5600015d0000",
        "PartnerId": "61dd00007bcddc000100000",
        "Entity": None if gone else orjson.dumps(_cw_entity(step)).decode(),
        "Metadata": {"key_url": f"https://{_CW_URL}/v2025_1//system/callbackkey/index.rails"},
        "CallbackObjectRecId": 26611,
    }
    return str(ticket.id).encode(), orjson.dumps(body), _headers()


def _cw_entity(step: Step) -> dict[str, Any]:
    ticket, client = step.ticket, step.ticket.client
    status, name = _CW_BOARDS[client.project][step.stage]
    priority, priority_name = _CW_PRIORITIES[step.priority]
    created = _seconds(ticket.created_at)
    entity: dict[str, Any] = {
        "id": ticket.id,
        "summary": ticket.subject,
        "recordType": "ServiceTicket",
        "board": {"id": 3, "name": client.project},
        "status": {"id": status, "name": name},
        "company": {
            "id": 250, "identifier": client.name.replace("-", "").upper(), "name": client.title,
        },
        "site": {"id": 1201, "name": ticket.site.title()},
        "contactName": ticket.contact,
        "type": {"id": 21 if ticket.type == "incident" else 22, "name": ticket.type.title()},
        "team": {"id": 7, "name": ticket.team.title()},
        "priority": {"id": priority, "name": priority_name, "sort": priority - 3},
        "severity": "Medium",
        "impact": "Medium",
        "source": {"id": 4, "name": _CW_CHANNELS[ticket.channel]},
        "closedFlag": step.stage in ("closed", "merged"),
        "customerUpdatedFlag": step.who == "customer",
        "isInSla": True,
        "sla": {"id": 5, "name": client.contract.title()},
        "_info": {
            "lastUpdated": _seconds(step.at), "updatedBy": _actor(step),
            "dateEntered": created, "enteredBy": _opener(ticket),
        },
    }  # fmt: skip
    if step.assigned:
        entity["owner"] = {"id": 31, "identifier": ticket.agent, "name": ticket.agent}
    for milestone, member in _CW_MILESTONES.items():
        if milestone in step.seen:
            entity[member] = _seconds(step.seen[milestone])
    if step.stage == "closed":
        entity |= {"closedDate": _seconds(step.at), "closedBy": ticket.agent}
    if step.merged_into is not None:
        entity["mergedParentTicket"] = {"id": step.merged_into, "summary": ticket.subject}
    return entity


_CW_CHANNELS = {"mail": "Email Connector", "portal": "Portal", "phone": "Call", "monitoring": "RMM"}
_CW_MILESTONES = {"answered": "dateResponded", "begun": "dateResplan", "resolved": "dateResolved"}

_JIRA_STATUSES = {
    "new": ("10100", "Waiting for support", "new"), "assigned": ("10103", "Assigned", "new"),
    "working": ("3", "In Progress", "indeterminate"),
    "waiting_client": ("10101", "Waiting for customer", "indeterminate"),
    "waiting_vendor": ("10102", "Pending", "indeterminate"),
    "resolved": ("5", "Resolved", "done"), "closed": ("6", "Closed", "done"),
    "merged": ("10104", "Canceled", "done"),
}  # fmt: skip
_JIRA_PRIORITIES = {
    "P1": ("1", "Highest"),
    "P2": ("2", "High"),
    "P3": ("3", "Medium"),
    "P4": ("4", "Low"),
}
_JIRA_CATEGORIES = {"new": 2, "indeterminate": 4, "done": 3}


def _jira(step: Step, rng: random.Random) -> Spelled:
    ticket = step.ticket
    event = {"created": "jira:issue_created", "deleted": "jira:issue_deleted"}
    body: dict[str, Any] = {
        "timestamp": step.at,
        "webhookEvent": event.get(step.happening, "jira:issue_updated"),
        "issue_event_type_name": _JIRA_EVENTS[step.happening],
        "user": _jira_user(_actor(step), step.who),
        "issue": {
            "id": str(ticket.id),
            "self": f"https://acme-msp.atlassian.net/rest/api/2/{ticket.id}",
            "key": f"{ticket.client.project}-{ticket.id - ticket.client.first_number}",
            "fields": _jira_fields(step),
        },
    }
    if step.happening == "comment":
        body["comment"] = {
            "id": str(rng.randrange(10**6)), "body": "...", "jsdPublic": step.public,
            "author": body["user"], "created": _jira_time(step.at),
        }  # fmt: skip
    elif items := _jira_items(step):
        body["changelog"] = {"id": str(step.at // 100), "items": items}
    headers = _headers() | {
        "x-atlassian-webhook-identifier": _uuid(rng).encode(),
        "x-atlassian-webhook-flow": b"Primary",
    }
    return str(ticket.id).encode(), orjson.dumps(body), headers


_JIRA_EVENTS = {
    "created": "issue_created", "moved": "issue_generic", "comment": "issue_commented",
    "priority": "issue_updated", "merged": "issue_generic", "deleted": "issue_deleted",
}  # fmt: skip


def _jira_fields(step: Step) -> dict[str, Any]:
    ticket = step.ticket
    status, name, category = _JIRA_STATUSES[step.stage]
    done = step.stage in ("resolved", "closed", "merged")
    resolved = step.seen.get("resolved")
    return {
        "issuetype": {"id": "10014", "name": _JIRA_TYPES[ticket.type], "subtask": False},
        "project": {"id": "10007", "key": ticket.client.project, "name": ticket.client.title,
                    "projectTypeKey": "service_desk"},
        "summary": ticket.subject,
        "created": _jira_time(ticket.created_at),
        "updated": _jira_time(step.at),
        "resolution": {"id": "10000", "name": "Done"} if done else None,
        "resolutiondate": _jira_time(resolved) if done and resolved else None,
        "priority": dict(zip(("id", "name"), _JIRA_PRIORITIES[step.priority], strict=True)),
        "labels": [ticket.team],
        "status": {"id": status, "name": name, "description": "", "statusCategory": {
            "id": _JIRA_CATEGORIES[category], "key": category}},
        "assignee": _jira_user(ticket.agent, "agent") if step.assigned else None,
        "reporter": _jira_user(ticket.contact, "customer"),
        "creator": _jira_user(_opener(ticket), "customer"),
        "customfield_10002": [{"id": "31", "name": ticket.client.title}],
    }  # fmt: skip


_JIRA_TYPES = {"incident": "[System] Incident", "request": "[System] Service request"}


def _jira_items(step: Step) -> list[dict[str, Any]]:
    """Return the changelog of a step; one move may change status, resolution and assignee."""
    if step.happening == "priority":
        return [
            _jira_item(
                "priority", _JIRA_PRIORITIES[step.priority_before], _JIRA_PRIORITIES[step.priority]
            )
        ]
    if step.happening not in ("moved", "merged"):
        return []
    items = [_jira_item("status", _JIRA_STATUSES[step.before], _JIRA_STATUSES[step.stage])]
    done = ("resolved", "closed", "merged")
    if (step.stage in done) != (step.before in done):
        fixed = ("10000", "Done")
        before, after = (None, fixed) if step.stage in done else (fixed, None)
        items.insert(0, _jira_item("resolution", before, after))
    if step.before == "new" and step.assigned:
        agent = (step.ticket.agent, step.ticket.agent)
        items.append(_jira_item("assignee", None, agent))
    return items


def _jira_item(
    name: str, before: tuple[str, ...] | None, after: tuple[str, ...] | None
) -> dict[str, Any]:
    return {
        "field": name, "fieldtype": "jira", "fieldId": name,
        "from": before and before[0], "fromString": before and before[1],
        "to": after and after[0], "toString": after and after[1],
    }  # fmt: skip


def _jira_user(name: str, who: str) -> dict[str, Any]:
    kind = {"agent": "atlassian", "customer": "customer", "automation": "app"}[who]
    return {"accountId": f"712020:{name.replace(' ', '.').lower()}", "displayName": name,
            "active": True, "timeZone": "Europe/Paris", "accountType": kind}  # fmt: skip


def _actor(step: Step) -> str:
    """Return who did it: the desk's person, the contact at the client, or a robot."""
    people = {
        "agent": step.ticket.agent,
        "customer": step.ticket.contact,
        "automation": "workflow",
    }
    return _opener(step.ticket) if step.happening == "created" else people[step.who]


def _opener(ticket: Ticket) -> str:
    return {"monitoring": "monitoring", "phone": ticket.agent}.get(ticket.channel, ticket.contact)


def _headers() -> dict[str, bytes]:
    return {"sla-tenant": TENANT.encode(), "content-type": b"application/json"}


def _seconds(instant: Instant) -> str:
    return format_instant(instant)[:19] + "Z"


def _jira_time(instant: Instant) -> str:
    return format_instant(instant)[:-1] + "+0000"


def _uuid(rng: random.Random) -> str:
    return str(UUID(int=rng.getrandbits(128), version=4))


_SPELLINGS: Mapping[str, Callable[[Step, random.Random], Spelled]] = {
    "canonical": _canonical,
    "connectwise": _connectwise,
    "jira": _jira,
}
