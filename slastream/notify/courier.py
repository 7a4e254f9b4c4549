"""One route: its consumer group on the alerts topic, and its receiver at the other end.

At least once. The group's offset moves over a record when its receiver has taken it, when it is a
dead letter, or when it is nobody's business here. A ticket's alerts go one after the other; a
receiver that is away stops this route, and no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Coroutine, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from slastream.core.errors import Misconfigured, Rejected
from slastream.kafka import admin
from slastream.notify import counts
from slastream.notify.alert import alert_of
from slastream.notify.delivery import Delivery
from slastream.notify.letters import Letters
from slastream.notify.opening import opened
from slastream.notify.receivers import KINDS
from slastream.notify.route import Route
from slastream.notify.standing import Notice, Standing
from slastream.notify.window import Item, Place, Window

log = logging.getLogger("slastream.notify")

_WAIT_MS = 250
"""How long a fetch may find nothing: what was done meanwhile is committed then."""
_BATCH = 200
_DRAIN = 10.0
"""Seconds for requests that are on their way when a partition or the process leaves."""
_TIDY = 5.0
"""Seconds for each of the last words to Kafka."""
_AGAIN = (1.0, 2.0, 5.0, 10.0)


class Courier:
    """Runs until `stop` is set. `ready` tells whether it reads; `why` what keeps it from that."""

    def __init__(
        self,
        route: Route,
        topic: str,
        group: str,
        client: Mapping[str, Any],
        letters: Letters,
        *,
        simulated: bool = False,
    ) -> None:
        self.route = route
        self.group = group
        self.stop = asyncio.Event()
        self.why = "not started"
        self._topic = topic
        self._client = client
        self._letters = letters
        self._simulated = simulated
        self._kind = KINDS[route.kind]
        self._windows: dict[TopicPartition, Window] = {}
        self._opening: dict[TopicPartition, asyncio.Task[None]] = {}
        self._committed: dict[TopicPartition, Place] = {}
        self._commits = asyncio.Lock()
        self._consumer: AIOKafkaConsumer[Any, Any] | None = None
        self._delivery: Delivery | None = None

    @property
    def ready(self) -> bool:
        return not self.why and not self._opening

    async def run(self) -> None:
        """Serve the route; whatever goes wrong with Kafka, or with us, is logged and tried again."""
        failures = 0
        while not self.stop.is_set():
            began = time.monotonic()
            try:
                await self._session()
            except (KafkaError, OSError, Misconfigured) as error:
                self.why = str(error) or type(error).__name__
                log.warning("route %s waits: %s", self.route.name, self.why)
            except Exception as error:
                self.why = f"a bug: {type(error).__name__}: {error}"
                log.exception("route %s begins again", self.route.name)
            failures = 0 if time.monotonic() - began > 60 else failures + 1
            if not self.stop.is_set():
                delay = _AGAIN[min(failures, len(_AGAIN) - 1)]
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.stop.wait(), delay)

    # -- one connection to Kafka

    async def _session(self) -> None:
        await self._look()
        consumer: AIOKafkaConsumer[Any, Any] = AIOKafkaConsumer(
            **self._client,
            group_id=self.group,
            enable_auto_commit=False,
            isolation_level="read_committed",
            # What retention took away cannot be told; a new group begins where `opened` says.
            auto_offset_reset="earliest",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_000,
            fetch_max_wait_ms=_WAIT_MS,
        )
        consumer.subscribe([self._topic], listener=_Listener(self))
        self._consumer = consumer
        async with Delivery(self.route, self._letters) as delivery:
            self._delivery = delivery
            try:
                self.why = "joining its group"
                await self._unless_stopped(consumer.start())
                log.info("route %s reads %s as %s", self.route.name, self._topic, self.group)
                while not self.stop.is_set():
                    delivery.check()
                    await self._fetch(consumer)
                    await self._unless_stopped(self._commit())
            finally:
                self.why = self.why or "leaving"
                await self._leave([*self._windows, *self._opening])
                await _within(consumer.stop())
                self._consumer = self._delivery = None

    async def _unless_stopped(self, what: Coroutine[Any, Any, None]) -> None:
        """Wait for something that may take as long as the broker is away, or until we are to stop."""
        task, stop = asyncio.ensure_future(what), asyncio.ensure_future(self.stop.wait())
        try:
            await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            if not task.done():
                task.cancel()
        if task.done() and not task.cancelled():
            task.result()

    async def _look(self) -> None:
        """See that the topics are there. Raises `Misconfigured` in one sentence when not."""
        async with admin.connected(self._client) as asked:
            present = set(await asked.list_topics())
        for topic in (self._topic, self._letters.topic):
            if topic not in present:
                raise Misconfigured(
                    "not on the broker, or not ours to see", where=topic,
                    hint="slastream topics create; slastream topics acls --role notify",
                )  # fmt: skip

    async def _fetch(self, consumer: AIOKafkaConsumer[Any, Any]) -> None:
        for tp, window in self._windows.items():
            paused = tp in consumer.paused()
            if window.full and not paused:
                consumer.pause(tp)
            elif paused and not window.full:
                consumer.resume(tp)
        batches = await consumer.getmany(timeout_ms=_WAIT_MS, max_records=_BATCH)
        for tp, records in batches.items():
            found = self._windows.get(tp)
            if found is None or found.closed:
                continue  # not opened yet, or gone: they are read again from the committed place
            for record in records:
                self._take(found, record)
        for tp, window in list(self._windows.items()):
            if not window and not window.closed:
                # Past what transactions leave in the log beside their records.
                with contextlib.suppress(IllegalStateError):
                    window.passed(await consumer.position(tp))

    def _take(self, window: Window, record: Any) -> None:
        window.passed(record.offset + 1)
        if record.value is None:
            return
        try:
            alert = alert_of(record, simulated=self._simulated)
        except Rejected as problem:
            window.add(Item(record, None, problem.detail, record.offset))
            return
        told = window.standing.take(alert)
        if isinstance(told, Notice):
            window.add(Item(record, told, needs=told.first.offset))
        else:
            if told == "filtered" and alert.simulated and not self.route.simulated:
                told = "simulated"
            counts.PASSED_OVER.labels(self.route.name, told).inc()

    # -- partitions that come and go

    def assigned(self, tps: set[TopicPartition]) -> None:
        """Open partitions that are ours now: nothing of them is read before that."""
        self.why = ""
        if self._consumer is not None:
            self._consumer.pause(*tps)
        for tp in tps:
            self._opening[tp] = asyncio.create_task(self._open(tp), name=f"open-{tp}")

    async def _open(self, tp: TopicPartition) -> None:
        """Open one partition; tries until it is open, or somebody else's."""
        while True:
            try:
                await self._open_once(tp)
                break
            except (KafkaError, OSError, Misconfigured) as error:
                log.warning("route %s cannot open %s yet: %s", self.route.name, tp, error)
                await asyncio.sleep(1.0)
            except Exception:
                log.exception("route %s cannot open %s", self.route.name, tp)
                await asyncio.sleep(5.0)
        self._opening.pop(tp, None)
        if not self._opening and self._delivery is not None:
            self._delivery.opened(self._windows)

    async def _open_once(self, tp: TopicPartition) -> None:
        standing = Standing(self.route.passes)
        place = await opened(
            self._client, self.group, tp, self.route.start, standing, self._simulated
        )
        consumer, delivery = self._consumer, self._delivery
        if consumer is None or delivery is None or tp not in consumer.assignment():
            return
        consumer.seek(tp, place.offset)
        self._windows[tp] = Window(tp, place.offset, standing, delivery.ready)
        # Where a new route begins is where it began, also if it crashes before its first alert.
        await self._commit()
        consumer.resume(tp)

    async def revoked(self, tps: set[TopicPartition]) -> None:
        """Let go of partitions: what is on its way arrives, and is committed if it may be."""
        self.why = "joining its group"
        await self._leave([tp for tp in tps if tp in self._windows or tp in self._opening])

    async def _leave(self, tps: list[TopicPartition]) -> None:
        for tp in tps:
            if (task := self._opening.pop(tp, None)) is not None:
                task.cancel()
        windows = [self._windows[tp] for tp in tps if tp in self._windows]
        for window in windows:
            window.closed = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN):
                for window in windows:
                    await window.quiet.wait()
        await _within(self._commit())
        for tp in tps:
            self._windows.pop(tp, None)
            self._committed.pop(tp, None)

    async def _commit(self) -> None:
        """Commit how far each partition is done, where that has changed."""
        async with self._commits:
            consumer = self._consumer
            places = {tp: window.place for tp, window in self._windows.items()}
            moved = {tp: at for tp, at in places.items() if self._committed.get(tp) != at}
            if consumer is None or not moved:
                return
            try:
                await consumer.commit(
                    {tp: (at.offset, f"since={at.since}") for tp, at in moved.items()}
                )
            except (KafkaError, IllegalStateError) as error:
                # The partitions went to somebody else, or the broker is away: what was done comes again.
                log.debug("route %s could not commit: %s", self.route.name, error)
            else:
                self._committed |= moved

    # -- for the page

    def measure(self) -> None:
        """Bring the gauges up to now."""
        name, consumer = self.route.name, self._consumer
        lag, oldest, standing = 0, 0.0, 0
        for tp, window in self._windows.items():
            end = consumer.last_stable_offset(tp) if consumer is not None else None
            lag += max(0, (end or 0) - window.place.offset)
            standing += len(window.standing)
            if window.oldest is not None:
                oldest = max(oldest, time.time() - window.oldest / 1000)
        counts.LAG.labels(name).set(lag)
        counts.OLDEST.labels(name).set(oldest)
        counts.STANDING.labels(name).set(standing)
        counts.READY.labels(name).set(1 if self.ready else 0)
        failing = self._delivery is not None and self._delivery.gate.failures > 0
        counts.RECEIVER_UP.labels(name).set(0 if failing else 1)


async def _within(what: Coroutine[Any, Any, None]) -> None:
    """Wait for something that only tidies up, and not for ever: whatever comes of it, we go on."""
    # A cancellation may be swallowed on its way (`wait_for` before Python 3.12), so nobody waits for it.
    task = asyncio.ensure_future(what)
    await asyncio.wait((task,), timeout=_TIDY)
    if not task.done():
        task.cancel()
    elif not task.cancelled() and (error := task.exception()) is not None:
        log.debug("while leaving: %s", error)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Hands a group's decisions on."""

    def __init__(self, courier: Courier) -> None:
        self._courier = courier

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._courier.assigned(assigned)

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._courier.revoked(revoked)
