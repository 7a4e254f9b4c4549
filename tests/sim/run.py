"""A partition under faults, in virtual time: `python -m tests.sim.run --seeds N` or `--seed n`.

The engine is the real one. Around it, and seeded: a log whose transactions abort or commit without an
answer, workers that crash at any point of a step, lose their disk or come back with an old one, owners
that have been replaced and do not know it, events that come late, twice and out of order, tickets that
are erased on request. After every step the promises of the architecture hold; when the faults stop,
what was announced is what the model of a ticket says, and nothing is left of what was erased.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from slastream import wire
from slastream.core.books import Books
from slastream.core.instant import Instant, parse_instant
from slastream.core.policy import Book
from slastream.engine.effects import Effects, Record
from slastream.engine.partition import Partition
from slastream.engine.row import deadline_of, decode_row
from slastream.engine.store import MemoryStore
from tests.property.ticket_model import MINUTE, Story, play
from tests.property.ticket_oracle import (
    START,
    arrivals,
    book_of,
    differences,
    event_of,
    history,
    read,
    story_of,
    tell,
)
from tests.support.consumer import Consumer

SETTLE, GRACE = 5_000, 30_000

SAY = 10.0
"""Seconds between two lines of progress."""


class Fenced(Exception):
    """A newer owner has opened the partition."""


class Aborted(Exception):
    """The transaction did not happen, and the worker knows."""


class Unanswered(Exception):
    """The transaction may have happened."""


class Crashed(Exception):
    """The worker is gone."""


@dataclass
class Log:
    """The broker: a journal, a changelog with transactions, and a consumer that reads committed."""

    rng: Random
    journal: list[Record] = field(default_factory=list)
    changelog: list[tuple[dict[bytes, bytes | None], int]] = field(default_factory=list)
    """Committed transactions: the rows of each, and the journal position it reached."""
    table: dict[bytes, bytes] = field(default_factory=dict)
    epoch: int = 0
    consumer: Consumer = field(default_factory=Consumer)
    faulty: bool = True
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def position(self) -> int:
        return self.changelog[-1][1] if self.changelog else 0

    def commit(self, epoch: int, effects: Effects, position: int) -> None:
        """Commit a step as one transaction, or fail in one of the ways in which brokers do."""
        if epoch != self.epoch:
            self.faults["fenced"] += 1
            raise Fenced
        fault = self.rng.random() if self.faulty else 1.0
        if fault < 0.05:
            self.faults["aborted"] += 1
            raise Aborted
        if fault < 0.08:
            self.faults["lost, not committed"] += 1
            raise Unanswered
        assert position >= self.position, "the position ran backwards"
        self.changelog.append((dict(effects.rows), position))
        for key, row in effects.rows.items():
            if row is None:
                self.table.pop(key, None)
            else:
                self.table[key] = row
        for message in effects.messages:
            self.consumer.read(message)
        if fault < 0.12:
            self.faults["lost, committed"] += 1
            raise Unanswered


class Worker:
    """One owner of the partition: its store is a cache of the changelog, written after the commit."""

    def __init__(self, log: Log, book: Book, store: MemoryStore | None = None) -> None:
        self.log, self.book = log, book
        self.store = store or MemoryStore()
        log.epoch += 1
        self.epoch = log.epoch
        self.replay()
        self.partition = Partition(0, self.store, Books(book))
        self.time: Instant = 0

    def replay(self) -> None:
        """Bring the store from where it stands to the end of the changelog."""
        done = int(self.store.meta("changelog") or 0)
        for number, (rows, position) in enumerate(self.log.changelog[done:], done + 1):
            put, gone = [], []
            for key, row in rows.items():
                before = self.store.get(key)
                if before is not None and (at := deadline_of(key, before)) is not None:
                    gone.append((at, key))
                if row is not None and (at := deadline_of(key, row)) is not None:
                    put.append((at, key))
            self.store.write(rows, put, gone, self.meta(number, position))
        self.position = self.log.position

    @staticmethod
    def meta(number: int, position: int) -> dict[str, bytes]:
        return {"changelog": b"%d" % number, "position": b"%d" % position}

    def step(self, now: Instant) -> bool:
        """Ingest what is there, or fire what is due; returns whether there was anything to do."""
        waiting = self.log.journal[self.position :]
        if waiting:
            batch = waiting[: self.log.rng.choice((1, 2, 5, 100))]
            self.carry_out(self.partition.apply(batch), batch[-1].offset + 1)
            self.time = max(self.time, batch[-1].log_time)
        else:
            self.time = max(self.time, now)  # level with the journal: the wall clock counts (D57)
        due = self.partition.next_due
        if due is not None and due <= self.time:
            self.carry_out(
                self.partition.fire(self.time, self.log.rng.choice((1, 50))), self.position
            )
            return True
        return bool(waiting)

    def carry_out(self, effects: Effects, position: int) -> None:
        """Commit a step, then write it; a crash may come before, between and after."""
        self.crash("before the commit")
        if effects.rows or effects.messages or position != self.position:
            self.log.commit(self.epoch, effects, position)
        self.crash("between commit and store")
        self.store.write(
            effects.rows,
            effects.deadlines_put,
            effects.deadlines_del,
            self.meta(len(self.log.changelog), position),
        )
        self.position = position

    def crash(self, where: str) -> None:
        if self.log.faulty and self.log.rng.random() < 0.02:
            self.log.faults["crash " + where] += 1
            raise Crashed

    def check(self) -> None:
        """Check that rows, deadlines and position are those of the changelog."""
        assert dict(self.store.scan()) == self.log.table, "rows are not those of the changelog"
        due = {(deadline_of(key, row), key) for key, row in self.log.table.items()}
        kept = set(self.store.due(1 << 62, 1 << 20))
        assert kept == {each for each in due if each[0] is not None}, "deadlines are not the rows'"
        assert self.position == self.log.position, "the position is not the changelog's"


@dataclass
class World:
    """One seed's workload, log and owners."""

    seed: int
    faulty: bool = True

    def __post_init__(self) -> None:
        self.rng = Random(f"sim/{self.seed}")
        first = story_of(self.seed)
        self.stories: dict[str, Story] = {}
        for ticket in map(str, range(1, self.rng.randint(2, 5))):
            self.stories[ticket] = {**first, **history(Random(f"{self.seed}/{ticket}"))}
        self.end = max(story["end"] for story in self.stories.values())
        for story in self.stories.values():
            story["end"] = self.end
        # Of another generator, so that what a seed drew before it draws still.
        told = Random(f"erased/{self.seed}")
        self.erased: dict[str, Instant] = {
            ticket: START + told.randint(0, self.end) * MINUTE
            for ticket in self.stories
            if told.random() < 0.15
        }
        self.book = book_of(first, grace=self.seed % 2 * GRACE, settle=SETTLE)
        self.log = Log(self.rng, faulty=self.faulty)
        self.disks: list[MemoryStore] = []
        self.zombie: Worker | None = None
        self.now: Instant = 0

    def workload(self) -> list[tuple[Instant, str, dict[str, Any] | None]]:
        """Return all events with their log times, in the order in which the broker appends them.

        None stands for the request to erase the ticket.
        """
        told: list[tuple[Instant, str, dict[str, Any] | None]] = [
            (now, ticket, event)
            for ticket, story in self.stories.items()
            for now, event in arrivals(story, self.rng, self.rng.randint(0, 2))
        ]
        told += [(now, ticket, None) for ticket, now in self.erased.items()]
        return sorted(told, key=lambda each: each[:2])

    def append(self, now: Instant, ticket: str, event: dict[str, Any] | None) -> None:
        if event is None:
            key = key_of(ticket)
            headers = tuple(wire.erasure(key, ticket, now))
            self.log.journal.append(Record(len(self.log.journal), now, key, None, headers))
            self.log.faults["erased on request"] += 1
            return
        told = event_of(event, ticket)
        self.log.journal.append(
            Record(len(self.log.journal), now, wire.event_key(told), wire.encode_event(told))
        )

    def run(self) -> None:
        """Play the workload under faults, then without, and compare with the model."""
        worker = Worker(self.log, self.book)
        for at, ticket, event in self.workload():
            worker = self.let_pass(worker, at)
            self.append(at, ticket, event)
            if self.rng.random() < 0.7:
                worker = self.turns(worker, self.rng.choice((1, 2, 20)))
        worker = self.let_pass(worker, START + self.end * MINUTE)
        self.log.faulty = False
        worker = self.let_pass(worker, START + self.end * MINUTE)
        self.compare_clocks(worker)
        worker = self.let_pass(worker, START + self.end * MINUTE + GRACE + SETTLE + 2)
        worker.check()
        self.compare_announced()

    def let_pass(self, worker: Worker, until: Instant) -> Worker:
        """Let time pass: what falls due is seen at once, or much later when nobody looks."""
        while True:
            due = worker.partition.next_due
            behind = worker.position < len(self.log.journal)
            if behind and self.log.faulty and self.rng.random() < 0.3:
                break  # the worker is slow, and still behind when the next event comes
            if not behind and (due is None or due > until):
                break
            if not behind and due is not None:
                self.now = max(self.now, due + self.rng.choice((0, 0, 500, 3_600_000)))
                self.now = min(self.now, until)
            worker = self.turns(worker, 1)
        self.now = max(self.now, until)
        return worker

    def turns(self, worker: Worker, most: int) -> Worker:
        """Let a worker work; whoever fails is followed by a new owner."""
        for _ in range(most):
            self.haunt()
            try:
                if not worker.step(self.now):
                    break
                worker.check()
            except (Aborted, Unanswered, Crashed):
                worker = self.succeed(worker)
                worker.check()
        return worker

    def succeed(self, worker: Worker) -> Worker:
        """Open the partition anew: on the same disk, an old copy of it, or none."""
        rng = self.rng
        if rng.random() < 0.3:
            self.zombie = worker
            self.log.faults["replaced owner"] += 1
            return Worker(self.log, self.book)
        how = rng.random()
        if how < 0.2:
            self.log.faults["lost disk"] += 1
            return Worker(self.log, self.book)
        store = worker.store
        if how < 0.4 and self.disks:
            self.log.faults["old disk"] += 1
            store = copy_of(rng.choice(self.disks))
        self.disks.append(copy_of(store))
        return Worker(self.log, self.book, store)

    def haunt(self) -> None:
        """Let a replaced owner try to go on: the log must refuse whatever it does."""
        if self.zombie is None or self.rng.random() < 0.8:
            return
        zombie, self.zombie = self.zombie, None
        if zombie.position > len(self.log.journal):
            return
        try:
            if zombie.step(self.now) and self.log.epoch != zombie.epoch:
                # It may have had nothing to publish; it must not have published anything.
                assert zombie.position <= self.log.position
        except (Fenced, Crashed):
            pass

    def compare_clocks(self, worker: Worker) -> None:
        """Check the clocks of every ticket against the model."""
        for ticket, story in self.stories.items():
            key = key_of(ticket)
            if ticket in self.erased:
                row = decode_row(worker.store.get(key) or b"")
                assert row.erased, f"ticket {ticket} is there again"
                left = row.facts.count or row.told_attributes or row.fold.clocks
                assert not left, f"of ticket {ticket} is left {left}"
                assert self.log.consumer.clocks[key] is None, f"ticket {ticket} has clocks"
                continue
            found = differences(read(story, worker.store, Books(self.book), key), play(story))
            assert not found, "\n".join([f"ticket {ticket}", tell(story), *found])

    def compare_announced(self) -> None:
        """Check what a consumer believes of every ticket against the model."""
        end = START + self.end * MINUTE
        alarms, outcomes, consumer = set(), {}, self.log.consumer
        for ticket, story in self.stories.items():
            key = f"acme/desk/{ticket}"
            if ticket in self.erased:
                # What was decided before stays; what stood is cleared.
                open_ = [each for each in consumer.open if each.startswith(f"{key}/")]
                assert not open_, f"{open_} of an erased ticket stand"
                outcomes |= {each: o for each, o in consumer.outcomes.items() if each[0] == ticket}
                continue
            for clock in play(story)["clocks"]:
                name = clock["indicator"], clock["cycle"]
                if clock["alarm"]:
                    alarms.add(f"{key}/{name[0]}/{name[1]}/breached")
                if clock["phase"] == "stopped" and clock["target"] is not None:
                    outcomes[(ticket, *name)] = clock["outcome"]
        reached = {
            key: parse_instant(since)
            for key, since in consumer.open.items()
            if key.endswith("/breached")
        }
        standing = {key for key, since in reached.items() if since < end}
        # At the very end the model says what a change of target did, and not what time did.
        alarms -= {key for key, since in reached.items() if since == end}
        assert standing == alarms, f"standing {standing ^ alarms} differ"
        decided = {name: told for name, told in consumer.outcomes.items() if told != "retracted"}
        outcomes = {name: told for name, told in outcomes.items() if told != "retracted"}
        assert decided == outcomes, f"outcomes {decided} are not {outcomes}"


