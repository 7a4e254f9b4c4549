"""One partition of tickets: `apply` a batch of journal records, `fire` what is due.

Both return `Effects` and change nothing in the store, so an aborted transaction is computed again
from the same state. The caller commits the effects, then hands them to `Store.write`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from slastream import wire
from slastream.core.alert import announce, has_unannounced
from slastream.core.books import Books, TenantBooks
from slastream.core.errors import InvariantBroken, Rejected
from slastream.core.event import STATES, Event, State, split_key
from slastream.core.fact import ABSORBED, CREATED, RESTORED, Fact, fact_of, structural, told_by
from slastream.core.instant import DAY, Instant, Millis
from slastream.core.ticket import Fold, fold, options_of, step
from slastream.engine.effects import Effects, Record
from slastream.engine.publish import (
    publish_clocks,
    publish_decided,
    publish_notices,
    publish_rejected,
    publish_trouble,
    publish_unmapped,
)
from slastream.engine.row import MAX_FACTS, Row, decode_row, encode_row
from slastream.engine.store import Store

KEEP: Millis = 90 * DAY
"""How long a ticket that is resolved, closed or cancelled stays in the table after its last event."""


class _Poison(Exception):
    """A record that must be set aside: the batch is computed again without it."""

    def __init__(self, offset: int, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.offset = offset
        self.reason = reason
        self.detail = detail


class Partition:
    """The tickets of one journal partition. Holds no state but its store's and its time."""

    def __init__(self, number: int, store: Store, books: Books, keep: Millis | None = KEEP) -> None:
        self.number = number
        self.store = store
        self.books = books
        self.keep = keep
        self.time: Instant = 0
        """The partition's time: the latest instant it has judged anything at. Never runs backwards."""

    def apply(self, records: Sequence[Record]) -> Effects:
        """Fold records, in order of offset, into their tickets.

        A record that trips a bug of ours goes to the dead letters as `bug` and its ticket is marked;
        the rest of the batch is computed as if it had not been there.
        """
        poison: dict[int, _Poison] = {}
        while True:
            step_ = _Step(self, Effects())
            step_.load([record.key for record in records if record.key is not None])
            try:
                for record in records:
                    if record.offset in poison:
                        step_.set_aside(record, poison[record.offset])
                    else:
                        step_.take(record)
            except _Poison as found:
                poison[found.offset] = found
                continue
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
        self._changed: dict[bytes, Instant] = {}

    def load(self, keys: Sequence[bytes]) -> None:
        """Read rows ahead, all at once."""
        wanted = list(dict.fromkeys(keys))
        for key, data in zip(wanted, self._store.get_many(wanted), strict=True):
            row = self._rows[key] = None if data is None else decode_row(data)
            self._before[key] = None if row is None else row.deadline

    def _row(self, key: bytes) -> Row | None:
        if key not in self._rows:
            self.load([key])
        return self._rows[key]

    # -- records ------------------------------------------------------------------------------

    def take(self, record: Record) -> None:
        """Fold one record, or set it aside."""
        if record.value is None or record.key is None:
            publish_rejected(self.effects, record, "null_value", "the journal holds no tombstones")
            return
        try:
            event = wire.decode_event(record.value)
            if wire.event_key(event) != record.key:
                raise Rejected("wrong_key", f"the key is not that of ticket {event.ticket}")
            known_state(event)
        except Rejected as error:
            publish_rejected(self.effects, record, error.reason, error.detail)
            return
        try:
            self._fold(record, event)
        except Rejected as error:
            raise _Poison(record.offset, error.reason, error.detail) from error
        except InvariantBroken:
            raise
        except Exception as error:
            raise _Poison(record.offset, "bug", f"{type(error).__name__}: {error}") from error

    def set_aside(self, record: Record, poison: _Poison) -> None:
        """Publish a record that could not be folded, and mark its ticket when the fault is ours."""
        publish_rejected(self.effects, record, poison.reason, poison.detail)
        if poison.reason != "bug" or record.key is None:
            return
        publish_trouble(self.effects, record.key, record.offset, poison.detail)
        row = self._row(record.key)
        if row is not None:
            row.quarantined = poison.detail
            self._changed[record.key] = record.log_time

    def _fold(self, record: Record, event: Event) -> None:
        key, log_time = record.key or b"", record.log_time
        partition, effects = self._partition, self.effects
        partition.time = now = max(partition.time, log_time)
        books = partition.books.of(event.tenant)
        row = self._row(key)
        if row is not None and row.books != books.fingerprint:
            refold(row, event.source, books)
        if row is not None and row.deadline is not None and row.deadline <= log_time:
            # What fell due before this record was appended is announced before it is looked at.
            self._announce(key, row, now, books)
        rank = same_instant_rank(event, books)
        fact = fact_of(event, log_time, rank)
        if row is not None and any(known.id == fact.id for known in row.facts):
            effects.counts["duplicates", event.source] += 1
            return
        if fact.skewed:
            effects.counts["skewed", event.source] += 1
        row = self._add(key, row, fact, event, books)
        row.last_log = max(row.last_log, log_time)
        if event.imported:
            row.told.quiet_until = max(row.told.quiet_until, log_time)
        state = row.fold
        if state.unmapped is not None:
            self._unmapped(key, row, event, books, log_time)
        state.advance(now, books)
        if row.told.hold is None and has_unannounced(state, row.told):
            settle = max(options_of(clock, books).settle for clock in state.clocks)
            row.told.hold = now + settle if settle else None
        self._announce(key, row, now, books)
        self._changed[key] = now

    def _add(
        self, key: bytes, row: Row | None, fact: Fact, event: Event, books: TenantBooks
    ) -> Row:
        """Add a fact to its row: one step when it comes in order, a new fold when it does not."""
        if row is None:
            row = self._rows[key] = Row(fold=Fold(0, False, event.source), books=books.fingerprint)
        elif len(row.facts) >= MAX_FACTS:
            raise Rejected(
                "too_many_events", f"a ticket with more than {MAX_FACTS} events is not judged"
            )
        told = told_by(event)
        if told:
            fact.told = _intern(row.told_attributes, told)
        facts = row.facts
        late = bool(facts) and fact.order < facts[-1].order
        if late:
            self.effects.counts["late_events", event.source] += 1
            facts.insert(bisect_right(facts, fact.order, key=lambda known: known.order), fact)
        else:
            facts.append(fact)
        state = row.fold
        tells_start = not state.known and (fact.created is not None or fact.kind == CREATED)
        if (
            late
            or tells_start
            or len(facts) == 1
            or fact.at < state.horizon
            or fact.kind in (RESTORED, ABSORBED)
        ):
            refold(row, event.source, books)
        else:
            step(state, fact, row.told_attributes, books)
        return row

    def _unmapped(
        self, key: bytes, row: Row, event: Event, books: TenantBooks, now: Instant
    ) -> None:
        board, status = row.fold.unmapped or ("", "")
        self.effects.counts["unmapped_status", event.source] += 1
        if options_of(row.fold.clocks[0], books).unmapped == "dead_letter":
            raise Rejected(
                "unmapped_status",
                f"status {status!r} of board {board!r} has no mapping in the book",
            )
        note = f"!unmapped/{event.tenant}/{event.source}/{board}/{status}".encode(
            "utf-8", "surrogatepass"
        )
        if note not in self.effects.rows and self._store.get(note) is None:
            self.effects.rows[note] = b"\x01"
            publish_unmapped(self.effects, event, board, status, now)

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
        try:
            tenant, source, _ = split_key(key.decode("utf-8", "surrogatepass"))
            books = self._partition.books.of(tenant)
            if row.books != books.fingerprint:
                refold(row, source, books)
            if self._forgotten(row, now):
                self._rows[key] = None
                return
            self._announce(key, row, now, books)
        except InvariantBroken:
            raise
        except Exception as error:
            row.quarantined, row.deadline = f"{type(error).__name__}: {error}", None
            publish_trouble(self.effects, key, None, row.quarantined)

    def _forget_at(self, row: Row) -> Instant | None:
        keep = self._partition.keep
        if keep is None or row.fold.state < State.RESOLVED:
            return None
        return row.last_log + keep

    def _forgotten(self, row: Row, now: Instant) -> bool:
        at = self._forget_at(row)
        return at is not None and now >= at

    def _announce(self, key: bytes, row: Row, now: Instant, books: TenantBooks) -> None:
        state = row.fold
        state.advance(now, books)
        name = key.decode("utf-8", "surrogatepass")
        said = announce(name, state, row.told, now, books)
        if said.notices:
            publish_notices(self.effects, key, name, state, said.notices, now, books)
        if said.outcomes:
            publish_decided(self.effects, key, name, state, said.outcomes, now, books)
        if said.skipped:
            self.effects.counts["skipped_levels", state.source] += said.skipped
        row.deadline = said.next
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
            effects.rows[key] = None if row is None else encode_row(row)
            publish_clocks(effects, key, row, now, self._partition.books)
        return effects


