"""The files of `topics/` hold together, and what the engine publishes is what they say."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker

from slastream import wire
from slastream.book import load
from slastream.core.books import Books
from slastream.core.errors import Rejected
from slastream.core.instant import parse_instant
from slastream.demo.day import generated_day
from slastream.engine.effects import Message, Record
from slastream.engine.partition import Partition
from slastream.engine.store import MemoryStore
from slastream.kafka import render, topics
from slastream.kafka.plan import plan
from slastream.settings import Settings
from slastream.sources import SOURCES, Delivery, read

TOGETHER = ("tickets", "alerts", "outcomes", "clocks", "state")
FILES = sorted({file for topic in topics.load() for file in topic.events.values()})
SAMPLES = [
    pytest.param(topic.short, sample, id=f"{topic.short}-{number}")
    for topic in topics.load()
    for number, sample in enumerate(topics.samples(topic.short))
]


@cache
def _validator(file: str) -> Draft202012Validator:
    return Draft202012Validator(topics.schema(file), format_checker=FormatChecker())


def _unknown(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str = "") -> list[str]:
    """Members of a value that no schema speaks of: published, and documented nowhere."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    if isinstance(value, list):
        return [
            name for item in value for name in _unknown(item, schema.get("items", {}), root, at)
        ]
    if not isinstance(value, dict) or "properties" not in schema:
        return []
    found = [f"{at}{name}" for name in value if name not in schema["properties"]]
    for name, member in value.items():
        found += _unknown(member, schema["properties"].get(name, {}), root, f"{at}{name}.")
    return found


def _check(short: str, kind: str, value: Any) -> None:
    file = topics.topic(short).events[kind]
    problems = [error.message for error in _validator(file).iter_errors(value)]
    schema = topics.schema(file)

    assert [] == problems + _unknown(value, schema, schema)


def test_names_are_those_of_the_settings() -> None:
    """The name that a worker uses for a topic is the one that `topics create` gives it."""
    settings = Settings()
    named = {topic.short: f"sla.{topic.name}" for topic in topics.load() if topic.short != "raw"}

    assert named == {short: settings.topic(short) for short in named}


@pytest.mark.parametrize("short", TOGETHER)
def test_a_ticket_has_one_partition(short: str) -> None:
    """Journal, alerts, outcomes, clocks and state share their number of partitions and their key."""
    topic = topics.topic(short)

    assert topic.partitions is None
    assert topic.key == topics.topic("tickets").key or short == "state"


def test_journal_is_stamped_by_the_broker() -> None:
    """The log time is the clock of a replay, so nobody but the broker writes it."""
    journal = topics.topic("tickets")

    assert journal.config["message.timestamp.type"] == "LogAppendTime"
    assert "message.timestamp.type" in journal.must


@pytest.mark.parametrize("short", ["clocks", "state"])
def test_compacted_topics(short: str) -> None:
    """The latest state outlives any retention."""
    topic = topics.topic(short)

    assert topic.config["cleanup.policy"] == "compact"
    assert "cleanup.policy" in topic.must


def test_raw_topics_are_of_sources_that_exist() -> None:
    """A raw topic for a source that nothing reads would fill in silence."""
    assert set(topics.topic("raw").sources) <= set(SOURCES)


@pytest.mark.parametrize("file", FILES)
def test_schema_is_a_schema(file: str) -> None:
    """Each schema is valid JSON Schema 2020-12, checked against its own meta-schema."""
    schema = topics.schema(file)
    Draft202012Validator.check_schema(schema)

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_type_has_a_sample() -> None:
    """Whoever writes a consumer finds an example of each event that he may meet."""
    for topic in topics.load():
        shown = {sample["headers"].get("ce_type") for sample in topics.samples(topic.short)}

        assert set(topic.events) <= shown


@pytest.mark.parametrize(("short", "sample"), SAMPLES)
def test_sample_is_as_its_schema_says(short: str, sample: dict[str, Any]) -> None:
    """Each sample is valid and holds no member that its schema does not document."""
    kind = sample["headers"].get("ce_type")
    if kind is not None and sample["value"] is not None:
        _check(short, kind, sample["value"])


@pytest.mark.parametrize(
    "sample", [pytest.param(s, id=str(n)) for n, s in enumerate(topics.samples("tickets"))]
)
def test_sample_of_the_journal_decodes(sample: dict[str, Any]) -> None:
    """The worker's own decoder reads the samples of the journal, key included."""
    if sample["value"] is None:
        headers = [(name, text.encode()) for name, text in sample["headers"].items()]

        assert wire.is_erasure(headers)
        assert headers == wire.erasure(
            sample["key"].encode(),
            sample["headers"]["ce_id"],
            parse_instant(sample["headers"]["ce_time"]),
        )
        return
    event = wire.decode_event(orjson.dumps(sample["value"]))

    assert sample["key"].encode() == wire.event_key(event)
    assert sample["value"] == orjson.loads(wire.encode_event(event))


def test_what_a_day_publishes_is_as_the_schemas_say() -> None:
    """Every event that the engine publishes over a generated day is valid and documented."""
    counted = 0
    for message in _published(tickets=200):
        kind = dict(message.headers).get("ce_type")
        if message.output != "dlq" and kind is not None and message.value is not None:
            _check(message.output, kind.decode(), orjson.loads(message.value))
            counted += 1

    assert counted > 500


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("npm") is None, reason="AsyncAPI publishes its schema on npm")
def test_asyncapi_is_valid_to_its_authors(tmp_path: Path) -> None:
    """The document satisfies the JSON Schema that the AsyncAPI project publishes."""
    subprocess.run(
        ["npm", "pack", "--silent", "@asyncapi/specs@6.11.1"],
        cwd=tmp_path, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    with tarfile.open(next(tmp_path.glob("*.tgz"))) as archive:
        file = archive.extractfile("package/schemas/3.0.0.json")
        assert file
        validator = Draft7Validator(orjson.loads(file.read()))
    document = yaml.safe_load(render.asyncapi(plan()))

    assert [] == [error.message for error in validator.iter_errors(document)]

    document["channels"]["sla_tickets_v1"]["no_such_member"] = 1

    assert not validator.is_valid(document)


def _published(tickets: int) -> Iterator[Message]:
    """The day's tickets through the real sources and the real engine, with a store in memory."""
    books = Books()
    for book in load(topics.folder().parent / "deploy" / "books" / "acme-msp.yaml"):
        books.add(book)
    partition = Partition(0, MemoryStore(), books)
    offset = 0
    for told in generated_day(7, tickets):
        while partition.next_due is not None and partition.next_due <= told.at:
            effects = partition.fire(partition.next_due)
            partition.store.write(effects.rows, effects.deadlines_put, effects.deadlines_del)
            yield from effects.messages
        delivery = Delivery(
            told.source, "acme-msp", told.key, told.value, told.headers, told.at, None
        )
        try:
            events = read(delivery)
        except Rejected:
            continue
        records = []
        for event in events:
            value = wire.encode_event(event)
            _check("tickets", "io.slastream.ticket.v1", orjson.loads(value))
            records.append(Record(offset, told.at, wire.event_key(event), value))
            offset += 1
        effects = partition.apply(records)
        partition.store.write(effects.rows, effects.deadlines_put, effects.deadlines_del)
        yield from effects.messages
