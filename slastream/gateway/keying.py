"""The ticket that a delivery is about, where one look at its JSON says so; nothing where it does not.

Only the partition depends on it: deliveries of one ticket keep their order. What the delivery means,
and whose ticket it really is, the sources decide.
"""

from __future__ import annotations

from typing import Any

import orjson

LARGEST = 256 * 1024
"""Bytes of the largest body that is looked into for this."""

_PATHS: dict[str, tuple[tuple[str, ...], ...]] = {
    "canonical": (("ticket",),),
    "connectwise": (("ID",),),
    "autotask": (("Fields", "TicketID"), ("Id",)),
    "halopsa": (("ticket", "id"), ("id",)),
    "servicenow": (("sys_id",),),
    "jira": (("issue", "id"),),
    "zendesk": (("detail", "id"), ("ticket_id",)),
    "freshservice": (("ticket", "id"), ("data", "ticket", "id"), ("id",)),
    "glpi": (("item", "items_id"), ("item", "id")),
    "itop": (("ref",), ("fields", "ref")),
    "zammad": (("ticket", "id"),),
    "znuny": (("Ticket", "TicketID"), ("Event", "TicketID")),
    "frappe_helpdesk": (("reference_name",), ("name",)),
}
"""Where the ticket stands; of several the first that is there, since a note names its ticket too."""


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
    for path in _PATHS.get(source, ()):
        found = doc
        for step in path:
            found = found.get(step) if type(found) is dict else None
        if type(found) is int or (type(found) is str and 0 < len(found) <= 200):
            return f"{tenant}/{source}/{found}".encode("utf-8", "replace")
    return None
