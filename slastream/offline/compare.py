"""Two books over the same tickets: what would become better, what worse, and for whom (D48)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from slastream.core.books import Books
from slastream.core.clock import outcome_of
from slastream.core.instant import Instant
from slastream.core.shapes import Clock
from slastream.offline.attainment import LABELS, Attainment, breakpoints, percent
from slastream.offline.histories import History
from slastream.offline.lines import stamp
from slastream.offline.run import Judged, Trouble, run

DECIDED = ("met", "missed")
COUNTS = ("met", "decided")


@dataclass
class Comparison:
    """Attainment before and after, the cycles whose outcome flips, and what targets would do."""

    attainment: list[dict[str, Any]]
    flips: list[dict[str, Any]]
    breakpoints: list[dict[str, Any]]


def compare(
    histories: Sequence[History],
    before: Books,
    after: Books,
    as_of: Instant,
    by: Sequence[str],
    share: float,
    troubles: tuple[Trouble, Trouble],
) -> Comparison:
    """Judge the same tickets by two books."""
    old = list(run(histories, before, as_of, troubles[0]))
    new = list(run(histories, after, as_of, troubles[1]))
    return Comparison(_attainment(old, new, by), list(flips(old, new)), _points(old, new, share))


def _attainment(
    old: Sequence[Judged], new: Sequence[Judged], by: Sequence[str]
) -> list[dict[str, Any]]:
    sides = []
    for judged in (old, new):
        side = Attainment(by)
        for each in judged:
            side.add(each)
        # Objectives may differ between the books, and then they are told side by side.
        merged: dict[tuple[Any, ...], dict[str, Any]] = {}
        for told in side.rows():
            found = merged.setdefault(tuple(told[name] for name in by), dict.fromkeys(COUNTS, 0))
            for name in COUNTS:
                found[name] += told[name]
            found["objective"] = told["objective"]
        sides.append(merged)
    rows = []
    for key in dict.fromkeys((*sides[0], *sides[1])):
        row: dict[str, Any] = dict(zip(by, key, strict=True))
        for name, side_ in zip(("before", "after"), sides, strict=True):
            tally = side_.get(key)
            met, decided = (tally["met"], tally["decided"]) if tally else (0, 0)
            row[f"met_{name}"], row[f"decided_{name}"] = met, decided
            row[f"percent_{name}"] = percent(met, decided)
            row[f"objective_{name}"] = tally["objective"] if tally else None
        rows.append(row)
    return rows


def flips(old: Sequence[Judged], new: Sequence[Judged]) -> Iterator[dict[str, Any]]:
    """Yield the cycles whose outcome the other book changes."""
    others = {each.history.key: each for each in new}
    for one in old:
        two = others.get(one.history.key)
        if two is None:
            continue
        cycles = {(clock.indicator, clock.cycle): clock for clock in two.fold.clocks}
        for clock in one.fold.clocks:
            other = cycles.pop((clock.indicator, clock.cycle), None)
            yield from _flip(one, clock, other)
        for other in cycles.values():
            yield from _flip(one, None, other)


def _flip(one: Judged, before: Clock | None, after: Clock | None) -> Iterator[dict[str, Any]]:
    was = "none" if before is None else outcome_of(before)
    now = "none" if after is None else outcome_of(after)
    if was == now or not (was in DECIDED or now in DECIDED):
        return
    shown = before or after
    assert shown is not None
    yield {
        "tenant": one.history.tenant,
        "source": one.history.source,
        "ticket": one.history.ticket,
        "client": one.fold.attributes.get("client"),
        "priority": one.fold.attributes.get("priority"),
        "indicator": LABELS[shown.indicator],
        "cycle": shown.cycle,
        "outcome_before": was,
        "outcome_after": now,
        "policy_before": before and (before.policy or None),
        "policy_after": after and (after.policy or None),
        "target_ms_before": before and before.target,
        "target_ms_after": after and after.target,
        "due_before": _due(before),
        "due_after": _due(after),
    }


def _due(clock: Clock | None) -> str | None:
    return None if clock is None or clock.due is None else stamp(clock.due)


def _points(old: Sequence[Judged], new: Sequence[Judged], share: float) -> list[dict[str, Any]]:
    """Return the target that would be met by `share` percent, beside the targets there are."""
    before, after = breakpoints(old, share), breakpoints(new, share)
    rows = []
    for key in sorted({*before, *after}):
        row: dict[str, Any] = {"indicator": key[0], "priority": key[1] or None}
        for name, side in (("before", before.get(key)), ("after", after.get(key))):
            targets = sorted(side.targets) if side else []
            row[f"cycles_{name}"] = side.cycles if side else 0
            row[f"target_ms_{name}"] = targets[0] if len(set(targets)) == 1 else None
            row[f"targets_{name}"] = len(targets)
            row[f"needed_ms_{name}"] = side.needed() if side else None
        rows.append(row)
    return rows
