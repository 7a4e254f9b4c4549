"""What the board keeps of a ticket: who it is about, and a card for each clock that can still break.

It reads the values of the clocks topic and works out in which group of the page a card stands at an
instant, and when that changes by itself. It may not know Kafka, browsers or what time it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from slastream.board.text import CLIP, plain, safe_url
from slastream.core.instant import HOUR, Instant, Millis, parse_instant


class Group(IntEnum):
    """Where a card stands on the page, in the order of the page."""

    OVERDUE = 0
    AT_RISK = 1
    HOUR = 2
    TODAY = 3
    PAUSED = 4
    LATER = 5


GROUPS = ("overdue", "at_risk", "hour", "today", "paused", "later")

FACETS = ("tenant", "client", "team", "priority", "indicator", "source")
"""What a view can be narrowed by."""


class About:
    """Who and what a ticket is, made safe to show: one for all the cards of a ticket."""

    __slots__ = (
        "assignee", "client", "confirmed", "key", "label", "number", "priority", "search", "source",
        "state", "team", "tenant", "type", "url",
    )  # fmt: skip

    def __init__(self, key: str, value: Mapping[str, Any]) -> None:
        self.key = key
        self.tenant = _short(value.get("tenant"))
        self.source = _short(value.get("source"))
        self.number = plain(value.get("number") or value.get("ticket"), CLIP)
        self.url = safe_url(value.get("url"))
        self.client = _short(value.get("client"))
        self.priority = _short(value.get("priority"))
        self.type = _short(value.get("type"))
        self.team = _short(value.get("team"))
        self.assignee = _short(value.get("assignee"))
        self.state = _short(value.get("state"))
        self.confirmed = parse_instant(value["confirmed_at"])
        self.search = f"{self.number} {plain(value.get('ticket'), CLIP)}".casefold()


class Card:
    """One open clock with a target. Never changed: a newer state of the clock is another card.

    `entry` is its place among the others of its group: what it is sorted by, its id, itself.
    """

    __slots__ = (
        "about", "breached", "calendar", "cycle", "due", "entry", "group", "id", "indicator",
        "level", "level_at", "paused", "policy", "remaining", "target", "today", "verdict",
        "waiting_on", "wake",
    )  # fmt: skip

    def __init__(self, about: About, clock: Mapping[str, Any], zone: str) -> None:
        self.about = about
        self.indicator = _short(clock["indicator"])
        self.cycle: int = clock["cycle"]
        self.id = f"{about.key}|{self.indicator}|{self.cycle}"
        self.paused = clock["phase"] == "paused"
        self.verdict = _short(clock["verdict"])
        self.calendar = _short(clock["calendar"])
        self.policy = _short(clock.get("policy"))
        self.waiting_on = _short(clock.get("waiting_on"))
        self.target: Millis = clock["target_ms"]
        self.remaining: Millis = clock["remaining_ms"]
        self.due = _instant(clock.get("due"))
        self.breached = _instant(clock.get("breached_at"))
        following = clock.get("next") or {}
        self.level = _short(following.get("level"))
        self.level_at = _instant(following.get("at"))
        self.today = None if self.due is None else day_start(self.due, zone)
        self.group = Group.LATER
        self.wake: Instant | None = None
        self.entry: tuple[Any, ...] = ()

    @property
    def expected(self) -> bool:
        """Whether the board's clock put it into its group ahead of what the engine has told."""
        if self.group == Group.OVERDUE:
            return self.breached is None
        return self.group == Group.AT_RISK and self.verdict != "at_risk"

    def place(self, now: Instant) -> None:
        """Work out the group at an instant, and when it will be another one."""
        self.group = self._group(now)
        self.wake = self._wake(now)
        if self.group == Group.OVERDUE:
            since = self.breached if self.breached is not None else self.due
            order = -(since or 0)  # what has just broken can still be mended best
        elif self.group == Group.PAUSED:
            order = self.remaining
        else:
            order = self.due or 0
        self.entry = (order, self.id, self)

    def _group(self, now: Instant) -> Group:
        if self.breached is not None:
            return Group.OVERDUE
        if self.paused:
            return Group.PAUSED
        if self.due is None:
            return Group.LATER
        if now > self.due:  # equal is met: the engine breaches a millisecond later
            return Group.OVERDUE
        if self.verdict == "at_risk" or (
            self.level_at is not None and self.warns and now >= self.level_at
        ):
            return Group.AT_RISK
        if self.due - now <= HOUR:
            return Group.HOUR
        return Group.TODAY if self.today is not None and now >= self.today else Group.LATER

    @property
    def warns(self) -> bool:
        """Whether the next level is one that makes it at risk."""
        return self.level != "breach" and not self.level.endswith(" over")

    def _wake(self, now: Instant) -> Instant | None:
        if self.group in (Group.OVERDUE, Group.PAUSED) or self.due is None:
            return None
        moments = [self.due + 1]
        if self.group != Group.AT_RISK:
            moments.append(self.due - HOUR)
            if self.level_at is not None and self.warns:
                moments.append(self.level_at)
            if self.today is not None:
                moments.append(self.today)
        return min(moment for moment in moments if moment > now)

    def value(self, name: str) -> str:
        """Return what a facet looks at."""
        if name == "indicator":
            return self.indicator
        found: str = getattr(self.about, name)
        return found


def shown(clock: Mapping[str, Any]) -> bool:
    """Whether a clock has a card: it is open, and something was promised for it."""
    return (
        clock["phase"] in ("running", "paused")
        and clock.get("target_ms") is not None
        and not clock.get("superseded")
    )


_shared: dict[str, str] = {}


def _short(text: object) -> str:
    # Few values, many tickets: one string for all that are equal, made harmless once.
    if text is None:
        return ""
    if not isinstance(text, str):
        return plain(text, CLIP)
    found = _shared.get(text)
    if found is None:
        if len(_shared) > 50_000:
            _shared.clear()
        found = _shared[text] = plain(text, CLIP)
    return found


def _instant(text: object) -> Instant | None:
    return None if text is None else parse_instant(text)


@lru_cache(maxsize=1_000)
def zone_of(name: str) -> ZoneInfo:
    """Return a time zone, UTC for a name that this machine does not know."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def day_start(instant: Instant, zone: str) -> Instant:
    """Return when the local date of an instant began."""
    return _day_start(instant // 900_000, zone)  # zones differ by quarters of an hour


@lru_cache(maxsize=100_000)
def _day_start(quarter: int, zone: str) -> Instant:
    local = datetime.fromtimestamp(quarter * 900, zone_of(zone))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return round(midnight.timestamp()) * 1000
