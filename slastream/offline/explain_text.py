"""An explanation as text that a person can paste into a mail: local times, UTC beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from slastream.core.instant import HOUR, MINUTE, Millis, parse_instant

LOSERS = 5
"""Policies that were not even near are told up to so many, the others counted."""

Told = Mapping[str, Any]


def explain_text(told: Told) -> str:
    """Return the explanation of a ticket as plain text."""
    return "\n".join(_lines(told)) + "\n"


def _lines(told: Told) -> Iterator[str]:
    zone = ZoneInfo(told["clocks"][-1]["zone"]) if told["clocks"] else ZoneInfo("UTC")
    number = f" ({told['number']})" if told["number"] and told["number"] != told["ticket"] else ""
    about = [told["client"], told["priority"] and f"priority {told['priority']}", told["type"]]
    yield f"Ticket {told['ticket']}{number}, " + ", ".join(filter(None, about))
    waiting = f" for {told['waiting_on']}" if told["state"] == "waiting" else ""
    yield f"Opened    {local(told['created_at'], zone)}"
    yield f"Read at   {local(told['as_of'], zone)}: {told['state'].replace('_', ' ')}{waiting}"
    if told["reopen_count"]:
        yield f"Reopened  {_times(told['reopen_count'])}"
    if told["acknowledged_at"]:
        yield f"Automatic acknowledgement {local(told['acknowledged_at'], zone)}: no response"
    choices: list[Told] = []
    for clock in told["clocks"]:
        yield ""
        yield from _clock(clock)
        yield from _why(clock["choice"], choices)
        choices.append(clock["choice"])
    yield ""
    yield "What happened"
    yield from _table([_event(event, zone) for event in told["events"]])


def _event(event: Told, zone: ZoneInfo) -> tuple[str, ...]:
    what = event["kind"] if not event["comment"] else f"{event['comment']} comment"
    status = f"status {event['status']!r}" if event["status"] else ""
    state = event["state"] + (f"/{event['waiting_on']}" if event["waiting_on"] else "")
    return local(event["at"], zone), what, f"by {event['actor']}", status, state, event["rule"]


# -- one clock --------------------------------------------------------------------------------


def _clock(clock: Told) -> Iterator[str]:
    zone = ZoneInfo(clock["zone"])
    cycle = f", cycle {clock['cycle']}" if clock["cycle"] > 1 else ""
    yield f"{clock['indicator'].upper()}{cycle}: {_verdict(clock)}"
    yield f"  Promise   {_promise(clock)}"
    yield f"  Started   {local(clock['started_at'], zone)}"
    if clock["due"]:
        yield f"  Due       {local(clock['due'], zone)}"
    if clock["reached_at"]:
        how = " (implied by a later state)" if clock["implied"] else ""
        how += " (by somebody unknown)" if clock["unverified_actor"] else ""
        yield f"  Reached   {local(clock['reached_at'], zone)}{how}"
    if clock["breached_at"]:
        yield f"  Overrun   {local(clock['breached_at'], zone)}"
    yield f"  Used      {exact(clock['elapsed_ms'])} of opening hours"
    for who, waited in clock["paused_by"].items():
        if waited:
            yield f"  Waited    {exact(waited)} of opening hours for {who}"
    for change in clock["changes"]:
        yield f"  Changed   {local(change['at'], zone)}: {_change(change)}"
    yield "  What counted"
    rows = [
        (local(row["from"], zone), local(row["to"], zone), _state(row), exact(row["counted_ms"]))
        for row in clock["ledger"]
    ]
    yield from _table([*rows, ("", "", "together", exact(clock["elapsed_ms"]))], "    ")
    if clock["notes"]:
        yield "  Hours that were not as usual"
        yield from _table([(n["date"], n["kind"], n["label"]) for n in clock["notes"]], "    ")
    if clock["levels"]:
        yield "  Levels"
        yield from _table([_level(level, zone) for level in clock["levels"]], "    ")


def _verdict(clock: Told) -> str:
    left, outcome = clock["remaining_ms"], str(clock["outcome"])
    if left is None:
        return outcome
    if outcome == "missed" and left <= 0:
        return f"missed, {exact(-left)} over"
    word = "missed, though now" if outcome == "missed" else f"{outcome},"
    return f"{word} {exact(left)} left" if left >= 0 else f"{word} {exact(-left)} over"


def _promise(clock: Told) -> str:
    if clock["target_ms"] is None:
        return "none: the time is measured and not judged"
    written = f" ({clock['target']})" if clock["target"] else ""
    return (
        f"{exact(clock['target_ms'])}{written} by policy {clock['policy']},"
        f" in the hours of calendar {clock['calendar']} ({clock['zone']})"
    )


def _state(row: Told) -> str:
    return str(row["state"]) + (f" for {row['waiting_on']}" if row["waiting_on"] else "")


def _change(change: Told) -> str:
    parts = [
        f"{name} {was or 'none'} -> {now or 'none'}"
        for name, (was, now) in change["because"].items()
    ]
    was, now = change["target_ms"]
    lengths = [("none" if length is None else exact(length)) for length in (was, now)]
    parts.append(f"target {lengths[0]} -> {lengths[1]}")
    if change["policy"][0] != change["policy"][1]:
        parts.append(f"policy {change['policy'][0]} -> {change['policy'][1]}")
    if change["calendar"][0] != change["calendar"][1]:
        parts.append(f"calendar {change['calendar'][0]} -> {change['calendar'][1]}")
    return ", ".join(parts)


def _level(level: Told, zone: ZoneInfo) -> tuple[str, ...]:
    at = level["reached_at"] or level.get("expected_at")
    words = [level["status"]]
    if level.get("announced_at"):
        words.append(local(level["announced_at"], zone))
    if level.get("cause"):
        words.append(f"(because of a {level['cause']})")
    if level.get("reason"):
        words.append(f"({level['reason']})")
    if level.get("taken_back"):
        back = level["taken_back"]
        words.append(f"and cleared {local(back['at'], zone)}: {back['because']}")
    return level["level"], local(at, zone) if at else "", " ".join(words)


def _why(choice: Told, before: list[Told]) -> Iterator[str]:
    if choice in before:
        yield "  Why this policy: as above"
        return
    yield "  Why this policy"
    book = f" (book {choice['book']})" if choice["book"] else ""
    yield f"    {choice['winner'] or 'none'}: {choice['reason']}{book}"
    near = [loser for loser in choice["losers"] if loser["matched"]]
    far = [loser for loser in choice["losers"] if not loser["matched"]]
    for loser in (*near, *far[:LOSERS]):
        yield f"    not {loser['policy']}: {loser['reason']}"
    if len(far) > LOSERS:
        yield f"    and not {len(far) - LOSERS} others, whose conditions do not hold"


# -- words ------------------------------------------------------------------------------------


def local(text: str, zone: ZoneInfo) -> str:
    """Write an instant for people: local time, UTC beside it, parts of a second only if there are."""
    instant = parse_instant(text)
    there = datetime.fromtimestamp(instant // 1000, zone)
    rest = f".{instant % 1000:03d}" if instant % 1000 else ""
    shown = f"{there:%a %Y-%m-%d %H:%M:%S}{rest}"
    if there.utcoffset() is not None and there.tzname() == "UTC":
        return f"{shown} UTC"
    utc = datetime.fromtimestamp(instant // 1000, ZoneInfo("UTC"))
    day = f"{utc:%m-%d} " if utc.date() != there.date() else ""
    return f"{shown} ({day}{utc:%H:%M:%S} UTC)"


def exact(length: Millis) -> str:
    """Write a length of time to the last millisecond: `4 h 05 min`, `12 min 3.25 s`, `0 s`.

    Hours are not made into days: a day of opening hours is no day.
    """
    hours, rest = divmod(length, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    parts = []
    if hours:
        parts.append(f"{hours} h")
    if minutes or (hours and rest):
        parts.append(f"{minutes:02d} min" if hours else f"{minutes} min")
    if rest or not parts:
        seconds, millis = divmod(rest, 1000)
        parts.append(f"{seconds}.{millis:03d}".rstrip("0") + " s" if millis else f"{seconds} s")
    return " ".join(parts)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _table(rows: list[tuple[str, ...]], indent: str = "  ") -> Iterator[str]:
    if not rows:
        return
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        yield (
            indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        ).rstrip()
