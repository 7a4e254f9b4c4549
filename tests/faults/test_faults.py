"""The short form of the fault matrix; `make faults` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.clocks import CLOCKS, clocks, library
from tests.faults.run import Log, matrix
from tests.faults.sabotage import command_without
from tests.faults.world import Verdict

FEW = (
    "killed at committed",
    "paused past its session",
    "answers lost",
    "broker killed",
    "disk lost",
    "joined and left",
    "poisoned",
)
"""One of each family. The others differ in the details of the same fault."""


def wrong(verdicts: list[Verdict]) -> list[str]:
    """Return everything that was found, in words."""
    return [
        f"{verdict.kind} ({verdict.what}): {name} {line}"
        for verdict in verdicts
        for name in ("lost", "twice", "different")
        for line in getattr(verdict, name)
    ]


async def test_nothing_is_lost_or_doubled_whatever_fails() -> None:
    """After each fault, what a read-committed consumer has is what an offline run says, each id once."""
    log = Log()
    await matrix(log, seed=7, rounds=1, only=FEW)

    assert [] == wrong(log.verdicts)
    assert len(FEW) + 1 == len(log.verdicts)
    assert log.faults >= 9


async def test_the_clock_steps_by_an_hour(tmp_path: Path) -> None:
    """While a worker's clock is an hour wrong nothing is announced early; afterwards all of it is there."""
    if library() is None:
        pytest.skip(
            "libfaketime is not installed: apt-get install --no-install-recommends faketime"
        )
    found: list[Verdict] = []
    await clocks(found.append, lambda _: None, tmp_path / "clocks", seed=7, rounds=1)

    assert [] == wrong(found)
    assert len(CLOCKS) + 1 == len(found)


async def test_a_broken_rule_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A matrix that stays green on workers whose disk is ahead of the changelog would prove nothing."""
    monkeypatch.setattr("tests.faults.world.PATIENCE", 8.0)
    log = Log()
    command = command_without("store before commit")
    await matrix(log, seed=2, rounds=3, only=("killed at computed",), command=command)

    assert not log.good
