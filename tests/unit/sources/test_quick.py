"""The quick way of reading a line says what the slow one says, or nothing."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from slastream.core.errors import Rejected
from slastream.core.event import Event
from slastream.sources import Delivery, read
from slastream.sources.quick import quick

LEAST: dict[str, Any] = {
    "tenant": "acme-msp",
    "source": "desk",
    "ticket": "714502",
    "occurred_at": "2026-03-02T09:02:11.000Z",
    "id": "6dd8",
}

ODD: dict[str, list[Any]] = {
    "tenant": ["acme-msp", "a/b", "", None, 7, "x" * 101, "a b", " a"],
    "source": ["desk", "", None, "jira.cloud", "-"],
    "ticket": ["1", "", " ", "a\nb", "x" * 200, "x" * 201, 7, None, "é/ß", "\u00a0"],
    "occurred_at": [
        "2026-03-02T09:02:11Z", "2026-03-02T09:02:11+01:00", "2026-03-02 09:02:11Z",
        "2026-03-02T09:02:11", "2026-03-02T09:02:11.1239Z", "2026-03-02T09:02:11.123456789Z",
        "2026-03-02T09:02:60Z", "2026-03-02T24:00:00Z", "1969-12-31T23:59:59Z",
        "9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-03-02",
        "2026-03-02t09:02:11z", "2026-03-02T09:02:11+0100", "2026-03-02T09:02:11.9999999Z",
        1772442131000, 1772442131000.0, -1, None, True, "soon", "2026-03-02T09:02:11-23:59",
    ],
    "created_at": ["2026-03-01T09:02:11Z", "1969-01-01T00:00:00Z", None, 5, "never"],
    "id": ["a", "", None, "x" * 300, "a\tb", 7, " "],
    "sequence": [1, 0, -1, 2**63 - 1, 2**63, -(2**63), 1.0, 1.5, "1", None, True],
    "kind": ["created", "updated", "merged", "deleted", "absorbed", "sung", None, 1],
    "state": ["new", "waiting", "cancelled", "NEW", None, 3],
    "waiting_on": ["client", "nobody", None],
    "reason": ["spam", "boredom", None],
    "status": ["Open", "", None, 7, "x" * 1001, "x" * 1000, ["a"]],
    "priority": ["P1", None, 1],
    "actor": [
        {"kind": "agent"}, {"kind": "robot"}, {}, {"kind": None}, {"id": 7}, None, "agent",
        {"id": "x" * 1001}, {"id": "a", "kind": "customer", "name": "Jo"},
    ],
    "comment": [{"public": True}, {"public": None}, {}, {"public": 1}, None, "hello"],
    "imported": [True, False, None, 1],
    "merged_into": ["2", None, ""],
    "previous_ticket": ["2", None],
    "reported": [{"breached": True}, None, {}],
    "attributes": [{"a": 1}, {}, None],
    "absorbed": [{"ticket": "3"}, None],
    "mood": ["good", None],
    "specversion": ["1.0"],
}  # fmt: skip


def slow(line: bytes) -> list[Event] | str:
    try:
        return read(Delivery("canonical", value=line))
    except Rejected as rejected:
        return rejected.reason


def agree(doc: dict[str, Any]) -> bool:
    """Whether both ways agree; returns whether the quick one answered."""
    line = orjson.dumps(doc, option=orjson.OPT_APPEND_NEWLINE) if _small(doc) else b"{}"
    expected = slow(line)
    found = quick(line)
    if found is None:
        return False

    assert type(found) is Event
    assert expected == [found], line
    return True


def _small(doc: dict[str, Any]) -> bool:
    sequence = doc.get("sequence")
    return not isinstance(sequence, int) or sequence < 2**64


@pytest.mark.parametrize("name", ODD)
def test_each_odd_member_is_read_as_the_slow_way_reads_it(name: str) -> None:
    """Or left to it."""
    agree(LEAST)
    for value in ODD[name]:
        agree({**LEAST, name: value})


def test_any_mixture_of_members_is_read_as_the_slow_way_reads_it() -> None:
    """Five thousand of them, and a good part is quick."""
    rng = random.Random(7)
    quickly = 0
    for _ in range(5_000):
        doc = dict(LEAST)
        for name in rng.sample(sorted(ODD), rng.randint(0, 5)):
            doc[name] = ODD[name][0] if rng.random() < 0.7 else rng.choice(ODD[name])
        if rng.random() < 0.2:
            del doc[rng.choice(sorted(doc))]
        quickly += agree(doc)

    assert quickly > 1_000


@pytest.mark.parametrize(
    "line",
    [b"{", b"[]", b"null", b'{"tenant": "a', b"\xef\xbb\xbf{}", b'{"ticket": "\xff"}',
     b'{"ticket":"\\ud800"}'],
)  # fmt: skip
def test_what_is_no_event_is_left_to_the_slow_way(line: bytes) -> None:
    """Which says what is wrong with it."""

    assert quick(line) is None


def test_an_event_without_an_id_gets_the_same_one() -> None:
    """It is made of what the event says, so that a repeat is recognised whoever reads it."""
    doc = {name: value for name, value in LEAST.items() if name != "id"} | {"status": "Open"}

    assert agree(doc)
