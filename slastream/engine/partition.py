"""One partition of tickets: `apply` a batch of journal records, `fire` what is due.

Both return `Effects` and change nothing in the store, so an aborted transaction is computed again
from the same state. The caller commits the effects, then hands them to `Store.write`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from slastream import wire
from slastream.core.alert import withdraw
from slastream.core.books import Books, TenantBooks
from slastream.core.errors import InvariantBroken, Rejected
from slastream.core.event import Event, State
from slastream.core.fact import CREATED, UPDATED
from slastream.core.instant import DAY, Instant, Millis
from slastream.core.key import split_key
from slastream.core.shapes import Fold, Row
from slastream.engine.census import Standing, standing
from slastream.engine.effects import Effects, Record
from slastream.engine.judge import add, check_state, known, look, renew, settle
from slastream.engine.publish import (
    publish_clocks,
    publish_decided,
    publish_held,
    publish_notices,
    publish_rejected,
    publish_trouble,
    publish_unmapped,
)
from slastream.engine.recent import Recent
from slastream.engine.row import MAX_TOLD, NOTE, encode_row, judged_by
from slastream.engine.store import Store

KEEP: Final[Millis] = 90 * DAY
"""How long a ticket that is resolved, closed or cancelled stays in the table after its last event."""


_RESOLVED: Final = int(State.RESOLVED)

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
        """Fold records, in order of offset, into their tickets.

        A record that trips a bug of ours goes to the dead letters as `bug` and its ticket is marked;
        the rest of the batch is computed as if it had not been there.
        """
        step_ = _Step(self, Effects())
        step_.load([record.key for record in records if record.key is not None])
        for record in records:
            step_.take(record)
        step_.effects.position = records[-1].offset + 1 if records else None
        return step_.finish()

    def fire(self, now: Instant, limit: int = 1000) -> Effects:
        """Announce what fell due at or before `now`, `limit` tickets at the most."""
        self.time = max(self.time, now)
        step_ = _Step(self, Effects())
        due = self.store.due(now, limit)
        step_.load([key for _, key in due])
        for at, key in due:
            step_.fire(at, key, self.time)
        step_.effects.more = len(due) == limit
        return step_.finish()

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
        step_ = _Step(self, Effects())
        for seen, (key, data) in enumerate(self.store.scan(self._swept_to)):
            self._swept_to = key
            if not key.startswith(NOTE):
                step_.sweep(key, data)
            if seen + 1 >= SWEEP_SCAN or len(step_.effects.rows) >= limit or step_.swept >= limit:
                break
        else:
            self._swept = wanted
            step_.effects.meta[SWEPT] = wanted.encode()
        return step_.finish()

    @property
    def next_due(self) -> Instant | None:
        """The earliest instant at which `fire` has something to do, or None."""
        return self.store.first_deadline()


class _Step:
    """The rows that one step has touched, and what it asks for."""

    def __init__(self, partition: Partition, effects: Effects) -> None:
        self._partition = partition
        self._store = partition.store
        self.effects = effects
        self._rows: dict[bytes, Row | None] = {}
        self._before: dict[bytes, Instant | None] = {}
        self._stood: dict[bytes, Standing | None] = {}
        self._changed: dict[bytes, Instant] = {}
        self.swept = 0
        self._taken: dict[bytes, list[tuple[Record, Event | None, Instant]]] = {}

    def load(self, keys: Sequence[bytes]) -> None:
        """Read rows ahead, all at once."""
        wanted = list(dict.fromkeys(keys))
        for key, data in zip(wanted, self._store.get_many(wanted), strict=True):
            row = None
            if data is not None and not key.startswith(NOTE):
                row = self._partition.recent.take(key, data)
            self._rows[key] = row
            self._before[key] = None if row is None else row.deadline
            self._stood[key] = None if row is None else standing(row)

    def _row(self, key: bytes) -> Row | None:
        if key not in self._rows:
            self.load([key])
        return self._rows[key]

    # -- records ------------------------------------------------------------------------------

    def take(self, record: Record) -> None:
        """Fold one record, or set it aside."""
        if record.value is None or record.key is None:
            if record.key is not None and wire.is_erasure(record.headers):
                self._take_erasure(record, record.key)
            else:
                detail = "the journal holds no tombstones but erasures"
                publish_rejected(self.effects, record, "null_value", detail)
            return
        try:
            event = wire.decode_event(record.value)
            if wire.event_key(event) != record.key:
                raise Rejected("wrong_key", f"the key is not that of ticket {event.ticket}")
            check_state(event)
        except Rejected as error:
            publish_rejected(self.effects, record, error.reason, error.detail)
            return
        published = len(self.effects.messages)
        partition = self._partition
        partition.time = now = max(partition.time, record.log_time)
        try:
            self._fold(record, event, now)
        except InvariantBroken:
            raise
        except Exception as error:
            del self.effects.messages[published:]
            self._set_aside(record, error)
        else:
            self._taken.setdefault(record.key, []).append((record, event, now))

    def _set_aside(self, record: Record, error: Exception) -> None:
        """Publish a record that could not be folded, and mark its ticket when the fault is ours."""
        key = record.key or b""
        self._restore(key)
        if isinstance(error, Rejected):
            publish_rejected(self.effects, record, error.reason, error.detail)
            return
        detail = f"{type(error).__name__}: {error}"
        publish_rejected(self.effects, record, "bug", detail)
        publish_trouble(self.effects, key, record.offset, detail)
        row = self._row(key)
        if row is not None:
            row.quarantined = detail
            self._changed[key] = record.log_time

    def _restore(self, key: bytes) -> None:
        """Bring a row back to where it stood before the record that failed half-way."""
        self._rows.pop(key, None)
        self._changed.pop(key, None)
        effects, self.effects = self.effects, Effects()
        for record, event, now in self._taken.get(key, ()):
            if event is None:
                self._erase(key, record, now)
            else:
                self._fold(record, event, now)
        self.effects = effects

    def _fold(self, record: Record, event: Event, now: Instant) -> None:
        key, log_time = record.key or b"", record.log_time
        counts = self.effects.counts
        books = self._partition.books.of(event.tenant)
        row = self._row(key)
        if row is not None and row.erased:
            counts["suppressed", event.source] += 1
            return
        if row is not None and not self._renew(key, row, event.source, books):
            self._hold(record, row, event, books)
            return
        if row is not None and row.deadline is not None and row.deadline <= log_time:
            # What fell due before this record was appended is announced before it is looked at.
            self._catch_up(key, row, now, log_time, books)
            self._changed[key] = now
        fact = known(row, event, log_time, books)
        if fact is None:
            counts["duplicates", event.source] += 1
            return
        stranger = self._stranger(event, log_time) if row is None else row.stranger
        if stranger:
            fact.created, fact.kind = None, UPDATED if fact.kind == CREATED else fact.kind
        sets = 0 if row is None else len(row.told_attributes)
        row, late = add(row, fact, event, books)
        row.stranger = stranger
        self._rows[key] = row
        if len(row.told_attributes) > sets:
            row.told_bytes += len(record.value or b"")
            if row.told_bytes > MAX_TOLD:
                raise Rejected(
                    "too_large", f"a ticket may tell {MAX_TOLD} bytes of attributes in all"
                )
        if late:
            counts["late_events", event.source] += 1
        if fact.skewed:
            counts["skewed", event.source] += 1
        if row.fold.unmapped is not None:
            self._unmapped(row, event, books, log_time)
        settle(row, now, books)
        self._announce(key, row, now, books)
        self._changed[key] = now

    def _stranger(self, event: Event, log_time: Instant) -> bool:
        """Whether a ticket without a row may be one that was forgotten (D41).

        Nobody knows what became of it meanwhile; judging it from its creation would announce a
        breach of a promise that was kept. An import says that it is new here.
        """
        created = event.occurred_at if event.kind == "created" else event.created_at
        keep = self._partition.keep
        return (
            keep is not None
            and not event.imported
            and created is not None
            and log_time - created > keep
        )

    def _unmapped(self, row: Row, event: Event, books: TenantBooks, now: Instant) -> None:
        board, status = row.fold.unmapped or ("", "")
        self.effects.counts["unmapped_status", event.source] += 1
        if books.options_of(row.fold.clocks[0]).unmapped == "dead_letter":
            raise Rejected(
                "unmapped_status",
                f"status {status!r} of board {board!r} has no mapping in the book",
            )
        note = f"{NOTE.decode()}unmapped/{event.tenant}/{event.source}/{board}/{status}".encode(
            "utf-8", "surrogatepass"
        )
        if note not in self.effects.rows and self._store.get(note) is None:
            self.effects.rows[note] = b"\x01"
            publish_unmapped(self.effects, event, board, status, now)

    def _renew(self, key: bytes, row: Row, source: str, books: TenantBooks) -> bool:
        before = row.held
        judged = renew(row, source, books)
        if row.held and not before:
            publish_held(self.effects, key, books.lacks(row.books), self._partition.time)
        return judged

    def _hold(self, record: Record, row: Row, event: Event, books: TenantBooks) -> None:
        """Keep the fact of a held ticket, unjudged."""
        key = record.key or b""
        fact = known(row, event, record.log_time, books)
        if fact is not None:
            add(row, fact, event, books)
            self._changed[key] = self._partition.time

    def sweep(self, key: bytes, data: bytes) -> None:
        """Judge one row again if other books have judged it."""
        tenant, source, _ = split_key(key.decode("utf-8", "surrogatepass"))
        books = self._partition.books.of(tenant)
        if judged_by(data, books.fingerprint):
            return
        self.swept += 1
        row = self._row(key)
        if row is None or row.erased or row.books == books.fingerprint:
            return
        held, now = row.held, max(self._partition.time, row.last_log)
        if self._renew(key, row, source, books):
            self._announce(key, row, now, books)
        elif not held:
            row.deadline = None
        else:
            return
        self._changed[key] = now

    # -- erasures -----------------------------------------------------------------------------

    def _take_erasure(self, record: Record, key: bytes) -> None:
        """Erase a ticket or a note on request. Doing it twice is doing it once."""
        if key.startswith(NOTE):
            self.effects.rows[key] = None
            return
        try:
            _, source, _ = split_key(key.decode("utf-8", "surrogatepass"))
        except ValueError:
            publish_rejected(self.effects, record, "wrong_key", "the key is not that of a ticket")
            return
        partition = self._partition
        partition.time = now = max(partition.time, record.log_time)
        published = len(self.effects.messages)
        try:
            self._withdraw(key, source, now)
        except InvariantBroken:
            raise
        except Exception as error:
            # Whatever is wrong with its row, a ticket can be erased.
            del self.effects.messages[published:]
            detail = f"its alerts could not be cleared: {type(error).__name__}"
            publish_trouble(self.effects, key, record.offset, detail)
        self._erase(key, record, now)
        self._taken[key] = [(record, None, now)]
        self.effects.counts["erased", source] += 1

    def _withdraw(self, key: bytes, source: str, now: Instant) -> None:
        """Clear the alerts that stand, and tell nothing of the ticket with that."""
        name = key.decode("utf-8", "surrogatepass")
        row, books = self._row(key), self._partition.books.of(name.partition("/")[0])
        if row is None or row.erased or not row.told.alerts:
            return
        if self._renew(key, row, source, books):
            row.fold.attributes = {}
            said = withdraw(row.fold, row.told, now)
            publish_notices(self.effects, key, name, row.fold, said, now, books)

    def _erase(self, key: bytes, record: Record, now: Instant) -> None:
        """Leave of a ticket what is needed to pass over what comes late, for as long as a row is kept."""
        self._row(key)
        _, source, _ = split_key(key.decode("utf-8", "surrogatepass"))
        fold = Fold(now, False, source, State.CANCELLED)
        row = self._rows[key] = Row(fold=fold, last_log=record.log_time, erased=True)
        row.deadline = self._forget_at(row)
        self._changed[key] = now

    # -- deadlines ----------------------------------------------------------------------------

    def fire(self, at: Instant, key: bytes, now: Instant) -> None:
        """Look at one ticket whose deadline has come. The row decides; the index is advisory."""
        row = self._row(key)
        if row is None or row.deadline != at:
            self.effects.deadlines_del.append((at, key))
            return
        if key in self._changed:
            return
        self._changed[key] = now
        if row.erased:
            self._rows[key] = None
            return
        try:
            tenant, source, _ = split_key(key.decode("utf-8", "surrogatepass"))
            books = self._partition.books.of(tenant)
            if not self._renew(key, row, source, books):
                row.deadline = None
                return
            self._catch_up(key, row, now, now, books)
            if self._forgotten(row, now):
                self._rows[key] = None
        except InvariantBroken:
            raise
        except Exception as error:
            row.quarantined, row.deadline = f"{type(error).__name__}: {error}", None
            publish_trouble(self.effects, key, None, row.quarantined)

    def _forget_at(self, row: Row) -> Instant | None:
        keep = self._partition.keep
        if keep is None or row.fold.state < _RESOLVED:
            return None
        return row.last_log + keep

    def _forgotten(self, row: Row, now: Instant) -> bool:
        at = self._forget_at(row)
        return at is not None and now >= at

    def _catch_up(
        self, key: bytes, row: Row, now: Instant, until: Instant, books: TenantBooks
    ) -> None:
        """Announce what is due: at `now` once, or in exact time deadline by deadline."""
        if not self._partition.exact:
            self._announce(key, row, now, books)
            return
        while (
            row.deadline is not None
            and row.deadline <= until
            and not self._forgotten(row, row.deadline)
        ):
            self._announce(key, row, row.deadline, books)

    def _announce(self, key: bytes, row: Row, now: Instant, books: TenantBooks) -> None:
        name = key.decode("utf-8", "surrogatepass")
        said, state = look(name, row, now, books), row.fold
        if said.notices:
            publish_notices(self.effects, key, name, state, said.notices, now, books)
        if said.outcomes:
            publish_decided(self.effects, key, name, state, said.outcomes, now, books)
        if said.skipped:
            self.effects.counts["skipped_levels", state.source] += said.skipped
        forget = self._forget_at(row)
        if forget is not None:
            row.deadline = forget if row.deadline is None else min(row.deadline, forget)

    # -- the end of a step --------------------------------------------------------------------

    def finish(self) -> Effects:
        """Encode the rows that changed, move their deadlines, publish their clocks."""
        effects = self.effects
        for key, now in self._changed.items():
            row = self._rows[key]
            before = self._before[key]
            after = None if row is None else row.deadline
            if before != after:
                if before is not None:
                    effects.deadlines_del.append((before, key))
                if after is not None:
                    effects.deadlines_put.append((after, key))
            if row is None:
                effects.rows[key] = None
            else:
                data = effects.rows[key] = encode_row(row)
                self._partition.recent.keep(key, data, row)
            stood, stands = self._stood[key], None if row is None else standing(row)
            if stood != stands:
                effects.standings[key] = (stood, stands)
            if row is None or row.erased:
                publish_clocks(effects, key, None, now, self._partition.books)
            elif not row.held:
                publish_clocks(effects, key, row, now, self._partition.books)
        return effects
