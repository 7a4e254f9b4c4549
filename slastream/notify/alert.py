"""One record of the alerts topic as a value. Knows the topic's shape, not who is told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from slastream.core.errors import Rejected
from slastream.core.instant import DAY, HOUR, Instant, parse_instant

TYPES = ("at_risk", "breached", "cleared", "corrected")
LEVELS = ("at_risk", "breached")
_ID = re.compile(r"[\x21-\x7e]{1,200}")
"""An id goes into other people's headers."""
_BEGIN, _END = "io.slastream.sla.", ".v1"

BEHIND, AHEAD = 7 * DAY, HOUR
"""An alert that says it was detected this long before or after Kafka logged it tells of a simulated
time. A worker that catches up after an outage is behind as well, so the past is generous."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert, what clears it, or what corrects it. `logged_at` is the broker's time."""

    type: str
    """at_risk, breached, cleared or corrected."""
    id: str
    dedup_key: str
    key: bytes
    """The ticket's."""
    data: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    value: bytes = field(repr=False)
    offset: int
    logged_at: Instant
    simulated: bool

    @property
    def level(self) -> str:
        """at_risk or breached, also of what clears or corrects one."""
        return self.dedup_key.rpartition("/")[2]

    @property
    def about(self) -> str:
        """The id of the alert that this clears or corrects; "" for an alert."""
        return str(self.data.get("alert_id") or "")

    @property
    def stands(self) -> bool:
        """Whether something is true after it: an alert, or a correction that leaves one."""
        if self.type == "corrected":
            return self.data.get("after") is not None
        return self.type in LEVELS

    def text(self, name: str) -> str:
        """Return a member as text; "" for one that is null or absent."""
        value = self.data.get(name)
        return "" if value is None else str(value)

    def instant(self, name: str) -> Instant | None:
        """Return a member that is a time, None for null."""
        value = self.data.get(name)
        return None if value is None else parse_instant(value)


def alert_of(record: Any, *, simulated: bool = False) -> Alert:
    """Return a record of the alerts topic as an alert; `simulated` says that all of them are.

    Raises `Rejected` with reason `not_an_alert` for what somebody else wrote there.
    """
    headers = {name: value.decode("utf-8", "replace") for name, value in record.headers if value}
    kind = headers.get("ce_type", "").removeprefix(_BEGIN).removesuffix(_END)
    if kind not in TYPES or not _ID.fullmatch(headers.get("ce_id", "")):
        raise _no("its headers are not those of an alert")
    try:
        data = orjson.loads(record.value or b"")
        detected = parse_instant(data["detected_at"])
        for name in ("reached_at", "due", "started_at"):
            if data.get(name) is not None:
                parse_instant(data[name])
        dedup_key = str(data["dedup_key"])
    except (ValueError, KeyError, TypeError, AttributeError, Rejected) as error:
        raise _no(f"its value is not that of an alert: {error}") from None
    if dedup_key.rpartition("/")[2] not in LEVELS or len(dedup_key) > 200:
        raise _no("its dedup_key does not end in a level")
    apart = detected - record.timestamp
    return Alert(
        type=kind,
        id=headers["ce_id"],
        dedup_key=dedup_key,
        key=record.key or b"",
        data=data,
        headers=headers,
        value=record.value,
        offset=record.offset,
        logged_at=record.timestamp,
        simulated=simulated or not -BEHIND <= apart <= AHEAD,
    )


def _no(why: str) -> Rejected:
    return Rejected("not_an_alert", why)
