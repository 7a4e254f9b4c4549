"""Draws the states of a clock, as they are, into `docs/semantics.md`: `python -m docs.draw_clock`.

Nothing here knows how a clock moves. Every history of a few states is told to a real ticket, and
what its clocks do is drawn; the table of modes is `slastream.core.clock.MODES` itself. A test
compares the document with what this would draw.
"""

from __future__ import annotations

import re
import sys
from itertools import product
from pathlib import Path
from types import MappingProxyType

from slastream.core.books import TenantBooks
from slastream.core.calendar import Calendar
from slastream.core.clock import MODES, live
from slastream.core.event import State
from slastream.core.fact import AGENT, CREATED, UPDATED, Fact
from slastream.core.policy import Book, Indicator, Options, Policy, Target
from slastream.core.shapes import Phase
from slastream.core.ticket import begin, step

PAGE = Path(__file__).parent / "semantics.md"
BLOCK = re.compile(r"(<!-- drawn: .*? -->\n).*?(<!-- end of the drawing -->)", re.DOTALL)

HOUR = 3_600_000
STEPS = 4
"""Facts after the creation: enough to reach every phase and to leave it again."""

WAITS = {"waiting/client": "client", "waiting/provider": "provider"}
TOLD: dict[str, tuple[State, str]] = {
    **{state.label: (state, "") for state in State if state != State.WAITING},
    **{name: (State.WAITING, on) for name, on in WAITS.items()},
}
"""What is told of a ticket: every canonical state, waiting once for each side."""

Edges = dict[tuple[str, str], set[str]]


def books(options: Options) -> TenantBooks:
    """Return a tenant's only book: one promise for everybody, around the clock."""
    hours = MappingProxyType({"default": Target(100 * HOUR)})
    promise = Policy(
        "promise",
        "24x7",
        targets=MappingProxyType(dict.fromkeys(Indicator, hours)),
        options=options,
    )
    always = MappingProxyType({"24x7": Calendar("24x7", always=True)})
    tenant = TenantBooks("drawn")
    tenant.add(Book("drawn", 0, "drawn#1", always, (promise,), MappingProxyType({})))
    return tenant


def edges(options: Options) -> dict[Indicator, Edges]:
    """Return for each indicator from which phase to which a state takes its clock, by a human's hand."""
    found: dict[Indicator, Edges] = {indicator: {} for indicator in Indicator}
    judge = books(options)
    first = Fact(0, -1, -1, 0, CREATED, 0, state=State.NEW, actor=AGENT)
    for story in product(TOLD, repeat=STEPS):
        ticket = begin([first], [], "drawn", judge)
        step(ticket, first, [], judge)
        for number, name in enumerate(story, 1):
            state, on = TOLD[name]
            at = number * HOUR
            before = [clock.phase for clock in live(ticket.clocks)]
            step(
                ticket,
                Fact(at, -1, 0, number, UPDATED, at, state=state, on=on, actor=AGENT),
                [],
                judge,
            )
            for indicator, was, clock in zip(Indicator, before, live(ticket.clocks), strict=True):
                if was != clock.phase:
                    pair = Phase(was).label, Phase(clock.phase).label
                    found[indicator].setdefault(pair, set()).add(name)
    return found


def diagram(indicator: Indicator, found: Edges, begins: Phase = Phase.RUNNING) -> list[str]:
    """Return a mermaid state diagram."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {begins.label}: created"]
    order = [phase.label for phase in Phase]
    for was, then in sorted(found, key=lambda pair: (order.index(pair[0]), order.index(pair[1]))):
        names = [name for name in TOLD if name in found[was, then]]
        lines.append(f"    {was} --> {then}: {', '.join(names)}")
    return [f"**{indicator.label}**", "", *lines, "```", ""]


def modes() -> list[str]:
    """Return the transition table as it stands in the code."""
    lines = [f"| state | {' | '.join(indicator.label for indicator in Indicator)} |"]
    lines.append("|---" * (len(Indicator) + 1) + "|")
    for state in State:
        asked = " | ".join(MODES[indicator][state].name.lower() for indicator in Indicator)
        lines.append(f"| {state.label} | {asked} |")
    return [*lines, ""]


def drawing() -> str:
    """Return what belongs between the marks of the page."""
    lines = ["", *modes()]
    found = edges(Options())
    for indicator in Indicator:
        lines += diagram(indicator, found[indicator])
    late = edges(Options(plan_origin="responded"))[Indicator.PLAN]
    told = diagram(Indicator.PLAN, late, Phase.PENDING)
    told[0] = "**plan**, with `plan_origin: responded`"
    return "\n".join([*lines, *told, ""])


def drawn(page: str) -> str:
    """Return the page with the drawing as it should be."""
    return BLOCK.sub(lambda found: found[1] + drawing() + found[2], page)


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text("utf-8")), "utf-8")
    sys.stdout.write(f"{PAGE.name} is drawn\n")
