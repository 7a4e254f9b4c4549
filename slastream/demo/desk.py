"""Who is who on the generated day: the clients, the people of the desk, and when they work.

The names, contracts and priorities are those of `deploy/books/acme-msp.yaml`.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
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
class Client:
    """One client company: where its tickets are kept, what it bought, and how many it has."""

    name: str
    title: str
    source: str
    contract: str
    share: float
    zone: ZoneInfo
    around_the_clock: bool
    project: str
    sites: tuple[str, ...]
    first_number: int
    patience: float
    """How much longer than the usual the desk takes: the better the contract, the sooner."""


CLIENTS = (
    Client("harbour-dental", "Harbour Dental", "connectwise", "gold", 0.30,
           ZoneInfo("Europe/London"), False, "Service Desk", ("leith", "portobello"), 714_000, 0.8),
    Client("atelier-lumen", "Atelier Lumen", "jira", "silver", 0.28,
           ZONE, False, "LUM", ("lyon", "paris"), 20_400, 1.0),
    Client("nordkai-logistics", "Nordkai Logistics", "canonical", "platinum", 0.24,
           ZoneInfo("Europe/Berlin"), True, "operations", ("hamburg", "rostock"), 5_000, 0.3),
    Client("maison-verte", "Maison Verte", "connectwise", "bronze", 0.18,
           ZONE, False, "Projects", ("nantes",), 802_000, 1.3),
)  # fmt: skip

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
    return [(end, marks[at][1]) for at, end in enumerate(ends) if end > start]


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
