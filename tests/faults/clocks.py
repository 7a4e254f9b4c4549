"""The wall clock steps by an hour, back and forward, while deadlines really fall due.

Here a worker goes by the wall clock, and targets are seconds and minutes. libfaketime moves its clock
alone: the broker's stays right. While the two disagree deadlines wait; nothing is ever announced early;
when they agree again, everything is there. The oracle reads the journal that came of it.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from slastream import book, wire
from slastream.core.books import Books
from slastream.core.event import Actor, Event
from slastream.kafka import admin
from slastream.kafka.local import LocalBroker
from slastream.kafka.plan import plan
from slastream.offline.alerts import Arrival
from slastream.settings import Settings
from slastream.stream.actor import HEARTBEAT
from tests.faults.members import Member
from tests.faults.oracle import Oracle
from tests.faults.witness import Witness
from tests.faults.world import QUICK, Struck, Verdict

CLOCKS = ("clock forward", "clock back")
HOUR = 3600
PARTITIONS = 2
PATIENCE = 45.0
BOOK = """
apiVersion: slastream/v1
effective_from: 2020-01-01T00:00:00Z
tenant: acme
options: {settle: PT0S}
policies:
  - name: soon
    calendar: 24x7
    targets: {response: {P1: PT2S, P2: PT45M}}
    at_risk: []
"""
"""One level alone: who looks late announces the highest level reached, and the oracle is never late."""


def library() -> Path | None:
    """Return libfaketime, from Debian's package `faketime`, or None where it is not installed."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return found[0] if found else None