def refold(row: Row, source: str, books: TenantBooks) -> None:
    """Fold a row's facts anew: after a late event, or under other books."""
    if row.books != books.fingerprint:
        row.facts.sort(key=lambda fact: fact.order)
        row.books = books.fingerprint
    row.fold = fold(row.facts, row.told_attributes, source, books)


def known_state(event: Event) -> None:
    """Raise `Rejected` for a state that is none of ours."""
    if event.state is not None and event.state not in STATES:
        raise Rejected("bad_state", f"{event.state!r} is none of {', '.join(STATES)}")


def same_instant_rank(event: Event, books: TenantBooks) -> int:
    """Return the place of an event among others of its instant: creation first, cancellation last (D38)."""
    if event.kind == "created":
        return -1
    state, _ = structural(event, -1 if event.kind != "deleted" else 3)
    if state >= 0:
        return state
    if not isinstance(event.status, str):
        return 0
    board = event.board if isinstance(event.board, str) else None
    sub = event.sub_status if isinstance(event.sub_status, str) else None
    mapped = books.at(event.occurred_at).state(event.source, board, event.status, sub)
    return 0 if mapped is None else int(mapped.state)


def _intern(known: list[dict[str, object]], told: dict[str, object]) -> int:
    """Return the index of `told` in the row's list, added when it is new: snapshots repeat themselves."""
    for index in range(len(known) - 1, max(-1, len(known) - 9), -1):
        if known[index] == told:
            return index
    known.append(told)
    return len(known) - 1
