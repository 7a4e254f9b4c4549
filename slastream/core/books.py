"""All the versions of all the books that a worker has read, and what was in force when (D24, D28).

A policy is pinned by the start of a cycle, a mapping by the time of each event, a calendar by each
instant that is measured. The first version of a tenant's book also covers the time before it:
a ticket that is older than the book is judged by the earliest promise that is known.
"""

from __future__ import annotations

from bisect import bisect_right
from types import MappingProxyType
from typing import Final

from mypy_extensions import mypyc_attr

from slastream.core.choice import Chooser
from slastream.core.coverage import ALWAYS, Coverage, Stitched, coverage
from slastream.core.instant import Instant, Millis
from slastream.core.policy import Book, Mapped, Options, Policy, SourceMapping, fold_text
from slastream.core.shapes import Clock

NO_MAPPING: Final = SourceMapping()

ANY_STATUS: Final = "*"

NO_OPTIONS: Final = Options()


@mypyc_attr(acyclic=True)
class Step:
    """One level of a clock with a known target: reached at `offset` elapsed milliseconds."""

    def __init__(self, offset: Millis, kind: int, text: str) -> None:
        self.offset = offset
        self.kind = kind
        """0 at risk, 1 breach, 2 overdue."""
        self.text = text


AT_RISK: Final = 0
BREACH: Final = 1
OVERDUE: Final = 2


class Version:
    """One book in force: its policies indexed, its mappings remembered."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.chooser = Chooser(book)
        self._statuses: dict[tuple[str, str | None, str | None, str | None], Mapped | None] = {}

    def mapping(self, source: str) -> SourceMapping:
        """Return how this source's words are read; an empty mapping when the book says nothing."""
        return self.book.sources.get(source, NO_MAPPING)

    def state(
        self, source: str, board: str | None, status: str | None, sub: str | None
    ) -> Mapped | None:
        """Return what a raw status means, the most specific entry first, or None when unmapped (D03)."""
        key = (source, board, status, sub)
        try:
            return self._statuses[key]
        except KeyError:
            if len(self._statuses) > 50_000:
                self._statuses.clear()
            found = self._statuses[key] = _look_up(self.mapping(source), board, status, sub)
            return found


def _look_up(
    mapping: SourceMapping, board: str | None, status: str | None, sub: str | None
) -> Mapped | None:
    b, s, u = (fold_text(part) if part else "" for part in (board, status, sub))
    for key in ((b, s, u), (b, s, ""), ("", s, u), ("", s, "")):
        if key[1] and key in mapping.statuses:
            return mapping.statuses[key]
    return mapping.statuses.get(("", ANY_STATUS, u)) if s and u else None