class Hands:
    """The hands of one worker's clock: a file that libfaketime reads at every look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.set(0)

    def set(self, seconds: int) -> None:
        """Put the clock so many seconds ahead of the right time."""
        new = self._path.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.rename(self._path)

    def environ(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._path),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


async def clocks(
    add: Callable[[Verdict], None],
    told: Callable[[dict[str, Any]], None],
    folder: Path,
    seed: int,
    rounds: int,
    kinds: Collection[str] = CLOCKS,
) -> None:
    """Let the clock step in each direction, `rounds` times, and compare."""
    if library() is None:
        raise FileNotFoundError("libfaketime is not installed: apt-get install faketime")
    folder.mkdir(parents=True)
    with LocalBroker() as broker:
        scene = Scene(broker, folder, seed)
        await scene.begin()
        try:
            for _ in range(rounds):
                for kind in CLOCKS:
                    if kind in kinds:
                        add(await scene.step(kind, HOUR if kind == CLOCKS[0] else -HOUR))
            add(await scene.finish())
            told(scene.figures())
        finally:
            await scene.end()


class Scene:
    """One worker by the wall clock, tickets that are told now, and somebody who counts."""

    def __init__(self, broker: LocalBroker, folder: Path, seed: int) -> None:
        prefix = f"c{secrets.token_hex(3)}."
        self._rng = random.Random(f"clocks/{seed}")
        self._settings = Settings(
            broker=broker.bootstrap, prefix=prefix, app_id=prefix.strip("."), web_port=0, **QUICK,  # type: ignore[arg-type]
        )  # fmt: skip
        self._hands = Hands(folder / "hands")
        path = folder / "book.yaml"
        path.write_text(BOOK)
        self._books = Books(*book.load(path))
        self._member = Member(
            "ada", self._settings, folder, book=path, environ=self._hands.environ()
        )
        self._witness = Witness(self._settings, PARTITIONS)
        self._task: asyncio.Task[None] | None = None
        self._tickets = 0
        self._late: set[str] = set()
        """Tickets whose deadline is most of an hour away."""
        self._steps = 0

    async def begin(self) -> None:
        wanted = plan(self._settings.prefix, PARTITIONS, sources=["canonical"])
        wanted = [replace(w, partitions=1) if w.topic.short == "raw" else w for w in wanted]
        await admin.create({"bootstrap_servers": self._settings.broker}, wanted)
        self._member.start()
        self._task = asyncio.create_task(self._witness.run(), name="witness")
        await self._member.says("ready: ", 60)

    async def end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._member.kill()

    async def step(self, kind: str, seconds: int) -> Verdict:
        """Step the clock while deadlines fall due, wait, put it right, and compare."""
        self._steps += 1
        await self._tell(20)
        struck = Struck(time.monotonic(), 0)
        self._hands.set(seconds)
        await asyncio.sleep(0.5)
        await self._tell(20)
        await asyncio.sleep(3.5)
        early = len(self._witness.seen)
        self._hands.set(0)
        await self._tell(20)
        verdict = await self._compare(kind, struck)
        waited = len(self._witness.seen) - early
        verdict.what = (
            f"{seconds:+d} s for 4 s while {early} facts were there, {waited} came behind"
        )
        return verdict

    async def finish(self) -> Verdict:
        verdict = await self._compare("the end", Struck(time.monotonic(), 0))
        verdict.faults = 0
        return verdict

    async def _tell(self, count: int) -> None:
        """Open tickets now: some are answered at once, some never, some have most of an hour."""
        async with AIOKafkaProducer(bootstrap_servers=self._settings.broker) as producer:
            for _ in range(count):
                self._tickets += 1
                ticket, now = str(self._tickets), int(time.time() * 1000)
                late = self._rng.random() < 0.3
                if late:
                    self._late.add(ticket)
                told = [_event(ticket, now, "created", priority="P2" if late else "P1")]
                if not late and self._rng.random() < 0.3:
                    told.append(_event(ticket, now + 1, "updated", state="responded"))
                for event in told:
                    await producer.send_and_wait(
                        self._settings.topic("raw.canonical"),
                        wire.encode_event(event), wire.event_key(event),
                    )  # fmt: skip

    async def _compare(self, kind: str, struck: Struck) -> Verdict:
        """Wait for what the oracle says of the journal, some seconds from now."""
        verdict = Verdict(kind, "", 1, 0.0, 0.0, 0)
        limit = time.monotonic() + PATIENCE
        while True:
            await asyncio.sleep(0.3)
            oracle = await self._oracle()
            missing = oracle.expected.keys() - self._witness.seen.keys()
            if not missing or time.monotonic() > limit:
                break
        seen = self._witness.seen
        verdict.lost = [str(oracle.expected[id_]) for id_ in missing]
        verdict.different = [
            f"too early or too much: {seen[id_].fact}"
            for id_ in seen.keys() - oracle.expected.keys()
        ]
        verdict.different += [
            f"{id_}: {seen[id_].fact} is not {fact}"
            for id_, fact in oracle.expected.items()
            if id_ in seen and seen[id_].fact != fact
        ]
        verdict.twice = list(self._witness.twice)
        self._witness.twice.clear()
        verdict.facts = len(oracle.expected)
        last = max((each.arrived for each in seen.values()), default=struck.at)
        verdict.commits = verdict.whole = max(0.0, last - struck.at)
        return verdict

    async def _oracle(self) -> Oracle:
        """Return what must have been announced of the journal as it is, once three seconds have passed."""
        oracle = Oracle(self._books)
        for records in (await self._journal()).values():
            arrivals = [Arrival(r.timestamp, wire.decode_event(r.value)) for r in records]
            # Deadlines two seconds away count as passed, those most of an hour away do not.
            oracle.hear(arrivals, max(each.log_time for each in arrivals) + 60_000)
        return oracle

    async def _journal(self) -> dict[int, list[Any]]:
        tps = [TopicPartition(self._settings.topic("tickets"), n) for n in range(PARTITIONS)]
        found: dict[int, list[Any]] = {}
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.broker, auto_offset_reset="earliest"
        )
        async with consumer:
            consumer.assign(tps)
            ends = await consumer.end_offsets(tps)
            await consumer.seek_to_beginning(*tps)
            while any([await consumer.position(tp) < ends[tp] for tp in tps]):
                for tp, records in (await consumer.getmany(timeout_ms=100)).items():
                    found.setdefault(tp.partition, []).extend(
                        r for r in records if r.value and r.key != HEARTBEAT
                    )
        return found

    def figures(self) -> dict[str, Any]:
        return {
            "tickets": self._tickets,
            "due_in_45_minutes": len(self._late),
            "facts": len(self._witness.seen),
            "steps": self._steps,
        }


def _event(ticket: str, at: int, kind: str, **told: Any) -> Event:
    return Event(
        tenant="acme", source="desk", ticket=ticket, occurred_at=at, id=f"{ticket}/{kind}",
        kind=kind, created_at=at if kind == "created" else None,  # type: ignore[arg-type]
        actor=Actor("ada", "agent"), **{"state": "new", **told},
    )  # fmt: skip
