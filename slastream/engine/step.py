"""What one step of a partition does to its tickets, one after the other, and what it asks for."""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr

from slastream import wire
from slastream.core.alert import withdraw
from slastream.core.books import Books, TenantBooks
from slastream.core.errors import InvariantBroken, Rejected
from slastream.core.event import Event, State
from slastream.core.fact import CREATED, UPDATED
from slastream.core.instant import Instant, Millis
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
from slastream.engine.row import MAX_TOLD, NOTE, decode_row, encode_row
from slastream.engine.store import Store

_RESOLVED: Final = int(State.RESOLVED)


@mypyc_attr(acyclic=True)
class Taken:
    """A record that is to be folded; without an event it asks to erase its ticket."""

    def __init__(
        self, place: int, key: bytes, record: Record, event: Event | None, now: Instant
    ) -> None:
        self.place = place
        """Of the record in its batch."""
        self.key = key
        self.record = record
        self.event = event
        self.now = now
        """The partition's time when the record is looked at."""


@mypyc_attr(acyclic=True)
class Ticket:
    """The ticket in hand: its row as it was read, and as it is now."""

    def __init__(self, key: bytes, data: bytes | None, row: Row | None) -> None:
        self.key = key
        self.name = key.decode("utf-8", "surrogatepass")
        self.data = data
        self.row = row
        self.before: Instant | None = None if row is None else row.deadline
        self.stood: Standing | None = None if row is None else standing(row)
        self.changed: Instant | None = None
        """When it was last changed, by the partition's time; None while it is as it was."""
        self.taken: list[Taken] = []
        """What was folded into it so far."""


_NO_TICKET: Final = Ticket(b"", None, None)


