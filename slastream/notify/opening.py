"""Where a route goes on in a partition, and what stands there: told by the group's offset and the topic.

The offset's metadata says from where on the topic must be read to know what stood at the offset, so
nothing is kept anywhere else, and a restart reads no more than the oldest incident is old.
"""

from __future__ import annotations

import logging
import re

from aiokafka import TopicPartition

from slastream.core.errors import Rejected
from slastream.kafka import admin
from slastream.kafka.admin import Client
from slastream.kafka.reading import Consumer, end_behind, reader, records
from slastream.notify.alert import alert_of
from slastream.notify.standing import Standing
from slastream.notify.window import Place

log = logging.getLogger("slastream.notify")


async def opened(
    client: Client, group: str, tp: TopicPartition, start: str, standing: Standing, simulated: bool
) -> Place:
    """Return where the group goes on, and fill `standing` with what stands there.

    `start` is for a group that has never been here: `now` or `beginning`. Raises `Misconfigured`
    when the broker is away, and KafkaError while the group's coordinator is.
    """
    async with admin.connected(client) as asked:
        found = await admin.committed(asked, group, tp)
    async with reader(client) as consumer:
        consumer.assign([tp])
        first = (await consumer.beginning_offsets([tp]))[tp]
        end = await end_behind(consumer, tp, found.offset)
        if found.offset < 0:
            offset = end if start == "now" else first
            return Place(offset, offset)
        offset = found.offset
        if offset < first:
            log.error(
                "%s: the topic has lost %d offsets that group %s had not read: retention was "
                "shorter than its absence", tp, first - offset, group,
            )  # fmt: skip
            offset = first
        if offset > end:
            log.error("%s ends before the offset of group %s: the topic was recreated", tp, group)
            offset = first
        since = min(offset, max(first, _since(found.metadata, offset)))
        await fold(consumer, tp, since, offset, standing, simulated)
        return Place(offset, since)


async def fold(
    consumer: Consumer,
    tp: TopicPartition,
    start: int,
    end: int,
    standing: Standing,
    simulated: bool,
) -> None:
    """Take the alerts of a range into `standing`, and tell nobody."""
    async for record in records(consumer, tp, start, end):
        if record.value is None:
            continue
        try:
            standing.take(alert_of(record, simulated=simulated))
        except Rejected:
            continue  # it went to the dead letters when it was met


def _since(metadata: str | None, offset: int) -> int:
    match = re.fullmatch(r"since=(\d+)", metadata or "")
    # An offset that somebody set by hand says nothing: then nothing stands before it.
    return int(match[1]) if match else offset
