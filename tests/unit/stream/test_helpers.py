"""A helper process: what it answers when it cannot do its work, and when it ends."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError

from slastream.kafka import ports
from slastream.stream.helpers import Helpers
from slastream.stream.rebuild import Request


@pytest.fixture
async def helpers() -> AsyncIterator[Helpers]:
    made = Helpers(1)
    yield made
    await made.close()


def request(tmp_path: Path) -> Request:
    """A rebuild from a broker that is not there."""
    return Request(
        f"127.0.0.1:{ports.free()}", "test", "sla.state.v1", 0, 1, str(tmp_path / "new"),
        "slastream.engine.row:deadline_of",
    )  # fmt: skip


async def test_a_broker_that_is_away_is_tried_again(helpers: Helpers, tmp_path: Path) -> None:
    """What may pass is told as what an owner tries again, and nothing is left behind."""
    with pytest.raises(KafkaError):
        await helpers.rebuild(request(tmp_path), lambda replayed, ahead: None)

    assert list(tmp_path.iterdir()) == []


async def test_none_outlives_its_worker(helpers: Helpers) -> None:
    """A helper whose standard input ends is gone: it never holds a disk that has a new owner."""
    helper = await helpers._start()
    assert helper.stdin is not None
    helper.stdin.close()

    assert await helper.wait() == 0


async def test_closed_at_work(helpers: Helpers) -> None:
    """Who stops does not wait for helpers."""
    helper = await helpers._start()
    await helpers.close()

    assert helper.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(helper.pid, 0)
