"""A step of a partition: what it sets aside, what it forgets, how much it fires."""

from __future__ import annotations

from base64 import b85decode

import pytest

from slastream.core.books import Books
from slastream.core.errors import InvariantBroken
from slastream.core.instant import DAY
from slastream.engine.effects import Record
from slastream.engine.partition import Partition
from slastream.engine.row import MAX_FACTS, deadline_of, decode_row, encode_row
from slastream.engine.store import MemoryStore
from slastream.wire import encode_event, event_key
from tests.support.desk import AGENT, Desk, at, book, decode, event, policy

PROMISE = book(policy(resolution="PT4H"))


def partition() -> Partition:
    """Return an empty partition with one promise of four hours."""
    return Partition(0, MemoryStore(), Books(PROMISE))


def record(offset: int, **changes: object) -> Record:
    """Return the record of a creation at 09:00, with changes."""
    said = event("2026-03-02 09:00", "created", state="new")
    return Record(offset, said.occurred_at, event_key(said), encode_event(said))._replace(**changes)


REJECTED = [
    ({"value": None}, "null_value"),
    ({"key": None}, "null_value"),
    ({"value": b"{"}, "bad_event"),
    ({"value": b"\xff"}, "bad_event"),
    ({"value": b'{"tenant": 3}'}, "bad_event"),
    ({"key": b"acme/desk/2"}, "wrong_key"),
    ({"value": encode_event(event("2026-03-02 09:00", state="asleep"))}, "bad_state"),
]


@pytest.mark.parametrize(("changes", "reason"), REJECTED)
def test_what_cannot_be_understood_goes_to_the_dead_letters(
    changes: dict[str, object], reason: str
) -> None:
    """The original bytes with the reason, in the same step; the records around it are judged."""
    effects = partition().apply([record(0), record(1, **changes), record(2)])
    dead = [message for message in effects.messages if message.output == "dlq"]

    assert [dict(message.headers)["sla-reason"] for message in dead] == [reason.encode()]
    assert dead[0].value == record(1, **changes).value
    assert effects.position == 3
    assert list(effects.rows) == [b"acme/desk/1"]


def test_an_empty_batch_is_no_step() -> None:
    """No records, no effects, no position."""
    effects = partition().apply([])

    assert (bool(effects), effects.position) == (False, None)


def test_a_step_changes_nothing_in_the_store() -> None:
    """Effects are asked for, not carried out: the caller commits first."""
    part = partition()
    part.apply([record(0)])
    part.fire(at("2026-03-02 14:00"))

    assert list(part.store.scan()) == []
    assert part.next_due is None


def test_messages_are_in_the_order_of_the_records() -> None:
    """One ticket is dealt with after the other; whoever reads the topics sees none of that."""
    desk, answered = Desk(PROMISE), {"state": "resolved", "actor": AGENT}
    tickets = ["1", "2", "1", "3", "2"]
    records = [
        Record(n, at("2026-03-02 09:00") + n, event_key(each), encode_event(each))
        for n, each in enumerate(
            event(
                at("2026-03-02 09:00") + n,
                "created" if ticket not in tickets[:n] else "updated",
                ticket,
                **(answered if ticket in tickets[:n] or ticket == "3" else {"state": "new"}),
            )
            for n, ticket in enumerate(tickets)
        )
    ]
    records.insert(3, Record(9, at("2026-03-02 09:00"), b"acme/desk/1", b"{"))
    effects = desk.partition.apply(records)
    told = [(each.output, each.key[-1:]) for each in effects.messages]

    assert list(dict.fromkeys(told)) == [
        ("outcomes", b"1"), ("dlq", b"1"), ("outcomes", b"3"), ("outcomes", b"2"),
        ("clocks", b"1"), ("clocks", b"2"), ("clocks", b"3"),
    ]  # fmt: skip


def test_fire_stops_at_its_limit() -> None:
    """A thousand deadlines at once are fired in portions, and none is lost."""
    desk = Desk(PROMISE)
    desk.feed(*(event("2026-03-02 09:00", "created", str(n), state="new") for n in range(25)))
    told, rounds = [], 0
    while (due := desk.partition.next_due) is not None and due < at("2026-03-03 00:00"):
        effects = desk.partition.fire(at("2026-03-02 14:00"), limit=10)
        desk.store.write(effects.rows, effects.deadlines_put, effects.deadlines_del)
        told += [
            decode(message).ticket for message in effects.messages if message.output == "alerts"
        ]
        rounds += 1

    assert sorted(told, key=int) == [str(n) for n in range(25)]
    assert rounds == 3


