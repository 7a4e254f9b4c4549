"""What alerts and outcomes look like to a person: one line an alert, a running tally, a summary.

It is handed decoded records and returns text. It knows no Kafka and does not print.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

import click

from slastream.core.errors import Rejected
from slastream.core.instant import Instant, format_duration, parse_instant, to_datetime

KINDS = {
    "io.slastream.sla.at_risk.v1": ("at risk", "yellow"),
    "io.slastream.sla.breached.v1": ("BREACHED", "red"),
    "io.slastream.sla.cleared.v1": ("cleared", "green"),
    "io.slastream.sla.corrected.v1": ("corrected", "cyan"),
}
"""CloudEvents type of an alert -> how it is called, and its colour on a terminal."""

INDICATORS = ("response", "plan", "resolution")


@dataclass(slots=True)
class Tally:
    """Counts what came out. Outcomes are kept by clock cycle, since a later one replaces it."""

    alerts: Counter[str] = field(default_factory=Counter)
    tickets: set[str] = field(default_factory=set)
    dead: Counter[str] = field(default_factory=Counter)
    _outcomes: dict[tuple[str, str, int], Mapping[str, Any]] = field(default_factory=dict)

    def alert(self, type_: str, value: Mapping[str, Any]) -> None:
        """Count one alert."""
        self.alerts[KINDS.get(type_, (type_, ""))[0]] += 1
        self.tickets.add(_ticket(value))

    def outcome(self, value: Mapping[str, Any]) -> None:
        """Note the outcome of a clock cycle; the last one stands."""
        key = (_ticket(value), str(value.get("indicator")), int(value.get("cycle") or 1))
        self._outcomes[key] = value

    def dead_letter(self, reason: str) -> None:
        """Count one delivery that could not be understood."""
        self.dead[reason] += 1

    def decided(self) -> Counter[tuple[str, str, str]]:
        """Return (client, indicator, outcome) -> clock cycles that stand decided."""
        return Counter(
            (str(value.get("client")), indicator, str(value.get("outcome")))
            for (_, indicator, _), value in self._outcomes.items()
            if value.get("finality") != "retracted" and value.get("outcome") in ("met", "missed")
        )

    def line(self) -> str:
        """Return the running tally as one line."""
        names = [name for name, _ in KINDS.values()]
        told = ", ".join(
            f"{self.alerts[name]} {name.lower()}"
            for name in names
            if self.alerts[name] or name in ("at risk", "BREACHED")
        )
        decided = self.decided()
        met = sum(n for (_, _, outcome), n in decided.items() if outcome == "met")
        dead = f"; {sum(self.dead.values())} unreadable" if self.dead else ""
        return f"{told}; {met} met, {sum(decided.values()) - met} missed{dead}"

    def attainment(self) -> list[dict[str, Any]]:
        """Return a row a client: of the promises decided so far, how many were kept."""
        decided = self.decided()
        rows = []
        for client in sorted({client for client, _, _ in decided}):
            row: dict[str, Any] = {"client": client}
            for indicator in INDICATORS:
                met = decided[client, indicator, "met"]
                total = met + decided[client, indicator, "missed"]
                row[indicator] = f"{100 * met / total:.1f} % of {total}" if total else "-"
            rows.append(row)
        return rows


def _ticket(value: Mapping[str, Any]) -> str:
    return f"{value.get('tenant')}/{value.get('source')}/{value.get('ticket')}"


def alert_line(type_: str, time: object, value: Mapping[str, Any], zone: tzinfo) -> str:
    """Return an alert as one aligned line, such as

    10:32:00  at risk    75%  LUM-112         Atelier Lumen      P2  response    due 10:47, 15 min left

    `time` is when it became true (`ce_time`), not when it was seen. Times are shown in `zone`.
    """
    name, colour = KINDS.get(type_, (type_, "white"))
    at = _clock(time, zone)
    threshold = str(value.get("threshold") or "").removesuffix(" left")
    threshold = "" if threshold == "breach" else threshold
    cells = (
        at.ljust(8),
        click.style(name.ljust(9), fg=colour, bold=name == "BREACHED"),
        threshold.removeprefix("PT").rjust(9),
        str(value.get("number") or value.get("ticket") or "?").ljust(14),
        str(value.get("client") or "-")[:18].ljust(18),
        str(value.get("priority") or "-")[:4].ljust(4),
        str(value.get("indicator") or "?").ljust(10),
        _due(value, zone),
    )
    return "  ".join(cells).rstrip()


def _due(value: Mapping[str, Any], zone: tzinfo) -> str:
    due, remaining = value.get("due"), value.get("remaining_ms")
    if due is None:
        return "paused" if remaining is None else f"paused with {format_duration(remaining)} left"
    text = f"due {_clock(due, zone)[:5]}"
    if not isinstance(remaining, int):
        return text
    if remaining <= 0:
        return f"{text}, {format_duration(-remaining)} over" if remaining <= -1_000 else text
    return f"{text}, {format_duration(remaining)} left"


def _clock(value: object, zone: tzinfo) -> str:
    try:
        instant = parse_instant(value)
    except Rejected:
        return "?"
    return clock(instant, zone)


def clock(instant: Instant, zone: tzinfo) -> str:
    """Return the time of day of an instant, `10:32:00`."""
    return to_datetime(instant).astimezone(zone).strftime("%H:%M:%S")


def summary(tally: Tally, created: int, deliveries: int, seconds: float) -> Iterator[str]:
    """Yield the closing lines: what went in, what came out, what was kept."""
    from slastream.cli.console import aligned

    yield f"In:   {created} tickets opened in {deliveries} deliveries, fed in {seconds:.0f} s"
    told = ", ".join(f"{count} {name.lower()}" for name, count in sorted(tally.alerts.items()))
    yield f"Out:  {told or 'no alert'}, about {len(tally.tickets)} tickets"
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(tally.dead.items()))
    yield f"      {sum(tally.dead.values())} dead letters{f' ({reasons})' if reasons else ''}"
    rows = tally.attainment()
    if rows:
        yield "Kept, of the promises decided so far:"
        for line in aligned(rows, ("client", *INDICATORS)):
            yield f"      {line}"
