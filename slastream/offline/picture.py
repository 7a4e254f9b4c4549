"""An explanation as a picture: a lane a clock, with its hours, pauses, milestones, levels and due.

The SVG is written by hand and stands alone: no script, no fonts to fetch. PNG needs the extra
`picture`, which draws the same SVG.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from slastream.core.errors import Misconfigured
from slastream.core.instant import DAY, HOUR, MINUTE, Instant, Millis, parse_instant
from slastream.offline.explain_text import exact, local

Told = Mapping[str, Any]
Say = Callable[[str], str]
"""Gives the picture's own words, which are English here, in the language of a reader."""

WIDTH, LEFT, RIGHT, TOP = 1180, 190, 30, 96
LANE, BAR = 74, 22
STEPS: tuple[Millis, ...] = (
    5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, DAY, 2 * DAY, 7 * DAY,
    14 * DAY, 28 * DAY, 91 * DAY, 364 * DAY,
)  # fmt: skip
MOST_TICKS = 11
APART = 34
"""Labels that would stand nearer to each other are left out; the mark and its tip remain."""
COLOURS = {"run": "#2f7dd1", "wait": "#e0a526", "done": "#c9ced6", "over": "#c8372d"}
STYLE = """
  text { font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 12px; fill: #23272e }
  .title { font-size: 16px; font-weight: 600 }
  .name { font-size: 13px; font-weight: 600 }
  .soft { fill: #697180; font-size: 11px }
  .tick { fill: #697180; font-size: 11px; text-anchor: middle }
"""


def draw(told: Told, path: Path) -> None:
    """Write the timeline to an .svg or .png file.

    Raises `Misconfigured` for another ending, or a .png without the extra that draws it.
    """
    picture = svg(told)
    ending = path.suffix.lower()
    try:
        if ending == ".svg":
            path.write_text(picture, encoding="utf-8")
        elif ending == ".png":
            path.write_bytes(_png(picture))
        else:
            raise Misconfigured("a picture is .svg or .png", where=str(path))
    except OSError as problem:
        raise Misconfigured(f"cannot be written: {problem.strerror}", where=str(path)) from None


def _png(picture: str) -> bytes:
    try:
        cairosvg: Any = importlib.import_module("cairosvg")
    except (ImportError, OSError):
        raise Misconfigured(
            "drawing a PNG needs the package cairosvg and the library cairo",
            hint="pip install 'slastream[picture]', or write an .svg",
        ) from None
    found: bytes = cairosvg.svg2png(bytestring=picture.encode(), scale=2)
    return found


class Scale:
    """From instants to pixels. Times are shown in the zone of the ticket's last clock."""

    def __init__(self, start: Instant, end: Instant, zone: ZoneInfo) -> None:
        room = max(end - start, MINUTE)
        self.start, self.end = start - room // 60, end + room // 30
        self.zone = zone

    def x(self, instant: Instant) -> float:
        share = (instant - self.start) / (self.end - self.start)
        return round(LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT), 1)

    def ticks(self, say: Say) -> Iterator[tuple[Instant, str]]:
        """Yield round local times."""
        step = next((s for s in STEPS if (self.end - self.start) / s <= MOST_TICKS), STEPS[-1])
        at = datetime.fromtimestamp(self.start // 1000, self.zone).replace(
            hour=0, minute=0, second=0, microsecond=0, tzinfo=None
        )
        by = timedelta(milliseconds=step)
        while True:
            instant = int(at.replace(tzinfo=self.zone).timestamp()) * 1000
            if instant > self.end:
                return
            if instant >= self.start:
                midnight = at.hour == at.minute == 0
                day = f"{say(f'{at:%a}')} {at:%d} {say(f'{at:%b}')}"
                yield instant, day if midnight else f"{at:%H:%M}"
            at += by


