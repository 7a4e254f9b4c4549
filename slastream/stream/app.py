"""The composition root of a worker: every part is made here and handed to the others.

Faust gives membership, assignment, agents and back-pressure; its leader topic, tables, offset
tracker and pages are off. Nothing is decided here but who gets what, and in which order they start
and stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from slastream import metrics
from slastream.core.books import Books
from slastream.core.instant import Instant
from slastream.core.policy import Book
from slastream.engine.effects import Effects
from slastream.engine.partition import Partition
from slastream.engine.recent import Recent
from slastream.engine.row import deadline_of
from slastream.engine.store import Store
from slastream.observe.census import Census
from slastream.observe.owned import Owned, Told
from slastream.observe.progress import FILE, TERMINAL, Progress, Replaying
from slastream.running import NOISY
from slastream.settings import Settings
from slastream.stream.actor import Actor
from slastream.stream.changelog import Recovered
from slastream.stream.clock import Clock, LogClock, WallClock
from slastream.stream.faults import At, crash_at
from slastream.stream.ground import Ground, client_of, look
from slastream.stream.helpers import Helpers
from slastream.stream.ingest import Desk, Ingest
from slastream.stream.library import Library
from slastream.stream.lock import locked
from slastream.stream.membership import member
from slastream.stream.owners import Owners
from slastream.stream.post import Engine, Post
from slastream.stream.probe import ask_the_broker, trust
from slastream.stream.processes import Part
from slastream.stream.rebuild import DeadlineOf
from slastream.stream.transport import BatchApp
from slastream.stream.web import serving

log = logging.getLogger("slastream.worker")


class Worker:
    """One worker process: `run` starts it, and returns when `stop` is set."""

    def __init__(
        self,
        settings: Settings,
        told: Sequence[tuple[Book, bytes]] = (),
        *,
        engine: Callable[[int, Store, Books], Engine] = Partition,
        deadlines: DeadlineOf = deadline_of,
        at: At | None = None,
        part: Part | None = None,
    ) -> None:
        """`part` is which process of a worker this is, where it has several."""
        self.settings = settings
        self._part = part
        if engine is Partition:
            engine = partial(Partition, exact=settings.time == "log", recent=Recent())
        self._new_engine = engine
        self._deadline_of = deadlines
        self._at = at or crash_at(os.environ)
        self.books = Books()
        self.owners = Owners(self._hire)
        self.stop = asyncio.Event()
        self.clock: Clock = LogClock() if settings.time == "log" else WallClock()
        self._told = told
        self._client = client_of(settings)
        self._ground: Ground | None = None
        self._app: BatchApp | None = None
        self._ingest: Ingest | None = None
        self._helpers: Helpers | None = None
        self._assignment: frozenset[int] = frozenset()
        self._recovered: dict[int, Recovered] = {}
        self.census = Census(metrics.allow_clients(settings.metric_clients.split(",")))

    # -- life

    async def run(self) -> int:
        """Run until stopped; returns the exit code. Raises `Misconfigured` at start."""
        settings = self.settings
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(locked(settings.data_dir))
            await self._serve(stack)
            producer = await self._begin(stack)
            if producer is None:
                return 0
            self._ask_the_time(stack, producer)
            watched = sys.stderr.isatty() and self._part is None
            progress = Progress(self._replaying, TERMINAL if watched else FILE)
            stack.push_async_callback(_cancel, asyncio.create_task(progress.run()))
            if settings.helpers:
                self._helpers = Helpers(settings.helpers)
                stack.push_async_callback(self._helpers.close)
            asyncio.get_running_loop().set_exception_handler(_heard)
            self._app = app = self._faust(producer)
            await app.start()
            stack.push_async_callback(_stop_app, app)
            stack.push_async_callback(self.owners.stop)
            _quiet()
            return await self._until_stopped(app)

    async def _begin(self, stack: contextlib.AsyncExitStack) -> AIOKafkaProducer | None:
        """Wait for the broker, look at the topics, read the books; None when stopped before."""
        while not self.stop.is_set():
            async with contextlib.AsyncExitStack() as attempt:
                try:
                    ground = self._ground = await look(self.settings, self._client, self.stop)
                    if ground is None:
                        break
                    producer = await self._producer(attempt)
                    await self._read_books(attempt, producer)
                except KafkaError as error:
                    log.warning("the broker went away: %s; trying again", error)
                    await asyncio.sleep(1.0)
                    continue
                log.info("broker %s, cluster %s", self.settings.broker, ground.cluster)
                stack.push_async_callback(attempt.pop_all().aclose)
                return producer
        return None

    async def _until_stopped(self, app: BatchApp) -> int:
        ready = False
        while not self.stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), 0.2)
            if app.should_stop or app.crashed:
                log.error("the consumer ended: %s", getattr(app, "_crash_reason", None))
                return 1
            if ready != self.ready:
                ready = self.ready
                if ready:
                    gc.collect()
                    gc.freeze()
                    # A step makes thousands of short-lived values and no cycles: look less often.
                    gc.set_threshold(200_000, 20, 20)
                    log.info("ready: %d partitions", len(self.owners.actors))
        log.info("stopping")
        if self._ingest is not None:
            self._ingest.stopping = True
        return 0

    @property
    def ready(self) -> bool:
        return self.owners.ready

    # -- parts

    async def _producer(self, stack: contextlib.AsyncExitStack) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **self._client,
            acks="all",
            enable_idempotence=True,
            max_batch_size=512 * 1024,
            max_request_size=8 * 1024 * 1024,  # a book may be large
            request_timeout_ms=10_000,
            metadata_max_age_ms=5_000,
        )
        stack.push_async_callback(_quietly, producer.stop)
        await producer.start()
        return producer

    async def _read_books(
        self, stack: contextlib.AsyncExitStack, producer: AIOKafkaProducer
    ) -> None:
        assert self._ground is not None
        topic, partitions = self.settings.topic("books"), self._ground.partitions["books"]
        library = Library(self._client, topic, partitions, self.books)
        stack.push_async_callback(library.close)
        await library.opened()
        if self._told:
            await library.publish(self._told, producer)
        if not self.books.tenants():
            log.warning("no book on %s: tickets are measured and nothing is judged", topic)
        library.follow()

    async def _serve(self, stack: contextlib.AsyncExitStack) -> None:
        settings = self.settings
        if not settings.web_port:
            return
        listener = None if self._part is None else self._part.listener
        await stack.enter_async_context(serving(self, settings, listener))
        told = Told(
            settings.topic("tickets"), self._owned, self.census, self.books, self._clock_offset,
            simulated=settings.time == "log",
        )  # fmt: skip
        metrics.watch(told)
        stack.callback(metrics.unwatch, told)
        stack.callback(self.census.close)

    def _ask_the_time(self, stack: contextlib.AsyncExitStack, producer: AIOKafkaProducer) -> None:
        assert self._ground is not None
        if not isinstance(self.clock, WallClock):
            return
        topic = self.settings.topic("state")
        if self._ground.broker_time:
            asking = ask_the_broker(self.clock, producer, topic)
        else:
            log.warning("%s is not stamped by the broker: its clock is not compared", topic)
            asking = trust(self.clock)
        stack.push_async_callback(_cancel, asyncio.create_task(asking, name="probe"))

    def _faust(self, producer: AIOKafkaProducer) -> BatchApp:
        settings, ground = self.settings, self._ground
        assert ground is not None
        journal = settings.topic("tickets")
        app = member(settings, self._client, self.owners.nudge)
        raw = {"key_type": bytes, "value_type": bytes, "value_serializer": "raw"}

        @app.agent(app.topic(journal, **raw), isolated_partitions=True, name="clocks")  # type: ignore[untyped-decorator]
        async def clocks(batches: Any) -> None:
            async for batch in batches:
                self.owners.deliver(batch)

        if settings.ingest and ground.raw:
            ingest = self._ingest = Ingest(self._desk(ground), producer)

            @app.agent(app.topic(*ground.raw, **raw), name="ingest")  # type: ignore[untyped-decorator]
            async def deliveries(batches: Any) -> None:
                async for batch in batches:
                    await ingest.handle(batch)

            log.info("ingest of %s", ", ".join(ground.raw))
        elif settings.ingest:
            log.warning("no topic %s*: nothing to ingest", settings.topic("raw."))

        @app.on_partitions_assigned.connect  # type: ignore[untyped-decorator]
        async def assigned(_: Any, tps: Any, **kwargs: Any) -> None:
            self._assigned({tp for tp in tps if tp.topic == journal})

        return app

    def _assigned(self, tps: set[Any]) -> None:
        numbers = frozenset(tp.partition for tp in tps)
        if numbers != self._assignment:
            log.info("partitions: %s", ", ".join(map(str, sorted(numbers))) or "none")
        self._assignment = numbers
        self.owners.assign(tps)

    def _desk(self, ground: Ground) -> Desk:
        settings = self.settings
        return Desk(
            raw=settings.topic("raw."),
            journal=settings.topic("tickets"),
            journal_partitions=ground.partitions["tickets"],
            dlq=settings.topic("dlq"),
            dlq_partitions=ground.partitions["dlq"],
            tenant=settings.tenant,
            tenants=settings.tenants,
            zone_of=self._zone_of,
            simulated=settings.time == "log",
            on_events=metrics.ingested,
            on_rejected=metrics.rejected,
        )

    def _zone_of(self, tenant: str, source: str, at: Instant) -> str | None:
        """Return the zone of a source's local times: the setting's, else that of the book in force."""
        zone = self.settings.timezones.get(source)
        return zone or self.books.of(tenant).at(at).mapping(source).timezone

    def _hire(self, tp: Any) -> Actor:
        settings, ground, app = self.settings, self._ground, self._app
        assert ground is not None
        assert app is not None
        counts, number = ground.partitions, tp.partition
        outputs = {
            short: TopicPartition(settings.topic(short), number % counts[short])
            for short in ("alerts", "outcomes", "clocks", "state", "ops", "dlq")
        }
        return Actor(
            Post(
                number=number,
                tp=tp,
                output=outputs.__getitem__,
                client=self._client,
                app_id=settings.app_id,
                cluster=ground.cluster,
                path=settings.data_dir / f"{settings.app_id}-{number}.rocksdb",
                source=app.consumer,
                clock=self.clock,
                engine=self._engine,
                deadline_of=self._deadline_of,
                on_effects=self._committed,
                on_state=self._changed,
                tombstones=ground.tombstones,
                helpers=self._helpers,
                chunk=settings.chunk,
                fires=settings.fires,
                transaction_timeout=settings.transaction_timeout,
                at=self._at,
            )
        )

    def _engine(self, number: int, store: Store) -> Engine:
        return self._new_engine(number, store, self.books)

    # -- what is told

    def _committed(self, number: int, effects: Effects, seconds: float, records: int) -> None:
        metrics.record(number, effects, seconds, records)
        self.census.committed(number, effects.standings)

    def _changed(self, number: int, state: str, recovered: Recovered | None) -> None:
        if state in ("lost", "parked"):
            metrics.failed(number, state)
        if recovered is None:
            self.census.drop(number)
            return
        self._recovered[number] = recovered
        if self.settings.web_port:
            self.census.open(number, recovered.store)
        log.info(
            "partition %d: recovered %d rows in %.1f s%s",
            number, recovered.rows, recovered.seconds,
            f" (rebuilt: {recovered.because})" if recovered.because else "",
        )  # fmt: skip

    async def livez(self) -> bool:
        """Return true, if the loop comes to it at all."""
        return True

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics page and its content type."""
        return metrics.page(accept)

    async def readyz(self) -> dict[str, object]:
        return {
            "ready": self.ready,
            "partitions": {
                str(number): actor.state for number, actor in self.owners.actors.items()
            },
        }

    def _owned(self) -> list[Owned]:
        """What the metrics page tells of each partition of ours."""
        found = []
        for number, actor in self.owners.actors.items():
            lag, due, last = None, None, self._recovered.get(number)
            if actor.state == "ready":
                lag, due = actor.post.source.lag(actor.post.tp), actor.next_due
            seconds, rows = (None, 0) if last is None else (last.seconds, last.rows)
            found.append(
                Owned(number, actor.state, actor.time, due, lag, seconds, rows, actor.replaying)
            )
        return found

    def _replaying(self) -> list[Replaying]:
        return [
            actor.replaying for actor in self.owners.actors.values() if actor.replaying is not None
        ]

    def _clock_offset(self) -> float | None:
        return self.clock.apart / 1000 if isinstance(self.clock, WallClock) else None


def _heard(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say what nobody waits for, but not of the client library's futures, which share one failure."""
    if not isinstance(context.get("exception"), KafkaError):
        loop.default_exception_handler(context)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task], timeout=2.0)


async def _quietly(stop: Any) -> None:
    with contextlib.suppress(Exception):
        await asyncio.wait_for(stop(), 3.0)


async def _stop_app(app: BatchApp) -> None:
    started = time.monotonic()
    with contextlib.suppress(Exception):
        await asyncio.wait_for(app.stop(), 8.0)
    log.info("left the group in %.1f s", time.monotonic() - started)


def _quiet() -> None:
    """A log record that nobody reads costs as much as one that somebody does."""
    for name, level in NOISY.items():
        logging.getLogger(name).setLevel(level)
