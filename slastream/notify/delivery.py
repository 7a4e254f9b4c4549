"""The way from a window to the receiver: who goes next, what an answer means, when to give up.

A record is given up at once when the receiver refuses it; after `tries` answers that may be its own
fault, while others get through; and in the end, when `give_up_after` has passed since its first try.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Mapping
from itertools import chain
from types import TracebackType
from typing import Any, Self

from aiokafka.errors import KafkaError

from slastream.notify import counts
from slastream.notify.gate import Gate, backoff
from slastream.notify.letters import Letters
from slastream.notify.post import AGAIN, DONE, Answer, Poster
from slastream.notify.receivers import KINDS, alertmanager, tells
from slastream.notify.route import Request, Route
from slastream.notify.window import Item, Window

log = logging.getLogger("slastream.notify")

_AT_ONCE = 500
"""Alerts that Alertmanager is told again in one request."""


class Delivery:
    """The requests of one route, `parallel` of them at once."""

    def __init__(self, route: Route, letters: Letters) -> None:
        self.route = route
        self.gate = Gate(route.rate, route.burst)
        self._letters = letters
        self._kind = KINDS[route.kind]
        self._poster = Poster(route, self._kind.parallel)
        self._waiting: asyncio.Queue[tuple[Window, bytes]] = asyncio.Queue()
        self._windows: Mapping[Any, Window] = {}
        self._alone = asyncio.Lock()
        """What is told again must not overtake what says that it is over."""
        self._look = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self._poster.__aenter__()
        self._tasks = [asyncio.create_task(self._work()) for _ in range(self._kind.parallel)]
        if self._kind.repeats:
            self._tasks.append(asyncio.create_task(self._repeat()))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._poster.__aexit__(kind, error, trace)

    def check(self) -> None:
        """Raise what ended a task: none of them ends by itself."""
        for task in self._tasks:
            if task.done():
                raise RuntimeError("a task of the delivery ended") from _why(task)

    def ready(self, window: Window, key: bytes) -> None:
        """A ticket's next record may go."""
        self._waiting.put_nowait((window, key))

    def opened(self, windows: Mapping[Any, Window]) -> None:
        """All partitions are open: what stands in them is known."""
        self._windows = windows
        self._look.set()

    # -- one record

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            window, key = await self._waiting.get()
            if window.closed:
                continue
            later = await self._deliver(window, window.next(key))
            if later is None:
                window.finish(key)
            else:
                loop.call_later(later, self.ready, window, key)

    async def _deliver(self, window: Window, item: Item) -> float | None:
        """Bring a record to the receiver; returns None when done with it, else seconds to wait."""
        if item.notice is None:
            return await self._bury(item, "not_an_alert", item.problem)
        if not tells(self.route, item.notice):
            counts.PASSED_OVER.labels(self.route.name, item.notice.action).inc()
            return None
        async with self._exclusive(), self.gate.turn():
            if window.closed:
                return 0.0
            try:
                request = self._kind.request(self.route, item.notice, int(time.time() * 1000))
            except Exception as error:
                # Ours, not the receiver's: the route must not stand still for it.
                log.exception("route %s: a bug over %s", self.route.name, item.notice.alert.id)
                return await self._bury(item, "bug", f"{type(error).__name__}: {error}")
            with window.posting():
                answer = await self._post(request)
        if answer.outcome == DONE:
            counts.DELIVERED.labels(self.route.name, item.notice.action).inc()
            delay = time.time() - item.record.timestamp / 1000
            counts.DELAY.labels(self.route.name).observe(max(0.0, delay))
            return None
        if answer.outcome != AGAIN:
            return await self._bury(item, "receiver_refused", answer.detail)
        return await self._again(item, answer)

    async def _post(self, request: Request) -> Answer:
        began = time.monotonic()
        answer = await self._poster.post(request)
        counts.SECONDS.labels(self.route.name).observe(time.monotonic() - began)
        if answer.outcome != AGAIN:
            if self.gate.failures:
                log.info("route %s: the receiver answers again", self.route.name)
            self.gate.succeeded()
            return answer
        wait = self.gate.failed(answer.after)
        counts.RETRIED.labels(self.route.name, answer.reason).inc()
        level = logging.WARNING if self.gate.failures == 1 else logging.DEBUG
        log.log(level, "route %s: %s; again in %.1f s", self.route.name, answer.detail, wait)
        return answer

    async def _again(self, item: Item, answer: Answer) -> float | None:
        now = time.monotonic()
        if item.first_try is None:
            item.first_try, item.others = now, self.gate.successes
        item.tries += 1
        item.blamed += answer.about_us
        if now - item.first_try >= self.route.give_up_after / 1000:
            return await self._bury(item, "receiver_away", answer.detail)
        if item.blamed >= self.route.tries and self.gate.successes > item.others:
            return await self._bury(item, "receiver_failing", answer.detail)
        # The gate makes everybody wait for a receiver that is away. What may be at fault itself waits
        # longer, so that others get their turn.
        return backoff(item.blamed) if answer.about_us else 0.0

    async def _bury(self, item: Item, reason: str, detail: str) -> float | None:
        record = item.record
        if item.tries:
            detail += f" (tried {item.tries} times)"
        try:
            await self._letters.write(record, self.route, reason, detail)
        except KafkaError as error:
            log.warning("route %s cannot write a dead letter yet: %s", self.route.name, error)
            return 1.0
        counts.DEAD.labels(self.route.name, reason).inc()
        log.error(
            "route %s: %s[%d] offset %d goes to the dead letters: %s: %s",
            self.route.name, record.topic, record.partition, record.offset, reason, detail[:300],
        )  # fmt: skip
        return None

    # -- what is forgotten unless it is told again

    async def _repeat(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), self.route.repeat / 1000)
            self._look.clear()
            await self._repeat_all()

    async def _repeat_all(self) -> None:
        standing = list(chain.from_iterable(each.standing for each in self._windows.values()))
        for at in range(0, len(standing), _AT_ONCE):
            some = standing[at : at + _AT_ONCE]
            async with self._exclusive(), self.gate.turn():
                now = int(time.time() * 1000)
                # Some may be over since the list was made: those would stand once more.
                still = [each for each in some if self._stands(each.first.dedup_key)]
                if not still:
                    continue
                answer = await self._post(alertmanager.repeated(self.route, still, now))
            if answer.outcome != DONE:
                if answer.outcome != AGAIN:
                    log.error("route %s refuses what stands: %s", self.route.name, answer.detail)
                return

    def _stands(self, dedup_key: str) -> bool:
        return any(dedup_key in window.standing for window in self._windows.values())

    @contextlib.asynccontextmanager
    async def _exclusive(self) -> AsyncIterator[None]:
        if not self._kind.repeats:
            yield
            return
        async with self._alone:
            yield


def _why(task: asyncio.Task[None]) -> BaseException | None:
    return None if task.cancelled() else task.exception()
