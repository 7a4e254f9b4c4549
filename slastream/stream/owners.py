"""Which partitions this worker owns, and an actor for each.

Knows assignments; Faust tells it of them. What an actor does it may not know.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from slastream.stream.actor import Actor

log = logging.getLogger("slastream.owners")


class Owners:
    """The actors of the partitions that are assigned to this worker just now."""

    def __init__(self, hire: Callable[[Any], Actor]) -> None:
        self._hire = hire
        self.actors: dict[int, Actor] = {}
        self.assigned_once = False
        self._leaving: set[asyncio.Task[None]] = set()
        self._wanted: dict[int, Any] = {}

    def deliver(self, batch: Any) -> None:
        """Hand a fetch's records to the partition's owner; a batch of nobody's is dropped."""
        actor = self.actors.get(batch.tp.partition)
        if actor is None:
            batch.done()
        else:
            actor.deliver(batch)

    def nudge(self) -> None:
        """After a fetch: whoever waits for its partition to be level may look again."""
        for actor in self.actors.values():
            actor.nudge()

    def assign(self, tps: Iterable[Any]) -> None:
        """Begin what is new, end what is lost, and read on where a partition stays."""
        self._wanted = {tp.partition: tp for tp in tps}
        self.assigned_once = True
        for number in sorted(set(self.actors) - set(self._wanted)):
            actor = self.actors.pop(number)
            task = asyncio.create_task(self._leave(number, actor), name=str(number))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)
        for number, tp in sorted(self._wanted.items()):
            if number in self.actors:
                self.actors[number].rewind()
            elif not any(task.get_name() == str(number) for task in self._leaving):
                self._begin(number, tp)

    def _begin(self, number: int, tp: Any) -> None:
        actor = self.actors[number] = self._hire(tp)
        actor.start()

    async def _leave(self, number: int, actor: Actor) -> None:
        await actor.stop()
        # It may have come back while it was being closed; its store can be opened only now.
        if number in self._wanted and number not in self.actors:
            self._begin(number, self._wanted[number])

    @property
    def ready(self) -> bool:
        """Whether every partition of ours announces what falls due; a parked one never will."""
        return self.assigned_once and all(
            actor.state in ("ready", "parked") for actor in self.actors.values()
        )

    async def stop(self) -> None:
        """End all actors, each after the transaction in hand."""
        self._wanted = {}
        await asyncio.gather(*(actor.stop() for actor in self.actors.values()), *self._leaving)
        self.actors.clear()
