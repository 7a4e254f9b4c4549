"""The named points of a step, at which a test may kill this process. No test, no cost.

`SLASTREAM_CRASH_AT=committed:7` kills it, as kill -9 does, the seventh time it comes past a point:
`computed` (before anything is sent), `sent` (before the commit), `committed` (before the store is
written), `stored`, and in recovery `fenced`, `claimed` and `replayed`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping

POINTS = ("computed", "sent", "committed", "stored", "fenced", "claimed", "replayed")

At = Callable[[str], None]


def nowhere(point: str) -> None:
    """Come past a point without harm."""


def crash_at(environ: Mapping[str, str]) -> At:
    """Return what to call at each point, as the environment says."""
    told = environ.get("SLASTREAM_CRASH_AT")
    if not told:
        return nowhere
    wanted, _, number = told.partition(":")
    left = int(number or 1)

    def at(point: str) -> None:
        nonlocal left
        if point == wanted:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return at