class TenantBooks:
    """The versions of one tenant's book, in order of `effective_from`; of two equal ones, the last rules."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self.versions: list[Version] = []
        self._starts: list[Instant] = []
        self._named: dict[str, Version] = {}
        self._coverages: dict[str, Coverage] = {}
        self._options: dict[tuple[str, str], Options] = {}
        self._steps: dict[tuple[str, str, Millis], tuple[Step, ...]] = {}
        self.fingerprint = ""

    def add(self, book: Book) -> bool:
        """Add a version; returns False when it is known already."""
        if book.version in self._named:
            return False
        at = bisect_right(self._starts, book.effective_from)
        version = self._named[book.version] = Version(book)
        self.versions.insert(at, version)
        self._starts.insert(at, book.effective_from)
        self._coverages.clear()
        self._steps.clear()
        self.fingerprint = "+".join(
            version.book.version.rpartition("#")[2] for version in self.versions
        )
        return True

    def lacks(self, fingerprint: str) -> list[str]:
        """Return the versions of an earlier fingerprint that this worker has not read."""
        ours = set(self.fingerprint.split("+"))
        return [version for version in fingerprint.split("+") if version and version not in ours]

    def at(self, instant: Instant) -> Version:
        """Return the version in force at an instant."""
        return self.versions[max(0, bisect_right(self._starts, instant) - 1)]

    def named(self, version: str) -> Version | None:
        """Return the version of that name, or None when no worker has read it yet."""
        return self._named.get(version)

    def coverage(self, calendar: str) -> Coverage:
        """Return the coverage of a calendar, each version ruling from its instant on (D28)."""
        found = self._coverages.get(calendar)
        if found is None:
            found = self._coverages[calendar] = self._stitch(calendar)
        return found

    def _stitch(self, name: str) -> Coverage:
        parts = [
            (version.book.effective_from, version.book.calendars[name])
            for version in self.versions
            if name in version.book.calendars
        ]
        distinct = [part for i, part in enumerate(parts) if i == 0 or part[1] != parts[i - 1][1]]
        if not distinct:
            return ALWAYS
        if len(distinct) == 1:
            return coverage(distinct[0][1])
        return Stitched([(start, coverage(calendar)) for start, calendar in distinct])

    def policy_of(self, clock: Clock) -> Policy | None:
        """Return the policy that a clock is pinned to, None when nobody promised anything."""
        version = self.named(clock.book)
        return version.chooser.by_name.get(clock.policy) if version is not None else None

    def options_of(self, clock: Clock) -> Options:
        """Return the options of the policy that judges a clock, the book's own where none does."""
        key = (clock.book, clock.policy)
        found = self._options.get(key)
        if found is None:
            version = self.named(clock.book)
            if version is None:
                return NO_OPTIONS
            policy = version.chooser.by_name.get(clock.policy)
            found = self._options[key] = (
                version.chooser.defaults if policy is None else policy.options
            )
        return found

    def steps_for(self, clock: Clock) -> tuple[Step, ...]:
        """Return the levels of a clock in the order in which they are reached; () without a target."""
        if clock.target is None:
            return ()
        key = (clock.book, clock.policy, clock.target)
        found = self._steps.get(key)
        if found is None:
            if len(self._steps) > 50_000:
                self._steps.clear()
            policy = self.policy_of(clock)
            found = self._steps[key] = compile_steps(policy, clock.target) if policy else ()
        return found


def compile_steps(policy: Policy, target: Millis) -> tuple[Step, ...]:
    """Return at-risk levels, the breach and overdue levels, each at its elapsed time.

    A level that lies before the start (15 minutes left of a target of one) is reached at once (D31).
    """
    steps = [
        Step(min(max(0, level.offset(target)), target), AT_RISK, level.text)
        for level in policy.at_risk
    ]
    steps.append(Step(target, BREACH, "breach"))
    steps += [
        Step(max(target, level.offset(target)), OVERDUE, level.text) for level in policy.overdue
    ]
    return tuple(sorted(steps, key=lambda step: (step.kind, step.offset)))


class Books:
    """Every tenant's books."""

    def __init__(self, *books: Book) -> None:
        self._tenants: dict[str, TenantBooks] = {}
        self._bookless: dict[str, TenantBooks] = {}
        for book in books:
            self.add(book)

    def add(self, book: Book) -> bool:
        """Add one version; returns False when it is known already."""
        return self._tenants.setdefault(book.tenant, TenantBooks(book.tenant)).add(book)

    def of(self, tenant: str) -> TenantBooks:
        """Return the books of a tenant; one that has none is measured around the clock and never judged."""
        found = self._tenants.get(tenant) or self._bookless.get(tenant)
        if found is None:
            found = self._bookless[tenant] = TenantBooks(tenant)
            found.add(_nothing(tenant))
        return found

    def fingerprint(self) -> str:
        """Return what changes whenever any tenant's books do."""
        return " ".join(
            f"{tenant}={self._tenants[tenant].fingerprint}" for tenant in self.tenants()
        )

    def tenants(self) -> list[str]:
        """Return the tenants that have a book."""
        return sorted(self._tenants)


def _nothing(tenant: str) -> Book:
    return Book(tenant, 0, "", MappingProxyType({}), (), MappingProxyType({}))
