"""From the raw topics into the journal: vendor bytes in, canonical ticket events or dead letters out.

It alone writes the journal. At least once: the group's offset moves after every record of a fetch
was acknowledged; a repeat has the same event id, and the journal's fold drops it. What a vendor's
payload means it asks `slastream.sources`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from slastream import wire
from slastream.core.errors import Rejected
from slastream.core.instant import Instant
from slastream.engine.effects import Record
from slastream.sources import Delivery, read
from slastream.stream.partitioner import partition_of
from slastream.stream.transaction import Item, batches_of

log = logging.getLogger("slastream.ingest")

LARGEST = 1_000_000
"""Bytes of the largest event that the journal takes, below the broker's usual limit of 1 MiB."""

CHUNK = 250
"""Deliveries read before the loop may turn to somebody else."""


@dataclass(frozen=True)
class Desk:
    """What ingest is given: where it reads, where it writes, and whom it tells."""

    raw: str
    """What the names of the raw topics begin with, as in `sla.raw.`."""
    journal: str
    journal_partitions: int
    dlq: str
    dlq_partitions: int
    tenant: str
    tenants: Mapping[str, str]
    zone_of: Callable[[str, str, Instant], str | None]
    """Tenant, source and instant -> the zone of times without an offset, None where nobody said."""
    simulated: bool
    """Carry the log time of a delivery over into the journal, where a feed writes it."""
    on_events: Callable[[str, int, float], None]
    """Called with source, number of events, and the mean delay in seconds."""
    on_rejected: Callable[[str, str], None]


class Ingest:
    """Reads fetches of raw deliveries, one at a time."""

    def __init__(self, desk: Desk, producer: AIOKafkaProducer) -> None:
        self._desk = desk
        self._producer = producer
        self.stopping = False

    async def handle(self, batch: Any) -> None:
        """Bring a fetch into the journal and commit its offset; tries until it is done or stopped.

        Or until a rebalance: whoever has the partition then reads on from the last commit, and may
        be further than this fetch is, which must not take the group's offset back.
        """
        away = False
        while not self.stopping and batch.wanted:
            try:
                out = await self._read(batch)
                await self._publish(out)
                if batch.wanted:
                    await batch.consumer.commit_offset(batch.tp, batch.end)
                break
            except IllegalStateError:
                break  # the partition went to somebody else, who reads it from the last commit
            except KafkaError as error:
                if not away:
                    log.warning("ingest of %s waits for the broker: %s", batch.tp.topic, error)
                away = True
                await asyncio.sleep(1.0)
        if away and not self.stopping:
            log.info("ingest of %s goes on", batch.tp.topic)
        batch.done()

    async def _read(self, batch: Any) -> dict[TopicPartition, list[Item]]:
        desk = self._desk
        source = batch.tp.topic.removeprefix(desk.raw)
        out: dict[TopicPartition, list[Item]] = {}
        events, delays = 0, 0.0
        now = time.time() * 1000
        for n, record in enumerate(batch.records):
            if n % CHUNK == CHUNK - 1:
                await asyncio.sleep(0)
            at = record.log_time if desk.simulated else None
            try:
                for key, value, headers, occurred in self._events(source, record):
                    partition = partition_of(key, desk.journal_partitions)
                    tp = TopicPartition(desk.journal, partition)
                    out.setdefault(tp, []).append(Item(key, value, headers, at))
                    events += 1
                    delays += now - occurred
            except Rejected as error:
                self._reject(out, batch.tp, record, error.reason, error.detail)
            except Exception as error:
                log.exception("a delivery of %s at offset %d", batch.tp.topic, record.offset)
                self._reject(out, batch.tp, record, "bug", f"{type(error).__name__}: {error}")
        if events:
            desk.on_events(source, events, delays / events / 1000)
        return out

    def _events(self, source: str, record: Record) -> list[tuple[bytes, bytes, Any, int]]:
        """Return key, value, headers and event time of what one delivery says. Raises `Rejected`."""
        headers = dict(record.headers)
        named = headers.get("sla-tenant")
        tenant = named.decode("utf-8", "replace") if named else ""
        tenant = tenant or self._desk.tenants.get(source, self._desk.tenant)
        delivery = Delivery(
            source=source,
            tenant=tenant,
            key=record.key,
            value=record.value,
            headers=headers,
            received_at=record.log_time,
            timezone=self._desk.zone_of(tenant, source, record.log_time),
        )
        told = []
        for event in read(delivery):
            if not event.tenant:
                raise Rejected(
                    "no_tenant",
                    f"nobody says whose ticket {event.ticket} is: send the header sla-tenant, or set "
                    f"SLASTREAM_TENANTS={source}=NAME",
                )
            value = wire.encode_event(event)
            if len(value) > LARGEST:
                raise Rejected("too_large", f"an event of {len(value)} bytes, at most {LARGEST}")
            told.append(
                (wire.event_key(event), value, wire.event_headers(event), event.occurred_at)
            )
        return told

    def _reject(
        self,
        out: dict[TopicPartition, list[Item]],
        tp: Any,
        record: Record,
        reason: str,
        detail: str,
    ) -> None:
        """Set a delivery aside: its own bytes and headers, and beside them why and whence."""
        desk = self._desk
        partition = partition_of(record.key or b"", desk.dlq_partitions)
        headers = [
            *record.headers,
            ("sla-reason", reason.encode()),
            ("sla-detail", detail.encode("utf-8", "replace")[:2000]),
            ("sla-topic", tp.topic.encode()),
            ("sla-partition", b"%d" % tp.partition),
            ("sla-offset", b"%d" % record.offset),
        ]
        value = record.value
        if value is not None and len(value) > LARGEST:
            headers.append(("sla-truncated", b"%d" % len(value)))
            value = value[:LARGEST]
        out.setdefault(TopicPartition(desk.dlq, partition), []).append(
            Item(record.key, value, headers)
        )
        desk.on_rejected(tp.topic.removeprefix(desk.raw), reason)
        log.warning(
            "%s[%d] offset %d goes to the dead letters: %s: %s",
            tp.topic, tp.partition, record.offset, reason, detail[:200],
        )  # fmt: skip

    async def _publish(self, out: Mapping[TopicPartition, Sequence[Item]]) -> None:
        """Write all records and wait until each is acknowledged. Raises KafkaError."""
        sent = []
        for tp, items in out.items():
            for batch in batches_of(self._producer, items):
                sent.append(
                    await self._producer.send_batch(batch, tp.topic, partition=tp.partition)
                )
        await asyncio.gather(*sent)
