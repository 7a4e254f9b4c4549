"""One partition as an actor: it owns a slice of the journal, a store and a producer.

It waits for the next batch of records or for its earliest deadline, works out what follows, commits
that as one transaction, and only then writes it to the store. It knows when to ask the engine and
what to do when a commit fails; what an SLA is it may not know.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict, deque
from dataclasses import replace

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from slastream.core.errors import InvariantBroken, Misconfigured
from slastream.core.instant import Instant
from slastream.engine.effects import Effects, Record
from slastream.engine.rocks import RocksStore
from slastream.observe.progress import Replaying
from slastream.stream import disk
from slastream.stream.changelog import Changelog, Recovered
from slastream.stream.clock import LogClock
from slastream.stream.position import CLAIM, POSITION, Position
from slastream.stream.post import Delivered, Engine, Post
from slastream.stream.transaction import Fenced, Told, Transactions, Uncertain

log = logging.getLogger("slastream.actor")

HEARTBEAT = b"\x00heartbeat"
"""The key of a journal record without a value: its log time is the time, and no ticket's."""

OFFSETS_EVERY = 5.0
"""Seconds between two commits of the group's offset, which may lag and never leads."""

RETRY = 1.0

UNSWEPT = 3.0
"""Seconds for which a rebuilt partition leaves its rows be: others may still be rebuilding theirs."""

SWEEP = 200
"""Rows judged again by a new book in one transaction, between which deadlines are looked at."""

FENCED_WAIT = 3.0
"""Seconds after a fence before the partition is taken again, enough to hear that it is lost."""

_PLAIN: list[tuple[str, bytes]] = []
"""The headers of a record of state."""

_CLAIM: Told = (CLAIM, None, _PLAIN, None)


