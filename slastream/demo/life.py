"""The life of one invented ticket, as steps in order of time. It knows no vendor's spelling."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from slastream.core.instant import HOUR, MINUTE, SECOND, Instant, Millis
from slastream.demo.desk import (
    PEOPLE,
    PRIORITIES,
    RESPONSE,
    START,
    SUBJECTS,
    TEAMS,
    WORK,
    Client,
    System,
    around,
    worked,
)

Stage = Literal[
    "new", "assigned", "working", "waiting_client", "waiting_vendor", "resolved", "closed", "merged"
]
Happening = Literal["created", "moved", "comment", "priority", "merged", "deleted"]
Who = Literal["agent", "customer", "automation"]


@dataclass(frozen=True, slots=True)
class Ticket:
    """What does not change about a ticket."""

    id: int
    client: Client
    system: System
    created_at: Instant
    type: str
    team: str
    agent: str
    contact: str
    subject: str
    site: str
    channel: str


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened, and how the ticket stands after it."""

    at: Instant
    ticket: Ticket
    happening: Happening
    who: Who
    stage: Stage
    priority: str
    assigned: bool = False
    public: bool = False
    before: Stage = "new"
    priority_before: str = "P3"
    merged_into: int | None = None
    seen: dict[str, Instant] = field(default_factory=dict)
    """When the ticket was first answered, begun and resolved, so far."""
    nth: int = 0
    """How many steps of the ticket went before."""


_MILESTONES: dict[Stage | None, str] = {
    "assigned": "answered",
    "working": "begun",
    "resolved": "resolved",
}


class _Life:
    """Walks one ticket forward; every method adds the step that it names."""

    def __init__(self, ticket: Ticket, priority: str, rng: random.Random) -> None:
        self.ticket, self.rng = ticket, rng
        self.now = ticket.created_at
        self.steps: list[Step] = []
        opener: Who = "automation" if ticket.channel == "monitoring" else "customer"
        self._last = Step(self.now, ticket, "created", opener, "new", priority)
        self.steps.append(self._last)

    def add(
        self,
        happening: Happening,
        who: Who,
        after: Millis,
        stage: Stage | None = None,
        *,
        priority: str | None = None,
        assigned: bool = False,
        public: bool = False,
        merged_into: int | None = None,
    ) -> None:
        """Let something happen `after` milliseconds later; None leaves a thing as it is."""
        self.now += after
        last, seen = self._last, dict(self._last.seen)
        if stage in _MILESTONES:
            seen.setdefault(_MILESTONES[stage], self.now)
        self._last = Step(
            self.now,
            self.ticket,
            happening,
            who,
            stage or last.stage,
            priority or last.priority,
            assigned=assigned or last.assigned,
            public=public,
            before=last.stage,
            priority_before=last.priority,
            merged_into=merged_into,
            seen=seen,
        )
        self.steps.append(self._last)

    def aside(self, who: Who, after: Millis) -> None:
        """Add a comment that moves nothing and does not hold up what follows."""
        self.steps.append(
            replace(self._last, at=self.now + after, happening="comment", who=who, public=True)
        )

    def work(self, median: Millis, spread: float = 0.7) -> Millis:
        """Return how long the desk takes from now on, in wall time."""
        effort = around(self.rng, median, spread)
        return worked(self.now, effort, self.ticket.client) - self.now

    @property
    def priority(self) -> str:
        return self._last.priority


def live(ticket: Ticket, priority: str, rng: random.Random) -> list[Step]:
    """Return the whole life of a ticket, in order of time, past the end of the day if it must."""
    life = _Life(ticket, priority, rng)
    if ticket.channel == "mail" and rng.random() < 0.7:
        life.aside("automation", rng.randint(2, 9) * SECOND)  # "we have received your request"
    if rng.random() < 0.008:
        life.add("deleted", "agent", life.work(4 * MINUTE))  # spam
        return life.steps
    _answer(life, rng)
    _work(life, rng)
    _finish(life, rng)
    return _in_order(life.steps)


def _in_order(steps: list[Step]) -> list[Step]:
    """Sort steps; a comment made aside shows the ticket as it stands by then."""
    ordered = sorted(steps, key=lambda step: step.at)
    for at in range(1, len(ordered)):
        step, last = ordered[at], ordered[at - 1]
        if step.happening == "comment":
            ordered[at] = replace(
                last, at=step.at, happening="comment", who=step.who, public=step.public,
                before=last.stage, priority_before=last.priority,
            )  # fmt: skip
    return ordered


