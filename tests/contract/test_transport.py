"""The private names of Faust and aiokafka that the transport touches are what they were read as."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import aiokafka
import faust
import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import Fetcher, FetchError, FetchResult, PartitionRecords
from aiokafka.consumer.subscription_state import TopicPartitionState
from aiokafka.errors import CorruptRecordException
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from faust.transport.consumer import Consumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from slastream.core.errors import Misconfigured
from slastream.engine.effects import Record
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


def test_a_fetch_unpacks_into_our_records() -> None:
    """Whatever a fetcher is answered, before and after it was looked at, it hands out `Record`s."""
    tp = TopicPartition("t", 0)
    early, late = _answer(tp, b"early"), _answer(tp, b"late")
    arrivals = transport._Arrivals({tp: early})
    arrivals[TopicPartition("t", 1)] = late

    told = Record(7, 1_000, b"k", b"early", (("h", b"1"), ("none", None)))  # type: ignore[arg-type]
    assert list(early._partition_records) == [told]
    assert list(late._partition_records) == [told._replace(value=b"late")]
    assert type(next(iter(arrivals.values()))) is FetchResult
    assert inspect.getsource(PartitionRecords).count("self._consumer_record(tp, record)") == 1


def test_a_fetch_that_failed_stays_one() -> None:
    """An answer that is an error stays one, and is raised to whoever asks next."""
    arrivals = transport._Arrivals()
    error = FetchError(error=CorruptRecordException(), backoff=0)
    arrivals[TopicPartition("t", 0)] = error

    assert list(arrivals.items()) == [(TopicPartition("t", 0), error)]
    assert "self._records = collections.OrderedDict()" in inspect.getsource(Fetcher.__init__)


def _answer(tp: TopicPartition, value: bytes) -> FetchResult:
    builder = BatchBuilder(1_000, 0)
    headers = [("h", b"1"), ("none", None)]
    builder.append(timestamp=1_000, key=b"k", value=value, headers=headers)
    data = bytearray(builder._build())
    data[:8] = (7).to_bytes(8, "big")
    records = PartitionRecords(tp, MemoryRecords(bytes(data)), [], 7, None, None, True, 1)
    return FetchResult(tp, assignment=None, partition_records=records, backoff=0)


async def test_a_fetch_in_a_queue_stays_there_when_flow_goes_on() -> None:
    """Faust resumes flow twice after a rebalance; what was handed out between is not dropped."""
    app = transport.BatchApp("test", broker="kafka://localhost:1")
    queue = app.FlowControlQueue(10, clear_on_resume=True)
    app.flow_control.resume()
    await queue.put("a fetch")
    app.flow_control.resume()

    assert queue.qsize() == 1
    app.flow_control.clear()
    assert queue.empty()
