"""From a calendar to the answers: the front door of everything about opening hours.

    calendar.py            rules in local time, as values
      -> compile.py        the windows of one year, in UTC (zones.py is the only conversion)
      -> coverage_*.py     one monotone function `covered(t)` and its inverse, by bisection

This is the only one of them that the rest of the program imports, apart from the values.
"""

from __future__ import annotations

from slastream.core.calendar import Calendar
from slastream.core.coverage_always import Unbroken
from slastream.core.coverage_api import Coverage, Note, WorkingDay
from slastream.core.coverage_compiled import Compiled
from slastream.core.coverage_stitched import Stitched

__all__ = ["ALWAYS", "Coverage", "Note", "Stitched", "WorkingDay", "coverage"]


def coverage(calendar: Calendar) -> Coverage:
    """Return the coverage of a calendar. This costs nothing yet: years are compiled when asked for.

    Keep it: each call makes a new one, which compiles again.
    """
    return Unbroken(calendar) if calendar.unbroken else Compiled(calendar)


ALWAYS: Coverage = Unbroken(Calendar("24x7", always=True))
"""Plain elapsed time, with days as UTC has them."""
