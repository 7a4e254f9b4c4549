"""Hypothesis draws a ticket's life, so that a difference from the model shrinks to the shortest story."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slastream.core.books import Books
from slastream.core.fact import id_hash
from tests.property.ticket_model import Story, play
from tests.property.ticket_oracle import (
    CALENDARS,
    REOPEN,
    RETARGET,
    STATES,
    STATUSES,
    book_of,
    differences,
    drive,
    read,
    tell,
)

ACTORS = st.sampled_from(("agent", "automation", "customer", "unknown"))
PRIORITIES = st.sampled_from(("P1", "P2", None))


@st.composite
def events(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Return a creation and up to seven events, five minutes to two days apart, or of one instant."""
    at, told = 1440 + 540, []
    for number in range(draw(st.integers(1, 8))):
        said: dict[str, Any] = {
            "at": at, "id": f"e{number}", "tie": id_hash(f"e{number}"), "seq": None, "kind": "updated",
            "state": None, "on": "", "status": None, "comment": None, "created": None, "told": {},
            "actor": draw(ACTORS),
        }  # fmt: skip
        if number == 0:
            said["kind"], said["state"] = "created", "new"
            said["told"] = {"priority": draw(PRIORITIES)}
        else:
            what = draw(
                st.sampled_from(("state", "state", "priority", "comment", "deleted", "restored"))
            )
            if what == "state":
                said["state"] = draw(st.sampled_from(STATES))
                if said["state"] == "waiting":
                    said["on"] = draw(st.sampled_from(("client", "provider")))
            elif what == "priority":
                said["told"] = {"priority": draw(PRIORITIES)}
            elif what == "comment":
                said["comment"] = draw(st.sampled_from(("public", "internal")))
            else:
                said["kind"] = what
        told.append(said)
        at += draw(st.sampled_from((0, 5, 60, 480, 2880)))
    return told


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Return a story on one calendar, with the options that decide most."""
    options = {
        "reopen": draw(st.sampled_from(REOPEN)),
        "new_cycle_after": 240,
        "retarget_up": draw(st.sampled_from(RETARGET)),
        "retarget_down": draw(st.sampled_from(RETARGET)),
        "plan_origin": draw(st.sampled_from(("created", "responded"))),
        "pause_before_response": draw(st.booleans()),
    }
    told = draw(events())
    lengths = st.sampled_from((15, 120, 480))
    return {
        "seed": "drawn",
        "calendars": CALENDARS,
        "statuses": STATUSES,
        "policies": [
            {
                "name": "base", "contract": None, "calendar": draw(st.sampled_from(tuple(CALENDARS))),
                "options": options, "at_risk": (50.0, 90.0),
                "targets": {
                    name: {"p1": draw(lengths), "default": draw(lengths)}
                    for name in ("response", "plan", "resolution")
                },
            }
        ],
        "events": told,
        "end": told[-1]["at"] + draw(st.sampled_from((0, 60, 3000))),
    }  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(story=stories(), order=st.randoms(use_true_random=False))
def test_a_drawn_ticket_says_what_the_model_says(story: Story, order: Random) -> None:
    """Told in order or shuffled, with timers fired in between."""
    book = book_of(story)
    expected = play(story)
    for how in (0, 2):
        found = differences(
            read(story, drive(story, book, Random(order.random()), how), Books(book)), expected
        )

        assert found == [], tell(story)
