"""What was announced, by ticket: alerts, what cleared them, what corrected them. Bounded, newest kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from slastream.board.text import plain

KEPT = 100_000


class Said(NamedTuple):
    """One announcement."""

    type: str
    """at_risk, breached, cleared or corrected."""
    id: str
    indicator: str
    cycle: int
    threshold: str
    reached_at: str | None
    detected_at: str | None
    late: bool
    reason: str
    about: str
    """The id of the alert that it clears or corrects."""
    before: str | None
    after: str | None


class Alerts:
    """The announcements of every ticket, in the order of their topic."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._order: deque[str] = deque()
        self._by_ticket: dict[str, deque[Said]] = {}
        self.on_alert: Callable[[str, Mapping[str, Any], Said], None] = lambda key, value, said: (
            None
        )

    def put(self, key: str, headers: Mapping[str, bytes], data: bytes | None) -> None:
        """Take in a record of the alerts topic; the same fact told twice is one."""
        try:
            value = orjson.loads(data or b"")
            said = _read(headers, value)
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        ours = self._by_ticket.setdefault(key, deque())
        if any(each.id == said.id for each in ours):
            return
        ours.append(said)
        self._order.append(key)
        if len(self._order) > self._kept:
            self._forget(self._order.popleft())
        self.on_alert(key, value, said)

    def _forget(self, key: str) -> None:
        ours = self._by_ticket[key]
        ours.popleft()
        if not ours:
            del self._by_ticket[key]

    def of(self, key: str) -> Iterator[Said]:
        """Yield what was said of a ticket, oldest first."""
        yield from self._by_ticket.get(key, ())

    def __len__(self) -> int:
        return len(self._order)


def _read(headers: Mapping[str, bytes], value: Mapping[str, Any]) -> Said:
    kind = headers["ce_type"].decode().removeprefix("io.slastream.sla.").removesuffix(".v1")
    before, after = value.get("before"), value.get("after")
    return Said(
        type=plain(kind, 40),
        id=plain(headers["ce_id"].decode("utf-8", "replace"), 80),
        indicator=plain(value["indicator"], 40),
        cycle=int(value["cycle"]),
        threshold=plain(value.get("threshold"), 40),
        reached_at=value.get("reached_at"),
        detected_at=value.get("detected_at"),
        late=bool(value.get("late")),
        reason=plain(value.get("reason") or value.get("cause"), 300),
        about=plain(value.get("alert_id"), 80),
        before=_fact(before),
        after=_fact(after),
    )


def _fact(fact: Any) -> str | None:
    if not isinstance(fact, Mapping):
        return None
    return f"{plain(fact.get('threshold'), 40)} {plain(fact.get('reached_at'), 40)}"
