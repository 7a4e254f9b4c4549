"""What a new version of a book would do to open tickets."""

from __future__ import annotations

from pathlib import Path

import orjson
from click.testing import CliRunner

from slastream.cli import root
from slastream.core.event import Event
from slastream.core.policy import Book
from slastream.offline.effect import Effect, effect
from slastream.offline.histories import read_histories
from slastream.offline.run import Trouble
from tests.support.desk import NINE_TO_FIVE, at, book, event, holiday, office, policy

OLD = book(policy(resolution="PT8H", calendar="office"), calendars=(NINE_TO_FIVE,), version="1#a")
OPEN = [event("2026-03-02 09:00", "created", client="dental")]


def ask(
    new: Book, *events: Event, as_of: str = "2026-03-02 12:00", old: tuple[Book, ...] = (OLD,)
) -> Effect:
    histories = list(read_histories(events, None, lambda _: None).histories.values())
    return effect(histories, old, [new], at(as_of), Trouble())


def told(found: Effect) -> list[tuple[str, str, str | None, str | None]]:
    return [
        (row["indicator"], row["effect"], row["due_before"], row["due_after"])
        for row in found.changes
    ]


def test_a_stricter_target_tells_who_would_breach_now() -> None:
    """Three hours are gone, and the new promise is two."""
    new = book(
        policy(resolution="PT2H", calendar="office"), calendars=(NINE_TO_FIVE,), version="2#b"
    )
    found = ask(new, *OPEN)

    assert ["acme/desk/1"] == found.breaching
    assert ("resolution", "breaches now") == told(found)[0][:2]


def test_a_holiday_from_a_later_version_moves_the_due_date() -> None:
    """From its instant on; what has elapsed keeps the old hours (D28)."""
    new = book(
        policy(resolution="PT8H", calendar="office"),
        calendars=(office("UTC", holiday("2026-03-03")),),
        effective_from="2026-03-02 13:00",
        version="2#b",
    )
    found = ask(new, event("2026-03-02 10:00", "created"))

    assert [
        ("resolution", "due later", "2026-03-03T10:00:00.000Z", "2026-03-04T10:00:00.000Z")
    ] == told(found)


def test_a_target_that_takes_effect_later_leaves_open_tickets_alone() -> None:
    """A policy is pinned by the start of the cycle (D24)."""
    new = book(
        policy(resolution="PT1H", calendar="office"), calendars=(NINE_TO_FIVE,),
        effective_from="2026-03-02 11:00", version="2#b",
    )  # fmt: skip
    found = ask(new, *OPEN)

    assert (1, []) == (found.open_tickets, told(found))


def test_resolved_tickets_and_other_tenants_are_not_asked() -> None:
    """Their outcome stands."""
    new = book(
        policy(resolution="PT2H", calendar="office"), calendars=(NINE_TO_FIVE,), version="2#b"
    )
    done = event("2026-03-02 11:30", state="resolved")
    other = event("2026-03-02 09:00", "created", "2", tenant="somebody")

    assert 0 == ask(new, *OPEN, done, other).open_tickets


def test_without_a_book_in_force_the_first_promise_judges() -> None:
    """Nothing was promised before."""
    found = ask(OLD, *OPEN, old=())

    assert [("resolution", "judged now", None, "2026-03-02T17:00:00.000Z")] == [
        each for each in told(found) if each[0] == "resolution"
    ]


BOOK = """
apiVersion: slastream/v1
effective_from: 2026-01-01T00:00:00Z
tenant: acme
policies: [{name: all, calendar: 24x7, targets: {resolution: {default: PT%dH}}}]
"""


def test_check_says_no_when_more_tickets_than_allowed_would_breach(tmp_path: Path) -> None:
    """`--most` makes it an answer for a pipeline."""
    (tmp_path / "old.yaml").write_text(BOOK % 8)
    (tmp_path / "new.yaml").write_text(BOOK % 2)
    line = {"tenant": "acme", "source": "desk", "ticket": "1", "kind": "created",
            "occurred_at": "2026-03-02T09:00:00Z"}  # fmt: skip
    (tmp_path / "events.jsonl").write_bytes(orjson.dumps(line))
    args = ["check", str(tmp_path / "new.yaml"), "--against", str(tmp_path / "events.jsonl"),
            "--from", str(tmp_path / "old.yaml"), "--as-of", "2026-03-02T12:00:00Z"]  # fmt: skip
    allowed = CliRunner().invoke(root, args)
    refused = CliRunner().invoke(root, [*args, "--most", "0", "--format", "json"])

    assert (0, 1) == (allowed.exit_code, refused.exit_code)
    assert "1 tickets would be in breach at once" in allowed.stdout
    assert ["acme/desk/1"] == orjson.loads(refused.stdout)["breaching"]
