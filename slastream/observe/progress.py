"""How far a recovery is, in one line: for the terminal each second, for a log file each five.

What is being recovered it is told by `Progress`'s `look`; how that works it may not know.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

log = logging.getLogger("slastream.recovery")

TERMINAL, FILE = 1.0, 5.0
"""Seconds between two lines, where a person watches and where none does."""

BAR = 20


class Replaying(NamedTuple):
    """One partition that catches up with its changelog."""

    number: int
    replayed: int
    left: int


def sentence(replaying: Sequence[Replaying], rate: float) -> str:
    """Return the line; `rate` is in rows a second, 0 when it is not known yet."""
    replayed, left = (sum(one[at] for one in replaying) for at in (1, 2))
    part = replayed / (replayed + left) if replayed + left else 0.0
    bar = "#" * round(part * BAR)
    names = ", ".join(str(one.number) for one in replaying)
    said = f"recovery [{bar:.<{BAR}}] {part:4.0%} of partition {names}: "
    said += f"{replayed:,} rows replayed, {left:,} left"
    if rate > 0:
        said += f", {rate:,.0f} rows/s, {left / rate:.0f} s to go"
    return said


class Progress:
    """Says how far recoveries are, as long as there are any."""

    def __init__(self, look: Callable[[], Sequence[Replaying]], every: float) -> None:
        self._look, self._every = look, every
        self._before: dict[int, int] = {}

    async def run(self) -> None:
        """Look until cancelled; silent when nothing is being recovered."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(self._every)
            self.look(time.monotonic() - began)

    def look(self, seconds: float) -> None:
        """Say how far it is, `seconds` after the last look."""
        replaying = [one for one in self._look() if one.replayed + one.left]
        before = self._before
        new = sum(max(0, one.replayed - before.get(one.number, 0)) for one in replaying)
        self._before = {one.number: one.replayed for one in replaying}
        if replaying:
            log.info("%s", sentence(replaying, new / seconds if seconds > 0 else 0.0))
