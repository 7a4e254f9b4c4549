"""Whatever arrives, a source answers with events or with `Rejected`: laws over broken deliveries.

The short form runs with the other tests. `python tests/property/test_sources.py 200000` runs the
long form, that many inputs for each source, and says at which rate.
"""

from __future__ import annotations

import copy
import json
import random
import string
import sys
import time
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from slastream.core.errors import Rejected
from slastream.core.event import CANCELLED_BECAUSE, STATES, TOLD, WAITING_ON, Event
from slastream.sources import SOURCES, Delivery, read
from slastream.sources.files import recorded
from slastream.sources.samples import samples
from slastream.wire import decode_event, encode_event

ARRIVED = 1_772_442_139_000
NAMES = [name for name, module in SOURCES.items() if module.endswith(f".{name}")]
each_source = pytest.mark.parametrize("source", NAMES)
TEXTS = (*TOLD, "status", "sub_status")

ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    1e308,
    2**63,
    2**64 - 1,
    -(2**63),
    10**15,
    "",
    " ",
    "0",
    "-1",
    "1e5",
    "\x00",
    "\u202e\ufeff",
    "٣",
    "²",
    "x" * 1_001,
    "2026-03-02T09:00:00",
    "2026-03-29T02:30:00",
    "9999-12-31T23:59:59.999999-14:00",
    "0001-01-01T00:00:00+14:00",
    "2026-03-02T09:00:00.123456789+0100",
    "1900-01-01T00:00:00Z",
    "true",
    "null",
    "{}",
    "[]",
    '{"id":1}',
    [],
    [None],
    [[]],
    [{}],
    {},
    {"id": None},
    {"name": []},
    {"value": {"value": {}}},
)


ABYSS = "@abyss@"
"""Stands for a thousand brackets, which no encoder here would write."""


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": [value]}
    return value


def broken(rng: random.Random, doc: Any) -> Any:
    """Return a document with a few of its members replaced, dropped, copied about or buried."""
    doc = copy.deepcopy(doc)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        spots = list(_spots(doc))
        if not spots:
            return copy.deepcopy(rng.choice(ODD))
        holder, name = rng.choice(spots)
        match rng.randrange(6):
            case 0 if isinstance(holder, dict):
                del holder[name]
            case 1:
                holder[name] = rng.choice((deep(1), deep(5), deep(60), ABYSS))
            case 2:
                other, place = rng.choice(spots)
                if place in other if isinstance(other, dict) else place < len(other):
                    holder[name] = copy.deepcopy(other[place])
            case 3 if isinstance(holder[name], str):
                holder[name] = _garbled(rng, holder[name])
            case _:
                holder[name] = copy.deepcopy(rng.choice(ODD))
    return doc


def _spots(doc: Any) -> Any:
    if isinstance(doc, dict):
        for name, value in doc.items():
            yield doc, name
            yield from _spots(value)
    elif isinstance(doc, list):
        for place, value in enumerate(doc):
            yield doc, place
            yield from _spots(value)


def _garbled(rng: random.Random, text: str) -> str:
    place = rng.randrange(len(text) + 1)
    piece = rng.choice(("", "\x00", "é", "}", '"', "-", " ", "9" * 30, "\U0001f600", "/"))
    return text[:place] + piece + text[place + rng.randrange(3) :]