def test_a_stale_entry_of_the_index_is_taken_out() -> None:
    """The index is advisory: the row decides, and what it does not know is removed."""
    part, ghost = partition(), (at("2026-03-02 09:00"), b"acme/desk/ghost")
    part.store.write({}, [ghost])
    effects = part.fire(at("2026-03-02 10:00"))

    assert effects.deadlines_del == [ghost]
    assert effects.messages == []


def test_a_ticket_with_too_many_events_is_bounded() -> None:
    """No person works on a ticket of thousands of events: what is too much is set aside."""
    desk = Desk(PROMISE)
    desk.feed(*(event(at("2026-03-02 09:00") + n, id=f"e{n}") for n in range(MAX_FACTS + 3)))

    assert desk.counts["rejected", "journal", "too_many_events"] == 3
    assert desk.snapshot()["state"] == "new"


@pytest.mark.interpreted
def test_a_bug_of_ours_costs_one_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that trips a bug goes to the dead letters; its ticket is marked, the others are judged."""
    import slastream.engine.step as module

    plain = module.add

    def trips(row: object, fact: object, said: object, books: object) -> object:
        if said.priority == "P13":  # type: ignore[attr-defined]
            raise ZeroDivisionError("thirteen")
        return plain(row, fact, said, books)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "add", trips)
    desk = Desk(PROMISE).feed(
        event("2026-03-02 09:00", "created", state="new"),
        event("2026-03-02 09:00", "created", "2", state="new"),
        event("2026-03-02 10:00", priority="P13"),
        event("2026-03-02 10:30", state="in_progress", actor=AGENT),
    )
    troubles = [each.value for each in desk.said if each.output == "ops"]
    row = desk.store.get(b"acme/desk/1")
    assert row is not None

    assert desk.counts["rejected", "journal", "bug"] == 1
    assert [each["type"] for each in troubles if each] == ["ticket.quarantined"]
    assert "thirteen" in decode_row(row).quarantined
    assert desk.snapshot("1")["state"] == "in_progress"
    assert desk.snapshot("2")["state"] == "new"


@pytest.mark.interpreted
def test_what_a_failing_record_leaves_behind_is_what_stood_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The records before it in the batch count as if it had not been there, down to the bytes."""
    import slastream.engine.step as module

    plain = module.settle

    def trips(row: object, now: int, books: object) -> None:
        if now == at("2026-03-02 13:30"):
            raise ZeroDivisionError
        plain(row, now, books)  # type: ignore[arg-type]

    before = [event("2026-03-02 09:00", "created", state="new"),
              event("2026-03-02 10:00", state="in_progress", actor=AGENT)]  # fmt: skip
    whole = Desk(PROMISE).feed(*before)
    monkeypatch.setattr(module, "settle", trips)
    failed = Desk(PROMISE).feed(*before, event("2026-03-02 13:30", priority="P1"))
    found = failed.store.get(b"acme/desk/1")
    kept = whole.store.get(b"acme/desk/1")
    assert found is not None
    assert kept is not None
    found_row = decode_row(found)
    found_row.quarantined = ""

    assert encode_row(found_row) == kept
    assert failed.told() == []


def test_an_open_ticket_is_never_forgotten() -> None:
    """Only what is resolved, closed or cancelled leaves."""
    desk = Desk(PROMISE).say("2026-03-02 09:00", "created", state="new")
    desk.until(at("2026-03-02 09:00") + 400 * DAY)

    assert desk.store.get(b"acme/desk/1") is not None


def test_rows_have_a_version() -> None:
    """A row that a newer release wrote is refused, since guessing could announce a breach that is none."""
    desk = Desk(PROMISE).say("2026-03-02 09:00", "created", state="new")
    data = desk.store.get(b"acme/desk/1")
    assert data is not None

    assert encode_row(decode_row(data)) == data
    assert deadline_of(b"acme/desk/1", data) == desk.partition.next_due
    with pytest.raises(InvariantBroken, match="newer release"):
        decode_row(bytes([data[0] + 1]) + data[1:])