def _answer(life: _Life, rng: random.Random) -> None:
    forgotten = 5.0 if rng.random() < 0.05 else 1.0
    if forgotten > 1 and rng.random() < 0.6:
        life.aside("customer", 25 * MINUTE)  # "any news?"
    if rng.random() < 0.12:
        return  # somebody simply begins: the answer is implied
    wait = life.work(round(RESPONSE[life.priority] * forgotten))
    life.add("moved", "agent", wait, "assigned", assigned=True, public=True)
    if rng.random() < 0.05:
        order = [name for name, _ in PRIORITIES]
        at = order.index(life.priority) + rng.choice((-1, -1, 1))
        if 0 <= at < len(order):
            life.add("priority", "agent", rng.randint(1, 8) * MINUTE, priority=order[at])


def _work(life: _Life, rng: random.Random) -> None:
    life.add("moved", "agent", life.work(START[life.priority]), "working", assigned=True)
    for _ in range(2):
        chance = rng.random()
        if chance < 0.24:
            life.add("moved", "agent", life.work(10 * MINUTE), "waiting_client", public=True)
            life.add("comment", "customer", around(rng, 70 * MINUTE, 0.9), public=True)
            life.add("moved", "automation", rng.randint(1, 4) * SECOND, "working")
        elif chance < 0.32:
            life.add("moved", "agent", life.work(12 * MINUTE), "waiting_vendor")
            life.add("moved", "agent", around(rng, 150 * MINUTE), "working")
        else:
            break


def _finish(life: _Life, rng: random.Random) -> None:
    life.add("moved", "agent", life.work(WORK[life.priority]), "resolved", public=True)
    if rng.random() < 0.06:
        life.add("moved", "customer", around(rng, 50 * MINUTE), "working", public=True)
        life.add("moved", "agent", life.work(WORK[life.priority] // 3), "resolved")
    if rng.random() < 0.5:
        life.add("moved", "agent", around(rng, 90 * MINUTE), "closed")


def draw_ticket(
    number: int, client: Client, system: System, at: Instant, rng: random.Random
) -> Ticket:
    """Invent a ticket of a client in one of its systems."""
    team = rng.choice(tuple(TEAMS))
    channel = rng.choices(("mail", "portal", "phone", "monitoring"), (50, 25, 13, 12))[0]
    return Ticket(
        id=number,
        client=client,
        system=system,
        created_at=at,
        type="incident" if channel == "monitoring" or rng.random() < 0.6 else "request",
        team=team,
        agent=rng.choice(TEAMS[team]),
        contact=rng.choice(PEOPLE),
        subject=rng.choice(SUBJECTS[team]),
        site=rng.choice(client.sites),
        channel=channel,
    )


def outage(
    numbers: Iterator[int], client: Client, system: System, at: Instant, rng: random.Random
) -> list[list[Step]]:
    """Return forty lives that an outage begins within four minutes, told as one in the end.

    The first becomes the parent, 24 are merged into it while the desk sorts them, and the parent
    and the other 15 are resolved when the link is back.
    """
    begun, back = at + 9 * MINUTE, at + round(1.6 * HOUR)
    lives: list[list[Step]] = []
    parent: Ticket | None = None
    for nth in range(40):
        opened = at + (0 if nth == 0 else rng.randint(5, 240) * SECOND)
        drawn = draw_ticket(next(numbers), client, system, opened, rng)
        ticket = replace(
            drawn, type="incident", team="network", agent="maalto", channel="phone",
            subject="Site is cut off: no network at all",
        )  # fmt: skip
        parent = parent or ticket
        life = _Life(ticket, "P1", rng)
        answer = begun - opened + rng.randint(0, 7) * MINUTE
        life.add("moved", "agent", answer, "assigned", assigned=True, public=True)
        if 0 < nth < 25:
            after = rng.randint(2, 14) * MINUTE
            life.add("merged", "agent", after, "merged", merged_into=parent.id)
        else:
            life.add("moved", "agent", rng.randint(1, 5) * MINUTE, "working")
            left = back - life.now + nth * 20 * SECOND
            life.add("moved", "agent", left, "resolved", public=True)
        lives.append(life.steps)
    return lives
