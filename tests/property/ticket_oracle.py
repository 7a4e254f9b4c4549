"""Random ticket histories, told in many orders of arrival, compared with `ticket_model`.

`python -m tests.property.ticket_oracle N [SEED]` plays N histories in 20 orders each and exits 1 on the
first difference, with its seed and the story in words.
"""

from __future__ import annotations

import sys
import time
from datetime import date
from random import Random
from types import MappingProxyType
from typing import Any

import orjson

from slastream import wire
from slastream.core.books import Books
from slastream.core.calendar import Calendar, DayRule
from slastream.core.event import Actor, Comment, Event, State
from slastream.core.fact import id_hash
from slastream.core.instant import Instant, format_instant, from_datetime
from slastream.core.policy import (
    INDICATORS,
    Book,
    Level,
    Mapped,
    Options,
    Policy,
    SourceMapping,
    Target,
    fold_text,
)
from slastream.core.shapes import Fold
from slastream.core.ticket import advance
from slastream.engine.effects import Record
from slastream.engine.partition import Partition
from slastream.engine.row import decode_row
from slastream.engine.store import MemoryStore
from tests.property.ticket_model import BASE, MINUTE, Story, play

ORDERS = 20
START: Instant = from_datetime(BASE)
KEY = b"acme/desk/1"

ALL_DAY = {day: [(0, 1440)] for day in range(7)}
CALENDARS: dict[str, dict[str, Any]] = {
    "always": {"zone": "UTC", "week": ALL_DAY, "holidays": []},
    "paris": {
        "zone": "Europe/Paris",
        "week": {
            **{day: [(510, 750), (810, 1080)] for day in range(4)},
            4: [(510, 750), (810, 1020)],
        },
        "holidays": ["2026-03-18", "2026-04-06", "2026-05-01"],
    },
    "new-york": {
        "zone": "America/New_York",
        "week": {day: [(540, 1020)] for day in range(5)},
        "holidays": ["2026-03-09"],
    },
    "night": {
        "zone": "Europe/Paris",
        "week": {day: [(1200, 1800)] for day in range(5)},
        "holidays": [],
    },
}
STATUSES = {
    ("", "Open"): ("new", ""),
    ("", "Assigned"): ("responded", ""),
    ("", "Working"): ("in_progress", ""),
    ("", "Pending client"): ("waiting", "client"),
    ("", "Pending vendor"): ("waiting", "vendor"),
    ("", "Pending us"): ("waiting", "provider"),
    ("", "Done"): ("resolved", ""),
    ("", "Closed"): ("closed", ""),
    ("", "Spam"): ("cancelled", "spam"),
    ("projects", "Open"): ("in_progress", ""),
    ("projects", "Done"): ("waiting", "client"),
}
STATES = ("new", "responded", "in_progress", "waiting", "resolved", "closed", "cancelled")
REOPEN = ("continue", "new_cycle", "new_cycle_after", "include_resolved_time", "ignore")
RETARGET = (
    "from_creation",
    "from_change",
    "carry_elapsed_percent",
    "strictest_ever",
    "frozen_at_first",
)


# -- stories ---------------------------------------------------------------------------------------


def story_of(seed: int) -> Story:
    """Return a random story; the same seed tells the same one."""
    rng = Random(seed)
    options: dict[str, Any] = {}
    if rng.random() < 0.5:
        options["reopen"] = rng.choice(REOPEN)
        options["new_cycle_after"] = rng.choice((30, 240, 960))
    if rng.random() < 0.5:
        options["retarget_up"], options["retarget_down"] = (
            rng.choice(RETARGET),
            rng.choice(RETARGET),
        )
    for name, value in (
        ("plan_origin", "responded"),
        ("pause_before_response", True),
        ("note_counts", True),
        ("unknown_actor", "ignored"),
        ("start", rng.choice(("next_open", "next_day"))),
    ):
        if rng.random() < 0.2:
            options[name] = value
    # A change of calendar recounts what has elapsed: it goes with the default form only.
    moves = not options.get("retarget_up") and not options.get("retarget_down")
    calendar = rng.choice(tuple(CALENDARS))
    return {
        "seed": seed,
        "calendars": CALENDARS,
        "statuses": STATUSES,
        "policies": [
            _policy("base", None, calendar, options, rng),
            _policy(
                "gold", "gold", rng.choice(tuple(CALENDARS)) if moves else calendar, options, rng
            ),
        ],
        **history(rng),
    }


