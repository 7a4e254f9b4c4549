"""What a fact tells of a ticket: its attributes, and the state that its words mean (D03, D23)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from slastream.core.books import Version
from slastream.core.event import State
from slastream.core.fact import RESTORED, Fact
from slastream.core.policy import fold_text
from slastream.core.shapes import Fold

_NEW: Final = int(State.NEW)


def tell(ticket: Fold, fact: Fact, told: Sequence[dict[str, Any]], version: Version) -> bool:
    """Take over the attributes that a fact tells; returns whether any changed."""
    attributes, changed = ticket.attributes, False
    if not attributes:
        attributes["source"] = ticket.source
    if fact.status is not None:
        attributes["status"] = fact.status
        attributes["sub_status"] = fact.sub
    elif fact.sub is not None:
        attributes["sub_status"] = fact.sub
    if fact.told < 0:
        return False
    for name, value in told[fact.told].items():
        if name == "absorbed":
            _absorb(attributes, value, version, ticket.source)
            continue
        if name == "priority":
            attributes["raw_priority"] = value
            value = _priority(value, version, ticket.source)
        elif name == "client":
            value = _client(value, version, ticket.source)
        if attributes.get(name) != value:
            attributes[name] = value
            changed = True
    if (
        changed
        and attributes.get("raw_priority") is None
        and attributes.get("impact")
        and attributes.get("urgency")
    ):
        grid = version.mapping(ticket.source).matrix
        pair = fold_text(attributes["impact"]), fold_text(attributes["urgency"])
        attributes["priority"] = grid.get(pair)
    return changed


def _priority(raw: str | None, version: Version, source: str) -> str | None:
    """Return the priority of the book's targets for a source's word."""
    if raw is None:
        return None
    return version.mapping(source).priorities.get(fold_text(raw), raw)


def _client(raw: str | None, version: Version, source: str) -> str | None:
    """Return the one name that the book has for a source's client."""
    if raw is None:
        return None
    return version.mapping(source).clients.get(fold_text(raw), raw)


def _absorb(
    attributes: dict[str, Any], absorbed: dict[str, Any] | None, version: Version, source: str
) -> None:
    """Remember the priority of a ticket that was merged into this one (D42)."""
    priority = _priority((absorbed or {}).get("priority"), version, source)
    known = attributes.get("absorbed_priorities", [])
    if priority and priority not in known:
        attributes["absorbed_priorities"] = [*known, priority]


def state_after(ticket: Fold, fact: Fact, version: Version) -> tuple[int, str, bool]:
    """Return the state after a fact, who it waits on, and whether the fact stated it."""
    ticket.unmapped = None
    if fact.state >= 0:
        return fact.state, fact.on, True
    if fact.status is None and fact.sub is None:
        if fact.kind == RESTORED and ticket.state == State.CANCELLED:
            return _before_cancelled(ticket)
        return _assigned(ticket, ticket.state, ticket.on, version, False)
    attributes = ticket.attributes
    status = attributes.get("status")
    found = version.state(
        ticket.source, attributes.get("board"), status, attributes.get("sub_status")
    )
    if found is None:
        if status is not None:
            ticket.unmapped = (attributes.get("board") or "", status)
        return ticket.state, ticket.on, False
    return _assigned(ticket, found.state, found.on, version, True)


def _assigned(
    ticket: Fold, state: int, on: str, version: Version, stated: bool
) -> tuple[int, str, bool]:
    if (
        state == _NEW
        and ticket.attributes.get("assignee")
        and version.mapping(ticket.source).assigned_is_responded
    ):
        return State.RESPONDED, "", True
    return state, on, stated


def _before_cancelled(ticket: Fold) -> tuple[int, str, bool]:
    for interval in reversed(ticket.ledger):
        if interval.state != State.CANCELLED:
            return interval.state, interval.on, False
    return State.NEW, "", False
