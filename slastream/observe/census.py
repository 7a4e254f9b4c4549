"""How many clocks stand how, over the partitions that this worker owns just now.

A partition is counted once when it opens, in slices between which everybody else has his turn;
from then on it is kept up by what each step says has changed, and forgotten when it is lost. Until
the count is complete nothing of that partition is told: half a count looks like good news.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import islice, zip_longest
from typing import Any

from slastream.engine.census import CONDITIONS, Change, Standing, read, standing
from slastream.engine.row import NOTE, decode_row
from slastream.engine.store import Store
from slastream.observe.labels import Allowed, Bounded

log = logging.getLogger("slastream.observe")

CHUNK = 1_000
SLICE = 0.002
REST = 0.008
"""Seconds of counting, and of leaving the loop to others, in turn."""

Group = tuple[bytes, str, str]
"""What begins the keys of a tenant's source, a priority, a client."""

Counts = tuple[Counter[int], Counter[int], Counter[int]]
"""A group's clocks, and its tenant and source's due clocks and tickets."""


class Portion:
    """The counts of one partition."""

    def __init__(self, priority: Callable[[object], str], client: Callable[[object], str]) -> None:
        self._priority, self._client = priority, client
        self.clocks: dict[Group, Counter[int]] = {}
        """By group, then by the number of a clock without its slot."""
        self.due: dict[bytes, Counter[int]] = {}
        """By tenant and source, then by the whole number of a clock that may be met in time."""
        self.tickets: dict[bytes, Counter[int]] = {}
        """By tenant and source, then by condition."""
        self.complete = False
        self._places: dict[tuple[bytes, Any, Any], Counts] = {}
        self._reach: bytes | None = None
        self._waiting: list[tuple[bytes, bytes]] = []
        """Rows as they were when the count came by; what changed since was told by `change`."""

    def change(self, key: bytes, before: Standing | None, after: Standing | None) -> None:
        """Take in what a committed step changed of one row."""
        if not self.complete and (self._reach is None or key > self._reach):
            return  # the count has yet to come by, and will find it as it is then
        if before is not None and after is not None and before[:3] == after[:3]:
            self._move(key, before, after)
        else:
            self._add(key, before, -1)
            self._add(key, after, 1)

    def count(self, store: Store, seconds: float) -> None:
        """Count rows for about so long; `complete` says when there are no more."""
        limit = time.perf_counter() + seconds
        if self.complete:
            return
        if not self._waiting:
            self._waiting = list(islice(store.scan(self._reach), CHUNK))
            if not self._waiting:
                self.complete = True
                return
            self._reach = self._waiting[-1][0]
        while self._waiting and time.perf_counter() < limit:
            key, data = self._waiting.pop()
            if not key.startswith(NOTE):
                self._add(key, standing(decode_row(data)), 1)

    def _move(self, key: bytes, before: Standing, after: Standing) -> None:
        """Count the clocks that stand otherwise now; most steps move one of three."""
        clocks, due, _ = self._counts(key, before)
        for old, new in zip_longest(before[3:], after[3:]):
            if old != new:
                if old is not None:
                    clocks[old & 63] -= 1
                    if old > 63:
                        _less(due, old)
                if new is not None:
                    clocks[new & 63] += 1
                    if new > 63:
                        due[new] += 1

    def _add(self, key: bytes, stands: Standing | None, one: int) -> None:
        if stands is None:
            return
        clocks, due, tickets = self._counts(key, stands)
        tickets[stands[2]] += one
        for number in stands[3:]:
            clocks[number & 63] += one
            if number > 63:
                if one > 0:
                    due[number] += 1
                else:
                    _less(due, number)

    def _counts(self, key: bytes, stands: Standing) -> Counts:
        prefix = key[: key.find(b"/", key.find(b"/") + 1)]
        found = self._places.get((prefix, stands[0], stands[1]))
        return self._place(prefix, stands[0], stands[1]) if found is None else found

    def _place(self, prefix: bytes, priority: Any, client: Any) -> Counts:
        """Return where the clocks of a group are counted."""
        if len(self._places) > 5_000:
            self._places.clear()
        group = (prefix, self._priority(priority), self._client(client))
        clocks = self.clocks.setdefault(group, Counter())
        due = self.due.setdefault(prefix, Counter())
        tickets = self.tickets.setdefault(prefix, Counter())
        found = self._places[prefix, priority, client] = (clocks, due, tickets)
        return found


