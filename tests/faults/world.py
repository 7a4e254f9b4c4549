"""A cluster, workers, a desk that is told to them without an end, and somebody who counts.

`meet` lets one fault happen while all of it runs, waits until what was told behind it is whole, and
compares: everything that the oracle expects was published, once, saying the same, and nothing else.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Self

from slastream import book
from slastream.core.books import Books
from slastream.kafka import admin
from slastream.kafka.plan import plan
from slastream.settings import Settings
from tests.faults.audit import audit
from tests.faults.disks import MIB, Disk
from tests.faults.feeder import Feeder
from tests.faults.grounds import NAMES, Ground
from tests.faults.members import COMMAND, Member
from tests.faults.oracle import Oracle, decided_of
from tests.faults.witness import Witness
from tests.faults.workload import BOOK, Desk

PARTITIONS = 4
PATIENCE = 45.0
"""Seconds after which what has not been published counts as lost."""

QUICK = {"session_timeout": 3.0, "heartbeat_interval": 0.5, "transaction_timeout": 4.0}
"""A worker whose absence is noticed in seconds, so that a fault costs seconds."""

STATE = {
    "segment.ms": "3000",
    "min.cleanable.dirty.ratio": "0.01",
    "max.compaction.lag.ms": "1000",
    "delete.retention.ms": "60000",
}
"""A changelog that is compacted all the time, and forgets tombstones after a minute."""


class Struck(NamedTuple):
    """The moment of a fault."""

    at: float
    """On the monotonic clock."""
    facts: int
    """How many facts were expected then: those that come behind were told after it."""


@dataclass
class Met:
    """A fault that has happened."""

    what: str
    """In words: to whom, how."""
    struck: Struck
    faults: int = 1


@dataclass
class Verdict:
    """What was found after a fault."""

    kind: str
    what: str
    faults: int
    commits: float
    """Seconds from the fault until every partition had committed something that was told after it."""
    whole: float
    """Seconds from the fault until everything that was told after its end was there."""
    facts: int
    """Facts that were expected so far."""
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    """What workers complained of, when something was wrong."""

    @property
    def good(self) -> bool:
        return not (self.lost or self.twice or self.different)


Kind = Callable[["World"], Awaitable[Met]]


class World:
    """Everything that a fault can happen to. Use it as `async with`."""

    def __init__(
        self,
        ground: Ground,
        folder: Path,
        seed: int,
        *,
        command: tuple[str, ...] = COMMAND,
        timeouts: Mapping[str, float] = QUICK,
        size: int = 40,
    ) -> None:
        self.ground = ground
        self.folder = folder
        self.rng = random.Random(f"world/{seed}")
        prefix = f"f{secrets.token_hex(3)}."
        self.settings = Settings(
            broker=ground.direct, prefix=prefix, app_id=prefix.strip("."), web_port=0, time="log",
            chunk=200, fires=100, **timeouts,  # type: ignore[arg-type]
        )  # fmt: skip
        self.desk = Desk(seed, size, PARTITIONS)
        path = folder / "book.yaml"
        path.write_text(BOOK)
        self.oracle = Oracle(Books(*book.load(path)))
        self.feeder = Feeder(self.settings, self.desk, self.oracle, PARTITIONS)
        self.witness = Witness(self.settings, PARTITIONS)
        self.members = {
            name: Member(
                name, replace(self.settings, broker=ground.address(name)), folder / "workers",
                book=path, command=command,
            )
            for name in NAMES
        }  # fmt: skip
        self.disks = {name: Disk(member.disk, 512 * MIB) for name, member in self.members.items()}
        self.backups: dict[str, Path] = {}
        self._blamed: set[str] = set()
        self._told_twice = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        try:
            await self._begin()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def _begin(self) -> None:
        wanted = plan(
            self.settings.prefix, PARTITIONS, self.ground.replication,
            simulated=True, sources=["canonical"],
        )  # fmt: skip
        wanted = [
            replace(one, config={**one.config, **(STATE if one.topic.short == "state" else {})})
            for one in wanted
        ]
        # One raw partition: what is told in an order arrives in it.
        wanted = [replace(w, partitions=1) if w.topic.short == "raw" else w for w in wanted]
        await admin.create({"bootstrap_servers": self.settings.broker}, wanted)
        for name in NAMES[:2]:
            self.members[name].start()
        self._tasks = [
            asyncio.create_task(self.feeder.run(), name="feeder"),
            asyncio.create_task(self.witness.run(), name="witness"),
        ]

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for member in self.members.values():
            await member.kill()
        for disk in self.disks.values():
            disk.close()

    # -- who

    def running(self) -> list[Member]:
        return [member for member in self.members.values() if member.running]

    def anyone(self) -> Member:
        """Return one of the two workers that are always there."""
        return self.members[self.rng.choice(NAMES[:2])]

    def other(self, member: Member) -> Member:
        return self.members[NAMES[1] if member.name == NAMES[0] else NAMES[0]]

    async def fed(self, slices: int = 1, limit: float = PATIENCE) -> None:
        """Wait until as many slices that begin from now on are told."""
        told = asyncio.create_task(self.feeder.past(self.feeder.last.number + 1 + slices))
        done, _ = await asyncio.wait(
            {told, *self._tasks}, timeout=limit, return_when=asyncio.FIRST_COMPLETED
        )
        told.cancel()
        self._look_at_tasks()
        if told not in done:
            raise TimeoutError(f"no more is taken in within {limit:g} s")

    # -- faults

    async def meet(self, kind: str, happen: Kind) -> Verdict:
        """Let a fault happen and compare what is there with what should be."""
        self._look_at_tasks()
        struck = self.struck()
        try:
            met = await happen(self)
        except (TimeoutError, AssertionError) as error:
            verdict = await self.compare(kind, Met("it did not go as it should", struck))
            verdict.lost.insert(0, f"{type(error).__name__}: {error}")
            return verdict
        return await self.compare(kind, met)

    def struck(self) -> Struck:
        """Return this moment, to be the one of a fault."""
        return Struck(time.monotonic(), len(self.oracle.expected))

    async def compare(self, kind: str, met: Met) -> Verdict:
        """Wait for a slice that began after the fault, and for everything up to its end."""
        verdict = Verdict(kind, met.what, met.faults, 0.0, 0.0, 0)
        try:
            await self.fed(1)
        except TimeoutError:
            verdict.lost.append("nothing is taken in any more")
        else:
            await asyncio.wait_for(self.feeder.pause(), PATIENCE)
            await self._settled()
        verdict.whole = time.monotonic() - met.struck.at
        await asyncio.sleep(0.1)  # whoever would publish too much has not been asked to hurry
        self._judge(verdict)
        verdict.commits = self._commits(met.struck)
        if not verdict.good:
            await self._begin_anew(verdict)
        self.feeder.go()
        return verdict

    async def _begin_anew(self, verdict: Verdict) -> None:
        """Note what workers complained of, and start them again, so that the next fault stands alone."""
        for name in NAMES[:2]:
            member = self.members[name]
            told = [line for line in member.since_start().splitlines() if " ERROR " in line]
            verdict.said += [f"{name}: {line}" for line in told[-4:]]
            await member.kill()
            member.start()

    async def _settled(self) -> None:
        """Wait until everything that was told is there, or until it counts as lost."""
        limit = time.monotonic() + PATIENCE
        while self._missing() and time.monotonic() < limit:
            self._look_at_tasks()
            await asyncio.sleep(0.02)

    def _missing(self) -> bool:
        seen, dead = self.witness.seen, self.witness.dead
        return not (
            self.oracle.expected.keys() - self._blamed <= seen.keys() and self.oracle.poison <= dead
        )

    def _judge(self, verdict: Verdict) -> None:
        """Note everything that is wrong, each thing once."""
        expected, seen = self.oracle.expected, self.witness.seen
        for id_ in expected.keys() - seen.keys() - self._blamed:
            verdict.lost.append(f"{id_}: {expected[id_][0]} {expected[id_][1][:300]!r}")
        for key in self.oracle.poison - self.witness.dead:
            verdict.lost.append(f"the dead letter of {key!r}")
        for id_ in seen.keys() - self._blamed:
            if id_ not in expected:
                verdict.different.append(f"{id_} was not expected: {seen[id_].fact[1][:300]!r}")
            elif seen[id_].fact != expected[id_]:
                verdict.different.append(f"{id_}: {seen[id_].fact} is not {expected[id_]}")
        verdict.twice = self.witness.twice[self._told_twice :]
        self._told_twice = len(self.witness.twice)
        found = (*verdict.lost, *verdict.different)
        self._blamed |= {line.partition(":")[0].partition(" ")[0] for line in found}
        verdict.facts = len(expected)

    def _commits(self, struck: Struck) -> float:
        """Return after how many seconds the last partition had committed something new."""
        first: dict[int, float] = {}
        for id_ in islice(self.oracle.expected, struck.facts, None):
            seen = self.witness.seen.get(id_)
            if seen is not None:
                number = seen.place.partition
                first[number] = min(first.get(number, seen.arrived), seen.arrived)
        return max(first.values(), default=struck.at) - struck.at

    def _look_at_tasks(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()
                raise RuntimeError(f"the {task.get_name()} has ended")

    # -- the end

    async def finish(self) -> Verdict:
        """End in good order, read all topics from the beginning, and compare everything once more."""
        began = time.monotonic()
        await self.feeder.pause()
        await self._settled()
        for member in self.running():
            await member.leave()
        fresh = Witness(self.settings, PARTITIONS)
        await asyncio.wait_for(fresh.to_the_end(), PATIENCE)
        self._tasks[1].cancel()
        self.witness, self._blamed, self._told_twice = fresh, set(), 0
        verdict = Verdict("the end", "read again from the beginning", 0, 0.0, 0.0, 0)
        self._judge(verdict)
        ordered = sorted(fresh.seen.values(), key=lambda each: (each.place.partition, each.offset))
        found = decided_of(each.fact for each in ordered)
        decided = self.oracle.decided(self.feeder.until)
        for key in sorted(found.keys() | decided.keys()):
            if found.get(key) != decided.get(key):
                verdict.different.append(
                    f"{key} is {found.get(key)}, a backtest says {decided.get(key)}"
                )
        wrong, stores = await audit(
            self.settings, [m.disk for m in self.members.values()], PARTITIONS
        )
        verdict.different += wrong
        if stores < PARTITIONS:  # more when two workers have been at a partition's end
            verdict.different.append(f"{stores} stores could be compared, not {PARTITIONS}")
        verdict.what += f"; {stores} stores on disk compared with the changelog"
        verdict.whole = time.monotonic() - began
        return verdict

    def figures(self) -> dict[str, Any]:
        """Return how much was told and read."""
        return {
            "slices": self.feeder.last.number + 1,
            "records": self.feeder.records,
            "events": self.oracle.events,
            "poison": len(self.oracle.poison),
            "facts": len(self.oracle.expected),
            "records_read_committed": self.witness.records,
            "starts_of_workers": {name: each.starts for name, each in self.members.items()},
        }