def svg(told: Told, say: Say = str) -> str:
    """Return the timeline of an explained ticket as SVG."""
    clocks = told["clocks"]
    zone = ZoneInfo(clocks[-1]["zone"])
    scale = Scale(*_span(told), zone)
    height = TOP + LANE * len(clocks) + 64
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}"'
        f' height="{height}" role="img">',
        f"<title>{escape(_title(told, say))}</title>",
        f"<style>{STYLE}</style>",
        '<defs><pattern id="wait" width="6" height="6" patternUnits="userSpaceOnUse"'
        ' patternTransform="rotate(45)"><rect width="6" height="6" fill="#f6e2b3"/>'
        f'<rect width="3" height="6" fill="{COLOURS["wait"]}"/></pattern></defs>',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text class="title" x="20" y="30">{escape(_title(told, say))}</text>',
        f'<text class="soft" x="20" y="50">{escape(_subtitle(told, zone, say))}</text>',
    ]
    bottom = TOP + LANE * len(clocks)
    parts += _axis(scale, bottom, say)
    for place, clock in enumerate(clocks):
        parts += _lane(clock, scale, TOP + LANE * place, say)
    parts += _legend(height - 18, say)
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _span(told: Told) -> tuple[Instant, Instant]:
    """Return what to show: from the opening to the end of the last clock, or a due that is near."""
    start = min(parse_instant(clock["started_at"]) for clock in told["clocks"])
    start = min(start, parse_instant(told["created_at"]))
    ends = [start]
    for clock in told["clocks"]:
        ends += [parse_instant(row["to"]) for row in clock["ledger"]]
        ends += [
            parse_instant(clock[name]) for name in ("reached_at", "breached_at") if clock[name]
        ]
    end = max(ends)
    dues = [parse_instant(clock["due"]) for clock in told["clocks"] if clock["due"]]
    near = [due for due in dues if due - start <= 3 * max(end - start, HOUR)]
    return start, max([end, *near])


def _title(told: Told, say: Say) -> str:
    number = told["number"] or told["ticket"]
    return ", ".join(
        filter(None, (f"{say('Ticket')} {number}", told["client"], told["priority"], told["type"]))
    )


def _subtitle(told: Told, zone: ZoneInfo, say: Say) -> str:
    times = "opened {opened}, read at {read}; times below are local to {zone}"
    return say(times).format(
        opened=local(told["created_at"], zone), read=local(told["as_of"], zone), zone=zone.key
    )


def _axis(scale: Scale, bottom: int, say: Say) -> Iterator[str]:
    for instant, label in scale.ticks(say):
        x = scale.x(instant)
        yield f'<line x1="{x}" y1="{TOP - 8}" x2="{x}" y2="{bottom}" stroke="#e4e7ec"/>'
        yield f'<text class="tick" x="{x}" y="{TOP - 14}">{escape(label)}</text>'


def _lane(clock: Told, scale: Scale, top: int, say: Say) -> Iterator[str]:
    y = top + 18
    cycle = f" {clock['cycle']}" if clock["cycle"] > 1 else ""
    yield f'<text class="name" x="20" y="{y + 11}">{escape(say(clock["indicator"]) + cycle)}</text>'
    yield f'<text class="soft" x="20" y="{y + 27}">{escape(_figures(clock, say))}</text>'
    yield f'<text class="soft" x="20" y="{y + 42}">{escape(_promise(clock, say))}</text>'
    for start, end in clock["windows"]:
        x, width = _extent(scale, parse_instant(start), parse_instant(end))
        if width >= 0.3:
            yield f'<rect x="{x}" y="{y - 8}" width="{width}" height="{BAR + 16}" fill="#eef3f9"/>'
    for row in clock["ledger"]:
        yield from _stretch(clock, row, scale, y, say)
    yield from _marks(clock, scale, y, say)


def _stretch(clock: Told, row: Told, scale: Scale, y: int, say: Say) -> Iterator[str]:
    """Draw a row of the ledger: strong inside the hours, pale outside, hatched while it waited."""
    start, end = parse_instant(row["from"]), parse_instant(row["to"])
    state = say(row["state"])
    if row["waiting_on"]:
        state = say("{state} for {whom}").format(state=state, whom=say(row["waiting_on"]))
    tip = say("{state}: {time} counted").format(state=state, time=exact(row["counted_ms"]))
    if row["state"] == "waiting" and not row["counted_ms"]:
        fill = "url(#wait)"
    else:
        fill = COLOURS["done" if row["state"] in ("resolved", "closed") else "run"]
    pale = "#faf0d6" if "wait" in fill else "#e9ebef" if fill == COLOURS["done"] else "#c3d9f1"
    yield from _box(scale, start, end, (y, BAR), pale, tip)
    overrun = parse_instant(clock["breached_at"]) if clock["breached_at"] else None
    for opens, closes in clock["windows"]:
        left, right = max(start, parse_instant(opens)), min(end, parse_instant(closes))
        yield from _box(scale, left, right, (y, BAR), fill, tip)
        if overrun is not None and row["counted_ms"]:
            over = (y + BAR - 6, 6)
            yield from _box(
                scale, max(left, overrun), right, over, COLOURS["over"], say("over target")
            )
    x = scale.x(start)
    yield f'<line x1="{x}" y1="{y}" x2="{x}" y2="{y + BAR}" stroke="#ffffff" stroke-width="1.2"/>'


