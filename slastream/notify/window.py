"""What of a partition is under way: a ticket's alerts in their order, and how far all is done.

Tickets do not wait for each other, so what is done has gaps. The group's offset stands before the
first of them: whatever lies behind it was delivered, set aside as a dead letter, or is for nobody.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from slastream.core.instant import Instant
from slastream.notify.standing import Notice, Standing

FULL = 500
"""So many records are under way in a partition, at most. They may come twice after a crash."""


@dataclass(slots=True)
class Item:
    """One record that a receiver has yet to take. `notice` is None for one that is no alert."""

    record: Any = field(repr=False)
    notice: Notice | None
    problem: str = ""
    needs: int = 0
    """The offset from which the topic tells what this record changes."""
    done: bool = False
    tries: int = 0
    blamed: int = 0
    """Tries after which the receiver may have meant this record, and not the world."""
    first_try: float | None = None
    others: int = 0
    """How many requests the receiver had answered when this one first failed."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far a partition is done, and from where on the topic tells what stands there."""

    offset: int
    since: int


class Window:
    """The records of one partition that are under way. `ready` is told of each ticket that may go on."""

    def __init__(
        self, tp: Any, position: int, standing: Standing, ready: Callable[[Window, bytes], None]
    ) -> None:
        self.tp = tp
        self.standing = standing
        self.closed = False
        self.quiet = asyncio.Event()
        """Set while no request of it is on its way."""
        self.quiet.set()
        self._posting = 0
        self._ready = ready
        self._position = position
        self._items: deque[Item] = deque()
        self._lanes: dict[bytes, deque[Item]] = {}

    def __len__(self) -> int:
        return len(self._items)

    @property
    def full(self) -> bool:
        return len(self._items) >= FULL

    def passed(self, position: int) -> None:
        """Note that everything before a position was looked at."""
        self._position = max(self._position, position)

    def add(self, item: Item) -> None:
        """Take a record in. Its ticket's earlier records go first."""
        self.passed(item.record.offset + 1)
        self._items.append(item)
        key = item.record.key or b""
        lane = self._lanes.get(key)
        if lane is None:
            self._lanes[key] = deque((item,))
            self._ready(self, key)
        else:
            lane.append(item)

    @contextmanager
    def posting(self) -> Iterator[None]:
        """A request of this partition is on its way."""
        self._posting += 1
        self.quiet.clear()
        try:
            yield
        finally:
            self._posting -= 1
            if not self._posting:
                self.quiet.set()

    def next(self, key: bytes) -> Item:
        """Return what a ticket's receiver is to take next."""
        return self._lanes[key][0]

    def finish(self, key: bytes) -> None:
        """The first record of a ticket is done with; the next one may go."""
        lane = self._lanes[key]
        lane.popleft().done = True
        if lane:
            self._ready(self, key)
        else:
            del self._lanes[key]
        while self._items and self._items[0].done:
            self._items.popleft()

    @property
    def place(self) -> Place:
        """Return what may be committed now."""
        offset = self._items[0].record.offset if self._items else self._position
        needed = [item.needs for item in self._items]
        if self.standing.oldest is not None:
            needed.append(self.standing.oldest)
        return Place(offset, min([offset, *needed]))

    @property
    def oldest(self) -> Instant | None:
        """Return when the oldest record that is not done was written; None when all are."""
        return self._items[0].record.timestamp if self._items else None
