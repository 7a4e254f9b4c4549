"""What the spellings share: who did it, how a time is written, what travels beside the bytes."""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from slastream.core.instant import Instant, format_instant, to_datetime
from slastream.demo.desk import CLIENTS, PEOPLE, TEAMS
from slastream.demo.life import Step, Ticket

TENANT = "acme-msp"


_NO_HEADERS: Mapping[str, bytes] = MappingProxyType({})


class Message(NamedTuple):
    """What a system sends about a step: the record's key, the JSON of its body, its headers."""

    key: bytes | None
    body: dict[str, Any] | None
    headers: Mapping[str, bytes] = _NO_HEADERS


Spelled = list[Message]

AGENTS = {
    name: 201 + number for number, name in enumerate(sorted({n for t in TEAMS.values() for n in t}))
}
CONTACTS = {name: 401 + number for number, name in enumerate(PEOPLE)}
_CLIENTS = {client.name: 11 + number for number, client in enumerate(CLIENTS)}
NUMBERS = {"P1": 1, "P2": 2, "P3": 3, "P4": 4}


def acted(step: Step) -> str:
    """Return who did it: the desk's person, the contact at the client, or a robot."""
    people = {
        "agent": step.ticket.agent,
        "customer": step.ticket.contact,
        "automation": "workflow",
    }
    return opener(step.ticket) if step.happening == "created" else people[step.who]


def opener(ticket: Ticket) -> str:
    """Return who opened a ticket: the agent on the phone, the monitoring, or the contact."""
    return {"monitoring": "monitoring", "phone": ticket.agent}.get(ticket.channel, ticket.contact)


def said(step: Step) -> bool:
    """Tell whether a person wrote something that the client can read."""
    return step.public and step.happening in ("comment", "moved") and step.who != "automation"


def client_number(ticket: Ticket) -> int:
    """Return the number that systems which count clients have for this one."""
    return _CLIENTS[ticket.client.name]


def seconds(instant: Instant) -> str:
    """Return `2026-03-03T08:30:00Z`."""
    return format_instant(instant)[:19] + "Z"


def local(instant: Instant, zone: str, digits: int = 0) -> str:
    """Return a local time without its offset, `2026-03-03 09:30:00`, and that many of its digits."""
    text = to_datetime(instant).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S.%f")
    return text[: 20 + digits] if digits else text[:19]


def uuid(rng: random.Random) -> str:
    """Draw the name of a delivery."""
    return str(UUID(int=rng.getrandbits(128), version=4))


def bare(number: object) -> bytes:
    """Return a key that is the ticket's number alone."""
    return str(number).encode()
