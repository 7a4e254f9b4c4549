"""Where a route goes on in a partition, and what stands there: told by the group's offset and the topic.

The offset's metadata says from where on the topic must be read to know what stood at the offset, so
nothing is kept anywhere else, and a restart reads no more than the oldest incident is old.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from slastream.core.errors import Misconfigured, Rejected
from slastream.kafka import admin
from slastream.notify.alert import alert_of
from slastream.notify.standing import Standing
from slastream.notify.window import Place

log = logging.getLogger("slastream.notify")

_QUIET = 30.0
"""Seconds without a record after which a broker that has more to give counts as away."""


async def opened(
    client: Mapping[str, Any],
    group: str,
    tp: TopicPartition,
    start: str,
    standing: Standing,
    simulated: bool,
) -> Place:
    """Return where the group goes on, and fill `standing` with what stands there.

    `start` is for a group that has never been here: `now` or `beginning`. Raises `Misconfigured`
    when the broker is away.
    """
    async with admin.connected(client) as asked:
        found = (await asked.list_consumer_group_offsets(group, partitions=[tp])).get(tp)
    async with AIOKafkaConsumer(
        **client, isolation_level="read_committed", enable_auto_commit=False,
        auto_offset_reset="earliest",
    ) as reader:  # fmt: skip
        reader.assign([tp])
        first = (await reader.beginning_offsets([tp]))[tp]
        end = (await reader.end_offsets([tp]))[tp]
        if found is None or found.offset < 0:
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
        await _read(reader, tp, since, offset, standing, simulated)
        return Place(offset, since)


def _since(metadata: str | None, offset: int) -> int:
    match = re.fullmatch(r"since=(\d+)", metadata or "")
    # An offset that somebody set by hand says nothing: then nothing stands before it.
    return int(match[1]) if match else offset


async def _read(
    reader: AIOKafkaConsumer[Any, Any],
    tp: TopicPartition,
    since: int,
    offset: int,
    standing: Standing,
    simulated: bool,
) -> None:
    reader.seek(tp, since)
    loop = asyncio.get_running_loop()
    heard = loop.time()
    while (position := await reader.position(tp)) < offset:
        for record in (await reader.getmany(tp, timeout_ms=200)).get(tp, ()):
            if record.offset >= offset:
                return
            if record.value is not None:
                try:
                    standing.take(alert_of(record, simulated=simulated))
                except Rejected:
                    continue  # it went to the dead letters when it was met
        if await reader.position(tp) > position:
            heard = loop.time()
        elif loop.time() - heard > _QUIET:
            raise Misconfigured("the broker does not answer any more", where=str(tp.topic))
