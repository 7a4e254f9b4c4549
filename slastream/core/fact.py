"""A fact: what a row remembers of one event, and the order in which facts are folded (D38).

The order depends on the event alone, never on when it arrived, so any order of arrival ends in the
same verdicts: event time, then the source's own sequence, then what the event asks for (a stop wins
over a pause, a cancellation over everything), then the id.
"""

from __future__ import annotations

from hashlib import blake2b
from operator import attrgetter
from typing import Any, Final

from msgspec import UNSET

from slastream.core.event import STATES, TOLD, Event, State
from slastream.core.instant import Instant, Millis
from slastream.core.shapes import Fact

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

# Plain integers, which are compared and encoded without a look at the enum.
_STATES: Final = {name: int(state) for name, state in STATES.items()}
_WAITING: Final = int(State.WAITING)
_CANCELLED: Final = int(State.CANCELLED)

SKEW_TOLERANCE: Final[Millis] = 60_000
"""How far an event may lie before the broker's append time before it is clamped (D39)."""


def order(fact: Fact) -> tuple[Instant, int, int, int]:
    """Return what facts are sorted by (D38)."""
    return fact.at, fact.sequence, fact.rank, fact.id


def comes_before(one: Fact, other: Fact) -> bool:
    """Whether a fact is folded before another."""
    return one.at < other.at or (one.at == other.at and order(one) < order(other))


def id_hash(text: str) -> int:
    """Return the 63-bit digest under which a row remembers an event id."""
    return (
        int.from_bytes(
            blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big"
        )
        >> 1
    )


def told_by(event: Event) -> dict[str, Any]:
    """Return the attributes that an event states: absent ones are missing, cleared ones None."""
    told: dict[str, Any] = {}
    values = _told(event)
    for place, value in enumerate(values):
        if value is not UNSET:
            told[TOLD[place]] = value
    if event.attributes is not UNSET:
        for name, value in event.attributes.items():
            if value is None or isinstance(value, str):
                told["attributes." + name] = value
            elif isinstance(value, (int, float, bool)):
                told["attributes." + name] = str(value)
    if event.reported is not UNSET:
        told["reported"] = event.reported
    if event.absorbed is not UNSET:
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
