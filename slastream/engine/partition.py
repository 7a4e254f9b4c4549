"""One partition of tickets: `apply` a batch of journal records, `fire` what is due.

Both return `Effects` and change nothing in the store, so an aborted transaction is computed again
from the same state. The caller commits the effects, then hands them to `Store.write`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from slastream.core.books import Books
from slastream.core.instant import DAY, Instant, Millis
from slastream.engine.effects import Effects, Record
from slastream.engine.recent import Recent
from slastream.engine.row import NOTE, judged_by
from slastream.engine.step import Step, Taken
from slastream.engine.store import Store

KEEP: Final[Millis] = 90 * DAY
"""How long a ticket that is resolved, closed or cancelled stays in the table after its last event."""

TOGETHER: Final = 32
"""Tickets of a step that are dealt with together: few, so that the processor's caches hold them."""

SWEPT: Final = "swept"
SWEEP_SCAN: Final = 20_000
"""Rows that a sweep looks at in one step, most of which it passes over."""


class Partition:
    """The tickets of one journal partition. Holds no state but its store's and its time; `recent` is a memo.

    An `exact` partition announces each deadline at its own instant, as a worker that is never late
    would: for simulated time, which moves in leaps.
    """

    def __init__(
        self,
        number: int,
        store: Store,
        books: Books,
        keep: Millis | None = KEEP,
        exact: bool = False,
        recent: Recent | None = None,
    ) -> None:
        self.number = number
        self.exact = exact
        self.recent = Recent() if recent is None else recent
        self.store = store
        self.books = books
        self.keep = keep
        self._swept = (store.meta(SWEPT) or b"").decode()
        self._swept_to: bytes | None = None
        self._sweeping = ""
        self.time: Instant = 0
        """The partition's time: the latest instant it has judged anything at. Never runs backwards."""

    def apply(self, records: Sequence[Record]) -> Effects:
        """Fold records into their tickets, those of a ticket in order of offset.

        One ticket is folded after the other, so that all of it is at hand; what is published is
        in the order of the records that caused it, and snapshots come last. A record that trips a
        bug of ours goes to the dead letters as `bug` and its ticket is marked; the rest of the batch
        is computed as if it had not been there.
        """
        step = self._step()
        told: dict[bytes, list[Taken]] = {}
        for place, record in enumerate(records):
            taken = step.read(place, record, self.time)
            if taken is not None:
                self.time = taken.now
                of_ticket = told.get(taken.key)
                if of_ticket is None:
                    told[taken.key] = [taken]
                else:
                    of_ticket.append(taken)
        keys = list(told)
        for seen, (key, data) in enumerate(zip(keys, self.store.get_many(keys), strict=True)):
            step.open(key, data)
            for taken in told[key]:
                step.take(taken)
            if seen % TOGETHER == TOGETHER - 1:
                step.close(len(records))
        step.close(len(records))
        step.effects.position = records[-1].offset + 1 if records else None
        return step.finish()

    def fire(self, now: Instant, limit: int = 1000) -> Effects:
        """Announce what fell due at or before `now`, `limit` tickets at the most."""
        self.time = max(self.time, now)
        step = self._step()
        due = self.store.due(now, limit)
        for (at, key), data in zip(due, self.store.get_many([key for _, key in due]), strict=True):
            step.open(key, data)
            step.fire(at, self.time)
        step.close(1)
        step.effects.more = len(due) == limit
        return step.finish()

    def sweep(self, limit: int = 500) -> Effects | None:
        """Judge rows again that other books have judged, `limit` of them at the most; None when all are done.

        A sweep may stop anywhere: rows that are done are recognised, so the next owner of the
        partition goes on with those that are not.
        """
        wanted = self.books.fingerprint()
        if self._swept == wanted:
            return None
        if self._sweeping != wanted:
            self._sweeping, self._swept_to = wanted, None
        step, swept = self._step(), 0
        for seen, (key, data) in enumerate(self.store.scan(self._swept_to)):
            self._swept_to = key
            if not key.startswith(NOTE):
                tenant = key.split(b"/", 1)[0].decode("utf-8", "surrogatepass")
                if not judged_by(data, self.books.of(tenant).fingerprint):
                    swept += 1
                    step.open(key, data)
                    step.sweep(self.time)
            if seen + 1 >= SWEEP_SCAN or swept >= limit:
                break
        else:
            self._swept = wanted
            step.effects.meta[SWEPT] = wanted.encode()
        step.close(1)
        return step.finish()

    @property
    def next_due(self) -> Instant | None:
        """The earliest instant at which `fire` has something to do, or None."""
        return self.store.first_deadline()

    def _step(self) -> Step:
        return Step(self.store, self.books, self.recent, self.keep, self.exact)
