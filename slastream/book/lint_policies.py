"""The linter's remarks about policies: what can never win, be met, or be produced."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from slastream.book.finding import Finding
from slastream.book.loading import Loaded
from slastream.core.calendar import Calendar
from slastream.core.coverage import coverage
from slastream.core.instant import DAY, HOUR, Instant, Millis, format_duration, format_instant
from slastream.core.policy import Book, Policy, SourceMapping, Target, fold_text

LINTS: dict[str, str] = {
    "no-policies": "A book without policies judges nothing.",
    "policy-shadowed": "Another policy wins every ticket that this one matches.",
    "policy-never-valid": "The policy ends before it begins.",
    "target-out-of-reach": "The calendar has too few hours in a year for the target.",
    "level-out-of-place": "A warning at or after the due date, or an overdue level before it.",
    "level-before-start": "A warning that is due before the ticket is even created.",
    "levels-without-target": "Levels or objectives of something that has no target.",
    "priority-never-given": "A target for a priority that no source of the book produces.",
    "client-never-given": "A policy asks for a client that no source calls so.",
}

_SPECIFICITY = ("contract", "client", "site", "service", "type", "priority")
"""As in `slastream.core.choice`: the vector by which the winner is chosen (D21)."""


def policies(loaded: Loaded) -> Iterator[Finding]:
    """Yield what looks wrong with the policies of a book."""
    book, places = loaded.book, loaded.places
    if not book.policies:
        yield Finding("no-policies", places.file, "policies", "the book promises nothing")
    yearly: dict[str, tuple[Millis, int]] = {}
    produced = _produced(book)
    named = {name: _Names(source) for name, source in book.sources.items()}
    for policy in book.policies:
        where, key = places.policies[policy.name], f"policies.{policy.name}"
        yield from _validity(policy, where, key)
        yield from _levels(policy, where, key)
        if not _surely_in_reach(book.calendars[policy.calendar], policy):
            if policy.calendar not in yearly:
                yearly[policy.calendar] = _covered(book, policy.calendar)
            yield from _reach(policy, where, key, yearly[policy.calendar])
        yield from _priorities(policy, where, key, produced)
        yield from _clients(policy, where, key, named)
    yield from _shadowed(loaded)


def _validity(policy: Policy, where: str, key: str) -> Iterator[Finding]:
    start, end = policy.valid_from, policy.valid_to
    if start is not None and end is not None and end <= start:
        message = f"valid until {format_instant(end)}, which is not after {format_instant(start)}"
        yield Finding("policy-never-valid", where, f"{key}.valid_to", message)


def _targets(policy: Policy) -> list[tuple[str, str, Target]]:
    return [
        (indicator.label, priority, target)
        for indicator, rows in policy.targets.items()
        for priority, target in rows.items()
        if target
    ]


def _levels(policy: Policy, where: str, key: str) -> Iterator[Finding]:
    targets = _targets(policy)
    for level in policy.at_risk:
        if level.kind == "percent" and level.amount >= 100:
            message = f"{level.text} warns when it is too late"
            yield Finding("level-out-of-place", where, f"{key}.at_risk", message, "use overdue:")
        if level.kind == "remaining":
            short = [it for it in targets if it[2].unit == "ms" and it[2].amount <= level.amount]
            if short:
                label, priority, target = short[0]
                message = f"{level.text} of {label} {priority.upper()}: {target.text} is no longer"
                hint = "such a clock is at risk from its first moment; use a percentage"
                yield Finding("level-before-start", where, f"{key}.at_risk", message, hint)
    for level in policy.overdue:
        if level.kind == "percent" and level.amount <= 100:
            message = f"{level.text} comes before the breach"
            yield Finding("level-out-of-place", where, f"{key}.overdue", message, "use at_risk:")
    if not targets and (policy.at_risk or policy.overdue or policy.objective):
        message = f"{policy.name!r} has levels or an objective and no target"
        yield Finding("levels-without-target", where, key, message)
        return
    untargeted = [it.label for it in policy.objective if it not in policy.targets]
    if untargeted and len(policy.objective) < 3:
        message = f"an objective for {', '.join(untargeted)}, which has no target"
        yield Finding("levels-without-target", where, f"{key}.objective", message)


def _covered(book: Book, name: str) -> tuple[Millis, int]:
    """Return how many milliseconds, and days with hours, a calendar has in the book's first year."""
    calendar = book.calendars[name]
    if calendar.unbroken:
        return 365 * DAY, 365
    clock, start = coverage(calendar), book.effective_from
    windows = clock.windows(start, start + 365 * DAY)
    return sum(end - begin for begin, end in windows), len({begin // DAY for begin, _ in windows})


def _surely_in_reach(calendar: Calendar, policy: Policy) -> bool:
    """Whether a rough count already shows that the calendar has hours enough for every target.

    It spares the linter of a book with thousands of calendars from laying each of them out.
    """
    if calendar.unbroken:
        return True
    if any(rule.rrule is not None for rule in calendar.exceptions):
        return False
    hours = [sum(end - start for start, end in day) * 1000 for day in calendar.hours]
    off = len(calendar.exceptions) + 40 * len(calendar.holidays)
    open_ms = 52 * sum(hours) - off * max(hours)
    open_days = 52 * sum(map(bool, hours)) - off
    return open_ms > 52 * HOUR and all(
        target.amount < (open_ms if target.unit == "ms" else open_days)
        for _, _, target in _targets(policy)
    )


def _reach(policy: Policy, where: str, key: str, yearly: tuple[Millis, int]) -> Iterator[Finding]:
    open_ms, open_days = yearly
    for label, priority, target in _targets(policy):
        inner = f"{key}.targets.{label}.{priority}"
        if target.unit == "ms" and target.amount > open_ms:
            has = format_duration(open_ms)
            message = f"{target.text} is more than {policy.calendar!r} is open in a year ({has})"
            yield Finding("target-out-of-reach", where, inner, message)
        elif target.unit == "bd" and target.amount > open_days:
            message = f"{policy.calendar!r} has {open_days} working days in a year"
            yield Finding("target-out-of-reach", where, inner, message)
    if _targets(policy) and 0 < open_ms < 52 * HOUR:
        has = format_duration(open_ms)
        message = f"{policy.calendar!r} is open for less than an hour a week ({has} in a year)"
        yield Finding("target-out-of-reach", where, f"{key}.calendar", message)


def _produced(book: Book) -> dict[str, set[str] | None]:
    """Return the priorities that each source can produce, None where anything may pass."""
    found: dict[str, set[str] | None] = {}
    for name, source in book.sources.items():
        names = {fold_text(it) for it in (*source.priorities.values(), *source.matrix.values())}
        found[name] = names if source.priorities else None
    return found


def _priorities(
    policy: Policy, where: str, key: str, produced: dict[str, set[str] | None]
) -> Iterator[Finding]:
    asked = policy.when.get("source")
    sources = [it for name, it in produced.items() if not asked or fold_text(name) in asked]
    if not sources or any(it is None for it in sources):
        return
    given = set().union(*(it for it in sources if it is not None))
    for indicator, rows in policy.targets.items():
        for priority in rows:
            if priority != "default" and priority not in given:
                shown = ", ".join(sorted(name.upper() for name in given))
                message = f"no source produces the priority {priority.upper()!r}"
                inner = f"{key}.targets.{indicator.label}.{priority}"
                yield Finding("priority-never-given", where, inner, message, f"produced: {shown}")


class _Names:
    """What one source calls its clients, and what the book calls them."""

    def __init__(self, source: SourceMapping) -> None:
        self.map = source.clients
        self.given = {fold_text(name) for name in source.clients.values()}


def _clients(policy: Policy, where: str, key: str, named: dict[str, _Names]) -> Iterator[Finding]:
    """Yield the clients of a policy that no map yields, unless a source without a map may tell of them.

    A name that a map takes away is one of its source alone, so it is told of in any case.
    """
    asked = policy.when.get("source")
    names = {name: it for name, it in named.items() if not asked or fold_text(name) in asked}
    closed = bool(names) and all(it.map for it in names.values())
    for client in policy.when.get("client", ()):
        if any(client in it.given for it in names.values()):
            continue
        source = next((name for name, it in names.items() if client in it.map), None)
        if source is not None:
            message = f"{client!r} is a name of {source} alone"
            hint = f"write {names[source].map[client]!r}, as sources.{source}.clients has it"
            yield Finding("client-never-given", where, f"{key}.when.client", message, hint)
        elif closed:
            message = f"no source's clients: names a client {client!r}"
            yield Finding("client-never-given", where, f"{key}.when.client", message)


def _shadowed(loaded: Loaded) -> Iterator[Finding]:
    """Yield policies of which every ticket goes to another that goes before it.

    Candidates share a condition's value or have none, so that a thousand policies for a thousand
    clients are not compared with each other.
    """
    ordered = sorted(loaded.book.policies, key=lambda policy: policy.name)
    ordered.sort(key=_order, reverse=True)
    earlier: defaultdict[tuple[str, str], list[Policy]] = defaultdict(list)
    for policy in ordered:
        candidates = [*earlier["", ""]]
        for name, values in policy.when.items():
            candidates += earlier[name, values[0]]
        winner = next((it for it in candidates if _covers(it, policy)), None)
        if winner is not None:
            message = f"every ticket of {policy.name!r} goes to {winner.name!r}"
            hint = "raise its rank, or narrow the other"
            yield Finding(
                "policy-shadowed",
                loaded.places.policies[policy.name],
                f"policies.{policy.name}",
                message,
                hint,
            )
        name = next(iter(policy.when), "")
        for value in policy.when.get(name, ("",)):
            earlier[name, value].append(policy)


def _order(policy: Policy) -> tuple[int, tuple[int, ...]]:
    named = tuple(int(name in policy.when) for name in _SPECIFICITY)
    return policy.rank, (*named, sum(name not in _SPECIFICITY for name in policy.when))


def _covers(winner: Policy, loser: Policy) -> bool:
    """Whether `winner` matches whatever `loser` matches, whenever it does."""
    if winner.options.strictest or loser.options.strictest:
        return False
    for name, accepted in winner.when.items():
        if name not in loser.when or not set(loser.when[name]) <= set(accepted):
            return False
    return _from(winner) <= _from(loser) and _until(winner) >= _until(loser)


def _from(policy: Policy) -> Instant:
    return policy.valid_from if policy.valid_from is not None else -(1 << 62)


def _until(policy: Policy) -> Instant:
    return policy.valid_to if policy.valid_to is not None else 1 << 62
