"""The ticket that a delivery is about, where one look at its JSON says so; nothing where it does not.

Only the partition depends on it: deliveries of one ticket keep their order. What the delivery means,
and whose ticket it really is, the sources decide.
"""

from __future__ import annotations

from typing import Any

import orjson

LARGEST = 256 * 1024
"""Bytes of the largest body that is looked into for this."""

_PATHS: dict[str, tuple[str, ...]] = {
    "canonical": ("ticket",),
    "connectwise": ("ID",),
    "autotask": ("Id",),
    "halopsa": ("ticket", "id"),
    "servicenow": ("sys_id",),
    "jira": ("issue", "id"),
    "zendesk": ("detail", "id"),
    "freshservice": ("freshdesk_webhook", "ticket_id"),
    "glpi": ("item", "id"),
    "itop": ("id",),
    "zammad": ("ticket", "id"),
    "znuny": ("Ticket", "TicketID"),
    "frappe_helpdesk": ("name",),
}


def parsed(body: bytes) -> Any:
    """Return a body's JSON, None where it has none or is too large to look into."""
    if len(body) > LARGEST:
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def key_of(tenant: str, source: str, doc: Any) -> bytes | None:
    """Return `<tenant>/<source>/<ticket>`, or None."""
    for step in _PATHS.get(source, ("",)):
        doc = doc.get(step) if type(doc) is dict else None
    if type(doc) is int or (type(doc) is str and 0 < len(doc) <= 200):
        return f"{tenant}/{source}/{doc}".encode("utf-8", "replace")
    return None
