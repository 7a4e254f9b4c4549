"""The proof: rows that sum to what a clock says (D01, D47)."""

from __future__ import annotations

import json

from slastream.core.ledger import Row
from slastream.snapshot import Written, ledger_rows
from tests.support.desk import AGENT, Desk, book, policy


def lived() -> Desk:
    """Return a ticket that was new, worked on, paused over the night, and worked on."""
    desk = Desk(book(policy(calendar="office", resolution="PT4H")))
    desk.say("2026-03-02 09:00", "created", state="new")
    desk.say("2026-03-02 10:00", state="in_progress", actor=AGENT)
    desk.say("2026-03-02 11:00", state="waiting", waiting_on="client")
    desk.say("2026-03-03 10:00", state="in_progress", actor=AGENT)
    return desk.until("2026-03-03 12:00:01")


def test_rows_say_what_counted_and_what_was_waited() -> None:
    """Each stretch with its state, what it counted in working time, and what it only waited."""
    rows = [
        (row["state"], row["counted_ms"] / 60_000, row.get("waited_ms", 0) / 60_000)
        for row in lived().clock("resolution").ledger
    ]

    assert rows[:3] == [("new", 60, 0), ("in_progress", 60, 0), ("waiting", 0, 420)]
    assert rows[3][0] == "in_progress"


def test_the_rows_of_an_alert_sum_to_its_elapsed_time() -> None:
    """A breach brings its proof: exactly the target, in three rows."""
    breach = lived().alerts[-1].value
    assert breach is not None

    assert breach["reached_at"] == "2026-03-03T12:00:00.000Z"
    assert sum(row["counted_ms"] for row in breach["because"]) == breach["target_ms"]
    assert breach["because"][2]["waiting_on"] == "client"


def test_many_rows_are_summed_into_the_first() -> None:
    """A long life is cut to the last rows, and still sums exactly."""
    rows = [Row(n, n + 1, "new" if n % 2 else "waiting", "", n, 0) for n in range(100)]
    short = json.loads(f"[{ledger_rows(rows, 12, Written())}]")

    assert len(short) == 12
    assert short[0]["state"] == "earlier"
    assert sum(row["counted_ms"] for row in short) == sum(range(100))


def test_what_was_carried_into_a_new_target_is_a_row() -> None:
    """`carry_elapsed_percent`: the part that was carried over stands in the proof as such."""
    from tests.support.desk import options

    promise = policy(
        resolution={"P1": "PT2H", "P3": "PT8H"},
        options=options(retarget_up="carry_elapsed_percent"),
    )
    desk = Desk(book(promise)).say("2026-03-02 09:00", "created", state="new", priority="P3")
    desk.say("2026-03-02 10:00", priority="P1")
    rows = desk.clock("resolution").ledger

    assert (rows[0]["state"], rows[0]["counted_ms"]) == ("carried", 15 * 60_000)
