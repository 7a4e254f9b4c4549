"""Sample deliveries that ship, three or more a source: for `slastream sources show`, and for tests."""

from __future__ import annotations

from importlib import resources
from typing import Any

import msgspec
import orjson

from slastream.core.event import Event
from slastream.core.instant import format_instant
from slastream.sources import SOURCES


def samples(source: str) -> list[dict[str, Any]]:
    """Return a source's samples: `name`, `why`, `delivery` as recorded, and the `events` it gives."""
    # Two names of one module share its file.
    file = resources.files(__name__) / f"{SOURCES[source].rpartition('.')[2]}.json"
    found: list[dict[str, Any]] = orjson.loads(file.read_bytes())
    return found


def shown(event: Event) -> dict[str, Any]:
    """Return an event as the contract writes it: what it says, with times as RFC 3339."""
    told: dict[str, Any] = msgspec.to_builtins(event)
    told["kind"] = event.kind
    for name in ("occurred_at", "created_at"):
        if name in told:
            told[name] = format_instant(told[name])
    if event.comment is not None:
        told["comment"] = {"public": event.comment.public}
    if event.actor is not None:
        told["actor"] = {**told["actor"], "kind": event.actor.kind}
    return told
