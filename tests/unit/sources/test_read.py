"""What bytes may be wrapped in, and how the unreadable is refused."""

from __future__ import annotations

import base64

import orjson
import pytest

from slastream.core.errors import Rejected
from slastream.core.event import Event
from slastream.sources import SOURCES, Delivery, read, source_module
from slastream.sources.envelope import MAX_BYTES, MAX_ITEMS

PLAIN = {
    "tenant": "acme",
    "source": "desk",
    "ticket": "7",
    "occurred_at": "2026-03-02T09:00:00Z",
    "status": "Open",
}
AT = 1_772_442_000_000


def canonical(value: bytes | None, **more: object) -> list[Event]:
    return read(Delivery("canonical", value=value, **more))  # type: ignore[arg-type]


def reason(value: bytes | None, source: str = "canonical", **more: object) -> str:
    with pytest.raises(Rejected) as caught:
        read(Delivery(source, value=value, **more))  # type: ignore[arg-type]
    return caught.value.reason


def test_plain_json() -> None:
    """A canonical event as JSON is one event."""
    (event,) = canonical(orjson.dumps(PLAIN))

    assert (
        event.tenant,
        event.source,
        event.ticket,
        event.occurred_at,
        event.status,
    ) == ("acme", "desk", "7", AT, "Open")


@pytest.mark.parametrize(
    "wrapped",
    [
        b"\x00\x00\x00\x00\x2a" + orjson.dumps(PLAIN),
        b"\xef\xbb\xbf" + orjson.dumps(PLAIN),
        b"\x00\x00\x00\x00\x2a\xef\xbb\xbf" + orjson.dumps(PLAIN),
        b"[" + orjson.dumps(PLAIN) + b"]",
        orjson.dumps({"specversion": "1.0", "id": "x", "source": "s", "type": "t", "data": PLAIN}),
        orjson.dumps(
            {
                "specversion": "1.0",
                "id": "x",
                "source": "s",
                "type": "t",
                "data_base64": base64.b64encode(orjson.dumps(PLAIN)).decode(),
            }
        ),
    ],
    ids=["registry prefix", "BOM", "both", "array", "structured", "structured base64"],
)
def test_wrapping_does_not_change_what_is_said(wrapped: bytes) -> None:
    """A schema registry's prefix, a BOM, an array and a structured CloudEvent are taken off."""
    (bare,) = canonical(orjson.dumps(PLAIN))
    (event,) = canonical(wrapped)
    event.id = bare.id

    assert bare == event


def test_cloud_event_id_is_the_id() -> None:
    """The id of a CloudEvent becomes the event's, in binary and in structured mode."""
    (binary,) = canonical(orjson.dumps(PLAIN), headers={"ce_id": b"ce-1", "ce_specversion": b"1.0"})
    (structured,) = canonical(
        orjson.dumps({"specversion": "1.0", "id": "ce-2", "data": PLAIN}),
        headers={"Content-Type": b"application/cloudevents+json; charset=utf-8"},
    )

    assert (binary.id, structured.id) == ("ce-1", "ce-2")


def test_an_event_may_have_members_of_a_cloud_event() -> None:
    """Without the header, an object that merely has a member `specversion` is itself the event."""
    (event,) = canonical(orjson.dumps({**PLAIN, "specversion": "1.0"}))

    assert event.attributes == {"specversion": "1.0"}


def test_array_of_deliveries_keeps_ids_apart() -> None:
    """One delivery id over an array still gives every event an id of its own."""
    two = orjson.dumps([PLAIN, {**PLAIN, "status": "Closed"}])
    events = canonical(two, headers={"ce_id": b"ce-1"})

    assert [event.id for event in events] == ["ce-1", "ce-1#1"]
    assert [event.status for event in events] == ["Open", "Closed"]


def test_tombstone_deletes_the_ticket_of_its_key() -> None:
    """A null value is the end of the ticket that its key names, at its arrival."""
    (event,) = canonical(None, key=b"acme/desk/7/8", received_at=AT)

    assert (
        event.tenant,
        event.source,
        event.ticket,
        event.occurred_at,
    ) == ("acme", "desk", "7/8", AT)
    assert (event.kind, event.state, event.reason) == ("deleted", "cancelled", "deleted")


@pytest.mark.parametrize(
    ("expected", "value", "more"),
    [
        ("not_json", b"", {}),
        ("not_json", b"status=open", {}),
        ("not_json", b"\x00\x00\x00\x00\x2a\x06avro", {}),
        ("not_json", b'{"a": NaN}', {}),
        ("not_json", b'{"a": "\\ud800"}', {}),
        ("not_json", b'{"a": "\xff"}', {}),
        ("not_json", b"[" * 100_000, {}),
        ("not_json", b'{"a":' * 100_000, {}),
        ("not_an_object", b"null", {}),
        ("not_an_object", b"17", {}),
        ("not_an_object", b'"text"', {}),
        ("not_an_object", b"[[{}]]", {}),
        ("not_an_object", b'{"specversion":"1.0","id":"1","source":"s","type":"t","data":3}', {}),
        (
            "not_json",
            b'{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"%"}',
            {},
        ),
        ("too_large", b" " * (MAX_BYTES + 1), {}),
        ("too_large", b"[" + b"1," * MAX_ITEMS + b"1]", {}),
        ("unknown_source", b"{}", {"source": "pigeon"}),
        ("no_ticket", None, {}),
        ("no_ticket", None, {"key": b"\xff"}),
        ("no_ticket", None, {"key": b"acme/desk"}),
        ("wrong_tenant", None, {"key": b"acme/desk/7", "tenant": "other"}),
        ("bad_key", None, {"key": b"acme/jira/7", "source": "connectwise", "tenant": "acme"}),
    ],
)
def test_unreadable_bytes_are_rejected_by_name(
    expected: str, value: bytes | None, more: dict[str, object]
) -> None:
    """Whatever cannot be read is refused with a bounded word, never with another error."""
    assert expected == reason(value, **more)  # type: ignore[arg-type]


def test_every_source_is_there() -> None:
    """Each name of the registry is a module that says what it is and reads deliveries."""
    for name in SOURCES:
        module = source_module(name)

        assert module.ABOUT.title
        assert callable(module.events)
