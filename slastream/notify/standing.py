"""Which alerts stand, of one partition and one route: a fold of the topic, in its order.

Several alerts share a `dedup_key`: 75 % and 90 %, a breach and its reminders, what corrects one. A
receiver shows one incident for a key, so it is over when the last alert of the key is cleared, and
not when the first one is. That is what this file knows.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from slastream.notify.alert import Alert

TRIGGER, UPDATE, PARTIAL, RESOLVE = "trigger", "update", "partial", "resolve"
"""What an alert does to its incident: begin it, change it, take a part of it away, end it."""

REMEMBERED = 5_000
"""Ids of the latest alerts of a partition, so that one which is announced twice is told once."""


@dataclass(slots=True)
class Incident:
    """What a receiver shows under one `dedup_key`."""

    first: Alert
    latest: Alert
    ids: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Notice:
    """What a receiver is told: an alert, and what it does to the incident that began with `first`."""

    action: str
    alert: Alert
    first: Alert


class Standing:
    """The incidents that are open. `passes` decides about alerts, never about what clears them."""

    def __init__(self, passes: Callable[[Alert], bool]) -> None:
        self._passes = passes
        self._open: dict[str, Incident] = {}
        self._told: OrderedDict[str, bool] = OrderedDict()

    def take(self, alert: Alert) -> Notice | str:
        """Return what to tell, or why nothing is told: `repeat`, `filtered` or `unknown`."""
        if alert.id in self._told:
            return "repeat"
        found = self._taken(alert)
        self._told[alert.id] = not isinstance(found, str)
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        return found

    def _taken(self, alert: Alert) -> Notice | str:
        incident = self._open.get(alert.dedup_key)
        if incident is None or alert.about not in incident.ids:
            if alert.stands:
                return self._raised(alert, incident) if self._passes(alert) else "filtered"
            # A correction of what was cleared already: news for whoever keeps books, no incident.
            if alert.type == "corrected" and self._told.get(alert.about):
                return Notice(PARTIAL, alert, alert if incident is None else incident.first)
            return "unknown"
        incident.ids.discard(alert.about)
        if alert.stands:
            return self._raised(alert, incident)
        if incident.ids:
            return Notice(PARTIAL, alert, incident.first)
        del self._open[alert.dedup_key]
        return Notice(RESOLVE, alert, incident.first)

    def _raised(self, alert: Alert, incident: Incident | None) -> Notice:
        action = UPDATE
        if incident is None:
            action = TRIGGER
            incident = self._open[alert.dedup_key] = Incident(alert, alert)
        incident.latest = alert
        incident.ids.add(alert.id)
        return Notice(action, alert, incident.first)

    @property
    def oldest(self) -> int | None:
        """The offset from which the topic must be read to know all that stands; None if nothing does."""
        # Keys are in the order in which their incidents began.
        first = next(iter(self._open.values()), None)
        return None if first is None else first.first.offset

    def __contains__(self, dedup_key: str) -> bool:
        return dedup_key in self._open

    def __iter__(self) -> Iterator[Incident]:
        return iter(self._open.values())

    def __len__(self) -> int:
        return len(self._open)
