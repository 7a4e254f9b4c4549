"""What the page counts of messages that a step published: a few members of their values.

Knows the values of alerts and outcomes as `topics/schemas` has them, and decodes no more of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from slastream.engine.effects import Message

_AT_RISK, _BREACHED = b"io.slastream.sla.at_risk.v1", b"io.slastream.sla.breached.v1"


class Breach(Struct):
    """An alert of a breach, or a reminder of it."""

    tenant: str
    source: str
    client: str | None
    policy: str | None
    indicator: str
    threshold: str


class Decided(Struct):
    """An outcome."""

    tenant: str
    source: str
    client: str | None
    policy: str | None
    indicator: str
    outcome: str
    finality: str
    target_ms: int | None
    elapsed_ms: int
    implied: bool
    replaces: str | None

    @property
    def first(self) -> bool:
        """Whether nothing was published before about this milestone."""
        return self.replaces is None and self.finality != "retracted"


_breach = msgspec.json.Decoder(Breach)
_decided = msgspec.json.Decoder(Decided)


def read(messages: list[Message]) -> Iterator[tuple[bytes, Breach | Decided | None]]:
    """Return ticket key and value of each alert and outcome, in order.

    An alert of a clock at risk is not decoded: there is nothing in it to count. What clears or
    corrects an alert is left out.
    """
    for output, key, value, headers in messages:
        if output == "clocks" or value is None:
            continue
        if output == "outcomes":
            yield key, _decided.decode(value)
        elif output == "alerts":
            kind = next((told for name, told in headers if name == "ce_type"), b"")
            if kind == _BREACHED:
                yield key, _breach.decode(value)
            elif kind == _AT_RISK:
                yield key, None
