"""Is the delivery from whom it says? The vendor's signature, a shown secret, or ConnectWise's key."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from slastream.core.errors import Rejected
from slastream.core.instant import Instant
from slastream.gateway.endpoints import Endpoint
from slastream.gateway.keys import Keys, allowed
from slastream.gateway.refusal import Refused
from slastream.sources.signatures import SCHEMES, Secret, verify

_SHOWN = "canonical"
"""A source without a scheme of its own: `verify` then asks for a shown secret, or our signature."""


async def prove(
    endpoint: Endpoint,
    found: Mapping[str, str],
    body: bytes,
    doc: Any,
    now: Instant,
    keys: Keys,
) -> None:
    """Return when a delivery is genuine. Raises `Refused` (401; 503 while a key cannot be had).

    `found` are the headers by lower-case name, `body` the bytes as received, `doc` their JSON.
    """
    if endpoint.auth == "key_url":
        await _by_key_url(endpoint, found, body, doc, now, keys)
        return
    as_source = endpoint.source if endpoint.auth == "signature" else _SHOWN
    _check(as_source, found, body, endpoint.secrets, now)


def _check(
    source: str,
    found: Mapping[str, str],
    body: bytes,
    secrets: tuple[Secret, ...],
    now: Instant,
) -> None:
    try:
        verify(source, found, body, secrets, now)
    except Rejected as problem:
        raise Refused(401, problem.reason, problem.detail) from None


async def _by_key_url(
    endpoint: Endpoint,
    found: Mapping[str, str],
    body: bytes,
    doc: Any,
    now: Instant,
    keys: Keys,
) -> None:
    if not found.get(SCHEMES["connectwise"].header, "").strip():
        raise Refused(401, "no_signature", "the signature header is missing")
    told = doc if type(doc) is dict else {}
    # The host signs for all its customers: without this, any of them could deliver here.
    company = told.get("CompanyId")
    if not isinstance(company, str) or not hmac.compare_digest(
        company.casefold().encode("utf-8", "replace"), endpoint.company.casefold().encode()
    ):
        raise Refused(401, "wrong_company", "CompanyId is not the one of this endpoint")
    metadata = told.get("Metadata")
    url = allowed(metadata.get("key_url") if type(metadata) is dict else None, endpoint.key_hosts)
    key = await keys.key(url)
    try:
        _check("connectwise", found, body, (key,) if key else (), now)
    except Refused:
        renewed = await keys.key(url, doubted=True)
        if renewed is None or renewed == key:
            raise
        _check("connectwise", found, body, (renewed,), now)
