"""What is said while a worker recovers."""

from __future__ import annotations

import asyncio

import pytest

from slastream.observe.progress import Progress, Replaying, sentence


def test_a_line_says_how_far_and_how_long() -> None:
    """Rows that are done and left, how fast, and the seconds that are left."""
    said = sentence([Replaying(0, 150_000, 50_000), Replaying(3, 50_000, 150_000)], 100_000.0)

    assert said == (
        "recovery [##########..........]  50% of partition 0, 3: 200,000 rows replayed, 200,000 left, "
        "100,000 rows/s, 2 s to go"
    )


def test_nothing_is_known_at_first() -> None:
    """A recovery that has not begun to replay has no speed and no end."""
    assert sentence([Replaying(0, 0, 7)], 0.0).endswith("0 rows replayed, 7 left")


async def test_a_line_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    """Lines come while there is something to recover, and none before or after."""
    states = iter([[], [Replaying(1, 100, 900)], [Replaying(1, 600, 400)], []])
    progress = Progress(lambda: next(states, []), 0.01)
    with caplog.at_level("INFO"):
        task = asyncio.create_task(progress.run())
        await asyncio.sleep(0.2)
        task.cancel()

    said = [record.getMessage().partition(" of ")[0][-3:] for record in caplog.records]

    assert said == ["10%", "60%"]


def test_the_speed_is_that_of_the_last_look(caplog: pytest.LogCaptureFixture) -> None:
    """A partition that came later counts from its own beginning."""
    states = iter([[Replaying(0, 100, 900)], [Replaying(0, 300, 700), Replaying(1, 50, 50)]])
    progress = Progress(lambda: next(states), 1.0)
    with caplog.at_level("INFO"):
        progress.look(1.0)
        progress.look(2.0)

    assert ", 125 rows/s, 6 s to go" in caplog.records[-1].getMessage()