class Census:
    """The portions of a worker, one a partition."""

    def __init__(self, clients: Allowed) -> None:
        self.clients = clients
        self._priorities = Bounded(30)
        self.portions: dict[int, Portion] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._turn = asyncio.Semaphore(1)

    def open(self, number: int, store: Store) -> None:
        """Begin to count a partition that is ready. Needs a running loop."""
        self.drop(number)
        portion = self.portions[number] = Portion(self._priorities, self.clients)
        self._tasks[number] = asyncio.create_task(
            self._count(number, portion, store), name=f"census-{number}"
        )

    def drop(self, number: int) -> None:
        """Forget a partition that is no longer ours, or not for now."""
        self.portions.pop(number, None)
        task = self._tasks.pop(number, None)
        if task is not None:
            task.cancel()

    def close(self) -> None:
        """Forget all of them."""
        for number in list(self.portions):
            self.drop(number)

    def committed(self, number: int, changes: Mapping[bytes, Change]) -> None:
        """Take in what a committed step changed."""
        portion = self.portions.get(number)
        if portion is not None:
            for key, (before, after) in changes.items():
                portion.change(key, before, after)

    async def _count(self, number: int, portion: Portion, store: Store) -> None:
        async with self._turn:
            try:
                while not portion.complete:
                    portion.count(store, SLICE)
                    await asyncio.sleep(REST)
            except Exception as error:
                log.warning("the clocks of partition %d are not counted: %s", number, error)

    # -- totals

    def clocks(self) -> Counter[tuple[str, ...]]:
        """Return (tenant, source, indicator, priority, phase, verdict) -> clocks."""
        found: Counter[tuple[str, ...]] = Counter()
        for (prefix, priority, _), numbers in self._groups():
            tenant, source = _names(prefix)
            for number, count in numbers.items():
                what = read(number)
                key = (tenant, source, what.indicator, priority, what.phase, what.verdict)
                found[key] += count
        return found

    def client_clocks(self) -> Counter[tuple[str, ...]]:
        """Return (tenant, client, indicator, phase, verdict) -> clocks that are open."""
        found: Counter[tuple[str, ...]] = Counter()
        for (prefix, _, client), numbers in self._groups():
            tenant, _source = _names(prefix)
            for number, count in numbers.items():
                what = read(number)
                if what.phase in ("pending", "running", "paused"):
                    found[tenant, client, what.indicator, what.phase, what.verdict] += count
        return found

    def due(self, slot: int, horizons: Mapping[str, int]) -> Counter[tuple[str, ...]]:
        """Return (tenant, source, indicator, within) -> clocks due at most so many slots from `slot` on."""
        found: Counter[tuple[str, ...]] = Counter()
        for portion in self._complete():
            for prefix, numbers in portion.due.items():
                tenant, source = _names(prefix)
                for number, count in numbers.items():
                    what = read(number)
                    for within, slots in horizons.items():
                        ahead = what.slot < slot + slots
                        found[tenant, source, what.indicator, within] += count if ahead else 0
        return found

    def tickets(self) -> Counter[tuple[str, ...]]:
        """Return (tenant, source, condition) -> tickets."""
        found: Counter[tuple[str, ...]] = Counter()
        for portion in self._complete():
            for prefix, conditions in portion.tickets.items():
                for condition, name in enumerate(CONDITIONS):
                    found[*_names(prefix), name] += conditions[condition]
        return found

    def _complete(self) -> list[Portion]:
        return [portion for portion in self.portions.values() if portion.complete]

    def _groups(self) -> list[tuple[Group, Counter[int]]]:
        return [item for portion in self._complete() for item in portion.clocks.items()]


def _less(due: Counter[int], number: int) -> None:
    """Take one away, and its place with the last: there is a number for every five minutes."""
    due[number] -= 1
    if not due[number]:
        del due[number]


def _names(prefix: bytes) -> tuple[str, str]:
    tenant, _, source = prefix.decode("utf-8", "replace").partition("/")
    return tenant, source
