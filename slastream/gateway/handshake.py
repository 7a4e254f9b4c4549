"""What a sender asks before it sends. Each answer proves that we know the secret, and gives away none.

GLPI: a GET with `crc_token`, the HMAC of a fixed text; the answer is the HMAC of the token. Anything
else in its place must stay unanswered: the answer would be a signature for whatever was asked.
CloudEvents: OPTIONS with `webhook-request-origin`, may I send, and how much a minute?
"""

from __future__ import annotations

import hashlib
import hmac
import re
from urllib.parse import parse_qs

from slastream.gateway.endpoints import Endpoint
from slastream.gateway.refusal import Refused

_GLPI_TEXT = b"validate_cra_challenge"
_TOKEN = re.compile(r"[0-9a-f]{64}")
_ORIGIN = re.compile(r"[A-Za-z0-9.-]{1,253}")
ALLOW = "POST, GET, HEAD"


def answer(endpoint: Endpoint, method: str, target: str, origin: str) -> tuple[str, dict[str, str]]:
    """Return the text and headers for a request that brings nothing. Raises `Refused`."""
    if method in ("GET", "HEAD"):
        query = target.partition("?")[2]
        if endpoint.source == "glpi" and endpoint.auth == "signature" and "crc_token=" in query:
            return _glpi(endpoint, query), {}
        return "", {}
    if method == "OPTIONS" and endpoint.source == "canonical" and _ORIGIN.fullmatch(origin):
        rate = str(int(endpoint.bucket.rate * 60))
        return "", {"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": rate, "Allow": "POST"}
    raise Refused(405, "method")


def _glpi(endpoint: Endpoint, query: str) -> str:
    given = parse_qs(query, max_num_fields=8).get("crc_token", [])
    token = given[0] if len(given) == 1 else ""
    if _TOKEN.fullmatch(token):
        answers = []
        for secret in endpoint.secrets:
            asked = hmac.new(secret, _GLPI_TEXT, hashlib.sha256).hexdigest()
            if hmac.compare_digest(token, asked):
                answers.append(hmac.new(secret, token.encode(), hashlib.sha256).hexdigest())
        if answers:
            return answers[0]
    raise Refused(401, "bad_challenge")
