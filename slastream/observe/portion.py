"""The counts of one partition's clocks, kept up by what each step says has changed.

Knows standings (`slastream.engine.census`) and the rows that they are made of; who asks for the
counts, and when, it may not know.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice
from typing import Any, Final, TypeAlias

from slastream.engine.census import Change, Standing, standing
from slastream.engine.row import NOTE, decode_row
from slastream.engine.store import Store

FIRST: Final = 3
"""Where the numbers of a standing's clocks begin: behind priority, client and condition."""

Group: TypeAlias = tuple[bytes, str, str]
"""What begins the keys of a tenant's source, a priority, a client."""

Counts: TypeAlias = tuple[dict[int, int], dict[int, int], dict[int, int]]
"""A group's clocks, and its tenant and source's due clocks and tickets."""


class Portion:
    """The counts of one partition."""

    def __init__(
        self,
        priority: Callable[[object], str],
        client: Callable[[object], str],
        chunk: int = 1_000,
    ) -> None:
        self._priority, self._client, self._chunk = priority, client, chunk
        self.clocks: dict[Group, dict[int, int]] = {}
        """By group, then by the number of a clock without its slot."""
        self.due: dict[bytes, dict[int, int]] = {}
        """By tenant and source, then by the whole number of a clock that may be met in time."""
        self.tickets: dict[bytes, dict[int, int]] = {}
        """By tenant and source, then by condition."""
        self.complete = False
        self._places: dict[tuple[bytes, Any, Any], Counts] = {}
        self._reach: bytes | None = None
        self._waiting: list[tuple[bytes, bytes]] = []
        """Rows as they were when the count came by; what changed since was told by `committed`."""

    def committed(self, changes: dict[bytes, Change]) -> None:
        """Take in what a committed step changed of each row."""
        for key, (before, after) in changes.items():
            if not self.complete and (self._reach is None or key > self._reach):
                continue  # the count has yet to come by, and will find it as it is then
            if before is not None and after is not None and _alike(before, after):
                self._move(key, before, after)
            else:
                self._add(key, before, -1)
                self._add(key, after, 1)

    def count(self, store: Store, seconds: float) -> None:
        """Count rows for about so long; `complete` says when there are no more."""
        limit = time.perf_counter() + seconds
        if self.complete:
            return
        if not self._waiting:
            self._waiting = list(islice(store.scan(self._reach), self._chunk))
            if not self._waiting:
                self.complete = True
                return
            self._reach = self._waiting[-1][0]
        while self._waiting and time.perf_counter() < limit:
            key, data = self._waiting.pop()
            if not key.startswith(NOTE):
                self._add(key, standing(decode_row(data)), 1)

    def _move(self, key: bytes, before: Standing, after: Standing) -> None:
        """Count the clocks that stand otherwise now; most steps move one of three."""
        clocks, due, _ = self._counts(key, before)
        olds, news = len(before), len(after)
        for at in range(FIRST, max(olds, news)):
            if at < olds and at < news and before[at] == after[at]:
                continue
            if at < olds:
                _less(clocks, due, before[at])
            if at < news:
                _more(clocks, due, after[at])

    def _add(self, key: bytes, stands: Standing | None, one: int) -> None:
        if stands is None:
            return
        clocks, due, tickets = self._counts(key, stands)
        tickets[stands[2]] = tickets.get(stands[2], 0) + one
        for at in range(FIRST, len(stands)):
            if one > 0:
                _more(clocks, due, stands[at])
            else:
                _less(clocks, due, stands[at])

    def _counts(self, key: bytes, stands: Standing) -> Counts:
        prefix = key[: key.find(b"/", key.find(b"/") + 1)]
        found = self._places.get((prefix, stands[0], stands[1]))
        return self._place(prefix, stands[0], stands[1]) if found is None else found

    def _place(self, prefix: bytes, priority: Any, client: Any) -> Counts:
        """Return where the clocks of a group are counted."""
        if len(self._places) > 5_000:
            self._places.clear()
        group = (prefix, self._priority(priority), self._client(client))
        clocks = self.clocks.setdefault(group, {})
        due = self.due.setdefault(prefix, {})
        tickets = self.tickets.setdefault(prefix, {})
        found = self._places[prefix, priority, client] = (clocks, due, tickets)
        return found


def _alike(before: Standing, after: Standing) -> bool:
    """Return whether priority, client and condition are what they were."""
    return bool(before[0] == after[0] and before[1] == after[1] and before[2] == after[2])


def _more(clocks: dict[int, int], due: dict[int, int], number: int) -> None:
    code = number & 63
    clocks[code] = clocks.get(code, 0) + 1
    if number > 63:
        due[number] = due.get(number, 0) + 1


def _less(clocks: dict[int, int], due: dict[int, int], number: int) -> None:
    """Take one away, of the due ones its place with the last: there is one for every five minutes."""
    code = number & 63
    clocks[code] = clocks.get(code, 0) - 1
    if number > 63:
        left = due.get(number, 0) - 1
        if left:
            due[number] = left
        else:
            due.pop(number, None)
