"""The topics as one cluster should have them, and in other people's formats."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from slastream.core.errors import Misconfigured
from slastream.kafka import acls, render
from slastream.kafka.plan import plan


def _config(short: str, **options: Any) -> dict[str, str]:
    return next(dict(one.config) for one in plan(**options) if one.topic.short == short)


def test_names_and_partitions() -> None:
    """The prefix is in front of every name, and the number given is that of the tickets' topics."""
    wanted = {one.name: one.partitions for one in plan("desk.", 12, sources=["jira", "jira"])}

    expected = {
        "desk.raw.jira": 12,
        "desk.tickets.v1": 12,
        "desk.alerts.v1": 12,
        "desk.outcomes.v1": 12,
        "desk.clocks.v1": 12,
        "desk.state.v1": 12,
        "desk.books.v1": 1,
        "desk.ops.v1": 1,
        "desk.dlq.v1": 1,
    }
    assert expected == wanted


def test_simulated_time_is_kept_and_does_not_age() -> None:
    """A simulated log time is the feed's, may lie anywhere, and never counts as age."""
    for short in ("raw", "tickets"):
        config = _config(short, simulated=True)

        assert config["message.timestamp.type"] == "CreateTime"
        assert config["retention.ms"] == "-1"
        assert int(config["message.timestamp.after.max.ms"]) > 10**15


@pytest.mark.parametrize(("replication", "expected"), [(1, None), (2, None), (3, "2")])
def test_replicated_topics_survive_a_broker(replication: int, expected: str | None) -> None:
    """With three copies a write needs two, so that one broker may be lost without losing a fact."""
    config = _config("state", replication=replication)

    assert expected == config.get("min.insync.replicas")


@pytest.mark.parametrize("options", [{"partitions": 0}, {"replication": 0}])
def test_nonsense_is_refused(options: dict[str, int]) -> None:
    """A number that no topic can have is the operator's mistake."""
    with pytest.raises(Misconfigured):
        plan(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["strimzi", "jikkou"])
def test_manifests_say_what_the_plan_says(form: str) -> None:
    """Each topic is one resource with its own partitions, replicas and settings."""
    wanted = plan(replication=3)
    documents = list(yaml.safe_load_all(render.FORMATS[form](wanted)))

    assert {"KafkaTopic"} == {document["kind"] for document in documents}
    for one, document in zip(wanted, documents, strict=True):
        spec = document["spec"]

        assert one.name == spec.get("topicName", document["metadata"]["name"])
        assert (one.partitions, one.replication) == (spec["partitions"], spec["replicas"])
        assert one.config == spec["config" if form == "strimzi" else "configs"]


def test_asyncapi_refers_only_to_what_it_holds() -> None:
    """Every reference of the document leads somewhere, and every event has its schema."""
    document = yaml.safe_load(render.asyncapi(plan()))
    references = set(_references(document))

    assert len(references) > 20
    for reference in references:
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
    assert "io_slastream_sla_breached_v1" in document["components"]["messages"]


def _references(node: Any) -> Any:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)


def test_markdown_names_every_topic() -> None:
    """The table of the documentation forgets none."""
    table = render.markdown(plan())

    assert all(f"`{one.name}`" in table for one in plan())


def test_roles_write_no_more_than_their_topics() -> None:
    """Only the worker writes what clocks say, and a board writes nothing at all."""
    writes = {(acl.role, acl.name) for acl in acls.acls(plan(), "desk") if acl.operation == "Write"}

    assert "board" not in {role for role, _ in writes}
    assert {"worker"} == {
        role for role, name in writes if name in ("sla.alerts.v1", "sla.state.v1")
    }
    assert ("worker", "desk-") in writes


def test_acl_is_a_command() -> None:
    """What is printed is what Kafka's own tool takes."""
    acl = acls.Acl("worker", "transactional-id", "desk-", True, "Write")

    expected = (
        "kafka-acls.sh --add --allow-principal User:svc --operation Write "
        "--transactional-id 'desk-' --resource-pattern-type prefixed"
    )
    assert expected == acl.command("svc")
