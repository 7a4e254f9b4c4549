"""The least that each role needs on a cluster with an authorizer. Rendered, never applied.

Topics and roles come from `topics/*.yaml`; the consumer group and the transactional ids from the
application's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from slastream.kafka.plan import Wanted

ROLES = ("worker", "gateway", "board", "notify", "operator", "forget")

PROTOCOL_TYPES = {"topic": 2, "group": 3, "transactional-id": 5, "cluster": 4}
PROTOCOL_OPERATIONS = {
    "Read": 3,
    "Write": 4,
    "Create": 5,
    "Delete": 6,
    "Alter": 7,
    "Describe": 8,
    "DescribeConfigs": 10,
    "AlterConfigs": 11,
    "IdempotentWrite": 12,
}
"""Kafka's own numbers, for those who send these instead of printing them."""


@dataclass(frozen=True, slots=True)
class Acl:
    """One permission: a role may do `operation` on what `name` names."""

    role: str
    resource: str
    """topic, group or transactional-id."""
    name: str
    prefixed: bool
    operation: str

    def command(self, principal: str) -> str:
        """What kafka-acls.sh is told, behind --bootstrap-server and --command-config."""
        pattern = " --resource-pattern-type prefixed" if self.prefixed else ""
        return (
            f"kafka-acls.sh --add --allow-principal User:{principal} --operation {self.operation} "
            f"--{self.resource} '{self.name}'{pattern}"
        )


def acls(wanted: Sequence[Wanted], app_id: str = "slastream") -> list[Acl]:
    """Every permission of every role, each once."""
    return list(dict.fromkeys([*_topics(wanted), *_groups(wanted, app_id)]))


def _topics(wanted: Sequence[Wanted]) -> Iterator[Acl]:
    for role in ROLES:
        for one in wanted:
            topic = one.topic
            name, prefixed = one.name, False
            if topic.short == "raw":
                # A new source must not need a new permission for the worker.
                name, prefixed = name.rpartition(".")[0] + ".", True
            if role in topic.readers:
                yield Acl(role, "topic", name, prefixed, "Read")
            if role in topic.writers:
                yield Acl(role, "topic", name, prefixed, "Write")
            if role in (*topic.readers, *topic.writers):
                yield Acl(role, "topic", name, prefixed, "Describe")
            if role in ("worker", "forget"):
                # One refuses topics on which its promises do not hold, the other tells how long they
                # keep what it cannot erase: both must see settings. `forget --now` needs Delete too,
                # which would let it delete whole topics: that is granted by hand, for the hour.
                yield Acl(role, "topic", name, prefixed, "DescribeConfigs")
            if role == "operator":
                for operation in ("Create", "Describe", "DescribeConfigs", "AlterConfigs", "Alter"):
                    yield Acl(role, "topic", name, prefixed, operation)


def _groups(wanted: Sequence[Wanted], app_id: str) -> Iterator[Acl]:
    yield Acl("worker", "group", app_id, False, "Read")
    # One transactional id a partition: <app>-<number>.
    yield Acl("worker", "transactional-id", f"{app_id}-", True, "Write")
    yield Acl("worker", "transactional-id", f"{app_id}-", True, "Describe")
    yield Acl("notify", "group", f"{app_id}-notify", True, "Read")
    yield Acl("board", "group", f"{app_id}-board", True, "Read")
    yield Acl("operator", "group", f"{app_id}-dlq", True, "Read")
    # It deletes nothing that the worker has yet to read, so it must see how far that is.
    yield Acl("forget", "group", app_id, False, "Describe")
