"""A fact: what a row remembers of one event, and the order in which facts are folded (D38).

The order depends on the event alone, never on when it arrived, so any order of arrival ends in the
same verdicts: event time, then the source's own sequence, then what the event asks for (a stop wins
over a pause, a cancellation over everything), then the id.
"""

from __future__ import annotations

from bisect import bisect_right
from hashlib import blake2b
from operator import attrgetter
from struct import Struct
from typing import Any, Final

import msgspec
from msgspec import UNSET
from mypy_extensions import mypyc_attr

from slastream.core.event import STATES, TOLD, Event, State
from slastream.core.instant import Instant, Millis
from slastream.core.value import Value

KINDS: Final = (
    "created",
    "updated",
    "comment",
    "deleted",
    "merged",
    "restored",
    "snapshot",
    "absorbed",
)
CREATED: Final = 0
UPDATED: Final = 1
COMMENT: Final = 2
DELETED: Final = 3
MERGED: Final = 4
RESTORED: Final = 5
SNAPSHOT: Final = 6
ABSORBED: Final = 7
_KIND: Final = {name: code for code, name in enumerate(KINDS)}

ACTORS: Final = ("agent", "customer", "automation", "system", "unknown")
AGENT: Final = 0
CUSTOMER: Final = 1
AUTOMATION: Final = 2
SYSTEM: Final = 3
UNKNOWN: Final = 4
_ACTOR: Final = {name: code for code, name in enumerate(ACTORS)}

PUBLIC: Final = 1
INTERNAL: Final = 2

_told: Final = attrgetter(*TOLD)
_NOTHING: Final = (UNSET,) * len(TOLD)

# Plain integers, which are compared and encoded without a look at the enum.
_STATES: Final = {name: int(state) for name, state in STATES.items()}
_WAITING: Final = int(State.WAITING)
_CANCELLED: Final = int(State.CANCELLED)

SKEW_TOLERANCE: Final[Millis] = 60_000
"""How far an event may lie before the broker's append time before it is clamped (D39)."""


_U64: Final = Struct(">Q")
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(list[list[Any]])

Order = tuple[Instant, int, int, int]
"""Time, the source's sequence, what it asks for, id: what facts are sorted by (D38)."""


@mypyc_attr(acyclic=True)
class Fact(Value):
    """One event, as a row keeps it. `told` is an index into the row's list of told attributes."""

    def __init__(
        self,
        at: Instant,
        sequence: int,
        rank: int,
        id: int,
        kind: int,
        log: Instant,
        told: int = -1,
        status: str | None = None,
        sub: str | None = None,
        state: int = -1,
        on: str = "",
        actor: int = UNKNOWN,
        comment: int = 0,
        created: Instant | None = None,
        imported: bool = False,
        skewed: bool = False,
    ) -> None:
        self.at = at
        self.sequence = sequence
        self.rank = rank
        self.id = id
        self.kind = kind
        self.log = log
        self.told = told
        self.status = status
        self.sub = sub
        self.state = state
        self.on = on
        self.actor = actor
        self.comment = comment
        self.created = created
        self.imported = imported
        self.skewed = skewed


def order(fact: Fact) -> Order:
    """Return what facts are sorted by (D38)."""
    return fact.at, fact.sequence, fact.rank, fact.id


@mypyc_attr(acyclic=True)
class Facts(Value):
    """The facts of a ticket in their order, packed: an event that comes in order looks at the last alone."""

    def __init__(self, packed: bytes = b"", count: int = 0, last: Order | None = None) -> None:
        self.packed = packed
        """Each as a MessagePack array of its members, one behind the other."""
        self.count = count
        self.last = last
        """The order of the last one."""

    def holds(self, id: int) -> bool:
        """Return whether there is a fact with this id."""
        if _encoder.encode(id) not in self.packed:
            return False
        return any(fact.id == id for fact in self.all())

    def _comes_late(self, fact: Fact) -> bool:
        """Return whether a fact is folded before one that is here already."""
        last = self.last
        if last is None or fact.at > last[0]:
            return False
        return order(fact) < last

    def add(self, fact: Fact) -> bool:
        """Put a fact into its place; returns whether it came late."""
        if self._comes_late(fact):
            facts = self.all()
            facts.insert(bisect_right(facts, order(fact), key=order), fact)
            self.set(facts)
            return True
        self.packed += packed(fact)
        self.count += 1
        self.last = order(fact)
        return False

    def all(self) -> list[Fact]:
        """Return them unpacked."""
        head = b"\xdc" + self.count.to_bytes(2, "big")
        return [unpacked(values) for values in _decoder.decode(head + self.packed)]

    def set(self, facts: list[Fact]) -> None:
        """Replace all of them."""
        self.packed = b"".join([packed(fact) for fact in facts])
        self.count = len(facts)
        self.last = order(facts[-1]) if facts else None


