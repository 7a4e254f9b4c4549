"""The Kafka key of a ticket, which is also its row's: `<tenant>/<source>/<ticket>`."""

from __future__ import annotations


def ticket_key(tenant: str, source: str, ticket: str) -> str:
    """Return the Kafka key of a ticket: `<tenant>/<source>/<ticket>`; only the last part may hold a slash."""
    return f"{tenant}/{source}/{ticket}"


def split_key(key: str) -> tuple[str, str, str]:
    """Return tenant, source and ticket of a key; raises ValueError when it is none."""
    tenant, source, ticket = key.split("/", 2)
    if not (tenant and source and ticket):
        raise ValueError(key)
    return tenant, source, ticket
