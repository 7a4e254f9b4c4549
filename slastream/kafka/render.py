"""The topics in other people's formats: Strimzi, Jikkou, AsyncAPI 3, a Markdown table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml

from slastream import __version__
from slastream.kafka import topics
from slastream.kafka.plan import Wanted

_TITLE = "slastream"


def strimzi(wanted: Sequence[Wanted]) -> str:
    """`KafkaTopic` resources for the Strimzi topic operator."""
    documents = []
    for one in wanted:
        documents.append(
            {
                "apiVersion": "kafka.strimzi.io/v1",
                "kind": "KafkaTopic",
                "metadata": {
                    "name": _label(one.name),
                    "labels": {"strimzi.io/cluster": "kafka", **_labels(one)},
                },
                "spec": {
                    "topicName": one.name,
                    "partitions": one.partitions,
                    "replicas": one.replication,
                    "config": dict(one.config),
                },
            }
        )
    return yaml.safe_dump_all(documents, sort_keys=False, width=100)


def jikkou(wanted: Sequence[Wanted]) -> str:
    """`KafkaTopic` resources for Jikkou."""
    documents = []
    for one in wanted:
        documents.append(
            {
                "apiVersion": "kafka.jikkou.io/v1beta2",
                "kind": "KafkaTopic",
                "metadata": {"name": one.name, "labels": _labels(one)},
                "spec": {
                    "partitions": one.partitions,
                    "replicas": one.replication,
                    "configs": dict(one.config),
                },
            }
        )
    return yaml.safe_dump_all(documents, sort_keys=False, width=100)


def markdown(wanted: Sequence[Wanted]) -> str:
    """A table for a page of documentation."""
    lines = ["| topic | cleanup | key | what for |", "|---|---|---|---|"]
    for one in wanted:
        retention = _retention(one.config)
        purpose = one.topic.purpose.replace("|", "\\|")
        lines.append(f"| `{one.name}` | {retention} | `{one.topic.key}` | {purpose} |")
    return "\n".join(lines) + "\n"


def asyncapi(wanted: Sequence[Wanted]) -> str:
    """An AsyncAPI 3.0 document: channels, messages with their schemas, who sends and receives."""
    document: dict[str, Any] = {
        "asyncapi": "3.0.0",
        "info": {
            "title": _TITLE,
            "version": __version__,
            "description": "SLA clocks over Kafka. Events are CloudEvents in binary mode: "
            "attributes are `ce_` headers, data is the value. Unknown members must be ignored.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {},
        "operations": {},
        "components": {"messages": {}, "schemas": {"headers": _HEADERS}},
    }
    for one in wanted:
        _channel(document, one)
    return yaml.safe_dump(document, sort_keys=False, width=100)


def _channel(document: dict[str, Any], one: Wanted) -> None:
    name = _identifier(one.name)
    messages = {}
    for kind, file in one.topic.events.items() or (("", ""),):
        message = _identifier(kind or one.name)
        messages[message] = {"$ref": f"#/components/messages/{message}"}
        document["components"]["messages"][message] = _message(document, one, kind, file)
    document["channels"][name] = {
        "address": one.name,
        "description": one.topic.purpose,
        "messages": messages,
        "bindings": {
            "kafka": {
                "topic": one.name,
                "partitions": one.partitions,
                "replicas": one.replication,
                "topicConfiguration": _binding(one.config),
                "bindingVersion": "0.5.0",
            }
        },
    }
    # Seen from the application: what the worker writes it sends, what it reads it receives.
    for roles, action in ((one.topic.writers, "send"), (one.topic.readers, "receive")):
        if "worker" in roles:
            document["operations"][f"{action}_{name}"] = {
                "action": action,
                "channel": {"$ref": f"#/channels/{name}"},
            }


def _message(document: dict[str, Any], one: Wanted, kind: str, file: str) -> dict[str, Any]:
    message: dict[str, Any] = {"name": kind or one.name, "summary": one.topic.value}
    if kind:
        schema = topics.schema(file)
        reference = _identifier(file.removeprefix("schemas/").removesuffix(".json"))
        document["components"]["schemas"][reference] = _inlined(schema, reference)
        message["contentType"] = "application/json"
        message["headers"] = {"$ref": "#/components/schemas/headers"}
        message["payload"] = {"$ref": f"#/components/schemas/{reference}"}
    else:
        message["contentType"] = "application/octet-stream"
    message["bindings"] = {
        "kafka": {
            "key": {"type": "string", "description": one.topic.key},
            "bindingVersion": "0.5.0",
        }
    }
    return message


_HEADERS = {
    "type": "object",
    "properties": {
        name: {"type": "string"}
        for name in ("ce_specversion", "ce_type", "ce_source", "ce_id", "ce_time", "content-type")
    },
    "required": ["ce_specversion", "ce_type", "ce_source", "ce_id"],
}


def _inlined(schema: Mapping[str, Any], reference: str) -> dict[str, Any]:
    """A schema as a part of a larger document: its own references begin where it stands there."""

    def moved(node: Any) -> Any:
        if isinstance(node, dict):
            return {
                key: f"#/components/schemas/{reference}{value[1:]}"
                if key == "$ref" and isinstance(value, str) and value.startswith("#")
                else moved(value)
                for key, value in node.items()
                if key not in ("$schema", "$id")
            }
        return [moved(item) for item in node] if isinstance(node, list) else node

    result: dict[str, Any] = moved(dict(schema))
    return result


def _binding(config: Mapping[str, str]) -> dict[str, Any]:
    """The settings that AsyncAPI's Kafka binding knows, in its types."""
    told: dict[str, Any] = {}
    if "cleanup.policy" in config:
        told["cleanup.policy"] = config["cleanup.policy"].split(",")
    for name in ("retention.ms", "retention.bytes", "delete.retention.ms", "max.message.bytes"):
        if name in config:
            told[name] = int(config[name])
    return told


def _retention(config: Mapping[str, str]) -> str:
    policy = config.get("cleanup.policy", "delete")
    if policy == "compact":
        return "compact"
    milliseconds = int(config.get("retention.ms", "-1"))
    return "keep all" if milliseconds < 0 else f"delete, {milliseconds // 86_400_000} d"


def _labels(one: Wanted) -> dict[str, str]:
    return {"app.kubernetes.io/part-of": "slastream", "slastream.io/owner": one.topic.owner}


def _label(name: str) -> str:
    """A topic's name as Kubernetes takes it: lower case, digits, dots and dashes."""
    return re.sub(r"[^a-z0-9.-]", "-", name.lower()).strip(".-")


def _identifier(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)


FORMATS: Mapping[str, Callable[[Sequence[Wanted]], str]] = {
    "strimzi": strimzi,
    "jikkou": jikkou,
    "asyncapi": asyncapi,
    "markdown": markdown,
}