def packed(fact: Fact) -> bytes:
    """Return a fact as a MessagePack array of its members, in the order of the constructor."""
    return _encoder.encode(
        (
            fact.at, fact.sequence, fact.rank, fact.id, fact.kind, fact.log, fact.told, fact.status,
            fact.sub, fact.state, fact.on, fact.actor, fact.comment, fact.created, fact.imported,
            fact.skewed,
        )
    )  # fmt: skip


def unpacked(values: list[Any]) -> Fact:
    """Return the fact of the members that `packed` wrote."""
    return Fact(
        values[0], values[1], values[2], values[3], values[4], values[5], values[6], values[7],
        values[8], values[9], values[10], values[11], values[12], values[13], values[14],
        values[15],
    )  # fmt: skip


def id_hash(text: str) -> int:
    """Return the 63-bit digest under which a row remembers an event id."""
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    number: int = _U64.unpack(digest)[0]
    return number >> 1


def told_by(event: Event) -> dict[str, Any]:
    """Return the attributes that an event states: absent ones are missing, cleared ones None."""
    told: dict[str, Any] = {}
    unset = UNSET
    values = _told(event)
    if values != _NOTHING:
        for place, value in enumerate(values):
            if value is not unset:
                told[TOLD[place]] = value
    if event.attributes is not unset:
        for name, value in event.attributes.items():
            if value is None or isinstance(value, str):
                told["attributes." + name] = value
            elif isinstance(value, (int, float, bool)):
                told["attributes." + name] = str(value)
    if event.reported is not unset:
        told["reported"] = event.reported
    if event.absorbed is not unset:
        told["absorbed"] = event.absorbed
    if event.merged_into is not None:
        told["merged_into"] = event.merged_into
    return told


def fact_of(event: Event, log_time: Instant, rank: int) -> Fact:
    """Return the fact of an event, its time clamped to the log's plus a tolerance (D39)."""
    at, skewed = event.occurred_at, False
    if at > log_time + SKEW_TOLERANCE:
        at, skewed = log_time + SKEW_TOLERANCE, True
    kind = _KIND[event.kind]
    comment = event.comment
    status, sub = event.status, event.sub_status
    state, on = structural(event, kind)
    created = event.created_at
    if created is not None and created > at:
        created = at  # what has an event has been created
    return Fact(
        at=at,
        sequence=-1 if event.sequence is None else event.sequence,
        rank=rank,
        id=id_hash(event.id),
        kind=kind,
        log=log_time,
        status=status if isinstance(status, str) else None,
        sub=sub if isinstance(sub, str) else None,
        state=state,
        on=on,
        actor=UNKNOWN if event.actor is None else _ACTOR[event.actor.kind],
        comment=0 if comment is None else PUBLIC if comment.public else INTERNAL,
        created=created,
        imported=event.imported,
        skewed=skewed,
    )


def structural(event: Event, kind: int) -> tuple[int, str]:
    """Return the state that an event gives by itself, without any mapping; -1 when it gives none."""
    if kind == DELETED:
        return _CANCELLED, event.reason or "deleted"
    if kind == MERGED or event.merged_into is not None:
        return _CANCELLED, "merged"
    if event.state is None:
        return -1, ""
    state = _STATES[event.state]
    if state == _WAITING:
        return state, event.waiting_on or "unknown"
    return state, (event.reason or "void") if state == _CANCELLED else ""
