"""The one place where local time becomes an instant and back. Knows no opening hours.

What a change of the clock does (D26):

- A local time that was skipped moves forward by what was skipped: where 02:00 became 03:00, 02:30
  means 03:30, as in RFC 5545.
- A local time that came twice means its first occurrence for an opening, its last for a closing.
- A date that was skipped whole (30 December 2011 in Samoa) does not exist: nothing starts on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from slastream.core.instant import Instant

_EPOCH_ORDINAL = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)

Window = tuple[Instant, Instant]
"""[start, end) in UTC."""


class Zone:
    """A time zone. Dates are proleptic Gregorian ordinals, times of day seconds since midnight."""

    def __init__(self, key: str) -> None:
        self.key = key
        self._info = ZoneInfo(key)
        self._offsets: dict[int, int] = {}
        self._midnights: dict[int, Instant | None] = {}

    def instant(self, ordinal: int, second: int, *, last: bool = False) -> Instant:
        """Return when the local clock shows `second` of a date; `second` may exceed a day.

        Of a time that comes twice it is the first occurrence, or the last one with `last`.
        """
        midnight = self.steady_midnight(ordinal)
        if midnight is not None:
            return midnight + second * 1_000
        offset = self._offset_at(ordinal, second, last)
        return ((ordinal - _EPOCH_ORDINAL) * 86_400 + second - offset) * 1_000

    def windows(self, ordinal: int, spans: Sequence[tuple[int, int]]) -> list[Window]:
        """Return the spans of a date as windows; none of a date that was skipped."""
        midnight = self.steady_midnight(ordinal)
        if midnight is not None:
            return [(midnight + start * 1_000, midnight + end * 1_000) for start, end in spans]
        if not self.exists(ordinal):
            return []
        windows = [
            (self.instant(ordinal, start), self.instant(ordinal, end, last=True))
            for start, end in spans
        ]
        # A skipped hour can leave a short window nothing: 02:30-03:15 where 02:00 became 03:00.
        return [window for window in windows if window[0] < window[1]]

    def local(self, instant: Instant) -> tuple[int, int]:
        """Return the date, and the milliseconds that its clock shows since 00:00."""
        seconds, millis = divmod(instant, 1_000)
        here = seconds + self._offset_of(seconds)
        days, second = divmod(here, 86_400)
        return days + _EPOCH_ORDINAL, second * 1_000 + millis

    def exists(self, ordinal: int) -> bool:
        """Whether the local calendar ever showed this date."""
        if self.steady_midnight(ordinal) is not None:
            return True
        return self.local(self.instant(ordinal, 0))[0] == ordinal

    def steady_midnight(self, ordinal: int) -> Instant | None:
        """Return when a date begins, or None where a clock changes during it or the one after.

        With no change in these two days, in which its windows end, the rest is addition.
        """
        if ordinal in self._midnights:
            return self._midnights[ordinal]
        offset = self._offset(ordinal)
        steady = offset == self._offset(ordinal + 1) and offset == self._offset(ordinal + 2)
        midnight = ((ordinal - _EPOCH_ORDINAL) * 86_400 - offset) * 1_000 if steady else None
        self._midnights[ordinal] = midnight
        return midnight

    def _offset(self, ordinal: int) -> int:
        offset = self._offsets.get(ordinal)
        if offset is None:
            offset = self._offsets[ordinal] = self._offset_at(ordinal, 0, last=False)
        return offset

    def changes(self, since: Instant, until: Instant) -> list[tuple[Instant, int, int]]:
        """Return when the clock changed in [since, until), with the offsets before and after."""
        found: list[tuple[Instant, int, int]] = []
        # One second before `since`, so that a change at `since` itself is seen.
        low = -(-since // 1_000) - 1
        before = self._offset_of(low)
        end = -(-until // 1_000) - 1
        while low < end:
            high = min(low + 86_400, end)
            after = self._offset_of(high)
            if after != before:
                found.append((self._change_between(low, high) * 1_000, before, after))
            low, before = high, after
        return found

    def _change_between(self, low: int, high: int) -> int:
        before = self._offset_of(low)
        while high - low > 1:
            middle = (low + high) // 2
            if self._offset_of(middle) == before:
                low = middle
            else:
                high = middle
        return high

    def _offset_at(self, ordinal: int, second: int, last: bool) -> int:
        clock = datetime.fromordinal(ordinal) + timedelta(seconds=second)
        first = clock.replace(tzinfo=self._info).utcoffset()
        second_time = clock.replace(tzinfo=self._info, fold=1).utcoffset()
        # fold=0 is the offset before a change and fold=1 the one after. Where time was skipped, the
        # later offset is the greater: there fold=0 moves forward, which is wanted for both ends.
        if last and second_time is not None and first is not None and second_time < first:
            first = second_time
        return 0 if first is None else first // _SECOND

    def _offset_of(self, seconds: int) -> int:
        offset = (_EPOCH + timedelta(seconds=seconds)).astimezone(self._info).utcoffset()
        return 0 if offset is None else offset // _SECOND


@cache
def zone(key: str) -> Zone:
    """Return the zone of an IANA name; every calendar of a zone shares what was looked up."""
    return Zone(key)
