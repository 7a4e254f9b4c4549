"""Where a worker takes the time from, and when it may not.

The wall clock counts only while it agrees with the broker's, which a probe asks for; between two
probes it is held against the monotonic clock, so that a step of the wall clock is seen at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from slastream.core.instant import Instant, Millis

TOLERANCE: Millis = 2_000
STALE = 60.0
"""Seconds for which an answer of the broker is believed."""


class Clock(Protocol):
    def now(self) -> Instant | None:
        """Return the time, or None while no clock may be trusted."""


class LogClock:
    """No wall clock at all: time comes from the log only (`--time log`, backtests)."""

    def now(self) -> Instant | None:
        return None


class WallClock:
    """The wall clock, while the broker's agrees. Both clocks can be replaced by a test."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._offset: float | None = None
        self._agreed_at = 0.0
        self.apart: Millis = 0
        """What the last probe found: wall clock minus broker."""

    def agree(self, asked: Instant, broker: Instant, answered: Instant) -> bool:
        """Take the broker's answer to a probe that was on its way between two looks at the wall.

        Returns False when the clocks are further apart than `TOLERANCE`.
        """
        early, late = asked - broker, answered - broker
        self.apart = 0 if early <= 0 <= late else min(early, late, key=abs)
        if abs(self.apart) > TOLERANCE:
            self._offset = None
            return False
        self._offset = self._wall() - self._monotonic()
        self._agreed_at = self._monotonic()
        return True

    def read(self) -> Instant:
        """Return the wall clock, trusted or not."""
        return int(self._wall() * 1000)

    def now(self) -> Instant | None:
        if self._offset is None:
            return None
        wall, monotonic = self._wall(), self._monotonic()
        if monotonic - self._agreed_at > STALE:
            return None
        if abs(wall - monotonic - self._offset) * 1000 > TOLERANCE:
            return None
        return int(wall * 1000)
