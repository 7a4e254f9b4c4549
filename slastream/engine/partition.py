"""One partition of tickets: `apply` a batch of journal records, `fire` what is due.

Both return `Effects` and change nothing, so an aborted transaction is computed again from the same
state. The caller commits the effects, then hands them to `Store.write`.
"""

from __future__ import annotations

from collections.abc import Sequence

from slastream.core.instant import Instant
from slastream.engine.effects import Effects, Record
from slastream.engine.store import Store


class Partition:
    """The tickets of one journal partition (being written; the signatures below are final)."""

    def __init__(self, number: int, store: Store, books: object) -> None:
        self.number = number
        self.store = store
        self.books = books

    def apply(self, records: Sequence[Record]) -> Effects:
        """Fold records, in order of offset, into their tickets."""
        raise NotImplementedError

    def fire(self, now: Instant, limit: int = 1000) -> Effects:
        """Announce what fell due at or before `now`, `limit` tickets at the most."""
        raise NotImplementedError

    @property
    def next_due(self) -> Instant | None:
        """The earliest instant at which `fire` has something to do, or None."""
        raise NotImplementedError
