"""What a broker has, what it lacks, and what a worker must not be trusted with.

Every function takes the keyword arguments of an aiokafka client (`bootstrap_servers` and what
`slastream.kafka.security` adds). A broker that is away is one clear sentence, never a traceback.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    CoordinatorNotAvailableError,
    KafkaConnectionError,
    KafkaError,
    TopicAlreadyExistsError,
    for_code,
)
from aiokafka.structs import OffsetAndMetadata

from slastream.core.errors import Misconfigured
from slastream.kafka import promise
from slastream.kafka.plan import Found, Wanted
from slastream.kafka.reach import explained

Client = Mapping[str, Any]

_REQUEST_MS = 15_000
_VISIBLE = 10.0  # seconds until a topic that was created must be known to the brokers
_TOPIC_CONFIG = 1  # the source of a setting that was given to the topic itself
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which a broker differs from `topics/`. `setting` is "" for a missing topic."""

    topic: str
    setting: str
    wanted: str
    found: str
    mendable: bool

    def __str__(self) -> str:
        if not self.setting:
            return f"{self.topic}: is not there"
        return f"{self.topic}: {self.setting} is {self.found}, should be {self.wanted}"


@asynccontextmanager
async def connected(client: Client, patience: float = 10.0) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client. Tries for `patience` seconds while the broker is away.

    Raises Misconfigured when it stays away, or when it refuses us.
    """
    limit = asyncio.get_running_loop().time() + patience
    while True:
        admin = AIOKafkaAdminClient(**client, request_timeout_ms=_REQUEST_MS)
        try:
            await asyncio.wait_for(_start(admin), max(patience, 1.0))
            break
        except (KafkaError, OSError, TimeoutError) as error:
            await admin.close()
            problem = await explained(error, client)
            if problem.refused or asyncio.get_running_loop().time() > limit:
                raise Misconfigured(
                    problem.sentence, where=_address(client), hint=problem.hint
                ) from error
        await asyncio.sleep(0.25)
    try:
        yield admin
    except (KafkaConnectionError, TimeoutError) as error:
        raise Misconfigured(f"the broker went away: {error}", where=_address(client)) from error
    finally:
        await admin.close()


async def _start(admin: AIOKafkaAdminClient) -> None:
    await admin.start()
    if not (await admin.describe_cluster())["brokers"]:
        raise KafkaConnectionError("the broker told of no broker")


async def create(client: Client, wanted: Sequence[Wanted]) -> list[str]:
    """Creates what is missing and returns the names; what exists is left as it is.

    Returns once the brokers know the new topics. Raises Misconfigured for a refusal.
    """
    async with connected(client) as admin:
        present = set(await admin.list_topics())
        missing = [topic for topic in wanted if topic.name not in present]
        if not missing:
            return []
        answer = await admin.create_topics(
            [
                NewTopic(one.name, one.partitions, one.replication, topic_configs=dict(one.config))
                for one in missing
            ]
        )
        for name, code, *message in answer.topic_errors:
            if code not in (0, TopicAlreadyExistsError.errno):
                raise _refusal(name, code, message[0] if message else None)
        await _visible(admin, {one.name for one in missing})
        return [one.name for one in missing]


async def delete(client: Client, names: Sequence[str]) -> list[str]:
    """Deletes those topics that are there, with all that is in them, and returns their names."""
    async with connected(client) as admin:
        present = sorted(set(names) & set(await admin.list_topics()))
        if present:
            await admin.delete_topics(present)
        return present


async def committed(
    admin: AIOKafkaAdminClient, group: str, tp: TopicPartition
) -> OffsetAndMetadata:
    """Where a group is in a partition; its offset is -1 where it has never committed.

    Raises CoordinatorNotAvailableError while its coordinator moves: the client library takes such a
    refusal for an answer that tells of no partition, which is not the same as none committed.
    """
    told = await admin.list_consumer_group_offsets(group, partitions=[tp])
    if tp not in told:
        raise CoordinatorNotAvailableError(f"the coordinator of group {group} is not in office yet")
    return told[tp]


async def group_offsets(client: Client, group: str) -> dict[tuple[str, int], int]:
    """Where a consumer group is: (topic, partition) -> the next offset that it will read."""
    async with connected(client) as admin:
        told = await admin.list_consumer_group_offsets(group)
        return {(tp.topic, tp.partition): entry.offset for tp, entry in told.items()}


async def cut(client: Client, offsets: Mapping[tuple[str, int], int]) -> None:
    """Deletes the records of each (topic, partition) that lie below an offset, of whomever they are.

    Raises Misconfigured for a refusal, such as of a topic that is compacted only.
    """
    async with connected(client) as admin:
        for (topic, partition), offset in offsets.items():
            wanted = {TopicPartition(topic, partition): RecordsToDelete(before_offset=offset)}
            try:
                await admin.delete_records(wanted)
            except KafkaConnectionError:
                raise
            except KafkaError as error:
                raise Misconfigured(
                    f"the broker refused to delete records: {error}", where=f"{topic}[{partition}]"
                ) from error


async def describe(client: Client, names: Sequence[str]) -> dict[str, Found]:
    """The topics of these names that a broker has."""
    async with connected(client) as admin:
        return await described(admin, names)


async def diff(client: Client, wanted: Sequence[Wanted]) -> list[Difference]:
    """How a broker differs, in the order of `wanted`; empty when it does not.

    Only settings that `topics/` names are compared: a cluster's own defaults are its business.
    """
    found = await describe(client, [one.name for one in wanted])
    differences: list[Difference] = []
    for one in wanted:
        differences += _compare(one, found.get(one.name))
    return differences


async def mend(client: Client, wanted: Sequence[Wanted]) -> list[Difference]:
    """Makes a broker as `topics/` says, as far as that can be done, and returns what is left.

    Never deletes a topic, never changes the partitions of one that tickets are spread over.
    """
    await create(client, wanted)
    differences = await diff(client, wanted)
    async with connected(client) as admin:
        found = await described(admin, [one.name for one in wanted])
        for one in wanted:
            of_topic = [each for each in differences if each.topic == one.name and each.mendable]
            if any(each.setting == "partitions" for each in of_topic):
                await admin.create_partitions({one.name: NewPartitions(one.partitions)})
            settings = [each for each in of_topic if each.setting != "partitions"]
            if settings:
                await _alter(admin, one, found[one.name])
    return await _settled(client, wanted) if differences else []


async def _settled(client: Client, wanted: Sequence[Wanted]) -> list[Difference]:
    """What is left once the change has come through: a broker acknowledges before it applies."""
    limit = asyncio.get_running_loop().time() + _VISIBLE
    while True:
        left = await diff(client, wanted)
        late = asyncio.get_running_loop().time() > limit
        if late or not any(each.mendable for each in left):
            return left
        await asyncio.sleep(0.1)


async def check_delivery(client: Client, wanted: Sequence[Wanted]) -> None:
    """Raises Misconfigured, with topic and setting, when the promises cannot be kept on a broker."""
    promise.check(wanted, await describe(client, [one.name for one in wanted]), _address(client))


def _compare(one: Wanted, have: Found | None) -> list[Difference]:
    if have is None:
        return [Difference(one.name, "", "", "", mendable=True)]
    differences = []
    if have.partitions != one.partitions:
        # More partitions would move tickets away from their state; fewer are not to be had.
        grows = have.partitions < one.partitions and not one.shared
        differences.append(
            Difference(
                one.name, "partitions", str(one.partitions), str(have.partitions), mendable=grows
            )
        )
    if have.replication != one.replication:
        differences.append(
            Difference(
                one.name,
                "replication",
                str(one.replication),
                str(have.replication),
                mendable=False,
            )
        )
    for setting, value in sorted(one.config.items()):
        now = have.config.get(setting, "unset")
        if now != value:
            differences.append(Difference(one.name, setting, value, now, mendable=True))
    return differences


async def described(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, Found]:
    """The topics of these names that a broker has, asked over a connection that is open."""
    present = set(await admin.list_topics())
    asked = [name for name in dict.fromkeys(names) if name in present]
    if not asked:
        return {}
    told = {entry["topic"]: entry for entry in await admin.describe_topics(asked)}
    configs: dict[str, list[tuple[Any, ...]]] = {}
    for response in await admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name) for name in asked]
    ):
        for code, message, _, name, entries in response.resources:
            if code:
                raise _refusal(name, code, message)
            configs[name] = entries
    found = {}
    for name in asked:
        partitions = told[name]["partitions"]
        found[name] = Found(
            name=name,
            partitions=len(partitions),
            replication=len(partitions[0]["replicas"]) if partitions else 0,
            config={entry[0]: entry[1] for entry in configs[name] if entry[1] is not None},
            own=frozenset(entry[0] for entry in configs[name] if entry[3] == _TOPIC_CONFIG),
        )
    return found


async def _alter(admin: AIOKafkaAdminClient, one: Wanted, have: Found) -> None:
    """Sets what `topics/` says. The request replaces all, so the topic's other settings go along."""
    kept = {name: have.config[name] for name in have.own if name in have.config}
    resource = ConfigResource(
        ConfigResourceType.TOPIC, one.name, configs={**kept, **dict(one.config)}
    )
    for response in await admin.alter_configs([resource]):
        for code, message, _, name in response.resources:
            if code:
                raise _refusal(name, code, message)


async def _visible(admin: AIOKafkaAdminClient, names: set[str]) -> None:
    """Waits until the brokers know new topics: a client that asks too early gives up on them."""
    limit = asyncio.get_running_loop().time() + _VISIBLE
    while True:
        entries = await admin.describe_topics(list(names))
        if all(
            entry["error_code"] == 0
            and entry["partitions"]
            and all(part["leader"] >= 0 for part in entry["partitions"])
            for entry in entries
        ):
            return
        if asyncio.get_running_loop().time() > limit:
            _log.warning("created, but not yet known to every broker: %s", ", ".join(sorted(names)))
            return
        await asyncio.sleep(0.05)


def _refusal(name: str, code: int, message: str | None) -> Misconfigured:
    return Misconfigured(f"the broker refused: {message or for_code(code).__name__}", where=name)


def _address(client: Client) -> str:
    servers = client.get("bootstrap_servers", "")
    return servers if isinstance(servers, str) else ",".join(servers)
