"""A record of the dead-letter topic as a value: only whoever set it aside is believed."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from slastream.core.errors import Rejected
from slastream.dlq.letter import Letter, Place, letter_of, plain, readable, resent_headers
from slastream.dlq.sending import prepared
from slastream.engine.effects import Effects, Record
from slastream.engine.publish import publish_rejected
from slastream.settings import Settings
from slastream.stream.partitioner import partition_of


@dataclass
class Stored:
    """What a consumer hands out."""

    headers: list[tuple[str, bytes]]
    key: bytes | None = b"k"
    value: bytes | None = b"{}"
    topic: str = "sla.dlq.v1"
    partition: int = 0
    offset: int = 17
    timestamp: int = 1_772_442_131_000
    extra: dict[str, str] = field(default_factory=dict)


def ingest(topic: str = "sla.raw.jira", **more: bytes) -> list[tuple[str, bytes]]:
    return [
        ("sla-reason", b"not_json"),
        ("sla-detail", b"at 1"),
        ("sla-topic", topic.encode()),
        ("sla-partition", b"2"),
        ("sla-offset", b"5"),
        *[(name.replace("_", "-"), value) for name, value in more.items()],
    ]


def letter(headers: list[tuple[str, bytes]], **more: bytes | None) -> Letter:
    return letter_of(Stored(headers, **more), "sla.tickets.v1", 4)  # type: ignore[arg-type]


def test_of_ingest() -> None:
    """Reason, detail and place are those that ingest wrote; the record's own headers are kept."""
    found = letter([("x", b"1"), *ingest()])

    assert (found.reason, found.detail) == ("not_json", "at 1")
    assert found.origin == Place("sla.raw.jira", 2, 5)
    assert (found.headers, found.journal, found.truncated) == ((("x", b"1"),), False, 0)
    assert found.source("sla.raw.") == "jira"
    assert all(found.named(n) for n in ("sla.dlq.v1-0@17", "0@17", "sla.raw.jira-2@5"))


def test_of_the_journal() -> None:
    """What the engine writes is understood: the journal, the key's partition, the offset."""
    effects = Effects()
    publish_rejected(effects, Record(33, 1000, b"acme/cw/9", b"x"), "not_json", "at 1")
    (message,) = effects.messages
    found = letter(list(message.headers), key=b"acme/cw/9", value=b"x")

    assert found.origin == Place("sla.tickets.v1", partition_of(b"acme/cw/9", 4), 33)
    assert (found.journal, found.reason, found.source("sla.raw.")) == (True, "not_json", "journal")


def test_forged_headers() -> None:
    """A record that brings headers of ours changes neither its reason nor its place."""
    forged = ingest("sla.books.v1")
    effects = Effects()
    publish_rejected(effects, Record(33, 1000, b"acme/cw/9", b"x", tuple(forged)), "bad", "d")

    assert letter([*forged, *ingest()]).origin == Place("sla.raw.jira", 2, 5)
    found = letter(list(effects.messages[0].headers), key=b"acme/cw/9")
    assert (found.reason, str(found.origin)[:15]) == ("bad", "sla.tickets.v1-")


@pytest.mark.parametrize(
    "topic", ["sla.books.v1", "sla.tickets.v1", "sla.raw.", "other", "sla.rawx"]
)
def test_nothing_is_sent_elsewhere(topic: str) -> None:
    """Whatever the headers say, a letter goes back to a raw topic or, if it is its, the journal."""
    with pytest.raises(Rejected, match="not_ours"):
        prepared(letter(ingest(topic)), Settings(), b"{}", corrected=False)


def test_a_record_of_somebody_else() -> None:
    """A record without the headers of ours has no way back."""
    found = letter([("x", b"1")])

    assert (found.reason, found.origin) == ("unknown", None)
    with pytest.raises(Rejected, match="no_origin"):
        prepared(found, Settings(), b"{}", corrected=False)


def test_cut_letters() -> None:
    """A letter knows that it holds only the first bytes, and of how many."""
    found = letter(ingest(sla_truncated=b"1200000"))

    assert (found.truncated, found.reason) == (1_200_000, "not_json")


def test_headers_of_what_goes_back() -> None:
    """What goes back has its own headers and one that says which letter it was, once."""
    found = letter([("sla-tenant", b"a"), ("sla-resent", b"older"), *ingest()])

    assert resent_headers(found, False, "") == [
        ("sla-tenant", b"a"),
        ("sla-resent", b"sla.dlq.v1-0@17"),
    ]
    assert resent_headers(found, True, "b") == [
        ("sla-tenant", b"b"),
        ("sla-resent", b"sla.dlq.v1-0@17"),
        ("sla-corrected", b"true"),
    ]


def test_a_tenant_that_was_missing() -> None:
    """A delivery of nobody is read, and sent, as one of the tenant that is named."""
    value = b'{"timestamp":1,"webhookEvent":"jira:issue_created","issue":{"id":"1","fields":{}}}'
    found = letter(ingest(), value=value)
    again = prepared(found, Settings(), value, "acme", corrected=False)

    assert again.problem is None, again.problem
    assert {event.tenant for event in again.events} == {"acme"}
    nobody = prepared(found, Settings(), value, corrected=False)
    assert {event.tenant for event in nobody.events} == {""}


def test_null_without_a_key() -> None:
    """A null without a key cannot be written again; it is refused, not tried."""
    with pytest.raises(Rejected, match="no_ticket"):
        prepared(letter(ingest(), key=None, value=None), Settings(), None, corrected=False)


def test_a_terminal_is_not_steered() -> None:
    """Bytes of strangers are shown without what moves a cursor or hides a line."""
    for text in ("\x1b[2J", "a\rb", "\x07", "\u202eabc", "\x9b31m"):
        assert text not in plain(text)
        assert not set(readable(text.encode())) & {"\x1b", "\r", "\x07", "\u202e", "\x9b"}
    assert readable("Non répondu\n\t{}".encode()) == "Non répondu\n\t{}"
    assert readable(None).startswith("(null")
