"""Reading members that may be absent, null, or of any type at all. Knows no vendor.

Every function here answers or raises `Rejected`; that is why a source built from them cannot
raise anything else, whatever bytes it is fed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, UnsetType

from slastream.core.errors import Rejected
from slastream.core.event import Actor, ActorKind, Event, Text
from slastream.core.instant import Instant, from_datetime, parse_instant
from slastream.sources.delivery import Delivery

MAX_TEXT = 1_000
MAX_TICKET = 200
LAST_INSTANT = 253_402_300_799_999
ARRIVAL = {"time": "arrival"}
"""The attribute that marks an event whose time is its arrival, for want of a better one."""

_EMPTY: dict[str, Any] = {}
_hashed = msgspec.json.Encoder(order="deterministic")


def brief(value: object) -> str:
    """Return a value as an error may show it: short, in one line."""
    shown = repr(value[:60] if isinstance(value, (str, bytes)) else value) if _small(value) else ""
    return shown[:80] or f"a {type(value).__name__}"


def _small(value: object) -> bool:
    return (
        value is None
        or isinstance(value, (str, bytes, bool, float))
        or (isinstance(value, int) and abs(value) < 10**40)
    )


def obj(doc: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a member that is an object, or an empty one."""
    value = doc.get(name)
    return value if isinstance(value, dict) else _EMPTY


def items(doc: Mapping[str, Any], name: str) -> list[Any]:
    """Return a member that is an array, or an empty one."""
    value = doc.get(name)
    return value if isinstance(value, list) else []


def as_text(value: object, name: str = "a member") -> str | None:
    """Return a label as text: numbers become digits, blank becomes None (cleared)."""
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip()
    elif isinstance(value, int) and not isinstance(value, bool):
        text = str(value)
    elif isinstance(value, float):
        text = repr(value).removesuffix(".0")
    else:
        raise Rejected("bad_type", f"{name} should be text, not {brief(value)}")
    if len(text) > MAX_TEXT:
        raise Rejected("too_large", f"{name} is longer than {MAX_TEXT} characters")
    return text or None


def told(doc: Mapping[str, Any], *names: str) -> Text:
    """Return the first of these members that is there: text, None for null, UNSET for none."""
    for name in names:
        if name in doc:
            return as_text(doc[name], name)
    return UNSET


def named(doc: Mapping[str, Any], member: str, *names: str) -> Text:
    """Return the label inside a reference such as `{"id": 3, "name": "Desk"}`, or a plain label.

    A reference that has none of the names tells nothing.
    """
    if member not in doc:
        return UNSET
    value = doc[member]
    if isinstance(value, dict):
        return told(value, *names)
    return as_text(value, member)


def first(*candidates: Text) -> Text:
    """Return the first text; else None if anything was cleared; else UNSET."""
    found: Text = UNSET
    for candidate in candidates:
        if isinstance(candidate, str):
            return candidate
        if candidate is None:
            found = None
    return found


def known(text: Text) -> str | None:
    """Return a text that was told, or None."""
    return text if isinstance(text, str) else None


def folded(text: Text) -> Text:
    """Return a label in lower case with single blanks, as channels and types are compared."""
    return " ".join(text.casefold().split()) if isinstance(text, str) else text


_CHANNELS = {
    name: channel
    for channel, names in {
        "mail": "mail, email, e-mail, email connector, incoming email",
        "phone": "phone, phone call, telephone, call, téléphone",
        "portal": "portal, client portal, customer portal, web, web form, self-service, self service, "
        "helpdesk, website",
        "chat": "chat, live chat, virtual agent, messaging",
        "monitoring": "monitoring, rmm, alert, event, event management",
        "api": "api, integration",
    }.items()
    for name in names.split(", ")
}


def channel_of(text: Text) -> Text:
    """Return a channel by one name for all desks where it is a common one, else in lower case."""
    name = folded(text)
    return _CHANNELS.get(name, name) if isinstance(name, str) else name


def as_ticket(value: object, name: str = "ticket") -> str:
    """Return a stable ticket id as text. Raises `no_ticket` for none, `bad_ticket` for odd ones."""
    if value is None or isinstance(value, (bool, float, dict, list)) or value == "":
        raise Rejected("no_ticket", f"{name} names no ticket: {brief(value)}")
    text = str(value).strip() if isinstance(value, (str, int)) else ""
    if not text:
        raise Rejected("no_ticket", f"{name} names no ticket: {brief(value)}")
    if len(text) > MAX_TICKET or not text.isprintable():
        raise Rejected("bad_ticket", f"{name} is no usable id: {brief(text)}")
    return text


