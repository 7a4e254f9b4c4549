"""Labels with an end: no ticket system, however strange its words, can fill a Prometheus.

Knows nothing of metrics. A worker that restarts may keep other values than before; what matters is
how many there are.
"""

from __future__ import annotations

from collections.abc import Collection

OTHER = "other"
NONE = "none"
"""What an empty value is called: an empty label is, to Prometheus, no label."""

LONGEST = 120


class Bounded:
    """The first `limit` values of a label as they are, every later one as `other`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: dict[object, str] = {}

    def __call__(self, value: object) -> str:
        known = self._known.get(value)
        if known is not None:
            return known
        if len(self._known) >= self._limit:
            return OTHER
        label = self._known[value] = _label(value)
        return label


class Allowed:
    """The values of a list as they are, every other one as `other`; `none` stays `none`."""

    def __init__(self, values: Collection[str] = ()) -> None:
        self.values = frozenset(values)

    def __call__(self, value: object) -> str:
        if not value:
            return NONE
        return str(value) if value in self.values else OTHER


def _label(value: object) -> str:
    text = str(value or "").encode("utf-8", "replace").decode()
    return text[:LONGEST] or NONE
