"""A ticket that is erased on request: what is left of it, what is told, what comes afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from slastream import wire
from slastream.core.books import Books, TenantBooks
from slastream.engine.effects import Effects, Record
from slastream.engine.partition import KEEP, Partition
from slastream.engine.row import deadline_of, decode_row
from slastream.engine.store import MemoryStore
from tests.support.desk import AGENT, Desk, at, book, decode, event, policy

KEY = b"acme/desk/1"
NAME = "harbour-dental"
PROMISE = book(policy(resolution="PT4H", at_risk=("50%",)))
CREATED = event("2026-03-02 09:00", "created", state="new", client=NAME, assignee="maalto")


def erasure(when: str, key: bytes = KEY, offset: int = 99) -> Record:
    """Return the record that asks for an erasure."""
    return Record(offset, at(when), key, None, tuple(wire.erasure(key, "e1", at(when))))


def said_in(effects: Effects) -> list[tuple[str, dict[str, Any] | None]]:
    return [(each.output, decode(each).value) for each in effects.messages]


def erased(desk: Desk, when: str) -> Effects:
    """Let a desk erase ticket 1 and write what follows."""
    effects = desk.partition.apply([erasure(when)])
    desk.store.write(effects.rows, effects.deadlines_put, effects.deadlines_del)
    return effects


def test_nothing_is_left_of_the_ticket_but_that_it_was_erased() -> None:
    """Row and snapshot go in one step: the row holds no attribute, fact or clock."""
    desk = Desk(PROMISE).feed(CREATED)
    effects = erased(desk, "2026-03-02 10:00")
    data = desk.store.get(KEY) or b""
    row = decode_row(data)

    assert said_in(effects) == [("clocks", None)]
    assert (row.erased, row.facts.count, row.told_attributes, row.fold.clocks) == (True, 0, [], [])
    assert NAME.encode() not in data
    assert desk.store.due(at("2026-03-03 00:00"), 10) == []
    assert effects.counts["erased", "desk"] == 1
    assert effects.standings[KEY][1] is None


def test_what_stands_is_cleared_without_a_word_about_the_ticket() -> None:
    """A receiver closes what it was sent; the clearing names nobody."""
    desk = Desk(PROMISE).feed(CREATED).until("2026-03-02 11:30")
    effects = erased(desk, "2026-03-02 11:30")
    output, value = said_in(effects)[0]
    assert value is not None

    assert (output, decode(effects.messages[0]).type) == ("alerts", "cleared")
    assert (value["alert_id"], value["reason"]) == (desk.alerts[0].id, "erased")
    assert (value["client"], value["number"], value["url"]) == (None, None, None)
    assert [each[0] for each in said_in(effects)] == ["alerts", "clocks"]


def test_what_comes_late_is_passed_over() -> None:
    """A straggler neither brings the ticket back nor goes to the dead letters, over a restart too."""
    desk = Desk(PROMISE).feed(CREATED)
    erased(desk, "2026-03-02 10:00")
    before = dict(desk.store.scan())
    desk.restart().say("2026-03-02 10:05", state="resolved", client=NAME, actor=AGENT)
    desk.say("2026-03-02 12:00", "snapshot", state="in_progress", client=NAME)

    assert [each.output for each in desk.said] == ["clocks"]
    assert desk.counts["suppressed", "desk"] == 2
    assert dict(desk.store.scan()) == before


def test_what_is_told_in_the_same_batch_is_in_order() -> None:
    """Before the erasure it is erased, behind it it is passed over."""
    late = event("2026-03-02 10:30", client=NAME)
    records = [
        Record(0, at("2026-03-02 09:00"), KEY, wire.encode_event(CREATED)),
        erasure("2026-03-02 10:00", offset=1),
        Record(2, at("2026-03-02 10:30"), KEY, wire.encode_event(late)),
    ]
    effects = Partition(0, MemoryStore(), Books(PROMISE)).apply(records)

    assert effects.position == 3
    assert decode_row(effects.rows[KEY] or b"").erased
    assert said_in(effects) == [("clocks", None)]


def test_the_last_trace_goes_when_a_row_goes() -> None:
    """For as long as a row is kept nothing comes back; then a ticket that old is measured only (D41)."""
    desk = Desk(PROMISE).feed(CREATED)
    erased(desk, "2026-03-02 10:00")
    gone = at("2026-03-02 10:00") + KEEP
    desk.until(gone - 1)
    left = desk.store.get(KEY)
    desk.until(gone)
    desk.feed(event(gone + 1, created_at="2026-03-02 09:00", state="in_progress"))

    assert left is not None
    assert deadline_of(KEY, left) == gone
    assert desk.snapshot()["judged"] is False


def test_twice_is_once() -> None:
    """The same request again, or for a ticket that nobody knows, leaves the same."""
    desk = Desk(PROMISE).feed(CREATED)
    erased(desk, "2026-03-02 10:00")
    again = erased(desk, "2026-03-02 10:00")
    stranger = Desk(PROMISE)
    erased(stranger, "2026-03-02 10:00")

    assert said_in(again) == [("clocks", None)]
    assert dict(stranger.store.scan()) == dict(desk.store.scan())


def test_a_new_book_passes_over_what_was_erased() -> None:
    """A sweep has nothing to judge there, and leaves it as it is."""
    desk = Desk(PROMISE).feed(CREATED)
    erased(desk, "2026-03-02 10:00")
    desk.books.add(book(policy(resolution="PT2H"), effective_from="2026-01-01 00:00"))
    swept = desk.partition.sweep()

    assert swept is not None
    assert (swept.rows, swept.messages) == ({}, [])


def test_a_ticket_that_waits_for_a_book_is_erased_all_the_same() -> None:
    """Its alerts cannot be cleared, since the book that judged it is not there; it goes nevertheless."""
    desk = Desk(PROMISE).feed(CREATED).until("2026-03-02 11:30")
    other = Partition(0, desk.store, Books())
    effects = other.apply([erasure("2026-03-02 12:00")])

    assert decode_row(effects.rows[KEY] or b"").erased
    assert ("clocks", None) in said_in(effects)


def test_a_note_of_the_partition_goes_too() -> None:
    """A status that was warned of may name a client in its board."""
    desk = Desk(PROMISE).feed(event("2026-03-02 09:00", "created", status="Odd", board=NAME))
    note = next(key for key, _ in desk.store.scan() if key.startswith(b"!"))
    effects = desk.partition.apply([erasure("2026-03-02 10:00", note)])

    assert NAME.encode() in note
    assert (effects.rows, effects.messages) == ({note: None}, [])


@pytest.mark.parametrize("key", [b"acme", b"acme/desk", b"//"])
def test_a_key_of_no_ticket_is_refused(key: bytes) -> None:
    """It goes to the dead letters with its reason, and changes nothing."""
    effects = Partition(0, MemoryStore(), Books(PROMISE)).apply([erasure("2026-03-02 10:00", key)])

    assert [dict(each.headers)["sla-reason"] for each in effects.messages] == [b"wrong_key"]
    assert effects.rows == {}


def test_a_tombstone_without_the_words_erases_nothing() -> None:
    """A record without a value that got there by mistake costs nobody a ticket."""
    desk = Desk(PROMISE).feed(CREATED)
    effects = desk.partition.apply([erasure("2026-03-02 10:00")._replace(headers=())])

    assert [dict(each.headers)["sla-reason"] for each in effects.messages] == [b"null_value"]
    assert effects.rows == {}


class BrokenOnce(Books):
    """Books whose second look-up fails, as a bug would."""

    asked = 0

    def of(self, tenant: str) -> TenantBooks:
        self.asked += 1
        if self.asked == 2:
            raise RuntimeError("a bug")
        return super().of(tenant)


@pytest.mark.interpreted
def test_a_failure_later_in_the_batch_does_not_bring_it_back() -> None:
    """A record that trips a bug is undone by taking its ticket's records again, the erasure with them."""
    desk = Desk(PROMISE).feed(CREATED)
    late = event("2026-03-02 10:30", client=NAME)
    desk.partition.books = BrokenOnce(PROMISE)
    effects = desk.partition.apply(
        [
            erasure("2026-03-02 10:00", offset=1),
            Record(2, at("2026-03-02 10:30"), KEY, wire.encode_event(late)),
        ]
    )

    assert effects.counts["rejected", "journal", "bug"] == 1
    assert decode_row(effects.rows[KEY] or b"").erased
