"""Why the clocks of one ticket say what they say, as one object (D47).

The ticket is folded event by event, and what each event did is written down: which rule read its
status, which targets it changed. The ledger of a clock is the proof of its figures, so its rows must
sum to the elapsed time exactly, or nothing is explained at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from slastream.core import ledger
from slastream.core.books import ANY_STATUS, Books, TenantBooks, Version
from slastream.core.clock import is_open, paused_by, superseded
from slastream.core.errors import InvariantBroken, Rejected
from slastream.core.event import State
from slastream.core.fact import ACTORS, CREATED, KINDS, PUBLIC, RESTORED, Fact
from slastream.core.instant import Instant
from slastream.core.policy import Mapped, fold_text
from slastream.core.shapes import Clock, Fold, Row
from slastream.core.terms import version_of
from slastream.core.ticket import advance, begin, step
from slastream.offline.alerts import Arrival
from slastream.offline.attainment import zone_name
from slastream.offline.histories import History
from slastream.offline.levels import announced, levels_of
from slastream.offline.lines import clock_line, stamp
from slastream.offline.run import Judged, in_order

CycleKey = tuple[int, int]


@dataclass
class Trail:
    """What was seen while a ticket was folded, event by event."""

    events: list[dict[str, Any]] = field(default_factory=list)
    attributes: dict[CycleKey, dict[str, Any]] = field(default_factory=dict)
    """As they were when a clock's policy was last chosen."""
    changes: dict[CycleKey, list[dict[str, Any]]] = field(default_factory=dict)


def explain(told: Sequence[Arrival], books: Books, as_of: Instant) -> dict[str, Any]:
    """Return the explanation of the ticket that all these events are about.

    `told` has them in the order of arrival. Raises `Rejected` when there is none, `InvariantBroken`
    when the rows of a ledger do not sum to the elapsed time.
    """
    if not told:
        raise Rejected("no_ticket", "there is no event of this ticket at or before this instant")
    first = told[0].event
    history = History(first.tenant, first.source, first.ticket)
    for each in told:
        history.add(each.event)
    theirs = books.of(first.tenant)
    trail, fold = _walk(history, theirs, as_of)
    judged = Judged(history, fold, theirs)
    row, alerts = announced(told, books, as_of, history.key)
    attributes = fold.attributes
    return {
        "tenant": history.tenant,
        "source": history.source,
        "ticket": history.ticket,
        **{
            name: attributes.get(name)
            for name in ("number", "url", "client", "contract", "priority", "type", "team")
        },
        "as_of": stamp(as_of),
        "created_at": stamp(fold.start),
        "judged": fold.known,
        "state": State(fold.state).label,
        "waiting_on": fold.on or None,
        "reopen_count": fold.reopened,
        "acknowledged_at": None if fold.acknowledged is None else stamp(fold.acknowledged),
        "books": [version.book.version for version in theirs.versions if version.book.version],
        "events": trail.events,
        "clocks": [_clock(judged, clock, trail, row, alerts, as_of) for clock in fold.clocks],
    }


# -- event by event ---------------------------------------------------------------------------


def _walk(history: History, books: TenantBooks, as_of: Instant) -> tuple[Trail, Fold]:
    trail = Trail()
    facts = in_order(history, books)
    fold = begin(facts, history.told, history.source, books)
    for clock in fold.clocks:
        trail.attributes[clock.indicator, clock.cycle] = dict(fold.attributes)
    for fact in facts:
        open_ = {(clock.indicator, clock.cycle) for clock in fold.clocks if is_open(clock)}
        before = {_key(clock): _terms(clock) for clock in fold.clocks}
        attributes, state = dict(fold.attributes), (fold.state, fold.on)
        step(fold, fact, history.told, books)
        for clock in fold.clocks:
            key = _key(clock)
            if key in open_ or key not in before:
                trail.attributes[key] = dict(fold.attributes)
            if key in before and before[key] != _terms(clock):
                trail.changes.setdefault(key, []).append(
                    _change(fact, before[key], clock, attributes, fold.attributes)
                )
        trail.events.append(_event(fact, fold, state, books))
    advance(fold, as_of, books)
    return trail, fold


