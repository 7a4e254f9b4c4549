"""A clock and the terms that judge it: chosen when it is made, and again when its ticket changes (D19, D21)."""

from __future__ import annotations

from typing import Any, Final

from slastream.core import clock as clocks
from slastream.core.books import TenantBooks, Version
from slastream.core.choice import Terms
from slastream.core.instant import Instant
from slastream.core.policy import Indicator
from slastream.core.retarget import meant, retarget, target_length
from slastream.core.shapes import Clock, Fold, Phase

RESPONSE: Final = int(Indicator.RESPONSE)
PLAN: Final = int(Indicator.PLAN)


def version_of(clock: Clock, books: TenantBooks) -> Version:
    """Return the book version that a clock is pinned to (D24)."""
    return books.named(clock.book) or books.at(clock.started)


def first_version(attributes: dict[str, Any], at: Instant, books: TenantBooks) -> Version:
    """Return the version that a cycle starting at `at` is pinned to: the one in force, or the newest (D24)."""
    version, latest = books.at(at), books.versions[-1]
    if latest is not version:
        terms = version.chooser.terms(attributes, at)[RESPONSE]
        if terms.options.policy_pin == "latest":
            return latest
    return version


def _version_now(clock: Clock, at: Instant, books: TenantBooks) -> Version:
    if books.options_of(clock).policy_pin == "at_each_change":
        return books.at(at)
    return version_of(clock, books)


def new_clock(
    ticket: Fold,
    indicator: int,
    cycle: int,
    at: Instant,
    terms: Terms,
    version: Version,
    books: TenantBooks,
) -> Clock:
    coverage = books.coverage(terms.calendar)
    options = terms.options
    started = at
    if cycle == 1 and options.start == "next_open":
        started = coverage.next_open(at)
    elif cycle == 1 and options.start == "next_day":
        started = coverage.next_working_day(at)
    target = terms.target
    clock = Clock(
        indicator=indicator,
        cycle=cycle,
        started=started,
        policy=terms.policy,
        book=version.book.version,
        calendar=terms.calendar,
        amount=target.amount if target else None,
        bd=target is not None and target.unit == "bd",
        target=target_length(target, coverage, started, options)
        if target and ticket.known
        else None,
        until=meant(target, coverage, started, options) if target else None,
    )
    if indicator == PLAN and options.plan_origin == "responded":
        clock.phase = Phase.PENDING
        return clock
    start(clock, started, books)
    return clock


def start(clock: Clock, at: Instant, books: TenantBooks) -> None:
    clocks.run(clock, at, books.coverage(clock.calendar), books.steps_for(clock))


def reconsider(ticket: Fold, clock: Clock, at: Instant, books: TenantBooks) -> None:
    """Choose again after a change of attributes, and retarget the clock when its terms changed (D19)."""
    version = _version_now(clock, at, books)
    attributes = ticket.attributes
    terms = version.chooser.terms(attributes, clock.started)[clock.indicator]
    if terms.options.merge == "inherit_strictest_target":
        for priority in attributes.get("absorbed_priorities", ()):
            inherited = version.chooser.terms({**attributes, "priority": priority}, clock.started)
            other = inherited[clock.indicator]
            if _length(other, clock, books) < _length(terms, clock, books):
                terms = other
    if clock.indicator == RESPONSE and attributes.get("response") == "skip":
        terms = terms._replace(target=None)
    if retarget(ticket, clock, at, terms, version.book.version, books):
        ticket.horizon = max(ticket.horizon, at)


def _length(terms: Terms, clock: Clock, books: TenantBooks) -> float:
    if terms.target is None:
        return float("inf")
    coverage = books.coverage(terms.calendar)
    return target_length(terms.target, coverage, clock.started, terms.options)
