"""Faust hands an agent one event at a time; this transport hands it the records of a whole fetch.

The only file that touches private names of Faust and, with `transaction`, of aiokafka. They were
read in the versions below; `tests/contract/test_transport.py` fails loudly on others. It knows
topics, partitions and offsets; what a record means it may not know.

Faust's own offset tracker is not used: the journal's position is part of the state, and ingest
commits for itself. A partition gives at most `DEPTH` fetches at a time, so that a slow one pauses
itself and nobody else.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import aiokafka
import faust
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types.tuples import TP, ConsumerMessage
from mode.utils.objects import cached_property
from mode.utils.queues import FlowControlEvent

from slastream.core.errors import Misconfigured
from slastream.engine.effects import Record

FAUST, AIOKAFKA = "0.15.3", "0.14.0"
DEPTH = 2
POLL = 0.25
"""Seconds after which an idle fetch returns, so that who is level is known four times a second."""
FRESH = 2.0
"""Seconds for which a fetch's answer says that nothing else has arrived."""

if (faust.__version__, aiokafka.__version__) != (FAUST, AIOKAFKA):
    raise Misconfigured(
        f"faust {faust.__version__} and aiokafka {aiokafka.__version__} are installed",
        hint=f"this release is built for faust {FAUST} and aiokafka {AIOKAFKA}",
    )


@dataclass(slots=True, eq=False)
class Batch:
    """The records of one partition in one fetch. Whoever takes it calls `done` when through."""

    tp: TP
    start: int
    """Where the fetch began, which may lie before the first record's offset."""
    end: int
    """Where the next one begins."""
    records: list[Record]
    epoch: int
    """Grows with each seek: a batch of an older epoch is not wanted any more."""
    consumer: BatchConsumer

    @property
    def wanted(self) -> bool:
        """Whether what was fetched still counts: no rebalance and no seek has come between."""
        return self.consumer.epoch(self.tp) == self.epoch

    def done(self) -> None:
        self.consumer.taken(self)


class Level(NamedTuple):
    """What one fetch said about a partition."""

    position: int
    highwater: int
    answered: float
    """On the monotonic clock."""


class Fetched(NamedTuple):
    """What the consumer's thread saw in one instant."""

    records: dict[TP, list[Record]]
    starts: dict[TP, int]
    levels: dict[TP, Level]


class _Flow(FlowControlEvent):  # type: ignore[misc]
    """Queues that keep what is in them when flow goes on.

    Faust lets it go on twice after a rebalance, and empties all queues each time: a fetch that was handed
    out in between would never be answered for. What is too old to be wanted has an older epoch.
    """

    def resume(self) -> None:
        self._suspend.clear()
        self._resume.set()


class BatchApp(faust.App):  # type: ignore[misc]
    """A Faust app whose consumer is configured here and not by Faust's settings."""

    consumer_options: Mapping[str, Any]
    """What aiokafka's consumer is made with, security included."""
    journal: str
    """The topic whose partitions are held until their owner says where to begin."""
    on_fetched: Callable[[], None]
    """Called after each fetch, when levels may have changed."""

    @cached_property  # type: ignore[untyped-decorator]
    def flow_control(self) -> FlowControlEvent:
        return _Flow(loop=self.loop)


class _Arrivals(OrderedDict[TopicPartition, Any]):
    """What a fetcher has been answered: each fetch unpacks into our records, not aiokafka's."""

    def __setitem__(self, tp: TopicPartition, answer: Any) -> None:
        if isinstance(answer, FetchResult):
            answer._partition_records._consumer_record = _record
        super().__setitem__(tp, answer)


def _record(tp: TopicPartition, read: Any) -> Record:
    # Past the named tuple's own constructor, which is a Python function, for each event.
    told = (read.offset, read.timestamp, read.key, read.value, tuple(read.headers))
    return tuple.__new__(Record, told)


class FetchThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The consumer's own thread: heartbeats go on while the main loop computes."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        self._assignor = self.app.assignor
        return aiokafka.AIOKafkaConsumer(
            **self.app.consumer_options,
            partition_assignment_strategy=[self._assignor],
        )

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: Any,
        timeout: Any = None,  # noqa: ASYNC109
        max_records: Any = None,
    ) -> Fetched:
        if not isinstance(consumer._fetcher._records, _Arrivals):
            consumer._fetcher._records = _Arrivals(consumer._fetcher._records)
        starts = {tp: state._position for tp, state in _states(consumer, active_partitions)}
        records = await super()._fetch_records(consumer, active_partitions, timeout, max_records)
        # No await between the records and this: together they say what is still to come.
        now, wall = time.monotonic(), time.time()
        levels = {
            tp: Level(state._position, state.highwater, now - (wall - state.timestamp / 1000))
            for tp, state in _states(consumer, active_partitions)
            if None not in (state._position, state.highwater, state.timestamp)
        }
        return Fetched(records, starts, levels)

    async def _seek_now(self, tp: TopicPartition, offset: int) -> None:
        self._ensure_consumer().seek(tp, offset)

    async def _seek_to_committed(self, tps: Iterable[TP]) -> None:
        """Seek to the last commit, or to the beginning where there is none."""
        consumer = self._ensure_consumer()
        for tp, offset in (await consumer.seek_to_committed(*map(_plain, tps))).items():
            if not offset:
                await consumer.seek_to_beginning(tp)


def _plain(tp: TP) -> TopicPartition:
    return TopicPartition(tp.topic, tp.partition)


def _states(consumer: Any, tps: Any) -> list[tuple[TP, Any]]:
    subscription = consumer._subscription.subscription
    assignment = subscription.assignment if subscription else None
    if assignment is None:
        return []
    return [(tp, assignment.state_value(tp)) for tp in tps if tp in assignment.tps]


class _Nowhere(dict[TP, Any]):
    """How far Faust believes to have read each partition: it never knows, and so drops nothing.

    It notes an offset after it has handed a message out; a seek may have come between.
    """

    def __getitem__(self, tp: TP) -> None:
        return None

    def __setitem__(self, tp: TP, offset: int | None) -> None:
        pass


