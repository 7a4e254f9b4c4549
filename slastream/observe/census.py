"""How many clocks stand how, over the partitions that this worker owns just now.

A partition is counted once when it opens, in slices between which everybody else has his turn;
from then on it is kept up by what each step says has changed, and forgotten when it is lost. Until
the count is complete nothing of that partition is told: half a count looks like good news.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping

from slastream.engine.census import CONDITIONS, Change, read
from slastream.engine.store import Store
from slastream.observe.labels import Allowed, Bounded
from slastream.observe.portion import Group, Portion

log = logging.getLogger("slastream.observe")

SLICE = 0.002
REST = 0.008
"""Seconds of counting, and of leaving the loop to others, in turn."""


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

    def committed(self, number: int, changes: dict[bytes, Change]) -> None:
        """Take in what a committed step changed."""
        portion = self.portions.get(number)
        if portion is not None:
            portion.committed(changes)

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
                    found[*_names(prefix), name] += conditions.get(condition, 0)
        return found

    def _complete(self) -> list[Portion]:
        return [portion for portion in self.portions.values() if portion.complete]

    def _groups(self) -> list[tuple[Group, dict[int, int]]]:
        return [item for portion in self._complete() for item in portion.clocks.items()]


def _names(prefix: bytes) -> tuple[str, str]:
    tenant, _, source = prefix.decode("utf-8", "replace").partition("/")
    return tenant, source
