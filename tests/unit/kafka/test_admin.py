"""What a group has committed, as its coordinator tells it."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CoordinatorNotAvailableError
from aiokafka.structs import OffsetAndMetadata

from slastream.kafka.admin import committed

TP = TopicPartition("sla.alerts.v1", 0)


class Asked:
    """The client library's admin client, answered by a coordinator."""

    def __init__(self, answer: dict[TopicPartition, OffsetAndMetadata]) -> None:
        self._answer = answer

    async def list_consumer_group_offsets(self, group: str, partitions: Any) -> Any:
        return self._answer


async def test_nothing_committed_is_an_answer() -> None:
    """A coordinator in office tells of each partition that it is asked for."""
    asked: Any = Asked({TP: OffsetAndMetadata(-1, "")})

    assert (await committed(asked, "notify-desk", TP)).offset == -1


async def test_no_answer_is_no_answer() -> None:
    """A coordinator that has just moved tells of no partition; a group that believed it began anew."""
    asked: Any = Asked({})

    with pytest.raises(CoordinatorNotAvailableError, match="notify-desk"):
        await committed(asked, "notify-desk", TP)
