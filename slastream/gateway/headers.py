"""Which headers of a delivery pass into Kafka, and which we add. An allow-list, so nothing slips in.

`sla-*` is ours: no sender can set one. Names stay as the vendor writes them, in lower case, since
that is what the sources look for; `ce-*` of HTTP becomes `ce_*` of Kafka.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from slastream.core.instant import Instant
from slastream.gateway.endpoints import Endpoint
from slastream.gateway.refusal import Refused
from slastream.sources.signatures import OWN_HEADER, SCHEMES, TOKEN_HEADER

LOG_TIME = "x-slastream-log-time"
"""In a simulated run (`--time log`): when a delivery arrives, in epoch milliseconds."""

LONGEST = 1024
"""Bytes of a header's value that is looked at."""

_ALWAYS = ("content-type",)
_KEPT: dict[str, tuple[str, ...]] = {
    "jira": (
        "x-atlassian-webhook-identifier",
        "x-atlassian-webhook-flow",
        "x-atlassian-webhook-retry",
    ),
    "zendesk": (
        "x-zendesk-account-id",
        "x-zendesk-webhook-id",
        "x-zendesk-webhook-invocation-id",
    ),
    "zammad": ("x-zammad-trigger", "x-zammad-delivery"),
    "glpi": ("x-glpi-timestamp",),
    "servicenow": ("action", "collection_timestamp_ms", "table_name"),
}
_CLOUD_EVENT = (
    "ce-id", "ce-type", "ce-source", "ce-specversion", "ce-subject", "ce-time", "ce-dataschema",
)  # fmt: skip
_DELIVERY = {
    "jira": "x-atlassian-webhook-identifier",
    "zendesk": "x-zendesk-webhook-invocation-id",
    "zammad": "x-zammad-delivery",
}
"""Where a vendor names a delivery, the same over all its attempts."""

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NAME = re.compile(r"[\x21-\x7e]{1,128}")


class Passing:
    """The headers of one endpoint: looked at, kept, and the name of the delivery."""

    def __init__(self, endpoint: Endpoint, simulated: bool = False) -> None:
        kept = [*_ALWAYS, *_KEPT.get(endpoint.source, ())]
        if endpoint.auth == "token":
            proofs: tuple[str, ...] = (OWN_HEADER, TOKEN_HEADER, "authorization")
            # Where the body alone is signed, a header that names the event would be anybody's word.
            kept += _CLOUD_EVENT
        else:
            scheme = SCHEMES[endpoint.source]
            proofs = (scheme.header, *([scheme.timed] if scheme.timed else []))
        self._kept = {name: name.replace("ce-", "ce_") for name in kept}
        self._looked_at = frozenset(
            (*kept, *proofs, "content-encoding", *([LOG_TIME] if simulated else []))
        )
        self._tenant = endpoint.tenant.encode()
        self._delivery = _DELIVERY.get(endpoint.source, "ce-id")

    def look(self, raw: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Return what of a request's headers matters, by lower-case name. Raises `Refused`.

        A header that is given twice is refused: we and whoever reads it next could take one each.
        """
        found: dict[str, str] = {}
        for name, value in raw:
            name = name.lower()
            if name not in self._looked_at:
                continue
            if name in found:
                raise Refused(400, "repeated_header", f"{name} is there twice")
            if len(value) > LONGEST or _CONTROL.search(value):
                raise Refused(400, "bad_header", f"{name} is too long or holds control characters")
            found[name] = value
        return found

    def delivery(self, found: dict[str, str], body: bytes) -> str:
        """Return the name of a delivery: the vendor's, or one that the same bytes always have."""
        named = found.get(self._delivery, "") if self._delivery in self._kept else ""
        if _NAME.fullmatch(named):
            return named
        return "sha256:" + hashlib.sha256(body).hexdigest()[:32]

    def log_time(self, found: dict[str, str]) -> Instant | None:
        """Return the simulated arrival of a delivery; None where time is real. Raises `Refused`."""
        told = found.get(LOG_TIME)
        if told is None:
            return None
        if not (told.isascii() and told.isdigit() and len(told) <= 15):
            raise Refused(400, "bad_header", f"{LOG_TIME} is no number of milliseconds")
        return int(told)

    def kafka(self, found: dict[str, str], delivery: str, now: int) -> list[tuple[str, bytes]]:
        """Return the record's headers; `now` is the arrival in epoch milliseconds."""
        headers = [
            ("sla-tenant", self._tenant),
            ("sla-delivery", delivery.encode()),
            ("sla-received-at", b"%d" % now),
        ]
        for name, called in self._kept.items():
            value = found.get(name)
            if value:
                headers.append((called, value.encode("utf-8", "surrogateescape")))
        return headers
