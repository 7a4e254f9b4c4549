"""How fast a route may be, and how it waits for a receiver that is away. It knows no HTTP.

While the receiver fails, one request at a time asks whether it is back, later and later; the first
answer opens the gate for all. A receiver that says when to come again is believed, up to an hour.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from slastream.core.bucket import Bucket

FIRST, LONGEST = 1.0, 60.0
"""Seconds until the first try again, and between tries at most."""
ASKED = 3_600.0
"""Seconds that a receiver may ask us to stay away: a wrong number must not silence a route."""


def backoff(failures: int, rng: Callable[[], float] = random.random) -> float:
    """Return seconds to wait after so many failures: doubled each time, half of it by chance."""
    whole = min(LONGEST, FIRST * 2.0 ** min(failures - 1, 30))
    return whole / 2 + whole / 2 * rng()


class Gate:
    """The way to one receiver."""

    def __init__(self, rate: float, burst: float) -> None:
        self._bucket = Bucket(rate, max(1.0, burst))
        self._lock = asyncio.Lock()
        self._closed_until = 0.0
        self.failures = 0
        """Requests in a row that the receiver did not answer, or answered with trouble of its own."""
        self.successes = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until a request may go; while the receiver fails, until the one before has its answer."""
        loop = asyncio.get_running_loop()
        await self._lock.acquire()
        held = True
        try:
            await self._wait(loop)
            if not self.failures:
                self._lock.release()
                held = False
            yield
        finally:
            if held:
                self._lock.release()

    async def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            now = loop.time()
            wait = self._closed_until - now
            if wait <= 0:
                wait = self._bucket.take(now)
            if wait <= 0:
                return
            await asyncio.sleep(wait)

    def succeeded(self) -> None:
        """The receiver answered, whatever it said."""
        self.failures = 0
        self.successes += 1

    def failed(self, after: float | None = None) -> float:
        """The receiver is in trouble; `after` is what it asked for. Returns the seconds it is left alone."""
        now = asyncio.get_running_loop().time()
        # Requests that were under way together fail together: that is one failure.
        if not self.failures or now >= self._closed_until:
            self.failures += 1
        wait = min(after, ASKED) if after else backoff(self.failures)
        self._closed_until = max(self._closed_until, now + wait)
        return wait
