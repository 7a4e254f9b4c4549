"""Canonical ticket events, exactly as `docs/contracts.md` 2 says them. Knows no vendor.

This is the path by which a backtest reads its files, so it is one pass over the members with
nothing allocated that the event does not keep.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, get_args

import msgspec

from slastream.core.errors import Rejected
from slastream.core.event import (
    CANCELLED_BECAUSE,
    STATES,
    TOLD,
    WAITING_ON,
    Actor,
    ActorKind,
    Comment,
    Event,
    Kind,
)
from slastream.core.instant import DAY, SECOND, parse_instant
from slastream.sources.delivery import About, Delivery
from slastream.sources.reading import (
    LAST_INSTANT,
    MAX_TEXT,
    MAX_TICKET,
    brief,
    deleted,
    finished,
    merged,
    short_id,
)

ABOUT = About(
    title="Canonical ticket events",
    key="ticket",
    status="status and sub_status, where state is not given",
    event_time="occurred_at",
    order="sequence",
    delivery_id="id, else ce_id, else a hash of the event",
    signature="x-slastream-signature: t=<unix s>,v1=<hex HMAC-SHA256 of t, a dot and the body>",
)

_KINDS = frozenset(get_args(Kind))
_ACTOR_KINDS = {kind: kind for kind in get_args(ActorKind)}
_TEXTS = frozenset((*TOLD, "status", "sub_status"))
_PART = re.compile(r"[\w][\w.@:+ -]{0,99}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_DEPTH = 8
_MAX_ATTRIBUTES = 65_536

known_parts: set[object] = set()
"""Tenant and source names found good, so that each is looked at once and not per event."""


def events(doc: dict[str, Any], delivery: Delivery) -> list[Event]:
    """Return the events of one canonical event; the tenant may come from the delivery's header."""
    event = parse(doc, delivery.tenant)
    if not delivery.headers:
        return finished(event)
    gatekeeper = delivery.header("sla-tenant")
    if gatekeeper is not None and event.tenant != gatekeeper:
        # The header is set by whoever checked the signature; a body must not reach over to
        # somebody else's tickets.
        raise Rejected("wrong_tenant", f"delivered for {gatekeeper} but says {event.tenant}")
    return finished(event, delivery.header("ce_id"))


def parse(doc: dict[str, Any], tenant: str = "") -> Event:
    """Return the event, with an empty id when it brought none. Raises `Rejected`."""
    fields: dict[str, Any] = {}
    attributes: dict[str, Any] | None = None
    for name, value in doc.items():
        if name in _TEXTS:
            if value is not None and (type(value) is not str or len(value) > MAX_TEXT):
                _refuse_text(name, value)
            fields[name] = value
        elif (reader := _READERS.get(name)) is not None:
            if value is not None:
                fields[name] = reader(name, value)
        elif name == "attributes" and isinstance(value, dict):
            attributes = {**value, **(attributes or {})}
        else:
            if attributes is None:
                attributes = {}
            attributes[name] = value
    if "tenant" not in fields:
        if not tenant:
            raise Rejected("no_tenant", "tenant is missing")
        fields["tenant"] = _part("tenant", tenant)
    if not ("ticket" in fields and "occurred_at" in fields and "source" in fields):
        _refuse_missing(fields)
    if "id" not in fields:
        fields["id"] = ""
    if attributes:
        _check_attributes(attributes)
        fields["attributes"] = attributes
    event = Event(**fields)
    if event.merged_into is not None or event.kind == "merged":
        return merged(event, event.merged_into)
    if event.kind == "deleted":
        return deleted(event, event.reason or "deleted")
    return event


def _refuse_missing(fields: dict[str, Any]) -> None:
    for name, reason in (
        ("source", "no_source"),
        ("ticket", "no_ticket"),
        ("occurred_at", "no_time"),
    ):
        if name not in fields:
            raise Rejected(reason, f"{name} is missing")


def _refuse_text(name: str, value: object) -> None:
    if isinstance(value, str):
        raise Rejected("too_large", f"{name} is longer than {MAX_TEXT} characters")
    raise Rejected("bad_type", f"{name} must be text or null, not {brief(value)}")


def _part(name: str, value: object) -> str:
    """Read a tenant or source: they are the first parts of a key, so they hold no slash."""
    if type(value) is str:
        if value in known_parts:
            return value
        if _PART.fullmatch(value):
            if len(known_parts) < 10_000:
                known_parts.add(value)
            return value
        if not value:
            raise Rejected(f"no_{name}", f"{name} is empty")
    raise Rejected(f"bad_{name}", f"{name} {brief(value)} is no name (letters, digits, . _ -)")