def _key(clock: Clock) -> CycleKey:
    return clock.indicator, clock.cycle


def _terms(clock: Clock) -> tuple[str, str, int | None]:
    return clock.policy, clock.calendar, clock.target


def _change(
    fact: Fact,
    was: tuple[str, str, int | None],
    clock: Clock,
    before: dict[str, Any],
    after: dict[str, Any],
) -> dict[str, Any]:
    changed = [name for name in after if before.get(name) != after[name] and name != "raw_priority"]
    return {
        "at": stamp(fact.at),
        "because": {
            name: [before.get(name), after[name]]
            for name in changed
            if name not in ("status", "sub_status")
        },
        "policy": [was[0] or None, clock.policy or None],
        "calendar": [was[1], clock.calendar],
        "target_ms": [was[2], clock.target],
    }


def _event(fact: Fact, fold: Fold, before: tuple[int, str], books: TenantBooks) -> dict[str, Any]:
    said: dict[str, Any] = {
        "at": stamp(fact.at),
        "kind": KINDS[fact.kind],
        "actor": ACTORS[fact.actor],
        "status": fact.status,
        "sub_status": fact.sub,
        "comment": None if not fact.comment else "public" if fact.comment == PUBLIC else "internal",
        "state": State(fold.state).label,
        "waiting_on": fold.on or None,
        "changed": before != (fold.state, fold.on),
        "rule": _rule(fact, fold, books),
    }
    if fact.skewed:
        said["skewed"] = True
    return said


def _rule(fact: Fact, fold: Fold, books: TenantBooks) -> str:
    """Say what gave the ticket its state at an event."""
    if fact.state >= 0:
        return f"the event says so: state {State(fact.state).label}"
    if fact.status is None and fact.sub is None:
        if fact.kind == RESTORED:
            return "restored to the state before its deletion"
        return "a new ticket" if fact.kind == CREATED else "says nothing about the state"
    attributes = fold.attributes
    version = books.at(max(fact.at, fold.start))
    found = mapping_entry(
        version, fold.source, attributes.get("board"), attributes.get("status"),
        attributes.get("sub_status"),
    )  # fmt: skip
    if found is None:
        return f"status {attributes.get('status')!r} has no mapping: the state is kept"
    if found[1] == "new" and fold.state == State.RESPONDED:
        return f"{found[0]} -> new, and a new ticket with an assignee counts as responded"
    return f"{found[0]} -> {found[1]}"


def mapping_entry(
    version: Version, source: str, board: str | None, status: str | None, sub: str | None
) -> tuple[str, str] | None:
    """Return which entry of the book reads a status, and as what; None when there is none (D03)."""
    entries = version.mapping(source).statuses
    b, s, u = (fold_text(part) if part else "" for part in (board, status, sub))
    for key in ((b, s, u), (b, s, ""), ("", s, u), ("", s, "")):
        mapped = entries.get(key) if key[1] else None
        if mapped is not None:
            label = f"status {status!r}"
            label += f" / {sub!r}" if key[2] else ""
            label += f" on board {board!r}" if key[0] else ""
            return label, _meaning(mapped)
    by_category = entries.get(("", ANY_STATUS, u)) if s and u else None
    if by_category is None:
        return None
    return f"status {status!r} by its category {sub!r}", _meaning(by_category)


def _meaning(mapped: Mapped) -> str:
    return State(mapped.state).label + (f"/{mapped.on}" if mapped.on else "")


# -- clock by clock ---------------------------------------------------------------------------


