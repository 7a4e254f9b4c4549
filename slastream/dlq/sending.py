"""The way back: what a letter would be read as now, and the topic it came from.

Only to a raw topic or to the journal, whatever a header says. What still cannot be read is not sent,
unless somebody insists: it would come straight back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer

from slastream import wire
from slastream.core.errors import Rejected
from slastream.core.event import Event
from slastream.dlq.letter import Letter, Place, resent_headers
from slastream.kafka.security import client_options
from slastream.settings import Settings
from slastream.sources import Delivery, read

_LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Again:
    """A letter as it would go back: to which topic, with which bytes and headers, and what it says."""

    letter: Letter
    topic: str
    partition: int | None
    """That of the journal, where a ticket's partition is fixed; None lets the key decide."""
    value: bytes | None
    headers: list[tuple[str, bytes]]
    events: list[Event]
    problem: Rejected | None
    """Why it would come back; None when it can be read."""


def prepared(
    letter: Letter, settings: Settings, value: bytes | None, tenant: str = "", *, corrected: bool
) -> Again:
    """Return how a letter would go back with these bytes. Raises `Rejected` when it has no way."""
    origin, raw = letter.origin, settings.topic("raw.")
    if origin is None:
        raise Rejected("no_origin", f"{letter.at} does not say where it came from")
    if not letter.journal and not (origin.topic.startswith(raw) and origin.topic != raw):
        raise Rejected("not_ours", f"{origin.topic!a:.100} is neither a raw topic nor the journal")
    if value is None and letter.key is None:
        raise Rejected("no_ticket", "a null value without a key cannot be written at all")
    headers = resent_headers(letter, corrected, tenant)
    events: list[Event] = []
    problem = None
    try:
        if letter.journal:
            events = [_journal_event(letter, value)]
        else:
            events = read(_delivery(letter, settings, value, headers))
    except Rejected as rejected:
        problem = rejected
    partition = origin.partition if letter.journal else None
    return Again(letter, origin.topic, partition, value, headers, events, problem)


def _journal_event(letter: Letter, value: bytes | None) -> Event:
    if value is None:
        raise Rejected("null_value", "the journal holds no tombstones")
    event = wire.decode_event(value)
    if wire.event_key(event) != letter.key:
        raise Rejected("bad_key", "the event is of another ticket than its key says")
    return event


def _delivery(
    letter: Letter, settings: Settings, value: bytes | None, headers: list[tuple[str, bytes]]
) -> Delivery:
    """Return what ingest will make of it, except for its arrival, which will be later."""
    source = letter.source(settings.topic("raw."))
    given = dict(headers)
    tenant = given.get("sla-tenant", b"").decode("utf-8", "replace")
    return Delivery(
        source=source,
        tenant=tenant or settings.tenants.get(source, settings.tenant),
        key=letter.key,
        value=value,
        headers=given,
        received_at=letter.time,
        timezone=settings.timezones.get(source),
    )


class Sender:
    """Sends letters back, one at a time, each acknowledged."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def send(self, again: Again) -> Place:
        """Write it and return its new place. Raises KafkaError."""
        done = await self._producer.send_and_wait(
            again.topic,
            again.value,
            again.letter.key,
            partition=again.partition,
            headers=again.headers,
        )
        return Place(done.topic, done.partition, done.offset)


@asynccontextmanager
async def sender(settings: Settings) -> AsyncIterator[Sender]:
    """Connect to the broker that the letters were read from."""
    client: dict[str, Any] = client_options(settings.broker)
    producer = AIOKafkaProducer(
        **client, acks="all", enable_idempotence=True, max_request_size=_LARGEST
    )
    async with producer:
        yield Sender(producer)
