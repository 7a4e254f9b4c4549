"""A webhook of anybody's: the CloudEvent as it stands on the topic, signed as Standard Webhooks says.

It is told everything about the alerts that it was told of, also what only takes a part of an
incident away: it keeps its own books. `webhook-id` is the event's id, the same however often it comes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

import orjson

from slastream.core.instant import Instant
from slastream.notify.route import Request, Route
from slastream.notify.standing import Notice

FEWEST, MANY = 24, 64
"""Bytes of a signing key, as the specification has it."""


def request(route: Route, notice: Notice, now: Instant) -> Request:
    """Return the event in CloudEvents' structured mode, so that the signature covers all of it."""
    alert = notice.alert
    event = {
        "specversion": alert.headers.get("ce_specversion", "1.0"),
        **{
            name: alert.headers[f"ce_{name}"]
            for name in ("type", "source", "id", "time")
            if f"ce_{name}" in alert.headers
        },
        "datacontenttype": "application/json",
        "dedupkey": alert.dedup_key,
        **({"simulated": True} if alert.simulated else {}),
        "data": orjson.Fragment(alert.value),
    }
    body = orjson.dumps(event)
    seconds = str(now // 1_000)
    headers = {
        "content-type": "application/cloudevents+json; charset=UTF-8",
        "webhook-id": alert.id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(
            signature(key_of(secret.reveal()), alert.id, seconds, body) for secret in route.secrets
        ),
    }
    if route.authorization is not None:
        headers["authorization"] = route.authorization.reveal()
    return Request(route.url.reveal(), body, headers)


def signature(key: bytes, id_: str, seconds: str, body: bytes) -> str:
    """Return one entry of the signature header: `v1,` and the HMAC of id, time and body."""
    message = b".".join((id_.encode(), seconds.encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode("ascii")


def key_of(secret: str) -> bytes:
    """Return the key of a secret: `whsec_` and base64, or the text itself. Raises ValueError."""
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ValueError("what follows whsec_ is not base64") from None
