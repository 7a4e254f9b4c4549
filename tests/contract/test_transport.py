"""The private names of Faust and aiokafka that the transport touches are what they were read as."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import aiokafka
import faust
import pytest
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.subscription_state import TopicPartitionState
from faust.transport.consumer import Consumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from slastream.core.errors import Misconfigured
from slastream.stream import transport


def test_the_versions_are_those_that_were_read() -> None:
    """Another version of either is a reason to read them again, before anything runs on it."""
    assert (faust.__version__, aiokafka.__version__) == (transport.FAUST, transport.AIOKAFKA)


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker on a version that nobody has read does not start, and says which it wants."""
    monkeypatch.setattr(faust, "__version__", "0.15.4")
    with pytest.raises(Misconfigured, match=r"faust 0\.15\.4 .* built for faust 0\.15\.3"):
        importlib.reload(transport)
    monkeypatch.undo()
    importlib.reload(transport)


@pytest.mark.parametrize(
    ("owner", "name", "parameters"),
    [
        (Consumer, "getmany", ["self", "timeout"]),
        (Consumer, "track_message", ["self", "message"]),
        (Consumer, "ack", ["self", "message"]),
        (Consumer, "commit", ["self", "topics", "start_new_transaction"]),
        (Consumer, "_add_gap", ["self", "tp", "offset_from", "offset_to"]),
        (Consumer, "_get_active_partitions", ["self"]),
        (Consumer, "verify_event_path", ["self", "now", "tp"]),
        (Consumer, "on_partitions_assigned", ["self", "assigned", "generation_id"]),
        (Consumer, "seek_to_committed", ["self"]),
        (AIOKafkaConsumerThread, "_create_worker_consumer", ["self", "transport"]),
        (
            AIOKafkaConsumerThread,
            "_fetch_records",
            ["self", "consumer", "active_partitions", "timeout", "max_records"],
        ),
        (AIOKafkaConsumerThread, "_ensure_consumer", ["self"]),
        (AIOKafkaConsumerThread, "getmany", ["self", "active_partitions", "timeout"]),
        (AIOKafkaConsumerThread, "call_thread", ["self", "fun", "args", "kwargs"]),
        (Fetcher, "fetched_records", ["self", "partitions", "timeout", "max_records"]),
    ],
)
def test_a_method_is_called_as_it_was(owner: Any, name: str, parameters: list[str]) -> None:
    """What the transport overrides or calls has the parameters that it had."""
    found = inspect.signature(inspect.unwrap(getattr(owner, name)))

    assert list(found.parameters) == parameters


@pytest.mark.parametrize("name", ["_position", "highwater", "timestamp"])
def test_a_partition_s_state_has_what_a_level_is_made_of(name: str) -> None:
    """A level is position, high watermark, and when the broker said so."""
    source = inspect.getsource(TopicPartitionState.__init__)

    assert f"self.{name} = None" in source


def test_a_fetch_stamps_its_answer_with_the_wall_clock() -> None:
    """The transport turns that stamp into an age: it must be what it takes it for."""
    source = inspect.getsource(Fetcher)

    assert "now_ms = int(1000 * time.time())" in source
    assert "tp_state.timestamp = now_ms" in source