def as_number(value: object) -> int | None:
    """Return an integer that fits 63 bits, from an integer or its digits; anything else is None."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return value
    return None


def as_flag(value: object) -> bool | None:
    """Return a boolean from the ways systems write one; anything else is None."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value != 0 if value in (0, 1) else None
    if isinstance(value, str):
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(
            value.strip().lower()
        )
    return None


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo:
    """Return a time zone. Raises `bad_zone`."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise Rejected("bad_zone", f"{brief(name)} is no IANA time zone") from None


def as_instant(value: object, zone: str | None = None, name: str = "the time") -> Instant:
    """Return the instant of a vendor's time; `zone` is for times without an offset.

    A local time that the clock change skips moves forward, one that it repeats is the first (D26).
    Raises `no_time`, `bad_time` or `naive_time`.
    """
    if value is None or value == "":
        raise Rejected("no_time", f"{name} is missing")
    if isinstance(value, str) and zone is not None:
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            raise Rejected("bad_time", f"{name} {brief(value)} is no time") from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone_of(zone))
        instant = from_datetime(moment)
    elif isinstance(value, (str, int)) and not isinstance(value, bool):
        if len(value) > 64 if isinstance(value, str) else value > LAST_INSTANT:
            raise Rejected("bad_time", f"{name} {brief(value)} is no time")
        instant = parse_instant(value)
    else:
        raise Rejected("bad_time", f"{name} {brief(value)} is no time")
    if not 0 <= instant <= LAST_INSTANT:
        raise Rejected("bad_time", f"{name} {brief(value)} is out of range")
    return instant


def maybe_instant(value: object, zone: str | None = None) -> Instant | None:
    """Return the instant of a time that may be missing; an unreadable one is missing too."""
    if value is None or value == "":
        return None
    try:
        return as_instant(value, zone)
    except Rejected:
        return None


def occurred(value: object, delivery: Delivery, zone: str | None = None) -> Instant:
    """Return the event time, or the arrival where the vendor tells none; see `arrived`."""
    if value is None or value == "":
        return delivery.received_at
    return as_instant(value, zone)


def arrived(event: Event, value: object) -> Event:
    """Mark an event whose time `value` was missing, so that nobody takes its arrival for more."""
    if value is None or value == "":
        event.attributes = {**(event.attributes or {}), **ARRIVAL}
    return event


def shortly_after(instant: Instant, milestone: Instant | None) -> bool:
    """Tell whether an event is the one that reached a milestone: desks stamp both when saving."""
    return milestone is not None and 0 <= instant - milestone <= 2_000


def actor(id_: Text, kind: ActorKind) -> Actor | None:
    """Return who did it, or None when nothing is known."""
    if not isinstance(id_, str) and kind == "unknown":
        return None
    return Actor(id=known(id_), kind=kind)


def only_told(**members: object) -> dict[str, Any]:
    """Return the members that have a value: of a verdict, or of attributes."""
    return {name: v for name, v in members.items() if v is not None and v is not UNSET and v != {}}


def or_unset(members: dict[str, Any]) -> dict[str, Any] | UnsetType:
    """Return UNSET for an empty object."""
    return members or UNSET


def short_id(text: str | None) -> str:
    """Return a delivery id fit to be kept: a very long one by its digest."""
    if not text:
        return ""
    if len(text) <= MAX_TICKET and text.isprintable():
        return text
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def content_id(event: Event) -> str:
    """Return an id made of all that the event says, so that a repeated delivery has it again."""
    return hashlib.sha256(_hashed.encode(event)).hexdigest()[:16]


def finished(event: Event, delivery_id: str | None = None) -> list[Event]:
    """Return an event with its id, and what follows from it for other tickets.

    A merge tells the survivor about its child (D42); a ticket that continues another one ends
    the other (D43). Both carry ids made from this one's, so that a repeat repeats them too.
    """
    if not event.id:
        event.id = short_id(delivery_id) or content_id(event)
    if event.merged_into is None and event.previous_ticket is None:
        return [event]
    told_about = [event]
    if event.merged_into is not None and event.merged_into != event.ticket:
        child = only_told(
            ticket=event.ticket, created_at=event.created_at, priority=known(event.priority)
        )
        if len(child) > 1:
            told_about.append(
                Event(
                    tenant=event.tenant, source=event.source, ticket=event.merged_into,
                    occurred_at=event.occurred_at, id=f"{event.id}/absorbed",
                    sequence=event.sequence, kind="absorbed", absorbed=child,
                    imported=event.imported,
                )
            )  # fmt: skip
    if event.previous_ticket is not None and event.previous_ticket != event.ticket:
        told_about.append(
            Event(
                tenant=event.tenant, source=event.source, ticket=event.previous_ticket,
                occurred_at=event.occurred_at, id=f"{event.id}/moved",
                state="cancelled", reason="moved", imported=event.imported,
            )
        )  # fmt: skip
    return told_about


def merged(event: Event, survivor: str | None) -> Event:
    """Mark an event as the end of a ticket that went into another one (D42)."""
    event.kind, event.state, event.reason, event.waiting_on = "merged", "cancelled", "merged", None
    event.merged_into = survivor
    return event


def deleted(event: Event, because: str = "deleted") -> Event:
    """Mark an event as the end of a ticket that was thrown away (D44)."""
    event.kind, event.state, event.reason, event.waiting_on = "deleted", "cancelled", because, None
    return event