def _policy(name: str, contract: str | None, calendar: str, options: Any, rng: Random) -> Any:
    targets: dict[str, dict[str, int | str]] = {}
    for indicator, lengths in (
        ("response", (15, 60, 240)),
        ("plan", (60, 120, 480)),
        ("resolution", (120, 240, 480, 1440)),
    ):
        if rng.random() < 0.15:
            continue
        targets[indicator] = {
            priority: rng.choice(lengths)
            for priority in ("p1", "p2", "default")
            if rng.random() < 0.8
        }
        if indicator != "response" and calendar != "night" and rng.random() < 0.2:
            targets[indicator]["p2"] = rng.choice(("1BD", "2BD"))
    return {
        "name": name,
        "contract": contract,
        "calendar": calendar,
        "options": options,
        "at_risk": rng.choice(((), (75.0,), (50.0, 90.0))),
        "targets": targets,
    }


def history(rng: Random) -> dict[str, Any]:
    at = rng.randrange(0, 40 * 288) * 5
    gaps = rng.choice(
        ((0, 5, 10, 30), (0, 5, 30, 60, 120), (5, 60, 240, 960), (60, 1440, 2880, 7200))
    )
    raw, sequenced, boards = rng.random() < 0.4, rng.random() < 0.2, rng.random() < 0.2
    events: list[dict[str, Any]] = []
    for number in range(rng.randint(1, 10)):
        event = _event(rng, number, at, raw, boards)
        event["seq"] = number if sequenced else None
        events.append(event)
        at += rng.choice(gaps)
    for _ in range(rng.choice((0, 0, 0, 1, 2))):  # the same delivery once more
        events.append(dict(rng.choice(events)))
    return {"events": events, "end": at + rng.choice((0, 5, 60, 600, 3000, 7200))}


def _event(rng: Random, number: int, at: int, raw: bool, boards: bool) -> dict[str, Any]:
    event: dict[str, Any] = {
        "at": at,
        "id": f"e{number}",
        "tie": id_hash(f"e{number}"),
        "kind": "updated",
        "state": None,
        "on": "",
        "status": None,
        "comment": None,
        "created": None,
        "told": {},
        "actor": rng.choice(("agent", "agent", "agent", "automation", "customer", "unknown")),
    }
    told = event["told"]
    if number == 0:
        how = rng.random()
        event["kind"] = "created" if how < 0.85 else "updated"
        if how < 0.4 or 0.85 <= how < 0.95:
            event["created"] = max(
                0, at - rng.choice((0, 0, 5, 60))
            )  # the model's hours begin at 0
        event["state"] = rng.choice(("new", "new", "new", "responded", "in_progress", None))
    if number == 0 or rng.random() < 0.3:
        told["priority"] = rng.choice(("P1", "P2", "P3", None))
    if rng.random() < (0.4 if number == 0 else 0.1):
        told["contract"] = rng.choice(("gold", "silver", None))
    if boards and (number == 0 or rng.random() < 0.1):
        told["board"] = rng.choice(("projects", "desk"))
    if number and rng.random() < 0.05:
        event["created"] = max(0, at - 5)
    roll = rng.random()
    if number and roll < 0.06:
        event["kind"] = rng.choice(("deleted", "merged", "restored"))
    elif number and roll < 0.85:
        if raw:
            event["status"] = rng.choice([label for _, label in STATUSES] + ["Mystery"])
        else:
            event["state"] = rng.choice(STATES[:6] * 3 + STATES[3:5] * 2 + STATES)
            if event["state"] == "waiting":
                event["on"] = rng.choice(("client", "client", "vendor", "provider", "unknown"))
    if number and rng.random() < 0.25:
        event["kind"] = "comment" if event["kind"] == "updated" else event["kind"]
        event["comment"] = rng.choice(("public", "internal"))
    return event


def tell(story: Story) -> str:
    """Return a story in words."""
    lines = [f"seed {story['seed']}"]
    for policy in story["policies"]:
        lines.append(
            f"  policy {policy['name']} on {policy['calendar']}: {policy['targets']} "
            f"at risk {policy['at_risk']} {policy['options']}"
        )
    for event in sorted(story["events"], key=lambda each: each["at"]):
        when = format_instant(START + event["at"] * MINUTE)[:16]
        rest = {
            k: v for k, v in event.items() if v not in (None, "", {}) and k not in ("at", "tie")
        }
        lines.append(f"  {when} {rest}")
    lines.append(f"  {format_instant(START + story['end'] * MINUTE)[:16]} the clocks are read")
    return "\n".join(lines)


