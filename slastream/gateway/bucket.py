"""How many bytes may be under way; how fast a sender may be is `slastream.core.bucket`.

Knows numbers, no clock, no HTTP.
"""

from __future__ import annotations

from slastream.core.bucket import Bucket

__all__ = ["Bucket", "Budget", "Hold"]


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
