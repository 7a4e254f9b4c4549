"""A new book version while tickets are open: every row is judged again, once, and may be resumed."""

from __future__ import annotations

from slastream.core.books import Books
from slastream.engine.effects import Effects
from slastream.engine.partition import Partition
from slastream.engine.row import decode_row
from slastream.engine.store import MemoryStore
from tests.support.desk import NINE_TO_FIVE, Desk, book, event, holiday, office, policy


def _open_tickets(desk: Desk, count: int) -> None:
    for number in range(count):
        desk.feed(event("2026-03-02 09:00", "created", str(number), state="new"))


def _write(store: MemoryStore, effects: Effects) -> None:
    store.write(effects.rows, effects.deadlines_put, effects.deadlines_del, effects.meta)


def test_a_holiday_announced_later_moves_the_due_date_of_open_tickets() -> None:
    """A new version's holiday applies to tickets that are already open, from its date on (D28)."""
    promise = policy(calendar="office", resolution="PT12H")
    desk = Desk(book(promise, calendars=(NINE_TO_FIVE,), version="1#aaaaaa"))
    _open_tickets(desk, 1)
    before = desk.partition.next_due
    longer = office("UTC", holiday("2026-03-03"))
    desk.partition.books.add(
        book(promise, calendars=(longer,), version="2#bbbbbb", effective_from="2026-03-02 12:00")
    )

    effects = desk.partition.sweep()

    assert effects is not None
    _write(desk.store, effects)
    assert before is not None
    assert desk.partition.next_due == before + 24 * 3_600_000


def test_a_sweep_stops_and_goes_on_with_another_owner() -> None:
    """Rows that are done are recognised: the next owner does only what is left, then nothing."""
    first = book(policy(resolution="PT4H"), version="1#aaaaaa")
    desk = Desk(first)
    _open_tickets(desk, 5)
    second = book(policy(resolution="PT4H", response="PT1H"), version="2#bbbbbb", effective_from=1)
    desk.partition.books.add(second)
    effects = desk.partition.sweep(limit=2)
    assert effects is not None
    assert len(effects.rows) == 2
    _write(desk.store, effects)

    successor = Partition(0, desk.store, Books(first, second))
    swept = 0
    while (effects := successor.sweep(limit=2)) is not None:
        swept += len(effects.rows)
        _write(desk.store, effects)

    assert swept == 3
    assert Partition(0, desk.store, Books(first, second)).sweep() is None


def test_a_ticket_judged_by_a_book_nobody_has_read_is_held_then_judged() -> None:
    """Never guessed: its facts are kept, nothing is announced, and the book's arrival settles it (D24)."""
    promise = book(policy(response="PT1H"), version="1#aaaaaa")
    desk = Desk(promise)
    _open_tickets(desk, 1)
    stranger = Desk(book(policy(), version="9#999999"))
    stranger.partition.store = stranger.store = desk.store

    stranger.feed(event("2026-03-02 09:10", ticket="0", state="waiting", waiting_on="client"))

    row = decode_row(desk.store.get(b"acme/desk/0") or b"")
    assert row.held
    assert row.facts.count == 2
    assert [said.type for said in stranger.said if said.output == "alerts"] == []
    stranger.partition.books.add(promise)
    stranger.until("2026-03-02 10:30")
    while (effects := stranger.partition.sweep()) is not None:
        _write(desk.store, effects)
    row = decode_row(desk.store.get(b"acme/desk/0") or b"")
    assert not row.held
    assert row.fold.clocks[0].policy == "gold"
