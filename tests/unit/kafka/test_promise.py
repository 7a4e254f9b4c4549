"""Which topics a worker refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from slastream.core.errors import Misconfigured
from slastream.kafka.plan import Found, plan
from slastream.kafka.promise import check

WANTED = plan("sla.", 4)
BROKER = {
    one.name: Found(one.name, one.partitions, 1, one.config, frozenset(one.config))
    for one in WANTED
}


def broker(topic: str = "", partitions: int = 4, **config: str) -> Mapping[str, Found]:
    """Return a broker as it should be but for one topic."""
    if not topic:
        return BROKER
    name = f"sla.{topic}.v1"
    settings = {setting.replace("_", "."): value for setting, value in config.items()}
    changed = replace(
        BROKER[name], partitions=partitions, config={**BROKER[name].config, **settings}
    )
    return {**BROKER, name: changed}


@pytest.mark.parametrize("topic", ["", "ops", "dlq", "books"])
def test_topics_that_keep_the_promise(topic: str) -> None:
    """Topics as they should be are taken; ops and dead letters may have any number of partitions."""
    check(WANTED, broker(topic, partitions=7), "broker:9092")


@pytest.mark.parametrize("topic", ["alerts", "outcomes", "clocks", "state"])
def test_partitions_that_differ(topic: str) -> None:
    """A ticket must have the same partition in each, so each must have as many."""
    said = rf"sla\.{topic}\.v1: partitions: are 3 here and 4 in sla\.tickets\.v1"
    with pytest.raises(Misconfigured, match=said):
        check(WANTED, broker(topic, partitions=3), "broker:9092")


@pytest.mark.parametrize(
    ("topic", "config", "setting"),
    [
        ("tickets", {"message_timestamp_type": "CreateTime"}, "message.timestamp.type"),
        ("tickets", {"cleanup_policy": "compact"}, "cleanup.policy"),
        ("state", {"cleanup_policy": "delete"}, "cleanup.policy"),
        ("state", {"cleanup_policy": "compact,delete"}, "cleanup.policy"),
        ("clocks", {"cleanup_policy": "delete"}, "cleanup.policy"),
        ("books", {"retention_ms": "604800000"}, "retention.ms"),
    ],
)
def test_settings_that_break_it(topic: str, config: dict[str, Any], setting: str) -> None:
    """The setting is named, and what it should be."""
    with pytest.raises(Misconfigured, match=r"must be") as caught:
        check(WANTED, broker(topic, **config), "broker:9092")

    assert (caught.value.where, caught.value.key) == (f"sla.{topic}.v1", setting)


def test_a_topic_that_is_missing() -> None:
    """Which, where, and what to type."""
    found = {name: topic for name, topic in BROKER.items() if name != "sla.ops.v1"}
    with pytest.raises(Misconfigured, match=r"broker:9092: not on the broker: sla\.ops\.v1 "):
        check(WANTED, found, "broker:9092")


def test_raw_topics_promise_nothing() -> None:
    """A worker may have none of them, or one that somebody else made."""
    check(WANTED, {name: t for name, t in BROKER.items() if ".raw." not in name}, "broker:9092")


@pytest.mark.parametrize("stamped", ["CreateTime", "LogAppendTime"])
def test_a_simulated_journal_is_stamped_by_its_feed(stamped: str) -> None:
    """Where time comes from the log only, the feed may write it."""
    found = broker("tickets", message_timestamp_type=stamped)
    check(plan("sla.", 4, simulated=True), found, "broker:9092")
