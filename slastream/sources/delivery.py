"""What arrived: some bytes and what travelled beside them. Knows no vendor and no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from slastream.core.instant import Instant

_NONE: Mapping[str, bytes] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message of a ticket system, as a webhook, Kafka Connect or Debezium brought it.

    `received_at` stands in for the event time where a vendor tells none (a deletion, say).
    `timezone` is an IANA name for times without an offset; None takes the vendor's own habit.
    """

    source: str
    tenant: str = ""
    key: bytes | None = None
    value: bytes | None = None
    headers: Mapping[str, bytes] = field(default_factory=lambda: _NONE)
    received_at: Instant = 0
    timezone: str | None = None

    def __post_init__(self) -> None:
        if self.headers:
            lower = {name.lower(): raw for name, raw in self.headers.items() if raw is not None}
            object.__setattr__(self, "headers", lower)

    def header(self, name: str) -> str | None:
        """Return a header's text; `name` in lower case, the delivery's own case does not matter."""
        raw = self.headers.get(name)
        return None if raw is None else raw.decode("utf-8", "replace").strip()


@dataclass(frozen=True, slots=True)
class About:
    """What a person wants to know about a source before wiring it up."""

    title: str
    key: str
    """Which member is the stable id of a ticket."""
    status: str
    """Which words the book's mapping reads: status, and sub-status where there is one."""
    event_time: str
    order: str
    """What orders events of one instant."""
    delivery_id: str
    signature: str
    timezone: str = "times carry their offset"
    notes: tuple[str, ...] = ()
    preset: str | None = None
    """The preset of the book that knows its words, where that has another name than the source."""