def _ticket(name: str, value: object) -> str:
    if type(value) is not str:
        raise Rejected("bad_type", f"{name} must be text, not {brief(value)}")
    if not value or value.isspace():
        raise Rejected("no_ticket", f"{name} is empty")
    if len(value) > MAX_TICKET or not value.isprintable():
        raise Rejected("bad_ticket", f"{name} is no usable id: {brief(value)}")
    return value


def _id(name: str, value: object) -> str:
    if type(value) is not str:
        raise Rejected("bad_type", f"{name} must be text, not {brief(value)}")
    return short_id(value)


def as_moment(name: str, value: object) -> int:
    if type(value) is str and len(value) <= 64:
        try:
            since = datetime.fromisoformat(value) - _EPOCH
        except (ValueError, TypeError):
            return parse_instant(value)  # which says what is wrong with it
        # A third of the cost of dividing timedeltas, and this runs twice an event.
        instant = since.days * DAY + since.seconds * SECOND + since.microseconds // 1000
    elif type(value) is int and abs(value) <= LAST_INSTANT:
        instant = value
    else:
        raise Rejected("bad_time", f"{name} must be an RFC 3339 time, not {brief(value)}")
    if not 0 <= instant <= LAST_INSTANT:
        raise Rejected("bad_time", f"{name} {brief(value)} is out of range")
    return instant


def _sequence(name: str, value: object) -> int:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise Rejected("bad_type", f"{name} must be an integer of 64 bits, not {brief(value)}")
    return value


def _flag(name: str, value: object) -> bool:
    if type(value) is not bool:
        raise Rejected("bad_type", f"{name} must be true or false, not {brief(value)}")
    return value


def _one_of(reason: str, words: frozenset[str]) -> Callable[[str, object], str]:
    # Our own words and not the file's: an encoder leaves a default out by identity, and the id that
    # is made of an event must not hang on whether it states one.
    own = {word: word for word in words}

    def read(name: str, value: object) -> str:
        if type(value) is str and value in own:
            return own[value]
        raise Rejected(reason, f"{name} {brief(value)} is none of {', '.join(sorted(words))}")

    return read


def _object(name: str, value: object) -> dict[str, Any]:
    if type(value) is not dict:
        raise Rejected("bad_type", f"{name} must be an object, not {brief(value)}")
    _check_attributes(value)
    return value


def _actor(name: str, value: object) -> Actor:
    if type(value) is not dict:
        raise Rejected("bad_type", f"{name} must be an object, not {brief(value)}")
    kind = value.get("kind") or "unknown"
    if type(kind) is not str or kind not in _ACTOR_KINDS:
        raise Rejected("bad_actor", f"actor.kind {brief(kind)} is none of the known ones")
    who = value.get("id")
    if who is not None and (type(who) is not str or len(who) > MAX_TEXT):
        _refuse_text("actor.id", who)
    return Actor(who, _ACTOR_KINDS[kind])


_SAID = {True: Comment(True), False: Comment(False)}


def _comment(name: str, value: object) -> Comment:
    if type(value) is not dict:
        raise Rejected("bad_type", f"{name} must be an object, not {brief(value)}")
    return _SAID[_flag("comment.public", value.get("public", True))]


_READERS: dict[str, Callable[[str, object], Any]] = {
    "tenant": _part,
    "source": _part,
    "ticket": _ticket,
    "occurred_at": as_moment,
    "created_at": as_moment,
    "id": _id,
    "sequence": _sequence,
    "kind": _one_of("bad_kind", _KINDS),
    "state": _one_of("bad_state", frozenset(STATES)),
    "waiting_on": _one_of("bad_waiting_on", frozenset(WAITING_ON)),
    "reason": _one_of("bad_reason", frozenset(CANCELLED_BECAUSE)),
    "actor": _actor,
    "comment": _comment,
    "reported": _object,
    "absorbed": _object,
    "merged_into": _ticket,
    "previous_ticket": _ticket,
    "imported": _flag,
}


def _check_attributes(members: dict[str, Any]) -> None:
    """Refuse what would not fit a ticket's row, or nest deeper than any encoder follows."""
    plain = True
    size = 0
    for name, value in members.items():
        size += len(name)
        kind = type(value)
        if kind is str:
            size += len(value)
        elif kind is dict or kind is list:
            plain = False
    if not plain:
        _check_depth(members, _MAX_DEPTH)
        size = len(msgspec.json.encode(members))
    if size > _MAX_ATTRIBUTES:
        raise Rejected("too_large", f"the attributes hold more than {_MAX_ATTRIBUTES} bytes")


def _check_depth(value: object, left: int) -> None:
    if left < 0:
        raise Rejected("too_deep", f"the attributes nest deeper than {_MAX_DEPTH} levels")
    if type(value) is dict:
        for inner in value.values():
            _check_depth(inner, left - 1)
    elif type(value) is list:
        for inner in value:
            _check_depth(inner, left - 1)
