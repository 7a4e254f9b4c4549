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


def alerts(messages: list[Message]) -> Iterator[tuple[bytes, Sent]]:
    """Return ticket key and alert of each at-risk and breached message, `type` being the alert's."""
    for message in messages:
        if message.output == "alerts" and message.value is not None:
            kind = _SENT.get(_type_of(message))
            if kind is not None:
                alert = _sent.decode(message.value)
                alert.type = kind
                yield message.key, alert


def outcomes(messages: list[Message]) -> Iterator[Decided]:
    """Return each outcome."""
    for message in messages:
        if message.output == "outcomes" and message.value is not None:
            yield _decided.decode(message.value)


def _type_of(message: Message) -> bytes:
    return next((value for name, value in message.headers if name == "ce_type"), b"")