def delivery(rng: random.Random, source: str) -> Delivery:
    """Return a sample of the source with its body, bytes, headers, key or zone broken."""
    sample = rng.choice(samples(source))
    whole = recorded(sample["delivery"], source, "acme-msp", ARRIVED)
    what = rng.randrange(10)
    value = whole.value
    if what < 7:
        body = broken(rng, sample["delivery"]["body"])
        if isinstance(body, dict) and isinstance(body.get("Entity"), str) and what < 3:
            body["Entity"] = json.dumps(broken(rng, _json(body["Entity"])))
        value = json.dumps(body).encode()  # which nests deeper than orjson would write
        value = value.replace(f'"{ABYSS}"'.encode(), b"[" * 1_000 + b"]" * 1_000)
    elif what == 7 and value is not None:
        cut = rng.randrange(len(value) + 1)
        junk = bytes(rng.randrange(256) for _ in range(rng.randrange(4)))
        value = value[:cut] + junk + value[cut + rng.randrange(4) :]
    elif what == 8:
        value = b"\x00" * rng.randrange(7) + (value or b"")
    else:
        value = None if rng.random() < 0.5 else bytes(rng.randrange(256) for _ in range(20))
    headers = dict(whole.headers)
    for name in list(headers):
        if rng.random() < 0.2:
            headers[name] = rng.choice((b"", b"\xff\xfe", b"x" * 5_000, b"delete", b"99" * 12))
    zone = whole.timezone
    if rng.random() < 0.2:
        zone = rng.choice((None, "Europe/Paris", "Nowhere/At All", "", "../etc/passwd", "\x00"))
    key = rng.choice((whole.key, whole.key, b"", b"\xff", b"acme-msp/" + source.encode() + b"/7"))
    return replace(whole, value=value, headers=headers, timezone=zone, key=key)


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}


def understood(one: Delivery) -> list[Event]:
    """Read a delivery twice, hold the answer to the laws, and return it; [] when it is rejected."""
    try:
        events = read(one)
    except Rejected as problem:
        rejected = problem
    else:
        return _held(events, one)
    assert rejected.reason.replace("_", "").isalpha()
    assert len(rejected.reason) <= 20
    assert len(rejected.detail) < 500
    return []


def _held(events: list[Event], one: Delivery) -> list[Event]:
    assert events == read(one)
    ids = [(event.ticket, event.id) for event in events]
    assert len(ids) == len(set(ids))
    for event in events:
        lawful(event)
    return events


def lawful(event: Event) -> None:
    assert event.tenant
    assert event.source
    assert event.ticket
    assert event.ticket.isprintable()
    assert event.id
    assert 0 <= event.occurred_at <= 253_402_300_799_999
    assert event.created_at is None or 0 <= event.created_at <= 253_402_300_799_999
    assert event.state is None or event.state in STATES
    assert event.waiting_on is None or event.waiting_on in WAITING_ON
    assert event.state != "cancelled" or event.reason is None or event.reason in CANCELLED_BECAUSE
    assert decode_event(encode_event(event)) == event
    orjson.dumps(event.attributes if event.attributes is not UNSET else None)


@each_source
@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**64))
def test_broken_samples(source: str, seed: int) -> None:
    """A delivery that is broken in any way gives lawful events or is rejected, twice the same."""
    understood(delivery(random.Random(seed), source))


@each_source
@settings(max_examples=60, deadline=None)
@given(value=st.binary(max_size=60))
def test_any_bytes(source: str, value: bytes) -> None:
    """Bytes of any kind are read or rejected, and nothing else."""
    understood(Delivery(source, "acme", value=value, received_at=ARRIVED))


