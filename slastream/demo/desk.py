"""Who is who on the generated day: the clients, the people of the desk, and when they work.

The names, contracts and priorities are those of `deploy/books/acme-msp.yaml`.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from itertools import accumulate
from zoneinfo import ZoneInfo

from slastream.core.instant import HOUR, MINUTE, Instant, Millis, from_datetime

ZONE = ZoneInfo("Europe/Paris")
DAY = date(2026, 3, 3)
"""A Tuesday without holidays; the book is in force since January."""


def local(clock: str, zone: ZoneInfo = ZONE) -> Instant:
    """Return the instant of a local time of the day, `08:30`."""
    return from_datetime(datetime.combine(DAY, time.fromisoformat(clock), zone))


OPENS, ENDS = local("07:30"), local("20:00")
"""The stretch of the day that is told: 12 and a half hours."""


@dataclass(frozen=True, slots=True)
class System:
    """One ticket system of a client: how many of the day's tickets it has, and what it calls things."""

    source: str
    share: float
    """Of the whole day's tickets."""
    client: str
    """How this system names the client."""
    first_number: int
    project: str = ""
    """The board, project or queue."""
    zone: str | None = None
    """The zone of its times without an offset, where it sends such; its book has the same."""


@dataclass(frozen=True, slots=True)
class Client:
    """One client company: what it bought, and in which systems its tickets are kept."""

    name: str
    title: str
    contract: str
    zone: ZoneInfo
    around_the_clock: bool
    sites: tuple[str, ...]
    patience: float
    """How much longer than the usual the desk takes: the better the contract, the sooner."""
    systems: tuple[System, ...]


CLIENTS = (
    Client(
        "harbour-dental", "Harbour Dental", "gold", ZoneInfo("Europe/London"), False,
        ("leith", "portobello"), 0.8, (
            System("connectwise", 0.17, "HARBOURDENTAL", 714_000, "Service Desk"),
            System("halopsa", 0.08, "Harbour Dental", 44_100),
            # A hosted site that nobody ever told where it is.
            System("frappe_helpdesk", 0.05, "Harbour Dental", 3_300, zone="Asia/Kolkata"),
        ),
    ),
    Client(
        "atelier-lumen", "Atelier Lumen", "silver", ZONE, False, ("lyon", "paris"), 1.0, (
            System("jira", 0.12, "Atelier Lumen", 20_400, "LUM"),
            System("glpi", 0.06, "Atelier Lumen", 7_100),
            System("zendesk", 0.06, "640017", 30_500),
            System("itop", 0.04, "Atelier Lumen", 2_200, zone="Europe/Paris"),
        ),
    ),
    Client(
        "nordkai-logistics", "Nordkai Logistics", "platinum", ZoneInfo("Europe/Berlin"), True,
        ("hamburg", "rostock"), 0.3, (
            System("canonical", 0.12, "nordkai-logistics", 5_000, "operations"),
            System("servicenow", 0.08, "Nordkai Logistics", 12_400, "incident"),
            System("znuny", 0.04, "nordkai-logistics", 11_800, "Yard", zone="Europe/Berlin"),
        ),
    ),
    Client(
        "maison-verte", "Maison Verte", "bronze", ZONE, False, ("nantes",), 1.3, (
            System("connectwise", 0.06, "MAISONVERTE", 802_000, "Projects"),
            System("autotask", 0.05, "311", 88_000, "Gardens"),
            System("freshservice", 0.03, "Maison Verte", 1_700),
            System("zammad", 0.02, "Maison Verte", 9_000, "Jardins"),
            System("debezium", 0.02, "14", 6_200, zone="Europe/Paris"),
        ),
    ),
)  # fmt: skip
"""Four companies, thirteen ticket systems and our own canonical events."""

SOURCES = tuple(sorted({system.source for client in CLIENTS for system in client.systems}))
BY_KAFKA = ("canonical", "debezium", "servicenow")
"""Sources whose records somebody writes to Kafka directly; all others send webhooks."""
ZONES = {
    system.source: system.zone for client in CLIENTS for system in client.systems if system.zone
}

