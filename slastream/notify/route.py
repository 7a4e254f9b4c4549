"""One route: a receiver, and which alerts it is told. Values only; `routes` reads them from a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from slastream.core.instant import MINUTE, SECOND, Millis
from slastream.core.policy import fold_text
from slastream.notify.alert import Alert
from slastream.notify.secret import Secret, redacted

ASKED = (
    "level", "threshold", "indicator", "tenant", "source", "client", "contract", "priority", "policy",
    "type", "team",
)  # fmt: skip
"""What a route may ask of an alert."""


@dataclass(frozen=True, slots=True)
class Route:
    """A receiver and its conditions. Times in milliseconds, the rate in requests a second."""

    name: str
    kind: str
    """One of `slastream.notify.receivers.KINDS`."""
    url: Secret
    shown: str
    """The receiver as it may be shown: without what is secret in its URL."""
    secrets: tuple[Secret, ...] = ()
    """PagerDuty's routing key; the secrets that sign a webhook, all of which are used."""
    authorization: Secret | None = None
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rate: float = 50.0
    burst: float = 50.0
    timeout: Millis = 10 * SECOND
    repeat: Millis = MINUTE
    """How often Alertmanager is told again what stands."""
    give_up_after: Millis = 86_400 * SECOND
    tries: int = 12
    start: str = "now"
    """Where a new route begins: now, or beginning."""
    simulated: bool = False
    cleared: bool = True
    """Whether a chat is told what is over."""
    ca_file: Path | None = None

    def passes(self, alert: Alert) -> bool:
        """Tell whether this route tells of an alert. What clears it is not asked: it may say others."""
        if alert.simulated and not self.simulated:
            return False
        for name, wanted in self.when.items():
            text = alert.level if name == "level" else alert.text(name)
            if fold_text(text) not in wanted:
                return False
        return True

    def all_secrets(self) -> tuple[Secret, ...]:
        """Return whatever must not be seen."""
        more = () if self.authorization is None else (self.authorization,)
        hidden = () if self.url.reveal() == self.shown else (self.url,)
        return (*self.secrets, *more, *hidden)

    def redacted(self, text: str) -> str:
        """Return a text without this route's secrets."""
        return redacted(text, self.all_secrets())


@dataclass(frozen=True, slots=True)
class Request:
    """One POST."""

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
