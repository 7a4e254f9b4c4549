"""Which promise applies to a ticket (D21): deterministic, cached, and able to say why.

One winner a ticket: rank, then the specificity vector, then the name. Thousands of policies in a
book are normal, so candidates are found through an index of the conditions' values, and a winner
is remembered by the tuple of the attributes that any condition looks at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from slastream.core.instant import Instant
from slastream.core.policy import Book, Indicator, Level, Options, Policy, Target, fold_text

SPECIFICITY: Final = ("number", "contract", "client", "site", "service", "type", "priority")
"""The vector of D21, most specific first; every other attribute weighs less than these.

A ticket override names the number that people see."""

ALWAYS_NAME: Final = "24x7"


class Terms(NamedTuple):
    """What one clock is judged by: the winner's name, calendar, target (None: measured), levels."""

    policy: str
    calendar: str
    target: Target | None
    options: Options
    at_risk: tuple[Level, ...]
    overdue: tuple[Level, ...]
    objective: float | None


UNCOVERED: Final = Terms("", ALWAYS_NAME, None, Options(), (), (), None)
"""The terms of a ticket for which nobody promised anything: measured around the clock."""


class Considered(NamedTuple):
    """One policy that was looked at, for `explain`."""

    policy: Policy
    won: bool
    reason: str


def _specificity(policy: Policy) -> tuple[int, ...]:
    named = tuple(int(name in policy.when) for name in SPECIFICITY)
    return (*named, sum(name not in SPECIFICITY for name in policy.when))


def _order(policy: Policy) -> tuple[int, tuple[int, ...]]:
    return policy.rank, _specificity(policy)


class Chooser:
    """The policies of one book version, indexed."""

    def __init__(self, book: Book) -> None:
        self._policies = sorted(book.policies, key=lambda policy: policy.name)
        self._policies.sort(key=_order, reverse=True)
        self._place = {policy.name: place for place, policy in enumerate(self._policies)}
        self.by_name = {policy.name: policy for policy in self._policies}
        self._looked_at = tuple(
            sorted({name for policy in self._policies for name in policy.when} | {"priority"})
        )
        self._dated = any(policy.valid_from or policy.valid_to for policy in self._policies)
        self._by_value: dict[tuple[str, str], list[Policy]] = {}
        self._open: list[Policy] = []
        for policy in self._policies:
            self._index(policy)
        self.defaults = book.extra.get("options") or Options()
        uncovered = UNCOVERED._replace(options=self.defaults)
        self._uncovered = (uncovered, uncovered, uncovered)
        self._remembered: dict[object, tuple[Terms, Terms, Terms]] = {}

    def _index(self, policy: Policy) -> None:
        if not policy.when:
            self._open.append(policy)
            return
        # The rarest condition is the one worth an index entry: clients differ, types do not.
        name = next(
            (name for name in ("number", "client", "contract", "site") if name in policy.when), None
        )
        name = name or next(iter(policy.when))
        for value in policy.when[name]:
            self._by_value.setdefault((name, value), []).append(policy)

    def terms(self, attributes: Mapping[str, object], at: Instant) -> tuple[Terms, Terms, Terms]:
        """Return the terms of response, plan and resolution for a ticket with these attributes.

        `at` is the start of the cycle: a policy outside its validity then is not considered.
        """
        told = tuple([attributes.get(name) for name in self._looked_at])
        key: object = (told, at) if self._dated else told
        found = self._remembered.get(key)
        if found is None:
            if len(self._remembered) > 100_000:
                self._remembered.clear()
            found = self._remembered[key] = self._choose(attributes, at)
        return found

    def _choose(self, attributes: Mapping[str, object], at: Instant) -> tuple[Terms, Terms, Terms]:
        matching = self._matching(attributes, at)
        if not matching:
            return self._uncovered
        told = attributes.get("priority")
        priority = fold_text(told) if isinstance(told, str) else ""
        return (
            self._one(matching, Indicator.RESPONSE, priority),
            self._one(matching, Indicator.PLAN, priority),
            self._one(matching, Indicator.RESOLUTION, priority),
        )

    def _matching(self, attributes: Mapping[str, object], at: Instant) -> list[Policy]:
        folded = _folded(attributes)
        candidates = list(self._open)
        for pair in folded.items():
            candidates += self._by_value.get(pair, ())
        matching = [policy for policy in candidates if _misses(policy, folded, at) is None]
        return sorted(matching, key=lambda policy: self._place[policy.name])

    def _one(self, matching: list[Policy], indicator: Indicator, priority: str) -> Terms:
        winner = matching[0]
        if winner.options.strictest:
            winner = min(
                matching, key=lambda policy: _length(target_of(policy, indicator, priority))
            )
        return terms_of(winner, indicator, target_of(winner, indicator, priority))

    def considered(self, attributes: Mapping[str, object], at: Instant) -> list[Considered]:
        """Return every policy with the reason why it won or lost, best first (D47)."""
        folded = _folded(attributes)
        verdicts: list[Considered] = []
        winner: Policy | None = None
        for policy in self._policies:
            missed = _misses(policy, folded, at)
            if missed is not None:
                verdicts.append(Considered(policy, False, missed))
            elif winner is None:
                winner = policy
                conditions = ", ".join(policy.when) or "no condition"
                verdicts.append(
                    Considered(policy, True, f"matches ({conditions}), rank {policy.rank}")
                )
            else:
                verdicts.append(Considered(policy, False, _lost_to(winner, policy)))
        return verdicts


def _folded(attributes: Mapping[str, object]) -> dict[str, str]:
    """Return the texts among the attributes, folded: a source's own verdict (`reported`) is none."""
    return {
        name: fold_text(value)
        for name, value in attributes.items()
        if isinstance(value, str) and value
    }


def _misses(policy: Policy, folded: Mapping[str, str], at: Instant) -> str | None:
    """Return why a policy does not apply, or None when it does."""
    if policy.valid_from is not None and at < policy.valid_from:
        return "not yet valid when the cycle started"
    if policy.valid_to is not None and at >= policy.valid_to:
        return "no longer valid when the cycle started"
    for name, accepted in policy.when.items():
        if folded.get(name) not in accepted:
            told = folded.get(name)
            return (
                f"{name} is {told!r}, not {' or '.join(accepted)}"
                if told
                else f"{name} is not known"
            )
    return None


def _lost_to(winner: Policy, loser: Policy) -> str:
    if winner.rank != loser.rank:
        return f"rank {loser.rank} is below {winner.rank} of {winner.name}"
    if _specificity(winner) != _specificity(loser):
        return f"less specific than {winner.name}"
    return f"as specific as {winner.name}, whose name comes first"


def target_of(policy: Policy, indicator: Indicator, priority: str) -> Target | None:
    """Return the target of a policy for a folded priority, or its default row (D23), or None."""
    targets = policy.targets.get(indicator)
    if targets is None:
        return None
    return targets[priority] if priority in targets else targets.get("default")


def terms_of(policy: Policy, indicator: Indicator, target: Target | None) -> Terms:
    """Return the terms that a policy gives one indicator."""
    objective = policy.objective.get(indicator)
    return Terms(
        policy.name,
        policy.calendar,
        target,
        policy.options,
        policy.at_risk,
        policy.overdue,
        objective,
    )


def _length(target: Target | None) -> float:
    """Return a length to compare targets of different policies by; a business day counts as 8 hours."""
    if target is None:
        return float("inf")
    return target.amount * 28_800_000.0 if target.unit == "bd" else float(target.amount)