def _box(
    scale: Scale, start: Instant, end: Instant, rows: tuple[int, int], fill: str, tip: str
) -> Iterator[str]:
    if start >= end:
        return
    x, width = _extent(scale, start, end)
    if width >= 0.2:
        yield (
            f'<rect x="{x}" y="{rows[0]}" width="{width}" height="{rows[1]}" fill="{fill}">'
            f"<title>{escape(tip)}</title></rect>"
        )


def _marks(clock: Told, scale: Scale, y: int, say: Say) -> Iterator[str]:
    middle = y + BAR / 2
    labelled = [scale.x(parse_instant(clock["due"]))] if clock["due"] else []
    for level in clock["levels"]:
        at = level["reached_at"]
        if at and level["level"] != "breach":
            x = scale.x(parse_instant(at))
            yield (
                f'<path d="M{x - 5},{y - 9} h10 l-5,8 z" fill="#e07b26">'
                f"<title>{escape(level['level'] + ' ' + say(level['status']))}</title></path>"
            )
            if all(abs(x - other) > APART for other in labelled):
                labelled.append(x)
                yield f'<text class="tick" x="{x}" y="{y + BAR + 13}">{escape(level["level"])}</text>'
    if clock["due"] and scale.start <= parse_instant(clock["due"]) <= scale.end:
        x = scale.x(parse_instant(clock["due"]))
        yield (
            f'<line x1="{x}" y1="{y - 10}" x2="{x}" y2="{y + BAR + 10}" stroke="{COLOURS["over"]}"'
            f' stroke-width="1.6" stroke-dasharray="4 3"><title>{escape(say("due"))}</title></line>'
        )
        yield f'<text class="tick" x="{x}" y="{y + BAR + 24}">{escape(say("due"))}</text>'
    if clock["breached_at"]:
        x = scale.x(parse_instant(clock["breached_at"]))
        yield (
            f'<path d="M{x - 5},{middle - 5} l10,10 m0,-10 l-10,10" stroke="{COLOURS["over"]}"'
            f' stroke-width="2.6"><title>{escape(say("overrun"))}</title></path>'
        )
    if clock["reached_at"]:
        x = scale.x(parse_instant(clock["reached_at"]))
        fill = "#2e9e5b" if clock["outcome"] != "missed" else COLOURS["over"]
        yield (
            f'<circle cx="{x}" cy="{middle}" r="6.5" fill="{fill}" stroke="#ffffff"'
            f' stroke-width="1.5"><title>{escape(say("reached"))}</title></circle>'
        )


def _extent(scale: Scale, start: Instant, end: Instant) -> tuple[float, float]:
    left, right = scale.x(start), scale.x(end)
    return left, round(right - left, 1)


def _figures(clock: Told, say: Say) -> str:
    used = _short(clock["elapsed_ms"])
    return say("{outcome}: {time} used").format(outcome=say(clock["outcome"]), time=used)


def _promise(clock: Told, say: Say) -> str:
    if clock["target_ms"] is None:
        return say("no target")
    return f"{say('of')} {_short(clock['target_ms'])}, {clock['calendar']}"[:30]


def _short(length: Millis) -> str:
    return exact(length if length < MINUTE else length // MINUTE * MINUTE)


def _legend(y: int, say: Say) -> Iterator[str]:
    entries: Sequence[tuple[str, str]] = (
        ('<rect x="{x}" y="{t}" width="22" height="12" fill="#eef3f9" stroke="#d5dde8"/>', "hours"),
        (f'<rect x="{{x}}" y="{{t}}" width="22" height="12" fill="{COLOURS["run"]}"/>', "counts"),
        ('<rect x="{x}" y="{t}" width="22" height="12" fill="url(#wait)"/>', "waits"),
        (f'<rect x="{{x}}" y="{{b}}" width="22" height="5" fill="{COLOURS["over"]}"/>', "overrun"),
        ('<path d="M{x},{t} h12 l-6,9 z" fill="#e07b26"/>', "level"),
        ('<circle cx="{c}" cy="{m}" r="6" fill="#2e9e5b"/>', "reached"),
    )
    x = LEFT
    for shape, label in entries:
        yield shape.format(x=x, t=y - 10, b=y - 4, c=x + 6, m=y - 4)
        yield f'<text class="soft" x="{x + 30}" y="{y}">{escape(say(label))}</text>'
        x += 110