NAMED = (
    *("id", "ID", "ticket", "Ticket", "item", "issue", "fields", "event", "Entity", "Action"),
    *("detail", "type", "time", "source", "op", "after", "payload", "name", "action"),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(NAMED) | st.text(string.ascii_letters, max_size=8),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@each_source
@settings(max_examples=60, deadline=None)
@given(doc=JSON)
def test_any_json(source: str, doc: Any) -> None:
    """JSON of any shape is read or rejected, and nothing else."""
    understood(Delivery(source, "acme", value=orjson.dumps(doc), received_at=ARRIVED))


CANONICAL: dict[str, Any] = {
    "created_at": "2026-03-02T08:58:40.000Z",
    "id": "e-1",
    "sequence": 12,
    "kind": "updated",
    "state": "waiting",
    "waiting_on": "client",
    "actor": {"id": "maalto", "kind": "agent"},
    "comment": {"public": True},
    "reported": {"breached": False},
    "imported": True,
    **{name: f"a {name}" for name in TEXTS},
}


@given(
    members=st.sets(st.sampled_from(sorted(CANONICAL))),
    cleared=st.sets(st.sampled_from(sorted(TEXTS))),
)
def test_a_partial_update_carries_what_it_was_told(members: set[str], cleared: set[str]) -> None:
    """Absent members stay unset, null ones are cleared, the others are taken over as they are."""
    doc = {name: CANONICAL[name] for name in members} | dict.fromkeys(cleared)
    doc |= {"tenant": "t", "source": "s", "ticket": "1", "occurred_at": 5}
    (event,) = read(Delivery("canonical", value=orjson.dumps(doc)))

    for name in TEXTS:
        expected = None if name in cleared else CANONICAL[name] if name in members else UNSET
        assert expected == getattr(event, name)
    for name, default in (
        ("created_at", None),
        ("state", None),
        ("actor", None),
        ("comment", None),
    ):
        assert (getattr(event, name) == default) == (name not in members)


WHEN = "2026-03-02T09:00:00Z"
LEAST: dict[str, tuple[Any, dict[str, str]]] = {
    "connectwise": (
        {"Action": "updated", "ID": 1, "Entity": {"_info": {"lastUpdated": WHEN}}},
        {},
    ),
    "autotask": ({"Action": "Update", "Id": 1, "Fields": {}, "EventTime": WHEN}, {}),
    "halopsa": ({"ticket": {"id": 1, "lastactiondate": WHEN}}, {}),
    "servicenow": ({"sys_id": "a1", "sys_updated_on": WHEN}, {"action": "update"}),
    "jira": ({"webhookEvent": "jira:issue_updated", "timestamp": 5, "issue": {"id": "1"}}, {}),
    "zendesk": ({"type": "zen:event-type:ticket.x", "time": WHEN, "detail": {"id": "1"}}, {}),
    "freshservice": ({"ticket": {"id": 1, "updated_at": WHEN}}, {}),
    "glpi": ({"item": {"id": 1, "date_mod": WHEN}, "event": "update"}, {}),
    "itop": ({"ref": "R-1", "last_update": WHEN}, {}),
    "zammad": ({"ticket": {"id": 1, "updated_at": WHEN}}, {}),
    "znuny": ({"Ticket": {"TicketID": "1", "Changed": WHEN}}, {}),
    "frappe_helpdesk": ({"name": "1", "modified": WHEN}, {}),
    "debezium": ({"after": {"id": 1, "date_mod": WHEN}, "op": "u"}, {}),
    "canonical": ({"source": "s", "ticket": "1", "occurred_at": WHEN}, {}),
}


@each_source
def test_the_least_delivery_tells_nothing_else(source: str) -> None:
    """A delivery that names a ticket and a time changes nothing about the ticket but its number."""
    body, headers = LEAST[source]
    raw = {name: value.encode() for name, value in headers.items()}
    (event,) = read(Delivery(source, "acme", value=orjson.dumps(body), headers=raw))
    told = {name for name in TEXTS if getattr(event, name) is not UNSET}

    assert told <= {"number"}
    assert (event.kind, event.state, event.created_at) == ("updated", None, None)
    assert (event.comment, event.reported, event.attributes) == (None, UNSET, UNSET)


def main(inputs: int) -> None:
    """Hold every source to the laws with that many broken deliveries each."""
    for source in NAMES:
        started, read_well = time.perf_counter(), 0
        for seed in range(inputs):
            try:
                read_well += bool(understood(delivery(random.Random(seed), source)))
            except BaseException:
                sys.stderr.write(f"{source}: seed {seed}\n")
                raise
        rate = inputs / (time.perf_counter() - started)
        sys.stdout.write(f"{source:16} {inputs} inputs, {read_well} read, {rate:,.0f}/s\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