OLD_ROW = b85decode(
    "0RR92oUWo&frH%dx162N0004;t;U*w!=z+ob87;ifu?hBb#h~6q-"
    "14tYm$`D0004;t;U*w0H6Sr&j0`coUPBoKmwr8MDtUzqyubOliUCu00GYc00Eq>#+rbnXK!p|qc9^ereSP%VR>`F!o"
    "UO000}3+zyQF&&j0`coUPBoK*Phpz>t8zpuoZa0KnV;9RUH)0004;t;U*wq-SqzWTP-6F{WW`cVT&Rz{0=-"
    "&HxD~z`y{&z|Q~x0i3PR!a%~pz`&4zz@Wgw006+;038AW&j0`coUO*1fTU+{Y-"
    "FP_BQd67Y<FRKbIt(Ux&Xq?0Nc6%0RYbc00Eq>#+rZt&j0`coUWo&fzJQ{0i3R)RDi(3!oa|gfWV-"
    "@!T<ok0Kmflz>?em5YGSr0i3PInt=cR&n9YK8uA$wrU1_X00Eq>#+rctz`y{Y1OULo!rTB5&j0`coUPBoK>q^IMDtU"
    "zqyubO0nY#c0i3PR!a)DPzyhEI0Kme+kd%;+!2h8!!p{Hz0i3R)RDsU`00Eq>&%!{U0K&o"
)
"""A row of version 1: a ticket that was created, and in progress ten minutes later."""


def test_a_row_of_the_version_before_is_read() -> None:
    """Its facts were unpacked; written again, it is a row of today's version that says the same."""
    row = decode_row(OLD_ROW)

    assert [(fact.at, fact.kind, fact.state) for fact in row.facts.all()] == [
        (at("2026-03-02 09:00"), 0, 0),
        (at("2026-03-02 09:10"), 1, 2),
    ]
    assert deadline_of(b"acme/desk/1", OLD_ROW) == row.deadline
    desk = Desk(PROMISE).say("2026-03-02 09:00", "created", state="new")
    desk.say("2026-03-02 09:10", state="in_progress")
    assert encode_row(row) == desk.store.get(b"acme/desk/1")


def test_a_row_that_makes_no_sense_is_refused() -> None:
    """Whatever is in it, the partition hears that it is the row."""
    head, body = OLD_ROW[:13], OLD_ROW[13:]

    with pytest.raises(InvariantBroken, match="a row cannot be read"):
        decode_row(head + body[:-1])
    with pytest.raises(InvariantBroken, match="a row cannot be read"):
        decode_row(head + b"\x90")


def test_a_new_book_sweeps_what_it_touches() -> None:
    """A holiday taken away makes a due date earlier: the sweep moves the deadline, and what is past is told."""
    from tests.support.desk import holiday, office

    promise = policy(calendar="office", resolution="PT12H")
    first = book(promise, calendars=(office("UTC", holiday("2026-03-03")),), version="a")
    desk = Desk(first).say("2026-03-02 09:00", "created", state="new")

    assert desk.clock("resolution").due == "03-04 13:00"

    desk.books.add(book(promise, calendars=(office("UTC"),), version="b"))
    desk.until("2026-03-03 14:00")
    while (effects := desk.partition.sweep()) is not None:
        desk._take(effects)
    desk.until("2026-03-03 14:01")

    assert desk.clock("resolution").due == "03-03 13:00"


def test_a_ticket_that_was_forgotten_breaches_nothing_when_it_is_told_of_again() -> None:
    """Closed in time and gone from the table, it is commented on: measured, not judged (D41)."""
    desk = Desk(book(policy(response="PT1H", resolution="PT8H")))
    desk.say("2026-03-02 09:00", "created", state="new")
    desk.say("2026-03-02 09:30", state="closed", actor=AGENT)
    desk.until("2026-06-20 09:00")
    alerts = len(desk.alerts)
    desk.say(
        "2026-06-20 10:00", "comment", created_at="2026-03-02 09:00", comment=True, actor=AGENT
    )
    desk.say("2026-06-20 11:00", "created", created_at="2026-03-02 09:00", id="told again")
    desk.until("2026-06-27 09:00")

    assert alerts == len(desk.alerts)
    assert "measured" == desk.clock("resolution").raw["outcome"]


def test_a_ticket_that_tells_too_much_keeps_its_row_below_a_brokers_limit() -> None:
    """Else its partition could never write it, nor anything behind it; what is too much is set aside."""
    desk = Desk(PROMISE)
    desk.say("2026-03-02 09:00", "created", state="new")
    for minute in range(1, 10):
        note = f"{minute}" + "x" * 90_000
        desk.say(f"2026-03-02 09:0{minute}", id=f"note {minute}", attributes={"note": note})
    desk.say("2026-03-02 09:30", state="closed", actor=AGENT)

    assert 5 == desk.counts["rejected", "journal", "too_large"]
    assert len(desk.store.get(b"acme/desk/1") or b"") < 1_000_000
    assert "met" == desk.clock("resolution").raw["outcome"]