def key_of(ticket: str) -> bytes:
    """Return the key of a ticket of these stories."""
    return f"acme/desk/{ticket}".encode()


def copy_of(store: MemoryStore) -> MemoryStore:
    """Return a store as it is now, as a backup of a disk would hold it."""
    copy = MemoryStore()
    meta = {name: store.meta(name) or b"0" for name in ("changelog", "position")}
    copy.write(dict(store.scan()), store.due(1 << 62, 1 << 20), (), meta)
    return copy


def simulate(seed: int) -> World:
    """Run one seed; raises AssertionError with a story when a promise is broken."""
    world = World(seed)
    world.run()
    return world


def main(arguments: list[str]) -> int:
    """Run many seeds, or one; returns an exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds to run")
    parser.add_argument("--seed", type=int, help="run this one only")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed")
    parser.add_argument("--minutes", type=float, help="run seeds for so long instead")
    told = parser.parse_args(arguments)
    if told.seed is not None:
        seeds: Iterable[int] = [told.seed]
    elif told.minutes is not None:
        seeds = itertools.count(told.first)
    else:
        seeds = range(told.first, told.first + told.seeds)
    limit = None if told.minutes is None else told.minutes * 60
    return run(seeds, limit)


def run(seeds: Iterable[int], limit: float | None = None) -> int:
    """Run seeds, for `limit` seconds at the most; one that fails is told at once and ends it."""
    began, faults, records, done = time.monotonic(), Counter[str](), 0, 0
    said = began
    for seed in seeds:
        try:
            world = simulate(seed)
        except Exception as error:
            print(f"seed {seed}: {type(error).__name__}: {error}")
            return 1
        faults += world.log.faults
        records += len(world.log.journal)
        done += 1
        now = time.monotonic()
        if now - said > SAY:
            said = now
            told = f"{done} seeds up to {seed}, {sum(faults.values())} faults"
            print(f"{now - began:6.0f} s: {told}", flush=True)
        if limit is not None and now - began > limit:
            break
    took = time.monotonic() - began
    print(
        f"{done} seeds, {records} records, {sum(faults.values())} faults, {took:.0f} s, none failed"
    )
    for name, n in faults.most_common():
        print(f"  {n:6} {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
