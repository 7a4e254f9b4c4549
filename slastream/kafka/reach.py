"""Why a broker cannot be reached, in one sentence.

The client library tries every address, logs each reason and raises "unable to bootstrap". A person
needs the reason, and a program needs to know whether waiting can help.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from slastream.core.errors import Misconfigured
from slastream.kafka.security import PREFIX

_TIMEOUT_MS = 5_000


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and what to do. `refused`: someone must mend it, waiting cannot help."""

    sentence: str
    hint: str
    refused: bool


async def explained(error: Exception, client: Mapping[str, Any]) -> Problem:
    """Looks again, at the first address alone, for the reason that `error` does not tell."""
    if isinstance(error, Misconfigured):
        raise error
    servers = client.get("bootstrap_servers", "")
    first = servers.split(",")[0] if isinstance(servers, str) else servers[0]
    host, _, port = first.strip().rpartition(":")
    options = {
        name: value
        for name, value in client.items()
        if name == "ssl_context" or name.startswith(("sasl_", "security_"))
    }
    try:
        number = int(port)
    except ValueError:
        return Problem(f"{first!r} is not host:port", "such as localhost:9092", refused=True)
    try:
        connection = await asyncio.wait_for(
            create_conn(host.strip("[]"), number, request_timeout_ms=_TIMEOUT_MS, **options),
            _TIMEOUT_MS / 1000,
        )
    except (KafkaError, OSError, TimeoutError, EOFError) as found:
        return _told(found, client)
    try:
        # The library takes a refused token for accepted: the broker's next answer shows it.
        answer = await connection.send(MetadataRequest([]))
        if not answer.brokers and client.get("sasl_mechanism") == "OAUTHBEARER":
            return _refused("the token is invalid or has expired")
    except (KafkaError, OSError, TimeoutError) as found:
        return _told(found, client)
    finally:
        connection.close()
    return _told(error, client)


def _told(error: BaseException, client: Mapping[str, Any]) -> Problem:
    chain = list(_causes(error))
    protocol = client.get("security_protocol", "PLAINTEXT")
    for cause in chain:
        problem = _security(cause, protocol)
        if problem is not None:
            return problem
    if any(isinstance(cause, ConnectionRefusedError) for cause in chain):
        return Problem("no broker listens there", "start it, or name another", refused=False)
    if any(isinstance(cause, TimeoutError) for cause in chain):
        return Problem("the broker does not answer", "is it up, and reachable?", refused=False)
    if isinstance(error, KafkaConnectionError | EOFError | ConnectionError):
        return Problem(
            f"the broker closed the connection ({protocol})",
            f"does this listener speak {protocol}? see {PREFIX}PROTOCOL",
            refused=False,
        )
    return Problem(f"the broker cannot be reached: {error}", "is the address right?", refused=False)


def _security(cause: BaseException, protocol: str) -> Problem | None:
    if isinstance(cause, SaslAuthenticationFailed):
        return _refused(_plain(cause))
    if isinstance(cause, UnsupportedSaslMechanismError | IllegalSaslStateError):
        return Problem(
            f"the broker does not take this way to log in: {_plain(cause)}",
            f"check {PREFIX}MECHANISM and {PREFIX}PROTOCOL",
            refused=True,
        )
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Problem(
            f"the broker's certificate is not accepted: {cause.verify_message}",
            f"check {PREFIX}CA_FILE, the certificate's dates and its names",
            refused=True,
        )
    if isinstance(cause, ssl.SSLError):
        reason = (cause.reason or str(cause)).lower().replace("_", " ")
        if "wrong version number" in reason or "record layer" in reason:
            return Problem(
                "this listener does not speak TLS", f"see {PREFIX}PROTOCOL", refused=True
            )
        return Problem(
            f"TLS failed ({protocol}): {reason}",
            f"check {PREFIX}CERT_FILE, {PREFIX}KEY_FILE and {PREFIX}CA_FILE",
            refused=True,
        )
    return None


def _refused(why: str) -> Problem:
    return Problem(
        f"the broker refuses our user: {why}",
        f"check {PREFIX}USERNAME and {PREFIX}PASSWORD_FILE, or {PREFIX}TOKEN_FILE",
        refused=True,
    )


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in found:
        found.append(current)
        current = current.__cause__ or current.__context__
    return found


def _plain(error: BaseException) -> str:
    """A library error without the name of its class and its number."""
    return str(error).rpartition("] ")[2] if "] " in str(error) else str(error)