class Actor:
    """Runs one partition until it is stopped, fenced for good or parked."""

    def __init__(self, post: Post) -> None:
        self.post = post
        self.state = "new"
        self.time: Instant = 0
        """The partition's time; it never runs backwards."""
        self.changelog: Changelog | None = None
        self._inbox: deque[Delivered] = deque()
        self._at = 0
        self._epoch = -1
        self._rewind = False
        self._stopping = False
        self._wake = asyncio.Event()
        self._store: RocksStore | None = None
        self._engine: Engine | None = None
        self._transactions: Transactions | None = None
        self._position = Position(0, "", "")
        self._expected = 0
        self._group_offset = -1
        self._group_at = 0.0
        self._sweep_at = 0.0
        self._task: asyncio.Task[None] | None = None

    # -- from outside

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"partition-{self.post.number}")

    async def stop(self) -> None:
        """End after the transaction in hand, or after two seconds."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            _, pending = await asyncio.wait([self._task], timeout=2.0)
            if pending:
                self._task.cancel()
                await asyncio.wait([self._task], timeout=3.0)

    def deliver(self, batch: Delivered) -> None:
        """Take the records of a fetch. Never waits: the source gives no more than is asked for."""
        if batch.epoch != self._epoch:
            batch.done()
            return
        if batch.start > self._expected:
            log.warning(
                "partition %d: records %d to %d were passed over, reading them again",
                self.post.number, self._expected, batch.start,
            )  # fmt: skip
            batch.done()
            self.rewind()
            return
        self._expected = batch.end
        self._inbox.append(batch)
        self._wake.set()

    def rewind(self) -> None:
        """Read again from the position: what was fetched is not wanted any more."""
        self._rewind = True
        self._wake.set()

    def nudge(self) -> None:
        """Look at the deadlines again: the source may be level now."""
        if self.state == "ready" and not self._wake.is_set():
            self._wake.set()

    @property
    def position(self) -> int:
        """The next journal offset."""
        return self._position.offset

    @property
    def replaying(self) -> Replaying | None:
        """How far the partition has caught up with its changelog, while it does."""
        if self.state != "opening" or self.changelog is None:
            return None
        return Replaying(self.post.number, self.changelog.replayed, self.changelog.ahead)

    @property
    def store(self) -> RocksStore | None:
        return self._store

    @property
    def next_due(self) -> Instant | None:
        return self._engine.next_due if self._engine is not None else None

    # -- life

    async def _run(self) -> None:
        post = self.post
        try:
            while not self._stopping:
                broken = ""
                try:
                    await self._open()
                    await self._work()
                except Fenced as fence:
                    self._tell("lost")
                    log.warning("partition %d: fenced (%s)", post.number, fence)
                    await self._let_go()
                    await self._pause(FENCED_WAIT)
                except (KafkaError, Uncertain, OSError, TimeoutError) as error:
                    self._tell("lost")
                    log.warning("partition %d: %s; opening it again", post.number, _sentence(error))
                    await self._let_go()
                    await self._pause(RETRY)
                except Exception as error:
                    broken = disk.trouble(error)
                    if not broken:
                        raise
                    self._tell("lost")
                    log.error("partition %d: %s; opening it again", post.number, error)
                if broken:
                    await self._reopen_disk(broken)
        except (Misconfigured, InvariantBroken) as error:
            log.error("partition %d is parked: %s", post.number, error)
            self._tell("parked")
        except asyncio.CancelledError:
            pass
        except Exception:
            log.exception("partition %d is parked: a bug of ours", post.number)
            self._tell("parked")
        finally:
            post.source.hold(post.tp)
            await self._let_go()
            if self._store is not None:
                disk.abandon(self._store)
            if self.state != "parked":
                self._tell("closed")

    async def _reopen_disk(self, broken: str) -> None:
        """Let go of a store that cannot be written or read, so that it is opened or rebuilt anew."""
        await self._let_go()
        store, self._store, self._engine = self._store, None, None
        if store is not None:
            disk.abandon(store)
        del store
        if broken == "corrupt" and self.post.path.exists():
            aside = disk.set_aside(self.post.path)
            log.error("partition %d: its store is moved to %s", self.post.number, aside)
        await self._pause(RETRY)

    async def _open(self) -> None:
        """Fence whoever had the partition, replay what it committed, and begin to read behind it.

        All that was committed lies in front of the claim, which every replica in sync acknowledges.
        """
        post = self.post
        self._tell("opening")
        post.source.hold(post.tp)
        self._transactions = Transactions(
            post.client, f"{post.app_id}-{post.number}", post.transaction_timeout, post.at
        )
        await self._transactions.start()
        post.at("fenced")
        state = post.output("state")
        claimed = (await self._transactions.commit({state: [_CLAIM]}))[state] - 1
        post.at("claimed")
        changelog = self.changelog = Changelog(
            post.client,
            state,
            TopicPartition(*post.tp),
            post.cluster,
            post.deadline_of,
            post.tombstones,
            post.helpers,
        )
        store, self._store = self._store, None
        recovered = await changelog.catch_up(post.path, claimed, store)
        self._store = recovered.store
        post.at("replayed")
        self._position = recovered.position
        self._engine = post.engine(post.number, recovered.store)
        if recovered.lost:
            log.error(
                "partition %d: %d journal records were deleted before they were read",
                post.number, recovered.lost,
            )  # fmt: skip
            self._move(self.position + recovered.lost)
        self.time = max(self.time, self._position.time)
        self._sweep_at = time.monotonic() + (UNSWEPT if recovered.because else 0.0)
        await self._read_from_position()
        self._tell("ready", recovered)

    async def _read_from_position(self) -> None:
        self._rewind = False
        self._inbox.clear()
        self._at = 0
        self._epoch = -1
        try:
            epoch = await self.post.source.release(self.post.tp, self.position)
        except IllegalStateError as error:
            raise KafkaError("the partition is not assigned just now") from error
        self._expected = self.position
        self._epoch = epoch

    async def _let_go(self) -> None:
        self.post.source.hold(self.post.tp)
        self._epoch = -1
        self._inbox.clear()
        if self._transactions is not None:
            transactions, self._transactions = self._transactions, None
            await transactions.close()

    async def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stopping and (left := until - time.monotonic()) > 0:
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), left)
            except TimeoutError:
                return

    def _tell(self, state: str, recovered: Recovered | None = None) -> None:
        self.state = state
        self.post.on_state(self.post.number, state, recovered)

    # -- work

    async def _work(self) -> None:
        """Ingest and fire in turn, so that neither starves the other."""
        while not self._stopping:
            if self._rewind:
                await self._read_from_position()
            busy = await self._ingest()
            busy |= await self._fire()
            busy |= await self._sweep()
            if time.monotonic() - self._group_at > OFFSETS_EVERY:
                await self._commit_group_offset()
            if not busy:
                await self._wait()
        await self._commit_group_offset()

    async def _ingest(self) -> bool:
        """Apply the next chunk of records in one transaction; returns whether there was one."""
        if not self._inbox:
            return False
        batch = self._inbox[0]
        fetched = batch.records[self._at : self._at + self.post.chunk]
        last = self._at + len(fetched) >= len(batch.records)
        position = batch.end if last else fetched[-1].offset + 1
        skip = self.position
        records = [r for r in fetched if r.offset >= skip and r.key != HEARTBEAT]
        epoch = self._epoch
        heard = self._heard(fetched)
        if records:
            assert self._engine is not None
            effects = self._engine.apply(records)
            await self._commit(effects, position, len(records), heard)
        else:
            self._move(position)
        self.time = heard
        if epoch != self._epoch:
            return True
        self._at = 0 if last else self._at + len(fetched)
        if last:
            self._inbox.popleft().done()
        return True

    def _heard(self, fetched: list[Record]) -> Instant:
        """Return the partition's time behind these records: that of the log.

        Simulated records of one moment come in any order, so only a heartbeat, which is written
        behind all of them, says that a simulated time is over.
        """
        heard = fetched[-1:]
        if isinstance(self.post.clock, LogClock):
            heard = [record for record in fetched if record.key == HEARTBEAT][-1:]
        return max([self.time, *(record.log_time for record in heard)])

    async def _fire(self) -> bool:
        """Fire what is due, `fires` tickets at the most; returns whether anything was."""
        assert self._engine is not None
        due = self._engine.next_due
        if due is None or due > self._now():
            return False
        effects = self._engine.fire(self.time, self.post.fires)
        if effects.rows or effects.messages:
            await self._commit(effects, self.position)
            return True
        if effects.deadlines_put or effects.deadlines_del:
            assert self._store is not None
            self._store.write({}, effects.deadlines_put, effects.deadlines_del)
            return True
        return False

    async def _sweep(self) -> bool:
        """Judge some rows again when a new book has come; returns whether there are more."""
        assert self._engine is not None
        if self._sweep_at > time.monotonic():
            return False
        effects = self._engine.sweep(SWEEP)
        if effects is None:
            return False
        if effects.rows or effects.messages:
            await self._commit(effects, self.position)
        else:
            assert self._store is not None
            self._store.write({}, meta=effects.meta)
        return True

    def _now(self) -> Instant:
        """Move the partition's time on, to the wall clock only while nothing waits to be read."""
        if not self._inbox and self.post.source.level(self.post.tp):
            wall = self.post.clock.now()
            if wall is not None and wall > self.time:
                self.time = wall
        return self.time

    async def _wait(self) -> None:
        """Wait for records, for the earliest deadline, or for the group's offset to be due."""
        self._wake.clear()
        if self._inbox or self._rewind or self._stopping:
            return
        timeout = max(self._sweep_at - time.monotonic(), 0.0) or OFFSETS_EVERY
        due = self.next_due
        if due is not None and due <= self._now():
            return
        if due is not None and (wall := self.post.clock.now()) is not None:
            timeout = min(timeout, max(0.0, due - wall) / 1000 + 0.0005)
            if due <= wall:
                # Due, and not level: the next fetch says whether something is still to be read.
                timeout = OFFSETS_EVERY
        try:
            await asyncio.wait_for(self._wake.wait(), timeout)
        except TimeoutError:
            return

    # -- commit

    async def _commit(
        self, effects: Effects, position: int, count: int = 0, heard: Instant = 0
    ) -> None:
        """One Kafka transaction, then one write to the store."""
        post = self.post
        assert self._transactions is not None
        assert self._store is not None
        started = time.perf_counter()
        then = max(self.time, heard)
        reached = Position(position, self._position.lineage, post.cluster, then)
        records = {post.output(short): items for short, items in _items(effects).items()}
        records[post.output("state")].append((POSITION, reached.encode(), _PLAIN, None))
        offsets = None
        if time.monotonic() - self._group_at > OFFSETS_EVERY:
            offsets = {TopicPartition(*post.tp): position}
        post.at("computed")
        ends = await self._transactions.commit(records, offsets, post.app_id)
        post.at("committed")
        self._store.write(
            effects.rows,
            effects.deadlines_put,
            effects.deadlines_del,
            {
                "position": reached.encode(),
                "lineage": reached.lineage.encode(),
                "changelog": b"%d" % ends[post.output("state")],
                "written": b"%d" % time.time(),
                **effects.meta,
            },
        )
        post.at("stored")
        self._position = reached
        if offsets:
            self._group_offset, self._group_at = position, time.monotonic()
        post.on_effects(post.number, effects, time.perf_counter() - started, count)

    def _move(self, position: int) -> None:
        """Pass over records that change nothing; the next transaction says so."""
        self._position = replace(self._position, offset=max(position, self.position))

    async def _commit_group_offset(self) -> None:
        """Tell the group, and with it every lag monitor, how far this partition is."""
        self._group_at = time.monotonic()
        if self._transactions is not None and self._group_offset != self.position:
            self._group_at = 0.0
            await self._commit(Effects(), self.position)


def _items(effects: Effects) -> dict[str, list[Told]]:
    """Return what a step publishes by the short name of its topic, the state last."""
    # Plain tuples: an `Item` costs ten times as much, and there are two an event.
    found: defaultdict[str, list[Told]] = defaultdict(list)
    for output, key, value, headers in effects.messages:
        found[output].append((key, value, headers, None))
    found["state"] = [(key, row, _PLAIN, None) for key, row in effects.rows.items()]
    return found


def _sentence(error: BaseException) -> str:
    return str(error) or type(error).__name__
