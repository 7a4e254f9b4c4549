"""Plain canonical events decoded straight from their bytes, for files of millions. Knows no vendor.

It answers only where `canonical.parse` would say the same, and leaves everything else to it: unknown
members, vendor verdicts, merges, and whatever is wrong, since only the slow way says what.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from slastream.core.errors import Rejected
from slastream.core.event import Event
from slastream.sources.canonical import as_moment, known_parts
from slastream.sources.reading import MAX_TEXT, MAX_TICKET, content_id

_Label = Annotated[str, Meta(max_length=MAX_TEXT)] | None | UnsetType
_Name = Annotated[str, Meta(min_length=1, max_length=MAX_TICKET)]
_Sequence = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class _Line(Event, kw_only=True, forbid_unknown_fields=True):
    """An event as its JSON has it: instants are texts still, words are of the known ones."""

    ticket: _Name
    occurred_at: str | int  # type: ignore[assignment]
    id: _Name | None = None  # type: ignore[assignment]
    created_at: str | int | None = None  # type: ignore[assignment]
    sequence: _Sequence | None = None
    kind: Literal["created", "updated", "comment", "restored", "snapshot"] = "updated"
    state: (
        Literal["new", "responded", "in_progress", "waiting", "resolved", "closed", "cancelled"]
        | None
    ) = None
    waiting_on: (
        Literal["client", "vendor", "third_party", "scheduled_by_client", "provider", "unknown"]
        | None
    ) = None
    reason: Literal["merged", "deleted", "spam", "duplicate", "void", "moved"] | None = None

    status: _Label = UNSET
    sub_status: _Label = UNSET
    board: _Label = UNSET
    channel: _Label = UNSET
    priority: _Label = UNSET
    impact: _Label = UNSET
    urgency: _Label = UNSET
    client: _Label = UNSET
    contract: _Label = UNSET
    service: _Label = UNSET
    type: _Label = UNSET
    site: _Label = UNSET
    team: _Label = UNSET
    assignee: _Label = UNSET
    number: _Label = UNSET
    url: _Label = UNSET


_decode = msgspec.json.Decoder(_Line).decode


def quick(line: bytes) -> Event | None:
    """Return the event of a line of canonical JSON, or None where `canonical.parse` must look."""
    try:
        event = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if (
        event.tenant not in known_parts
        or event.source not in known_parts
        or event.merged_into is not None
        or event.previous_ticket is not None
        or event.reported is not UNSET
        or event.attributes is not UNSET
        or event.absorbed is not UNSET
        or not _plain(event.ticket)
    ):
        return None
    actor = event.actor
    if actor is not None and actor.id is not None and len(actor.id) > MAX_TEXT:
        return None
    try:
        event.occurred_at = as_moment("occurred_at", event.occurred_at)
        if event.created_at is not None:
            event.created_at = as_moment("created_at", event.created_at)
    except Rejected:
        return None
    if event.id is None:
        event.id = ""
        event.id = content_id(event)
    elif not _plain(event.id):
        return None
    # The very class, since an event of a subclass equals no event that came the slow way.
    event.__class__ = Event  # type: ignore[assignment]
    return event


def _plain(name: str) -> bool:
    return name.isalnum() or (name.isprintable() and not name.isspace())
