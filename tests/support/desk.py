"""A desk: one partition of tickets in memory, fed with events, asked for what it announced.

    desk = Desk(book(policy(response={"default": "PT1H"})))
    desk.say("2026-03-02 09:00", "created", state="new")
    desk.until("2026-03-02 10:01")
    desk.alerts[-1].what == "breached response breach"

Times are UTC, `YYYY-MM-DD HH:MM[:SS]`. Every event arrives at the instant at which it occurred unless
`arrives` says otherwise. What was published is decoded from its bytes, as a consumer would see it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType
from typing import Any

import orjson

from slastream import wire
from slastream.core.books import Books
from slastream.core.calendar import Calendar, DayRule
from slastream.core.event import Actor, Comment, Event
from slastream.core.instant import (
    HOUR,
    MINUTE,
    Instant,
    format_instant,
    parse_duration,
    parse_instant,
)
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
from slastream.engine.effects import Effects, Message, Record
from slastream.engine.partition import Partition
from slastream.engine.store import MemoryStore

AGENT = Actor("maalto", "agent")
ROBOT = Actor("mailer", "automation")
CUSTOMER = Actor("jo", "customer")

NINE_TO_FIVE = Calendar("office", "UTC", weekly=tuple([((9 * 3600, 17 * 3600),)] * 5 + [()] * 2))
"""Monday to Friday, 09:00 to 17:00 UTC: eight hours a day that add up in the head."""

ROUND_THE_CLOCK = Calendar("always", always=True)


def at(text: str | Instant) -> Instant:
    """Return the instant of `YYYY-MM-DD HH:MM[:SS[.mmm]]` in UTC."""
    return text if isinstance(text, int) else parse_instant(text.replace(" ", "T") + "+00:00")


def hhmm(instant: Instant | str | None) -> str | None:
    """Return `MM-DD HH:MM`, with seconds and milliseconds only where there are some."""
    if instant is None:
        return None
    text = format_instant(at_any(instant))[5:-1].replace("T", " ")
    return text.removesuffix(".000").removesuffix(":00")


def at_any(value: Instant | str) -> Instant:
    """Return the instant of an epoch number or an RFC 3339 text."""
    return parse_instant(value)


def target(text: str) -> Target:
    """Return the target of `PT4H` or `P2BD`."""
    if text.endswith("BD"):
        return Target(int(text[1:-2]), "bd", text)
    return Target(parse_duration(text), "ms", text)


def level(text: str) -> Level:
    """Return the level of `75%`, `PT15M left` or `PT1H over`."""
    if text.endswith("%"):
        return Level("percent", float(text[:-1]), text)
    length, _, kind = text.partition(" ")
    return Level("remaining" if kind == "left" else "overdue", parse_duration(length), text)


def policy(
    name: str = "gold",
    calendar: str = "always",
    *,
    when: dict[str, str | list[str]] | None = None,
    at_risk: tuple[str, ...] = (),
    overdue: tuple[str, ...] = (),
    rank: int = 0,
    valid_from: str | None = None,
    valid_to: str | None = None,
    options: Options | None = None,
    **targets: str | dict[str, str],
) -> Policy:
    """Return a policy; a target is `PT4H` for every priority or a mapping of priorities."""
    conditions = {
        attribute: tuple(fold_text(each) for each in ([value] if isinstance(value, str) else value))
        for attribute, value in (when or {}).items()
    }
    promised = {
        INDICATORS[indicator]: MappingProxyType(
            {
                fold_text(priority): target(length)
                for priority, length in (
                    {"default": told} if isinstance(told, str) else told
                ).items()
            }
        )
        for indicator, told in targets.items()
    }
    return Policy(
        name,
        calendar,
        when=MappingProxyType(conditions),
        targets=MappingProxyType(promised),
        at_risk=tuple(map(level, at_risk)),
        overdue=tuple(map(level, overdue)),
        rank=rank,
        options=options or Options(settle=0),
        valid_from=None if valid_from is None else at(valid_from),
        valid_to=None if valid_to is None else at(valid_to),
    )


def options(**changes: Any) -> Options:
    """Return options without the five seconds of settling, which would only blur the times here."""
    return replace(Options(settle=0), **changes)


def book(
    *policies: Policy,
    calendars: tuple[Calendar, ...] = (NINE_TO_FIVE, ROUND_THE_CLOCK),
    statuses: dict[str | tuple[str, str, str], Mapped] | None = None,
    effective_from: str | Instant = 0,
    version: str | None = None,
    tenant: str = "acme",
    **mapping: Any,
) -> Book:
    """Return a book for the source `desk`; `statuses` by label or (board, status, sub)."""
    folded = {
        tuple(map(fold_text, ("", key, "") if isinstance(key, str) else key)): mapped
        for key, mapped in (statuses or {}).items()
    }
    starts = at(effective_from)
    return Book(
        tenant,
        starts,
        version or f"{starts}#{len(policies)}",
        MappingProxyType({calendar.name: calendar for calendar in calendars}),
        policies,
        MappingProxyType({"desk": SourceMapping(statuses=MappingProxyType(folded), **mapping)}),
    )


def office(zone: str, *exceptions: DayRule, name: str = "office") -> Calendar:
    """Return Monday to Friday, 09:00 to 17:00 in a zone, with exceptions."""
    return replace(NINE_TO_FIVE, name=name, zone=zone, exceptions=exceptions)


def holiday(day: str) -> DayRule:
    """Return a day off."""
    return DayRule(date.fromisoformat(day), None, None, ((0, 86_400),), "holiday")


def event(when: str | Instant, kind: str = "updated", ticket: str = "1", **told: Any) -> Event:
    """Return an event of the source `desk`, its id made of its content unless `id` is given."""
    occurred = at(when)
    if isinstance(told.get("comment"), bool):
        told["comment"] = Comment(public=told["comment"])
    for name in ("created_at",):
        if told.get(name) is not None:
            told[name] = at(told[name])
    id_ = told.pop("id", None) or f"{ticket}|{occurred}|{kind}|{sorted(told.items(), key=str)}"
    tenant, source = told.pop("tenant", "acme"), told.pop("source", "desk")
    return Event(
        tenant=tenant, source=source, ticket=ticket, occurred_at=occurred, id=id_, kind=kind, **told
    )


@dataclass(frozen=True)
class Said:
    """One published message, decoded."""

    output: str
    type: str
    id: str
    ticket: str
    value: dict[str, Any] | None

    @property
    def what(self) -> str:
        """The alert in words: `breached response breach`."""
        value = self.value or {}
        return f"{self.type} {value.get('indicator')} {value.get('threshold')}"

    @property
    def when(self) -> str | None:
        """When it became true, as `MM-DD HH:MM`."""
        return hhmm((self.value or {}).get("reached_at"))


def decode(message: Message) -> Said:
    """Return a message as a consumer reads it."""
    headers = dict(message.headers)
    kind = headers.get("ce_type", b"").decode().removeprefix("io.slastream.").removesuffix(".v1")
    value = None
    if message.value is not None and message.output != "dlq":
        value = orjson.loads(message.value)
    ticket = message.key.decode().rpartition("/")[2]
    id_ = headers.get("ce_id", b"").decode()
    return Said(message.output, kind.removeprefix("sla."), id_, ticket, value)


@dataclass
class Desk:
    """A partition with its books, and everything it has said so far."""

    first: Book
    store: MemoryStore = field(default_factory=MemoryStore)
    said: list[Said] = field(default_factory=list)
    offset: int = 0
    now: Instant = 0
    counts: dict[tuple[str, ...], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.books = Books(self.first)
        self.partition = Partition(0, self.store, self.books)

    def say(self, when: str, kind: str = "updated", **told: Any) -> Desk:
        """Feed one event, at the instant at which it occurred or `arrives`."""
        arrives = told.pop("arrives", None)
        return self.feed(event(when, kind, **told), arrives=arrives)

    def feed(self, *events: Event, arrives: str | Instant | None = None) -> Desk:
        """Feed events in one batch; the log's time never runs backwards."""
        records = []
        for each in events:
            self.now = max(self.now, each.occurred_at if arrives is None else at(arrives))
            records.append(
                Record(self.offset, self.now, wire.event_key(each), wire.encode_event(each))
            )
            self.offset += 1
        return self._take(self.partition.apply(records))

    def until(self, when: str | Instant) -> Desk:
        """Let time pass: fire every deadline at its own instant up to `when`."""
        while (due := self.partition.next_due) is not None and due <= at(when):
            self.now = max(self.now, due)
            self._take(self.partition.fire(self.now))
        self.now = max(self.now, at(when))
        return self

    def fire(self, when: str | Instant) -> Desk:
        """Fire once at `when`, as after a time during which no worker ran."""
        self.now = max(self.now, at(when))
        return self._take(self.partition.fire(self.now))

    def restart(self) -> Desk:
        """Start a new worker on the same rows."""
        self.partition = Partition(0, self.store, self.books)
        return self

    def _take(self, effects: Effects) -> Desk:
        self.store.write(effects.rows, effects.deadlines_put, effects.deadlines_del)
        self.said += map(decode, effects.messages)
        for name, n in effects.counts.items():
            self.counts[name] = self.counts.get(name, 0) + n
        return self

    # -- what a consumer sees -----------------------------------------------------------------

    @property
    def alerts(self) -> list[Said]:
        return [each for each in self.said if each.output == "alerts"]

    @property
    def outcomes(self) -> list[Said]:
        return [each for each in self.said if each.output == "outcomes"]

    def told(self) -> list[tuple[str, str | None]]:
        """Return the alerts so far as (`breached response breach`, `03-02 10:00`)."""
        return [(each.what, each.when) for each in self.alerts]

    def decided(self) -> list[str]:
        """Return the outcomes so far as `resolution met provisional`."""
        return [
            f"{value['indicator']} {value['outcome']} {value['finality']}"
            for value in (each.value or {} for each in self.outcomes)
        ]

    def snapshot(self, ticket: str = "1") -> dict[str, Any]:
        """Return the last snapshot of a ticket on the clocks topic."""
        found = [each for each in self.said if each.output == "clocks" and each.ticket == ticket]
        return found[-1].value or {}

    def clock(self, indicator: str, ticket: str = "1", cycle: int | None = None) -> Face:
        """Return a clock of the last snapshot, the latest cycle unless told otherwise."""
        found = [
            each
            for each in self.snapshot(ticket)["clocks"]
            if each["indicator"] == indicator and cycle in (None, each["cycle"])
        ]
        return Face(found[-1])


@dataclass(frozen=True)
class Face:
    """A clock as published, in figures that a person can check."""

    raw: dict[str, Any]

    @property
    def minutes(self) -> float:
        """Elapsed minutes of covered time."""
        return self.raw["elapsed_ms"] / MINUTE

    @property
    def hours(self) -> float:
        return self.raw["elapsed_ms"] / HOUR

    @property
    def paused(self) -> float:
        """Paused minutes of covered time."""
        return self.raw["paused_ms"] / MINUTE

    @property
    def due(self) -> str | None:
        return hhmm(self.raw["due"])

    @property
    def breached(self) -> str | None:
        return hhmm(self.raw["breached_at"])

    @property
    def reached(self) -> str | None:
        return hhmm(self.raw["reached_at"])

    def __getattr__(self, name: str) -> Any:
        try:
            return self.raw[name]
        except KeyError:
            raise AttributeError(name) from None