# -- the same story in slastream's words ------------------------------------------------------------


def calendar_of(name: str, told: dict[str, Any]) -> Calendar:
    """Return a calendar of the model's as a value of slastream's."""
    if name == "always":
        return Calendar(name, always=True)
    week = tuple(tuple((a * 60, b * 60) for a, b in told["week"].get(day, ())) for day in range(7))
    off = tuple(
        DayRule(date.fromisoformat(day), None, None, ((0, 86_400),)) for day in told["holidays"]
    )
    return Calendar(name, told["zone"], weekly=week, exceptions=off)


_CALENDARS = MappingProxyType({name: calendar_of(name, told) for name, told in CALENDARS.items()})


def _target(amount: int | str) -> Target:
    if isinstance(amount, str):
        return Target(int(amount[:-2]), "bd", f"P{amount}")
    return Target(amount * MINUTE, "ms", f"PT{amount}M")


def options_of(told: dict[str, Any], **more: Any) -> Options:
    """Return the options of a policy of the model's."""
    told = dict(told)
    after = told.pop("new_cycle_after", None)
    if told.get("reopen") == "new_cycle_after":
        told["new_cycle_after"] = _target(after)
    return Options(**told, **more)


def book_of(story: Story, **more: Any) -> Book:
    """Return a story's book."""
    policies = [
        Policy(
            told["name"],
            told["calendar"],
            when=MappingProxyType({"contract": (told["contract"],)} if told["contract"] else {}),
            targets=MappingProxyType(
                {
                    INDICATORS[indicator]: MappingProxyType(
                        {priority: _target(amount) for priority, amount in by_priority.items()}
                    )
                    for indicator, by_priority in told["targets"].items()
                }
            ),
            at_risk=tuple(Level("percent", each, f"{each:g}%") for each in told["at_risk"]),
            options=options_of(told["options"], **more),
        )
        for told in story["policies"]
    ]
    statuses = {
        (fold_text(board), fold_text(label), ""): Mapped(State[state.upper()], on)
        for (board, label), (state, on) in story["statuses"].items()
    }
    mapping = SourceMapping(statuses=MappingProxyType(statuses))
    return Book("acme", 0, "v#1", _CALENDARS, tuple(policies), MappingProxyType({"desk": mapping}))


def event_of(told: dict[str, Any], ticket: str = "1") -> Event:
    """Return one event of a story."""
    optional = {} if told["status"] is None else {"status": told["status"]}
    return Event(
        tenant="acme",
        source="desk",
        ticket=ticket,
        id=told["id"],
        kind=told["kind"],
        occurred_at=START + told["at"] * MINUTE,
        sequence=told["seq"],
        created_at=None if told["created"] is None else START + told["created"] * MINUTE,
        state=told["state"],
        waiting_on=told["on"] or None,
        actor=Actor(None, told["actor"]),
        comment=None if told["comment"] is None else Comment(told["comment"] == "public"),
        **optional,
        **told["told"],
    )


def arrivals(story: Story, rng: Random, how: int) -> list[tuple[Instant, dict[str, Any]]]:
    """Return a story's events with their log times: in order, late here and there, or shuffled."""
    events = sorted(story["events"], key=lambda each: each["at"]) if how else list(story["events"])
    if how == 1:
        late = [(e["at"] + rng.choice((0, 0, 0, 7, 90, 2000)), i) for i, e in enumerate(events)]
        events = [events[i] for _, i in sorted(late)]
    elif how > 1:
        rng.shuffle(events)
    end, now, told = START + story["end"] * MINUTE, 0, []
    for event in events:
        now = max(now, START + event["at"] * MINUTE)
        now = min(end, now + rng.choice((0, 0, 1, 4_000, 3_600_000)))
        told.append((now, event))
    for now, event in rng.sample(told, min(len(told), rng.choice((0, 0, 1, 3)))):
        told.append((rng.randint(now, end), event))  # delivered once more, long after
    return sorted(told, key=lambda each: each[0])


def drive(story: Story, book: Book, rng: Random, how: int) -> MemoryStore:
    """Feed a story to a partition in one order of arrival, with deadlines fired in between."""
    store = MemoryStore()
    partition = Partition(0, store, Books(book))
    records = [
        Record(i, now, KEY, wire.encode_event(event_of(event)))
        for i, (now, event) in enumerate(arrivals(story, rng, how))
    ]
    while records:
        size = rng.choice((1, 1, 3, len(records)))
        batch, records = records[:size], records[size:]
        effects = partition.apply(batch)
        store.write(effects.rows, effects.deadlines_put, effects.deadlines_del)
        until = records[0].log_time if records else START + story["end"] * MINUTE
        if rng.random() < 0.5:
            let_pass(partition, store, rng.randint(partition.time, max(partition.time, until)))
    let_pass(partition, store, START + story["end"] * MINUTE)
    return store


