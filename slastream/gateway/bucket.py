"""How fast a sender may be, and how many bytes may be under way. Knows numbers, no clock, no HTTP."""

from __future__ import annotations


class Bucket:
    """A token bucket: `rate` a second in the long run, `burst` at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self._level = burst
        self._at = 0.0

    def take(self, now: float) -> float:
        """Take one; returns 0, or the seconds after which to ask again. `now` in seconds."""
        self._level = min(self.burst, self._level + max(0.0, now - self._at) * self.rate)
        self._at = now
        if self._level >= 1.0:
            self._level -= 1.0
            return 0.0
        return (1.0 - self._level) / self.rate


class Budget:
    """Bytes that may be in memory at once, over all requests and unacknowledged records."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0


class Hold:
    """What one delivery has of the budget, from its first byte to the broker's acknowledgement."""

    __slots__ = ("_budget", "handed_on", "size")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.size = 0
        self.handed_on = False
        """Whether somebody else gives it back: the record is in the producer's hands."""

    def add(self, size: int) -> bool:
        """Take `size` bytes more; False, and nothing taken, when they are not to be had."""
        if self._budget.taken + size > self._budget.limit:
            return False
        self._budget.taken += size
        self.size += size
        return True

    def release(self) -> None:
        self._budget.taken -= self.size
        self.size = 0
