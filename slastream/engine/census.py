"""What is counted of a ticket: its standing, a small value that says which gauges it adds to.

A partition compares a row's standing before and after a step and tells only what changed, so that
gauges cost a few microseconds a row and never a look at all rows. It knows rows; labels, limits and
Prometheus it may not know.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias

from slastream.core.policy import Indicator
from slastream.core.shapes import PHASES, Phase, Row

Standing: TypeAlias = tuple[Any, ...]
"""Priority, client, condition, then one number a clock: see `read`."""

Change: TypeAlias = tuple[Standing | None, Standing | None]
"""Before and after a step; None where there is no row."""

VERDICTS: Final = ("on_track", "at_risk", "breached", "measured")
"""A clock without a target is measured: nothing was promised, so nothing is on track."""

CONDITIONS: Final = ("judged", "held", "quarantined")

SLOT: Final = 300_000
"""Milliseconds: how finely due instants are counted."""

_INDICATORS: Final = tuple(indicator.label for indicator in Indicator)
_RUNNING: Final = int(Phase.RUNNING)
_CODES: Final = 64  # 3 indicators x 5 phases x 4 verdicts, below a power of two


class Counted(NamedTuple):
    """What a clock's number means, as label values. `slot` is 0 unless it may still be met in time."""

    indicator: str
    phase: str
    verdict: str
    slot: int


def standing(row: Row) -> Standing | None:
    """Return what a row adds to the gauges; None for what is left of an erased ticket."""
    if row.erased:
        return None
    attributes = row.fold.attributes
    clocks = []
    for clock in row.fold.clocks:
        slot = 0
        if clock.breached is not None:
            verdict = 2
        elif clock.target is None:
            verdict = 3
        else:
            verdict = 1 if clock.step else 0
            if clock.phase == _RUNNING and clock.due is not None:
                slot = clock.due // SLOT
        clocks.append(slot * _CODES + (clock.indicator * 5 + clock.phase) * 4 + verdict)
    condition = 2 if row.quarantined else 1 if row.held else 0
    return (attributes.get("priority"), attributes.get("client"), condition, *clocks)


def read(number: int) -> Counted:
    """Return the meaning of a clock's number in a standing."""
    slot, code = divmod(number, _CODES)
    where, verdict = divmod(code, 4)
    indicator, phase = divmod(where, 5)
    return Counted(_INDICATORS[indicator], PHASES[phase], VERDICTS[verdict], slot)
