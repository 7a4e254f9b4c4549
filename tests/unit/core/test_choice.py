"""Which promise applies (D21, D23), and why the others do not (D47)."""

from __future__ import annotations

import pytest

from slastream.core.choice import UNCOVERED, Chooser
from slastream.core.policy import Indicator, Policy
from tests.support.desk import at, book, options, policy

RESOLUTION = int(Indicator.RESOLUTION)


def winner(
    attributes: dict[str, str | None], *policies: Policy, when: str = "2026-03-02 09:00"
) -> str:
    """Return the name of the policy that wins for these attributes."""
    return Chooser(book(*policies)).terms(attributes, at(when))[RESOLUTION].policy


ANYONE = policy("anyone", resolution="PT8H")
GOLD = policy("gold", when={"contract": "gold"}, resolution="PT4H")
HARBOUR = policy("harbour", when={"client": "harbour"}, resolution="PT2H")
URGENT = policy("urgent", when={"priority": "p1"}, resolution="PT1H")

RANKING = [
    ({}, "anyone"),
    ({"priority": "P1"}, "urgent"),
    ({"client": "Harbour", "priority": "P1"}, "harbour"),
    ({"client": "harbour", "contract": "GOLD", "priority": "P1"}, "gold"),
]


@pytest.mark.parametrize(("attributes", "name"), RANKING)
def test_the_most_specific_wins(attributes: dict[str, str | None], name: str) -> None:
    """Contract goes before client before priority before everyone, in any order of the file (D21)."""
    policies = [ANYONE, GOLD, HARBOUR, URGENT]

    assert winner(attributes, *policies) == winner(attributes, *reversed(policies)) == name


def test_rank_goes_before_specificity() -> None:
    """An explicit rank wins over any condition."""
    maintenance = policy("maintenance", rank=10, resolution="PT24H")

    assert winner({"contract": "gold"}, GOLD, maintenance) == "maintenance"


def test_of_two_alike_the_first_name_wins() -> None:
    """Deterministic to the last: equal in rank and specificity, the name decides."""
    alike = [policy(name, when={"client": "x"}, resolution="PT1H") for name in ("b", "a")]

    assert winner({"client": "x"}, *alike) == "a"


def test_two_conditions_are_more_than_one() -> None:
    """Client and type together are more specific than the client alone."""
    both = policy("both", when={"client": "harbour", "type": "incident"}, resolution="PT1H")

    assert winner({"client": "harbour", "type": "incident"}, HARBOUR, both) == "both"
    assert winner({"client": "harbour", "type": "request"}, HARBOUR, both) == "harbour"


def test_conditions_compare_without_case_and_blanks() -> None:
    """`Gold  Plus` is `gold plus`."""
    plus = policy("plus", when={"contract": "gold plus"}, resolution="PT1H")

    assert winner({"contract": " Gold   PLUS "}, plus, ANYONE) == "plus"


def test_a_policy_outside_its_validity_is_not_considered() -> None:
    """Valid from and to, half-open, by the start of the cycle."""
    spring = policy(
        "spring", rank=1, resolution="PT1H",
        valid_from="2026-03-01 00:00", valid_to="2026-06-01 00:00",
    )  # fmt: skip

    assert winner({}, spring, ANYONE, when="2026-02-28 23:59") == "anyone"
    assert winner({}, spring, ANYONE, when="2026-03-01 00:00") == "spring"
    assert winner({}, spring, ANYONE, when="2026-06-01 00:00") == "anyone"


def test_nobody_promised_anything() -> None:
    """A ticket that no policy covers is measured round the clock."""
    terms = Chooser(book(GOLD)).terms({"contract": "silver"}, 0)

    assert terms == (UNCOVERED, UNCOVERED, UNCOVERED)


def test_the_default_row_serves_an_unknown_priority() -> None:
    """Without a priority, or with one that has no row, the default row applies (D23)."""
    rows = policy(resolution={"P1": "PT1H", "default": "PT8H"})
    chooser = Chooser(book(rows))

    def hours(priority: str | None) -> int:
        target = chooser.terms({"priority": priority}, 0)[RESOLUTION].target
        assert target is not None
        return target.amount // 3_600_000

    assert [hours("P1"), hours("p1"), hours("P7"), hours(None)] == [1, 1, 8, 8]


def test_no_row_and_no_default_is_no_promise() -> None:
    """Measured, not judged: a priority without a row."""
    rows = policy(resolution={"P1": "PT1H"})

    assert Chooser(book(rows)).terms({"priority": "P2"}, 0)[RESOLUTION].target is None


def test_strictest_per_indicator() -> None:
    """`strictest`: the shortest matching target wins for each indicator apart."""
    strict = options(strictest=True)
    one = policy(
        "one", when={"contract": "gold"}, response="PT1H", resolution="PT8H", options=strict
    )
    two = policy("two", response="PT2H", resolution="PT4H", options=strict)
    terms = Chooser(book(one, two)).terms({"contract": "gold"}, 0)

    assert [each.policy for each in terms][::2] == ["one", "two"]


def test_losers_say_why() -> None:
    """Every policy that was looked at says in words why it won or lost (D47)."""
    chooser = Chooser(book(ANYONE, GOLD, HARBOUR, policy("top", rank=3, when={"type": "x"})))
    told = {
        each.policy.name: (each.won, each.reason)
        for each in chooser.considered({"contract": "gold", "client": "leith"}, 0)
    }

    assert told["gold"][0] is True
    assert told["anyone"] == (False, "less specific than gold")
    assert told["harbour"] == (False, "client is 'leith', not harbour")
    assert told["top"] == (False, "type is not known")


def test_a_thousand_policies_are_found_by_their_client() -> None:
    """One policy a client, a thousand clients: each finds its own."""
    many = [
        policy(f"p{n}", when={"client": f"c{n}"}, resolution=f"PT{n + 1}M") for n in range(1000)
    ]
    chooser = Chooser(book(*many))

    assert [chooser.terms({"client": f"C{n}"}, 0)[RESOLUTION].policy for n in (0, 500, 999)] == [
        "p0", "p500", "p999",
    ]  # fmt: skip