def _clock(
    judged: Judged,
    clock: Clock,
    trail: Trail,
    row: Row | None,
    alerts: dict[str, str],
    as_of: Instant,
) -> dict[str, Any]:
    line = clock_line(judged, clock, as_of)
    coverage = judged.books.coverage(clock.calendar)
    options = judged.books.options_of(clock)
    rows = ledger.rows(judged.fold, clock, coverage, options, as_of)
    end = rows[-1].end if rows else ledger.end_of(clock, as_of)
    counted = sum(each.counted for each in rows)
    if counted != line["elapsed_ms"]:
        raise InvariantBroken(
            f"{judged.history.key}: the ledger of {line['indicator']} {clock.cycle} sums to"
            f" {counted} ms and the clock says {line['elapsed_ms']} ms"
        )
    own = ("tenant", "source", "ticket", "client", "priority", "reopen_count")
    return {
        **{name: value for name, value in line.items() if name not in own},
        "zone": zone_name(judged, clock),
        "target": _written(judged, clock),
        "implied": clock.implied,
        "unverified_actor": clock.unverified,
        "superseded": superseded(clock),
        "paused_by": paused_by(clock, coverage, ledger.end_of(clock, as_of)),
        "choice": _choice(judged, clock, trail),
        "changes": trail.changes.get(_key(clock), []),
        "ledger": [_row(each) for each in rows],
        "windows": [
            [stamp(start), stamp(stop)]
            for start, stop in coverage.windows(clock.started, max(end, clock.due or end))
        ],
        "notes": [
            {"at": stamp(note.at), "date": str(note.date), "kind": note.kind, "label": note.label}
            for note in coverage.notes(clock.started, max(end, clock.due or end))
        ]
        if end > clock.started
        else [],
        "levels": levels_of(judged, clock, row, alerts),
    }


def _row(row: ledger.Row) -> dict[str, Any]:
    return {
        "from": stamp(row.start),
        "to": stamp(row.end),
        "state": row.state,
        "waiting_on": row.on or None,
        "counted_ms": row.counted,
        "waited_ms": row.waited,
    }


def _written(judged: Judged, clock: Clock) -> str | None:
    """Return the target as the book has it: `PT4H`, `P2BD`."""
    if clock.target is None or clock.amount is None:
        return None
    policy = judged.books.policy_of(clock)
    if policy is not None:
        for targets in policy.targets.values():
            for target in targets.values():
                if target and (target.amount, target.unit == "bd") == (clock.amount, clock.bd):
                    return target.text or None
    return None


def _choice(judged: Judged, clock: Clock, trail: Trail) -> dict[str, Any]:
    """Return the winner and the losers of the policy choice, with the reasons (D21)."""
    version = version_of(clock, judged.books)
    considered = version.chooser.considered(trail.attributes[_key(clock)], clock.started)
    ranked = next((each.policy.name for each in considered if each.won), None)
    reason = next((each.reason for each in considered if each.won), None)
    policy = version.chooser.by_name.get(clock.policy)
    if policy is not None and clock.policy != ranked:
        # The ranking is not the last word: some options look past it.
        reason = (
            "of the policies that match it has the shortest target (strictest: true)"
            if policy.options.strictest
            else "it was chosen before the ticket changed, and its retarget option keeps it"
        )
    if not clock.policy:
        reason = "no policy applies: measured around the clock and never judged"
    elif clock.target is None:
        reason = f"{reason}; it promises no target here, so the time is measured only"
    if not judged.fold.known:
        reason = f"{reason}; its creation was never told, so it is not judged (D41)"
    return {
        "book": version.book.version or None,
        "chosen_for": stamp(clock.started),
        "winner": clock.policy or None,
        "reason": reason,
        "losers": [
            {
                "policy": each.policy.name,
                "reason": "it ranks first, but see the winner's reason"
                if each.won
                else each.reason,
                "matched": each.won or not _mismatch(each.reason),
            }
            for each in considered
            if each.policy.name != clock.policy
        ],
    }


def _mismatch(reason: str) -> bool:
    return ", not " in reason or reason.endswith("is not known") or "valid when" in reason
