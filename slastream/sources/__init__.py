"""Ticket systems in their own words -> canonical events. No HTTP, no clock, no Kafka in here.

`read` is the one way in: it opens what the bytes are wrapped in and hands the decoded payload to
the vendor's module. A module has `ABOUT` and `events(doc, delivery)`; it gives the vendor's raw
status and priority and leaves their meaning to the book, except where the meaning is structural
(deleted, merged, a closed flag).
"""

from __future__ import annotations

import importlib
from dataclasses import replace
from functools import lru_cache
from types import ModuleType
from typing import Any

from slastream.core.errors import Rejected
from slastream.core.event import Event
from slastream.core.key import split_key
from slastream.sources.delivery import About, Delivery
from slastream.sources.envelope import MAX_ITEMS, decode, is_structured, opened
from slastream.sources.reading import ARRIVAL, as_ticket, brief, deleted, finished

__all__ = ["SOURCES", "About", "Delivery", "read", "read_value", "source_module"]

_MODULES = (
    "canonical",
    "connectwise",
    "autotask",
    "halopsa",
    "servicenow",
    "jira",
    "zendesk",
    "freshservice",
    "glpi",
    "itop",
    "zammad",
    "znuny",
    "frappe_helpdesk",
    "debezium",
)
SOURCES: dict[str, str] = {
    **{name: f"slastream.sources.{name}" for name in _MODULES},
    # The rows of GLPI under a name of their own, for whoever reads several databases.
    "debezium_glpi": "slastream.sources.debezium",
}
"""Source name -> the module that reads it, imported when first used."""


@lru_cache(maxsize=64)
def source_module(name: str) -> ModuleType:
    """Return the module of a source. Raises `unknown_source`."""
    path = SOURCES.get(name)
    if path is None:
        raise Rejected("unknown_source", f"{brief(name)} is none of {', '.join(sorted(SOURCES))}")
    return importlib.import_module(path)


def read(delivery: Delivery) -> list[Event]:
    """Return the ticket events of one delivery, in the order in which they happened to be told.

    Raises `Rejected`, and nothing else, for whatever cannot be understood. An array is several
    deliveries: it is understood as a whole or not at all, so that nothing of it is lost between.
    """
    if delivery.value is None:
        return _tombstone(source_module(delivery.source), delivery)
    return read_value(delivery.value, delivery)


def read_value(value: bytes, delivery: Delivery) -> list[Event]:
    """Return the events of a value that arrived as `delivery` says, whatever value that has itself.

    For files, whose lines all arrive alike. Raises `Rejected`.
    """
    module = source_module(delivery.source)
    doc = decode(value)
    if type(doc) is dict:
        if "specversion" in doc and is_structured(doc, delivery):
            return _structured(module, doc, delivery)
        return module.events(doc, delivery)  # type: ignore[no-any-return]
    return _many(module, doc, delivery)


def _structured(module: ModuleType, doc: dict[str, Any], delivery: Delivery) -> list[Event]:
    data, ce_id = opened(doc)
    if ce_id is not None:
        headers = {**delivery.headers, "ce_id": ce_id.encode("utf-8", "replace")}
        delivery = replace(delivery, headers=headers)
    if type(data) is dict:
        return module.events(data, delivery)  # type: ignore[no-any-return]
    return _many(module, data, delivery)


def _many(module: ModuleType, doc: object, delivery: Delivery) -> list[Event]:
    """Read an array of deliveries; what one id named becomes several ids, by position."""
    if type(doc) is not list:
        raise Rejected("not_an_object", f"a JSON object was expected, not a {type(doc).__name__}")
    if len(doc) > MAX_ITEMS:
        raise Rejected("too_large", f"an array of {len(doc)} deliveries, more than {MAX_ITEMS}")
    events: list[Event] = []
    seen: set[str] = set()
    for place, item in enumerate(doc):
        if type(item) is not dict:
            raise Rejected("not_an_object", f"item {place} is a {type(item).__name__}")
        if "specversion" in item and is_structured(item, delivery):
            found = _structured(module, item, delivery)
        else:
            found = module.events(item, delivery)
        for event in found:
            if event.id in seen:
                event.id = f"{event.id}#{place}"
            seen.add(event.id)
        events += found
    return events


def _tombstone(module: ModuleType, delivery: Delivery) -> list[Event]:
    """A null value says that the record of this key is gone (D44)."""
    if delivery.key is None:
        raise Rejected("no_ticket", "a null value without a key names no ticket")
    key = delivery.key.decode("utf-8", "replace")
    tenant, source = delivery.tenant, delivery.source
    if hasattr(module, "ticket_of_key"):
        ticket = module.ticket_of_key(key)
    else:
        try:
            tenant, source, ticket = split_key(key)
        except ValueError:
            raise Rejected("no_ticket", f"{brief(key)} is no <tenant>/<source>/<ticket>") from None
        if delivery.tenant and tenant != delivery.tenant:
            raise Rejected("wrong_tenant", f"delivered for {delivery.tenant}, keyed {tenant}"[:200])
        if delivery.source not in ("canonical", source):
            raise Rejected("bad_key", f"delivered by {delivery.source}, keyed {source}"[:200])
    if not tenant:
        raise Rejected("no_tenant", "a null value for nobody's ticket")
    event = Event(
        tenant=tenant, source=source, ticket=as_ticket(ticket, "the key"),
        occurred_at=delivery.received_at, id="", attributes=dict(ARRIVAL),
    )  # fmt: skip
    return finished(deleted(event))