TEAMS: dict[str, tuple[str, ...]] = {
    "network": ("maalto", "bsorel"),
    "workplace": ("tmarin", "lcosta", "ydiop"),
    "applications": ("pkeane", "srossi"),
}
SUBJECTS: dict[str, tuple[str, ...]] = {
    "network": ("VPN tunnel drops", "Branch link is slow", "No Wi-Fi in the meeting room"),
    "workplace": ("New laptop for Monday", "Printer prints blank pages", "Password reset"),
    "applications": ("Invoices do not export", "Login page times out", "Access to the archive"),
}
PEOPLE = ("Rae Okafor", "Ines Duval", "Jonas Brandt", "Mia Lindqvist", "Theo Lambert")

ARRIVALS = (
    ("07:30", 0.4), ("08:15", 1.6), ("08:45", 3.2), ("09:30", 2.6), ("10:30", 1.5), ("11:30", 1.1),
    ("12:15", 0.3), ("13:30", 1.4), ("14:00", 2.4), ("15:00", 1.5), ("15:45", 0.7), ("16:15", 1.5),
    ("17:15", 0.9), ("18:00", 0.3), ("19:00", 0.15),
)  # fmt: skip
"""From when on, how busy the phones are: the morning burst, the lunch lull, the wave after it."""

PRIORITIES = (("P1", 0.05), ("P2", 0.20), ("P3", 0.47), ("P4", 0.28))


def arrival(rng: random.Random) -> Instant:
    """Draw when a ticket is opened, after `ARRIVALS`."""
    starts = [local(clock) for clock, _ in ARRIVALS]
    lengths = [end - start for start, end in zip(starts, [*starts[1:], ENDS], strict=True)]
    weights = [length * busy for length, (_, busy) in zip(lengths, ARRIVALS, strict=True)]
    edges = list(accumulate(weights))
    drawn = rng.random() * edges[-1]
    at = bisect_right(edges, drawn)
    inside = (edges[at] - drawn) / weights[at]
    return round(starts[at] + inside * lengths[at])


SHIFTS = (
    ("00:00", 0.0), ("08:00", 0.6), ("08:30", 1.0), ("12:15", 0.3), ("13:30", 1.0), ("17:30", 0.5),
    ("18:30", 0.0),
)  # fmt: skip
"""From when on, how fast the desk works: slower at the edges, few at lunch, none at night."""
ON_CALL = 0.35
"""How fast the person on call is, for clients with a contract around the clock."""


def worked(start: Instant, effort: Millis, client: Client) -> Instant:
    """Return when `effort` milliseconds of work for a client are done, begun at `start`."""
    floor = ON_CALL if client.around_the_clock else 0.0
    at, left = start, effort * client.patience
    for edge, speed in _shifts(start):
        pace = max(speed, floor)
        if pace and (edge - at) * pace >= left:
            return round(at + left / pace)
        left -= (edge - at) * pace
        at = edge
    return at


def _shifts(start: Instant) -> list[tuple[Instant, float]]:
    """Return (end, speed) of each shift from `start` to the end of the next day."""
    return [(end, speed) for end, speed in _edges() if end > start]


@cache
def _edges() -> list[tuple[Instant, float]]:
    marks = [
        (
            from_datetime(
                datetime.combine(DAY + timedelta(days=day), time.fromisoformat(at), ZONE)
            ),
            speed,
        )
        for day in range(3)
        for at, speed in SHIFTS
    ]
    ends = [mark for mark, _ in marks[1:]]
    return [(end, marks[at][1]) for at, end in enumerate(ends)]


RESPONSE: dict[str, Millis] = {
    "P1": 5 * MINUTE,
    "P2": 18 * MINUTE,
    "P3": 50 * MINUTE,
    "P4": 70 * MINUTE,
}
START: dict[str, Millis] = {
    "P1": 6 * MINUTE,
    "P2": 25 * MINUTE,
    "P3": 55 * MINUTE,
    "P4": 80 * MINUTE,
}
WORK: dict[str, Millis] = {"P1": 70 * MINUTE, "P2": 110 * MINUTE, "P3": 2 * HOUR, "P4": 2 * HOUR}
"""Median efforts until someone answers, begins, and is done."""


def around(rng: random.Random, median: Millis, spread: float = 0.7) -> Millis:
    """Draw a length of time about a median: many short ones, a few very long."""
    return max(1_000, round(median * rng.lognormvariate(0.0, spread)))
