"""What the page counts of messages that a step published: a few members of their values.

Knows the values of alerts and outcomes as `topics/schemas` has them, and decodes no more of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from slastream.engine.effects import Message

_SENT = {
    b"io.slastream.sla.at_risk.v1": "at_risk",
    b"io.slastream.sla.breached.v1": "breached",
}


class Sent(Struct):
    """An alert that says how a clock stands: at risk, or breached."""

    tenant: str
    source: str
    client: str | None
    policy: str | None
    indicator: str
    threshold: str
    type: str | None = None


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


_sent = msgspec.json.Decoder(Sent)
_decided = msgspec.json.Decoder(Decided)


def read(messages: list[Message]) -> Iterator[tuple[bytes, Sent | Decided]]:
    """Return ticket key and value of each at-risk or breached alert and of each outcome, in order.

    An alert's `type` is the alert's own here, which its value keeps for the ticket's.
    """
    for output, key, value, headers in messages:
        if output == "outcomes" and value is not None:
            yield key, _decided.decode(value)
        elif output == "alerts" and value is not None:
            kind = next((_SENT.get(told) for name, told in headers if name == "ce_type"), None)
            if kind is not None:
                alert = _sent.decode(value)
                alert.type = kind
                yield key, alert
