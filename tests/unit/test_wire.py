"""What is published, byte for byte: the JSON that an encoder would write."""

from __future__ import annotations

import msgspec
import pytest

from slastream.core.instant import MINUTE
from slastream.core.ledger import Row
from slastream.engine.effects import Message
from slastream.snapshot import Written, ledger_rows
from slastream.wire import ce_headers, erasure
from tests.support import desk as support
from tests.support.desk import AGENT, Desk, book, options, policy

NASTY = 'Gold "24\\7" für\n\u2028 Kunden \U0001f44d'


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """Return what desks publish from here on, as bytes."""
    found: list[Message] = []
    decode = support.decode

    def keep(message: Message) -> support.Said:
        found.append(message)
        return decode(message)

    monkeypatch.setattr(support, "decode", keep)
    return found


def test_values_are_what_an_encoder_writes(published: list[Message]) -> None:
    """Whatever a book calls its policies and a desk its tickets, every value is compact JSON."""
    gold = policy(
        NASTY,
        at_risk=("75%",),
        overdue=("PT1H over",),
        response="PT1H",
        resolution={"P1": "PT2H", "P3": "PT8H"},
        options=options(grace=MINUTE),
    )
    desk = Desk(book(gold, version=NASTY))
    told = {"client": NASTY, "number": NASTY, "priority": "P3", "ticket": 'ü"1'}
    desk.say("2026-03-02 09:00", "created", state="new", **told).until("2026-03-02 10:30")
    desk.say("2026-03-02 10:40", state="in_progress", actor=AGENT, ticket='ü"1', priority="P1")
    desk.until("2026-03-02 11:40")
    desk.say("2026-03-02 11:50", state="waiting", waiting_on="client", ticket='ü"1')
    desk.say("2026-03-02 12:10", state="resolved", actor=AGENT, ticket='ü"1')
    desk.say("2026-03-02 09:30", state="in_progress", actor=AGENT, ticket='ü"1')

    assert {each.output for each in published} == {"alerts", "outcomes", "clocks"}
    for message in published:
        assert message.value is not None
        assert message.value == msgspec.json.encode(msgspec.json.decode(message.value))


def test_headers_say_what_where_and_when() -> None:
    """A source outside ASCII is told as UTF-8, and one that cannot be told so does not stop the event."""
    headers = [ce_headers("ticket.v1", "i\ud800", "acme/süd\ud800", 0) for _ in range(2)]

    assert (
        headers[0]
        == headers[1]
        == [
            ("ce_specversion", b"1.0"),
            ("ce_type", b"io.slastream.ticket.v1"),
            ("ce_source", "/slastream/acme/süd?".encode()),
            ("ce_id", b"i?"),
            ("ce_time", b"1970-01-01T00:00:00.000Z"),
            ("content-type", b"application/json"),
        ]
    )


def test_what_is_published_comes_from_its_source(published: list[Message]) -> None:
    """A slash in the ticket's id is the ticket's."""
    desk = Desk(book(policy(resolution="PT4H")))
    desk.say("2026-03-02 09:00", "created", state="new", ticket="a/b").until("2026-03-02 15:00")
    desk.say("2026-03-02 16:00", state="resolved", actor=AGENT, ticket="a/b")
    sources = {(each.output, dict(each.headers)["ce_source"]) for each in published}

    assert sources == {(name, b"/slastream/acme/desk") for name in ("alerts", "outcomes", "clocks")}
    assert ("ce_source", b"/slastream/acme/desk") in erasure(b"acme/desk/a/b", "id", 0)


def test_a_row_that_differs_is_written_anew() -> None:
    """Of the rows of the clock before, only those that say the same in every member are taken over."""
    first = [Row(0, 1, "new", "", 1, 0), Row(1, 2, "waiting", "client", 0, 1)]
    told = '{"from":"%s","to":"%s","state":"%s","counted_ms":%d%s}'
    zero, one, two, three = (f"1970-01-01T00:00:00.00{n}Z" for n in range(4))
    waited = ',"waiting_on":"%s","waited_ms":%d'
    for second, text in [
        (
            Row(1, 2, "waiting", "client", 0, 1),
            told % (one, two, "waiting", 0, waited % ("client", 1)),
        ),
        (
            Row(0, 2, "waiting", "client", 0, 1),
            told % (zero, two, "waiting", 0, waited % ("client", 1)),
        ),
        (
            Row(1, 3, "waiting", "client", 0, 1),
            told % (one, three, "waiting", 0, waited % ("client", 1)),
        ),
        (Row(1, 2, "new", "client", 0, 1), told % (one, two, "new", 0, waited % ("client", 1))),
        (
            Row(1, 2, "waiting", "vendor", 0, 1),
            told % (one, two, "waiting", 0, waited % ("vendor", 1)),
        ),
        (
            Row(1, 2, "waiting", "client", 1, 1),
            told % (one, two, "waiting", 1, waited % ("client", 1)),
        ),
        (
            Row(1, 2, "waiting", "client", 0, 0),
            told % (one, two, "waiting", 0, waited % ("client", 0)),
        ),
    ]:
        written = Written()
        ledger_rows(first, 50, written)

        assert ledger_rows([first[0], second], 50, written) == (
            told % (zero, one, "new", 1, "") + "," + text
        )