class BatchConsumer(driver.Consumer):  # type: ignore[misc]
    """Yields one message per partition and fetch; its value is a `Batch`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.held: set[TP] = set()
        self._levels: dict[TP, Level] = {}
        self._open: Counter[TP] = Counter()
        self._epochs: Counter[TP] = Counter()
        self._next: dict[TP, int] = {}
        """Where the next batch of each released partition of the journal begins."""
        self._lost: set[TP] = set()
        """Partitions of which a fetch was dropped, and which have to be read again."""
        self._read_offset = _Nowhere()

    def _new_consumer_thread(self) -> FetchThread:
        return FetchThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(  # its timeout is Faust's, which we do not use
        self,
        timeout: float,  # noqa: ASYNC109
    ) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        if self._lost:
            await self._seek_lost()
        wanted = self._get_active_partitions() - self.held - self._lost
        active = {tp for tp in wanted if self._open[tp] < DEPTH}
        if not active or self.should_stop:
            await asyncio.sleep(0.01)
            return
        generation, epochs = self.app.consumer_generation_id, dict(self._epochs)
        fetched = await self._thread.getmany(active, POLL if active == wanted else 0.01)
        if not fetched or self.should_stop:
            return
        if not self.flow_active or self.app.consumer_generation_id != generation:
            self._lose(fetched.records)
            return
        for tp, level in fetched.levels.items():
            if self._epochs[tp] == epochs.get(tp, 0):
                self._levels[tp] = level
        for tp, records in fetched.records.items():
            # Looked at for each: while the last one was handed out, this one may have been sought.
            if self._epochs[tp] == epochs.get(tp, 0) and tp not in self.held:
                yield tp, self._message(tp, records, fetched)
            else:
                self._lose([tp])
        self.app.on_fetched()

    def _lose(self, tps: Iterable[TP]) -> None:
        """Note that a fetch is dropped although the consumer's position is behind it already.

        A rebalance or a seek may begin and end while a fetch is under way. A partition that is held
        will be sought anyway.
        """
        for tp in tps:
            if tp.topic != self.app.journal:
                self.hold(tp)
                self._lost.add(tp)
            elif tp in self._next:
                self._lost.add(tp)

    async def _seek_lost(self) -> None:
        """Read on where nothing was dropped yet: at the owner's next record, or at the last commit."""
        try:
            self._lost &= {TP(*tp) for tp in self.assignment()}
            await self._seek_committed({tp for tp in self._lost if tp.topic != self.app.journal})
            for tp in list(self._lost):
                if tp in self._next:
                    await self._seek_to(tp, self._next[tp])
                self._lost.discard(tp)
        except KafkaError:
            await asyncio.sleep(0.1)  # the coordinator is away, or a rebalance has begun

    async def _seek_to(self, tp: TP, offset: int) -> None:
        await self._thread.call_thread(self._thread._seek_now, _plain(tp), offset)

    async def _seek_committed(self, tps: set[TP]) -> None:
        if tps:
            await self._thread.call_thread(self._thread._seek_to_committed, tps)
        self.held -= tps
        self._lost -= tps

    def _message(self, tp: TP, records: list[Record], fetched: Fetched) -> ConsumerMessage:
        end = fetched.levels[tp].position
        batch = Batch(tp, fetched.starts[tp], end, records, self._epochs[tp], self)
        self._open[tp] += 1
        if tp in self._next:
            self._next[tp] = end
        first = records[0]
        return ConsumerMessage(
            tp.topic, tp.partition, first.offset, first.log_time / 1000, None,
            None, None, batch, None, None, None, tp,
            generation_id=self.app.consumer_generation_id,
        )  # fmt: skip

    def taken(self, batch: Batch) -> None:
        """Make room for another fetch of this partition."""
        if batch.epoch == self._epochs[batch.tp]:
            self._open[batch.tp] -= 1

    def epoch(self, tp: TP) -> int:
        """Return the epoch of the batches that are wanted of this partition."""
        return self._epochs[tp]

    def level(self, tp: TP) -> bool:
        """Return whether nothing is known to wait behind what was handed out of this partition."""
        level = self._levels.get(tp)
        return (
            level is not None
            and not self._open[tp]
            and tp not in self.held
            and tp not in self._lost
            and level.position >= level.highwater
            and time.monotonic() - level.answered < FRESH
        )

    def lag(self, tp: TP) -> int | None:
        """Return how many offsets lie between what was handed out and the end, when known."""
        level = self._levels.get(tp)
        return None if level is None else max(0, level.highwater - level.position)

    def hold(self, tp: TP) -> None:
        """Hand out nothing more of this partition, and disown what was."""
        self.held.add(tp)
        self._epochs[tp] += 1
        self._open.pop(tp, None)
        self._levels.pop(tp, None)
        self._next.pop(tp, None)

    async def release(self, tp: TP, offset: int) -> int:
        """Hand out this partition from `offset` on; returns the epoch of the batches to come.

        Raises IllegalStateError while the partition is not assigned.
        """
        self.hold(tp)
        await self._seek_to(tp, offset)
        self._next[tp] = offset
        self.held.discard(tp)
        return self._epochs[tp]

    async def commit_offset(self, tp: TP, offset: int) -> None:
        """Commit for the group. Raises KafkaError, and crashes nothing."""
        where = {_plain(tp): OffsetAndMetadata(offset, "")}
        await self._thread.call_thread(self._thread._ensure_consumer().commit, where)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        for tp in assigned | self.held | set(self._open):
            self.hold(tp)
        self.held = {tp for tp in assigned if tp.topic == self.app.journal}
        await super().on_partitions_assigned(assigned, generation_id)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek what ingest reads; the journal is sought by its owners, from their state."""
        tps = {TP(*tp) for tp in self.assignment() if tp.topic != self.app.journal}
        await self._seek_committed(tps)
        return {}

    # Faust's offset tracker, which is not used.

    def track_message(self, message: Any) -> None:
        pass

    def ack(self, message: Any) -> bool:
        message.acked = True
        return True

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        return False

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        pass

    def verify_event_path(self, now: float, tp: TP) -> None:
        pass


class QuietProducer(driver.Producer):  # type: ignore[misc]
    """Faust's own producer: it is started with the app and must get in, and sends nothing."""

    def _settings_auth(self) -> Mapping[str, Any]:
        options = self.app.consumer_options
        return {
            name: value
            for name, value in options.items()
            if name == "ssl_context" or name.startswith(("security_", "sasl_"))
        }


class BatchTransport(driver.Transport):  # type: ignore[misc]
    """The transport whose consumer yields batches."""

    Consumer = BatchConsumer
    Producer = QuietProducer