class Step:
    """One step. Some tickets are opened and changed, one after the other, and closed together."""

    def __init__(
        self, store: Store, books: Books, recent: Recent, keep: Millis | None, exact: bool
    ) -> None:
        self._store = store
        self._books = books
        self._recent = recent
        self._keep = keep
        self._exact = exact
        self.effects = Effects()
        self._places: list[int] = []
        self._ticket = _NO_TICKET
        """The ticket in hand: the last one that was opened."""
        self._opened: list[Ticket] = []

    # -- records ------------------------------------------------------------------------------

    def read(self, place: int, record: Record, time: Instant) -> Taken | None:
        """Return what a record asks for, or None when it is set aside or there is nothing more to do."""
        try:
            taken = self._read(place, record, time)
        except Rejected as error:
            taken = None
            publish_rejected(self.effects, record, error.reason, error.detail)
        self._placed(place)
        return taken

    def _read(self, place: int, record: Record, time: Instant) -> Taken | None:
        key, value = record.key, record.value
        now = max(time, record.log_time)
        if key is not None and value is not None:
            event = wire.decode_event(value)
            if wire.event_key(event) != key:
                raise Rejected("wrong_key", f"the key is not that of ticket {event.ticket}")
            check_state(event)
            return Taken(place, key, record, event, now)
        if key is None or not wire.is_erasure(record.headers):
            raise Rejected("null_value", "the journal holds no tombstones but erasures")
        if key.startswith(NOTE):
            self.effects.rows[key] = None
            return None
        try:
            split_key(key.decode("utf-8", "surrogatepass"))
        except ValueError:
            raise Rejected("wrong_key", "the key is not that of a ticket") from None
        return Taken(place, key, record, None, now)

    def open(self, key: bytes, data: bytes | None) -> None:
        """Take a ticket in hand; `data` is its row in the store."""
        row = None if data is None else self._recent.take(key, data)
        self._ticket = Ticket(key, data, row)
        self._opened.append(self._ticket)

    def take(self, taken: Taken) -> None:
        """Fold one record into the ticket in hand, or set it aside."""
        effects, event = self.effects, taken.event
        said, delays, ratios = len(effects.messages), len(effects.delays), len(effects.ratios)
        try:
            if event is None:
                self._take_erasure(taken)
            else:
                self._fold(taken, event)
                self._ticket.taken.append(taken)
        except InvariantBroken:
            raise
        except Exception as error:
            del effects.messages[said:], effects.delays[delays:], effects.ratios[ratios:]
            self._set_aside(taken.record, error)
        self._placed(taken.place)

    def _set_aside(self, record: Record, error: Exception) -> None:
        """Publish a record that could not be folded, and mark its ticket when the fault is ours."""
        self._restore()
        if isinstance(error, Rejected):
            publish_rejected(self.effects, record, error.reason, error.detail)
            return
        ticket, detail = self._ticket, f"{type(error).__name__}: {error}"
        publish_rejected(self.effects, record, "bug", detail)
        publish_trouble(self.effects, ticket.key, record.offset, detail)
        if ticket.row is not None:
            ticket.row.quarantined = detail
            ticket.changed = record.log_time

    def _restore(self) -> None:
        """Bring the ticket back to where it stood before the record that failed half-way."""
        ticket = self._ticket
        ticket.row = None if ticket.data is None else decode_row(ticket.data)
        ticket.changed = None
        effects, self.effects = self.effects, Effects()
        for taken in ticket.taken:
            if taken.event is None:
                self._erase(taken)
            else:
                self._fold(taken, taken.event)
        self.effects = effects

    def _fold(self, taken: Taken, event: Event) -> None:
        ticket, record, now = self._ticket, taken.record, taken.now
        log_time = record.log_time
        counts = self.effects.counts
        books = self._books.of(event.tenant)
        row = ticket.row
        if row is not None and row.erased:
            counts["suppressed", event.source] += 1
            return
        if row is not None and not self._renew(row, event.source, books, now):
            self._hold(taken, row, event, books)
            return
        if row is not None and row.deadline is not None and row.deadline <= log_time:
            # What fell due before this record was appended is announced before it is looked at.
            self._catch_up(row, now, log_time, books)
            ticket.changed = now
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
        ticket.row = row
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
        self._announce(row, now, books)
        ticket.changed = now

    def _stranger(self, event: Event, log_time: Instant) -> bool:
        """Whether a ticket without a row may be one that was forgotten (D41).

        Nobody knows what became of it meanwhile; judging it from its creation would announce a
        breach of a promise that was kept. An import says that it is new here.
        """
        created = event.occurred_at if event.kind == "created" else event.created_at
        return (
            self._keep is not None
            and not event.imported
            and created is not None
            and log_time - created > self._keep
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

    def _renew(self, row: Row, source: str, books: TenantBooks, now: Instant) -> bool:
        before = row.held
        judged = renew(row, source, books)
        if row.held and not before:
            publish_held(self.effects, self._ticket.key, books.lacks(row.books), now)
        return judged

    def _hold(self, taken: Taken, row: Row, event: Event, books: TenantBooks) -> None:
        """Keep the fact of a held ticket, unjudged."""
        fact = known(row, event, taken.record.log_time, books)
        if fact is not None:
            add(row, fact, event, books)
            self._ticket.changed = taken.now

    def sweep(self, time: Instant) -> None:
        """Judge the ticket again if other books have judged it."""
        self._sweep(time)
        self._placed(0)

    def _sweep(self, time: Instant) -> None:
        ticket = self._ticket
        tenant, source, _ = split_key(ticket.name)
        books, row = self._books.of(tenant), ticket.row
        if row is None or row.erased or row.books == books.fingerprint:
            return
        held, now = row.held, max(time, row.last_log)
        if self._renew(row, source, books, time):
            self._announce(row, now, books)
        elif not held:
            row.deadline = None
        else:
            return
        ticket.changed = now

    # -- erasures -----------------------------------------------------------------------------

    def _take_erasure(self, taken: Taken) -> None:
        """Erase the ticket on request. Doing it twice is doing it once."""
        ticket = self._ticket
        said = len(self.effects.messages)
        try:
            self._withdraw(taken.now)
        except InvariantBroken:
            raise
        except Exception as error:
            # Whatever is wrong with its row, a ticket can be erased.
            del self.effects.messages[said:]
            detail = f"its alerts could not be cleared: {type(error).__name__}"
            publish_trouble(self.effects, ticket.key, taken.record.offset, detail)
        self._erase(taken)
        ticket.taken = [taken]
        self.effects.counts["erased", split_key(ticket.name)[1]] += 1

    def _withdraw(self, now: Instant) -> None:
        """Clear the alerts that stand, and tell nothing of the ticket with that."""
        ticket = self._ticket
        tenant, source, _ = split_key(ticket.name)
        row, books = ticket.row, self._books.of(tenant)
        if row is None or row.erased or not row.told.alerts:
            return
        if self._renew(row, source, books, now):
            row.fold.attributes = {}
            said = withdraw(row.fold, row.told, now)
            publish_notices(self.effects, ticket.key, ticket.name, row.fold, said, now, books)

    def _erase(self, taken: Taken) -> None:
        """Leave of a ticket what is needed to pass over what comes late, for as long as a row is kept."""
        ticket, now = self._ticket, taken.now
        fold = Fold(now, False, split_key(ticket.name)[1], State.CANCELLED)
        row = ticket.row = Row(fold=fold, last_log=taken.record.log_time, erased=True)
        row.deadline = self._forget_at(row)
        ticket.changed = now

    # -- deadlines ----------------------------------------------------------------------------

    def fire(self, at: Instant, now: Instant) -> None:
        """Look at the ticket, whose deadline has come. The row decides; the index is advisory."""
        self._fire(at, now)
        self._placed(0)

    def _fire(self, at: Instant, now: Instant) -> None:
        ticket = self._ticket
        row = ticket.row
        if row is None or row.deadline != at:
            self.effects.deadlines_del.append((at, ticket.key))
            return
        ticket.changed = now
        if row.erased:
            ticket.row = None
            return
        try:
            tenant, source, _ = split_key(ticket.name)
            books = self._books.of(tenant)
            if not self._renew(row, source, books, now):
                row.deadline = None
                return
            self._catch_up(row, now, now, books)
            if self._forgotten(row, now):
                ticket.row = None
        except InvariantBroken:
            raise
        except Exception as error:
            row.quarantined, row.deadline = f"{type(error).__name__}: {error}", None
            publish_trouble(self.effects, ticket.key, None, row.quarantined)

    def _forget_at(self, row: Row) -> Instant | None:
        if self._keep is None or row.fold.state < _RESOLVED:
            return None
        return row.last_log + self._keep

    def _forgotten(self, row: Row, now: Instant) -> bool:
        at = self._forget_at(row)
        return at is not None and now >= at

    def _catch_up(self, row: Row, now: Instant, until: Instant, books: TenantBooks) -> None:
        """Announce what is due: at `now` once, or in exact time deadline by deadline."""
        if not self._exact:
            self._announce(row, now, books)
            return
        while (
            row.deadline is not None
            and row.deadline <= until
            and not self._forgotten(row, row.deadline)
        ):
            self._announce(row, row.deadline, books)

    def _announce(self, row: Row, now: Instant, books: TenantBooks) -> None:
        key, name = self._ticket.key, self._ticket.name
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

    # -- the end ------------------------------------------------------------------------------

    def close(self, place: int) -> None:
        """Encode the rows of the open tickets that have changed; publish their clocks at `place`.

        One kind of work after the other, whose code then is in the processor's caches.
        """
        changed = [ticket for ticket in self._opened if ticket.changed is not None]
        self._opened = []
        for ticket in changed:
            self._write(ticket)
        for ticket in changed:
            row, now = ticket.row, ticket.changed or 0
            if row is None or row.erased:
                publish_clocks(self.effects, ticket.key, ticket.name, None, now, self._books)
            elif not row.held:
                publish_clocks(self.effects, ticket.key, ticket.name, row, now, self._books)
        self._placed(place)

    def _write(self, ticket: Ticket) -> None:
        """Encode a row, and move its deadline and its standing."""
        effects, key, row = self.effects, ticket.key, ticket.row
        after = None if row is None else row.deadline
        if ticket.before != after:
            if ticket.before is not None:
                effects.deadlines_del.append((ticket.before, key))
            if after is not None:
                effects.deadlines_put.append((after, key))
        if row is None:
            effects.rows[key] = None
        else:
            data = effects.rows[key] = encode_row(row)
            self._recent.keep(key, data, row)
        stands = None if row is None else standing(row)
        if ticket.stood != stands:
            effects.standings[key] = (ticket.stood, stands)

    def _placed(self, place: int) -> None:
        """Note to which record the messages belong that have come since the last note."""
        while len(self._places) < len(self.effects.messages):
            self._places.append(place)

    def finish(self) -> Effects:
        """Return all that was asked for, the messages in the order of what caused them."""
        effects, places = self.effects, self._places
        order = sorted(range(len(places)), key=places.__getitem__)
        effects.messages = [effects.messages[at] for at in order]
        return effects
