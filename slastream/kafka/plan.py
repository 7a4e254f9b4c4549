"""The topics as one particular cluster should have them: full names, partitions, settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from slastream.core.errors import Misconfigured
from slastream.kafka import topics
from slastream.kafka.topics import DEFAULT_PARTITIONS, DEFAULT_PREFIX, Topic


@dataclass(frozen=True, slots=True)
class Wanted:
    """One topic as a cluster should have it."""

    topic: Topic
    name: str
    """The full name: `sla.tickets.v1`, `sla.raw.jira`."""
    partitions: int
    replication: int
    config: Mapping[str, str]

    @property
    def shared(self) -> bool:
        """Whether a ticket has the same partition here as in the journal."""
        return self.topic.partitions is None and self.topic.short != "raw"


@dataclass(frozen=True, slots=True)
class Found:
    """One topic as a broker has it. `config` holds every setting, `own` those given to the topic."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]
    own: frozenset[str]


def plan(
    prefix: str = DEFAULT_PREFIX,
    partitions: int = DEFAULT_PARTITIONS,
    replication: int = 1,
    *,
    simulated: bool = False,
    sources: Iterable[str] | None = None,
) -> list[Wanted]:
    """What a cluster should have.

    `simulated` is for runs whose log times are written by a feed instead of the broker. `sources`
    are those that get a raw topic; those of `topics/raw.yaml` unless given.
    """
    if partitions < 1:
        raise Misconfigured(f"{partitions} is no number of partitions", where="--partitions")
    if replication < 1:
        raise Misconfigured(f"{replication} is no replication factor", where="--replication")
    wanted = []
    for topic in topics.load():
        config = {**topic.config, **(topic.simulated if simulated else {})}
        if replication >= 3:
            # An acknowledged record is on two disks: one broker may be lost, and work goes on.
            config["min.insync.replicas"] = "2"
        count = topic.partitions or partitions
        for name in _names(topic, sources):
            wanted.append(Wanted(topic, f"{prefix}{name}", count, replication, config))
    return wanted


def _names(topic: Topic, sources: Iterable[str] | None) -> list[str]:
    if topic.short != "raw":
        return [topic.name]
    chosen = topic.sources if sources is None else sources
    return [topic.name.replace("<source>", source) for source in dict.fromkeys(chosen)]
