"""The short form of the simulation; `python -m tests.sim.run --seeds 5000` is the long one."""

from __future__ import annotations

import pytest

from tests.sim.run import simulate

SEEDS, CHUNK = 200, 20


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_faults_lose_nothing_and_repeat_nothing(first: int) -> None:
    """Whatever fails and whoever takes over, each fact is announced once, and the end is the model's."""
    for seed in range(first, first + CHUNK):
        simulate(seed)


KEPT = (1115, 2246, 2763, 6629, 10854, 14222)
"""Seeds that once told of a bug."""


@pytest.mark.parametrize("seed", KEPT)
def test_a_seed_that_once_found_a_bug(seed: int) -> None:
    """A failing seed is kept."""
    simulate(seed)
