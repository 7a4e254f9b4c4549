"""What is left after an erasure, until when, and the way to have it gone at once.

A topic that is not compacted gives up whole segments: a record goes when the youngest of its segment is
older than the retention. A compacted one gives a record up when a newer one of its key is there and
its segment is closed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any

from slastream.core.errors import Misconfigured
from slastream.core.instant import Instant, Millis, format_instant
from slastream.erasure.finding import Trace
from slastream.kafka import admin
from slastream.kafka.security import client_options
from slastream.settings import Settings

FOREVER: Millis = 2**62
"""What a broker says for "no limit" is above this, or below zero."""

KEPT = ("clocks", "state", "books")
"""Topics of which no record may be deleted by offset: what stands would go with what was erased."""


def gone_by(trace: Trace, now: Instant) -> Instant | None:
    """Return when the broker will have dropped the last record found, None for never.

    To that the broker adds minutes, between two of its rounds; a compacted partition also has to be
    written to once more, since its last segment is closed by a write.
    """
    config = trace.config
    if "compact" in config.get("cleanup.policy", ""):
        lag = _millis(config, "max.compaction.lag.ms")
        return None if lag is None else now + lag
    retention, segment = _millis(config, "retention.ms"), _millis(config, "segment.ms")
    return None if retention is None else trace.last + retention + (segment or 0)


def _millis(config: Mapping[str, str], name: str) -> Millis | None:
    value = int(config.get(name, "-1"))
    return value if 0 <= value < FOREVER else None


def line(trace: Trace, now: Instant) -> dict[str, Any]:
    """Return one topic as a line of the report."""
    if not trace.found and (trace.searched or not trace.reach):
        when = "nothing found" if trace.read else "empty"
    else:
        at = gone_by(trace, now)
        when = "kept for ever" if at is None else format_instant(at)
    return {
        "topic": trace.topic,
        "records": trace.read,
        "found": trace.found if trace.searched else None,
        "others before": trace.others if trace.found or not trace.searched else None,
        "gone at the latest": when,
    }


def cuts(traces: Iterable[Trace], chosen: Iterable[str]) -> dict[tuple[str, int], int]:
    """Return (topic, partition) -> offset of what `--now` deletes. Raises `Misconfigured`."""
    found: dict[tuple[str, int], int] = {}
    known = {trace.short: trace for trace in traces}
    for short in dict.fromkeys(chosen):
        if short in KEPT:
            raise Misconfigured(
                "no records are deleted there: what stands would go with them",
                where=short, hint="compaction drops what was erased; a book is published by you",
            )  # fmt: skip
        ours = [each for name, each in known.items() if short in (name, name.partition(".")[0])]
        if not ours:
            raise Misconfigured(f"{short!r} is none of {', '.join(known)}", where="--now")
        for trace in ours:
            found |= {(trace.topic, number): offset for number, offset in trace.reach.items()}
    return found


async def delete_now(
    settings: Settings, found: Mapping[tuple[str, int], int], patience: float
) -> None:
    """Delete the records below these offsets, of whomever they are.

    Raises `Misconfigured`, and deletes nothing, when a worker has yet to read some of them.
    """
    client = client_options(settings.broker)
    raw, journal = settings.topic("raw."), settings.topic("tickets")
    read = {
        place: offset
        for place, offset in found.items()
        if place[0] == journal or place[0].startswith(raw)
    }
    limit = time.monotonic() + patience
    while read:
        at = await admin.group_offsets(client, settings.app_id)
        behind = [place for place, offset in read.items() if at.get(place, -1) < offset]
        if not behind:
            break
        if time.monotonic() > limit:
            raise Misconfigured(
                f"the workers of {settings.app_id} have yet to read some of what would be deleted",
                where=f"{behind[0][0]}[{behind[0][1]}]",
                hint="let them catch up; SLASTREAM_APP_ID says whose workers",
            )
        await asyncio.sleep(0.5)
    await admin.cut(client, found)
