"""`topics/*.yaml` as values: the one source of truth about every topic. Knows no broker.

In a source tree the files are in `topics/` beside the package, in an installed wheel in
`slastream/_topics`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import yaml

from slastream.core.errors import Misconfigured, SlastreamError

ORDER = ("raw", "tickets", "alerts", "outcomes", "clocks", "state", "books", "ops", "dlq")
DEFAULT_PREFIX = "sla."
DEFAULT_PARTITIONS = 4
"""Enough for one machine. More is a decision: it cannot be changed while tickets are open."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One file of `topics/`: what a topic is for, and how it must be set."""

    short: str
    """What the code calls it: `tickets`, `raw`."""
    name: str
    """The name behind the prefix: `tickets.v1`, `raw.<source>`."""
    purpose: str
    key: str
    value: str
    owner: str
    partitions: int | None
    """None: as many as every other topic that shares the tickets' number."""
    config: Mapping[str, str]
    simulated: Mapping[str, str] = field(default_factory=dict)
    """Settings that replace those of `config` where log times are simulated."""
    must: tuple[str, ...] = ()
    """Settings without which the promises do not hold."""
    writers: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    """Of `raw.<source>`: the sources that get a topic unless told otherwise."""
    events: Mapping[str, str] = field(default_factory=dict)
    """CloudEvents type -> the file of its JSON Schema."""


def folder() -> Path:
    """Where the topic files are."""
    package = Path(__file__).parent.parent
    for place in (package.parent / "topics", package / "_topics"):
        if (place / "tickets.yaml").is_file():
            return place
    raise Misconfigured("the topic files are missing", hint="install slastream again")


def released() -> Path:
    """Where the topic files of the last release are kept, as they were then."""
    kept = [place for place in (folder() / "released").iterdir() if place.is_dir()]
    return max(kept, key=lambda place: [int(part) for part in place.name.split(".")])


@cache
def load(place: Path | None = None) -> tuple[Topic, ...]:
    """Every topic, in the order in which a ticket passes them; of another release where `place` is it.

    Of another release those that it has: a topic may have come since.
    """
    files = [((place or folder()) / f"{short}.yaml", short) for short in ORDER]
    return tuple(_read(file, short) for file, short in files if place is None or file.is_file())


def topic(short: str) -> Topic:
    """One topic by its short name."""
    for one in load():
        if one.short == short:
            return one
    raise KeyError(short)


def schema(file: str, place: Path | None = None) -> dict[str, Any]:
    """One JSON Schema, by the name that a topic's `events` give."""
    document: dict[str, Any] = orjson.loads(((place or folder()) / file).read_bytes())
    return document


def samples(short: str) -> list[dict[str, Any]]:
    """The sample events of a topic: each with `key`, `headers`, `value`."""
    path = folder() / "samples" / f"{short}.jsonl"
    if not path.is_file():
        return []
    return [orjson.loads(line) for line in path.read_bytes().splitlines() if line.strip()]


def _read(path: Path, short: str) -> Topic:
    try:
        told = yaml.safe_load(path.read_text("utf-8"))
        count = told["partitions"]
        return Topic(
            short=short,
            name=told["name"],
            purpose=told["purpose"],
            key=told["key"],
            value=told["value"],
            owner=told["owner"],
            partitions=None if count == "shared" else int(count),
            config=_settings(told["config"]),
            simulated=_settings(told.get("simulated", {})),
            must=tuple(told.get("must", ())),
            writers=tuple(told.get("writers", ())),
            readers=tuple(told.get("readers", ())),
            sources=tuple(told.get("sources", ())),
            events=dict(told.get("events", {})),
        )
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise SlastreamError(f"{path}: not a topic file: {error!r}") from error


def _settings(told: Mapping[str, object]) -> dict[str, str]:
    """Kafka's settings are strings; a YAML true is Kafka's `true`."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in told.items()
    }
