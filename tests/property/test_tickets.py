"""The short form of `make oracle`: random tickets agree with the model in any order of arrival."""

from __future__ import annotations

import pytest

from tests.property.ticket_oracle import check, story_of, tell

HISTORIES, ORDERS, CHUNK = 200, 5, 20


@pytest.mark.parametrize("first", range(0, HISTORIES, CHUNK))
def test_a_ticket_says_what_the_model_says(first: int) -> None:
    """Phase, outcome, elapsed, due, breach, pause and cycles do not depend on the order of arrival."""
    for seed in range(first, first + CHUNK):
        found = check(seed, ORDERS)

        assert found == [], tell(story_of(seed))


KEPT = (
    0,
    15,
    17,
    33,
    61,
    71,
    186,
    239,
    279,
    359,
    442,
    503,
    577,
    690,
    907,
    1163,
    1231,
    1344,
    2246,
    11447,
    20097,
    21461,
)
"""Seeds that once told of a bug."""


@pytest.mark.parametrize("seed", KEPT)
def test_a_story_that_once_found_a_bug(seed: int) -> None:
    """A failing seed is kept."""
    assert check(seed) == []