def let_pass(partition: Partition, store: MemoryStore, until: Instant) -> None:
    """Fire what falls due up to `until`, each deadline at its own instant."""
    while (due := partition.next_due) is not None and due <= until:
        effects = partition.fire(max(due, partition.time))
        store.write(effects.rows, effects.deadlines_put, effects.deadlines_del)


def read(story: Story, store: MemoryStore, books: Books, key: bytes = KEY) -> dict[str, Any]:
    """Return what slastream says of the ticket at the end of its story, in the model's words."""
    data = store.get(key)
    assert data is not None, "the ticket has no row"
    end = START + story["end"] * MINUTE
    fold = decode_row(data).fold
    advance(fold, end, books.of("acme"))
    return reading_of(fold, books, end, key)


def reading_of(fold: Fold, books: Books, end: Instant, key: bytes) -> dict[str, Any]:
    """Return a fold at `end` in the model's words."""
    tenant = books.of("acme")
    said = orjson.loads(wire.clocks(key.decode(), fold, [], end, tenant)[0])
    return {
        "state": said["state"],
        "reopened": said["reopen_count"],
        "clocks": [_face(clock) for clock in said["clocks"]],
    }


def _face(clock: dict[str, Any]) -> dict[str, Any]:
    assert (
        clock["phase"] == "pending"
        or sum(row["counted_ms"] for row in clock["ledger"]) == clock["elapsed_ms"]
    ), f"the ledger of {clock['indicator']} does not sum to its elapsed time"
    told = {
        name: clock[name]
        for name in ("indicator", "cycle", "policy", "phase", "outcome", "superseded")
    }
    told |= {
        "target": clock["target_ms"],
        "elapsed": clock["elapsed_ms"],
        "paused": clock["paused_ms"],
    }
    for name, member in (
        ("started", "started_at"),
        ("due", "due"),
        ("reached", "reached_at"),
        ("breached", "breached_at"),
    ):
        told[name] = None if clock[member] is None else wire_instant(clock[member]) - START
    return told


def wire_instant(text: str) -> Instant:
    """Return the instant of a published time."""
    from slastream.core.instant import parse_instant

    return parse_instant(text)


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """Return what differs between two readings, in words."""
    found = [
        f"{name}: slastream says {ours[name]}, the model {theirs[name]}"
        for name in ("state", "reopened")
        if ours[name] != theirs[name]
    ]
    if len(ours["clocks"]) != len(theirs["clocks"]):
        return [*found, f"{len(ours['clocks'])} clocks, the model has {len(theirs['clocks'])}"]
    for mine, other in zip(ours["clocks"], theirs["clocks"], strict=True):
        for name, value in other.items():
            if name in mine and mine[name] != value:
                found.append(
                    f"{other['indicator']} {other['cycle']} {name}: slastream says "
                    f"{_show(name, mine[name])}, the model {_show(name, value)}"
                )
    return found


def _show(name: str, value: Any) -> Any:
    if name in ("due", "reached", "breached", "started") and value is not None:
        return format_instant(START + value)
    if name in ("elapsed", "target", "paused") and value is not None:
        return f"{value / MINUTE:g} min"
    return value


def check(seed: int, orders: int = ORDERS) -> list[str]:
    """Play one story in several orders of arrival; returns the differences from the model."""
    story = story_of(seed)
    expected = play(story)
    book = book_of(story)
    books = Books(book)
    for order in range(orders):
        rng = Random(f"{seed}/{order}")
        found = differences(read(story, drive(story, book, rng, min(order, 2)), books), expected)
        if found:
            return [f"arrival order {order}", *found]
    return []


def main(n: int, first: int = 0) -> int:
    """Check `n` stories; returns an exit code."""
    began = shown = time.monotonic()
    for seed in range(first, first + n):
        found = check(seed)
        if found:
            print(tell(story_of(seed)), *found, sep="\n")
            return 1
        if time.monotonic() - shown > 10:
            shown = time.monotonic()
            print(f"{seed - first + 1} of {n} ticket histories, no difference", flush=True)
    took = time.monotonic() - began
    print(f"{n} ticket histories, {ORDERS} orders of arrival each, no difference, {took:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
