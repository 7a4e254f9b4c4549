"""Who sent these bytes? One scheme a vendor, over the body exactly as received. No clock, no files.

Every comparison takes the same time whether it fails at the first byte or the last, and every
secret is tried, so neither tells an attacker anything. No secret ever appears in an error.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from slastream.core.errors import Rejected
from slastream.core.instant import HOUR, MINUTE, Instant, Millis
from slastream.sources.reading import as_instant

Secret = str | bytes
_Signed = Callable[[bytes, bytes, bytes], str]
"""Secret, timestamp header, body -> what the signature header should say."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """How a vendor signs: `header` says `prefix` and the signature; `timed` names a time header."""

    header: str
    sign: _Signed
    prefix: str = ""
    timed: str | None = None
    window: Millis = 5 * MINUTE
    """How far the signed time may be from now: what is older is a replay."""


def _hmac(name: str, key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, name).digest()


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _connectwise(secret: bytes, _: bytes, body: bytes) -> str:
    return _b64(_hmac("sha256", hashlib.sha256(secret).digest(), body))


def _autotask(secret: bytes, _: bytes, body: bytes) -> str:
    return _b64(_hmac("sha1", secret, body))


def _jira(secret: bytes, _: bytes, body: bytes) -> str:
    return _hmac("sha256", secret, body).hex()


def _zammad(secret: bytes, _: bytes, body: bytes) -> str:
    return _hmac("sha1", secret, body).hex()


def _frappe(secret: bytes, _: bytes, body: bytes) -> str:
    return _b64(_hmac("sha256", secret, body))


def _zendesk(secret: bytes, time: bytes, body: bytes) -> str:
    return _b64(_hmac("sha256", secret, time + body))


def _glpi(secret: bytes, time: bytes, body: bytes) -> str:
    return _hmac("sha256", secret, body + time).hex()


SCHEMES: dict[str, Scheme] = {
    "connectwise": Scheme("x-content-signature", _connectwise),
    "autotask": Scheme("x-hook-signature", _autotask, prefix="sha1="),
    "jira": Scheme("x-hub-signature", _jira, prefix="sha256="),
    "zammad": Scheme("x-hub-signature", _zammad, prefix="sha1="),
    "frappe_helpdesk": Scheme("x-frappe-webhook-signature", _frappe),
    "zendesk": Scheme(
        "x-zendesk-webhook-signature", _zendesk, timed="x-zendesk-webhook-signature-timestamp"
    ),
    # GLPI stamps what it queues and sends with its cron, which may be some while later.
    "glpi": Scheme("x-glpi-signature", _glpi, timed="x-glpi-timestamp", window=HOUR),
}
"""Sources that sign. All others, and canonical events, show a secret or use our own scheme."""

OWN_HEADER = "x-slastream-signature"
TOKEN_HEADER = "x-slastream-token"
_OWN_WINDOW: Millis = 5 * MINUTE


def verify(
    source: str,
    headers: Mapping[str, str | bytes],
    body: bytes,
    secrets: Sequence[Secret],
    now: Instant,
) -> None:
    """Return when the delivery is signed with one of the secrets; several are a rotation.

    `headers` in any case, `body` as received, `now` in milliseconds. Raises `Rejected` with reason
    `no_secret`, `no_signature`, `bad_signature` or `stale`. A vendor that signs nothing shows the
    secret itself: as `x-slastream-token`, a bearer token, or Basic (then it is `user:password`).
    """
    keys = [secret.encode() if isinstance(secret, str) else secret for secret in secrets]
    keys = [key for key in keys if key]
    if not keys:
        raise Rejected("no_secret", f"{source} has no secret to check deliveries with")
    given = {name.lower(): _text(value) for name, value in headers.items()}
    scheme = SCHEMES.get(source)
    if scheme is not None:
        _check(scheme, given, body, keys, now)
    elif OWN_HEADER in given:
        _check_own(given[OWN_HEADER], body, keys, now)
    else:
        _check_token(given, keys)


def sign(source: str, secret: Secret, body: bytes, now: Instant) -> dict[str, str]:
    """Return the headers that prove a delivery, as the vendor's own would: a signature or the secret."""
    key = secret.encode() if isinstance(secret, str) else secret
    scheme = SCHEMES.get(source)
    if scheme is None:
        return {TOKEN_HEADER: key.decode()}
    time = "" if scheme.timed is None else str(now // 1_000)
    signed = {scheme.header: scheme.prefix + scheme.sign(key, time.encode(), body)}
    return signed if scheme.timed is None else {**signed, scheme.timed: time}


def sign_own(secret: Secret, body: bytes, now: Instant) -> str:
    """Return our own signature header's value, for producers of canonical events."""
    key = secret.encode() if isinstance(secret, str) else secret
    seconds = str(now // 1_000)
    return f"t={seconds},v1={_hmac('sha256', key, seconds.encode() + b'.' + body).hex()}"


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _check(
    scheme: Scheme, given: Mapping[str, str], body: bytes, keys: list[bytes], now: Instant
) -> None:
    said = given.get(scheme.header, "").strip()
    if not said:
        raise Rejected("no_signature", f"header {scheme.header} is missing")
    time = ""
    if scheme.timed is not None:
        time = given.get(scheme.timed, "").strip()
        if not time:
            raise Rejected("no_signature", f"header {scheme.timed} is missing")
    signed = [
        scheme.prefix + scheme.sign(key, time.encode("utf-8", "replace"), body) for key in keys
    ]
    if not _any_equal(said, signed):
        raise Rejected("bad_signature", f"header {scheme.header} does not fit the body")
    if scheme.timed is not None:
        # Only now: an unsigned time is anybody's word.
        _check_age(time, scheme.window, now)


def _check_age(time: str, window: Millis, now: Instant) -> None:
    try:
        seconds = time.isascii() and time.isdigit() and len(time) <= 12
        sent_at = int(time) * 1_000 if seconds else as_instant(time, "UTC", "the signed time")
    except Rejected as problem:
        raise Rejected("stale", problem.detail) from None
    if abs(now - sent_at) > window:
        raise Rejected("stale", f"signed {abs(now - sent_at) // 1_000} s away from now")


def _check_own(said: str, body: bytes, keys: list[bytes], now: Instant) -> None:
    parts = dict(part.strip().partition("=")[::2] for part in said.split(",")[:8])
    time, signature = parts.get("t", ""), parts.get("v1", "")
    if not (time.isascii() and time.isdigit() and len(time) <= 12 and signature):
        raise Rejected("bad_signature", f"header {OWN_HEADER} is not t=<seconds>,v1=<hex>")
    message = time.encode() + b"." + body
    if not _any_equal(signature, [_hmac("sha256", key, message).hex() for key in keys]):
        raise Rejected("bad_signature", f"header {OWN_HEADER} does not fit the body")
    _check_age(time, _OWN_WINDOW, now)


def _check_token(given: Mapping[str, str], keys: list[bytes]) -> None:
    said = given.get(TOKEN_HEADER) or ""
    kind, _, rest = given.get("authorization", "").partition(" ")
    if not said and kind.lower() == "bearer":
        said = rest.strip()
    elif not said and kind.lower() == "basic":
        try:
            said = base64.b64decode(rest.strip(), validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            raise Rejected("bad_signature", "the Authorization header is no Basic pair") from None
    if not said:
        raise Rejected("no_signature", f"neither {TOKEN_HEADER} nor Authorization is there")
    # Digests are of one length, so not even the secret's length can be timed.
    hashed = [hashlib.sha256(key).hexdigest() for key in keys]
    if not _any_equal(hashlib.sha256(said.encode("utf-8", "replace")).hexdigest(), hashed):
        raise Rejected("bad_signature", "the secret that was shown is not the one of this source")


def _any_equal(said: str, expected: list[str]) -> bool:
    found = False
    shown = said.encode("utf-8", "replace")
    for each in expected:
        found |= hmac.compare_digest(shown, each.encode())
    return found
