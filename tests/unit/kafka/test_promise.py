"""Which topics a worker refuses."""

from __future__ import annotations

from typing import Any

import pytest

from slastream.core.errors import Misconfigured
from slastream.settings import VERSIONED, Settings
from slastream.stream.ground import check

NAMES = {short: Settings().topic(short) for short in VERSIONED}
COUNTS = dict.fromkeys(VERSIONED, 4)
CONFIGS = {
    "sla.tickets.v1": {"message.timestamp.type": "LogAppendTime"},
    "sla.state.v1": {"cleanup.policy": "compact"},
}


def test_topics_that_keep_the_promise() -> None:
    """Topics as they should be are taken; ops and dead letters may have any number of partitions."""
    check(NAMES, {**COUNTS, "ops": 1, "dlq": 1, "books": 1}, CONFIGS)


@pytest.mark.parametrize("short", ["alerts", "outcomes", "clocks", "state"])
def test_partitions_that_differ(short: str) -> None:
    """A ticket must have the same partition in each, so each must have as many."""
    with pytest.raises(Misconfigured, match=rf"has 4 partitions, but sla\.{short}\.v1 has 3"):
        check(NAMES, {**COUNTS, short: 3}, CONFIGS)


@pytest.mark.parametrize(
    ("topic", "config", "said"),
    [
        ("sla.tickets.v1", {"message.timestamp.type": "CreateTime"}, "LogAppendTime"),
        ("sla.state.v1", {"cleanup.policy": "delete"}, "cleanup.policy"),
    ],
)
def test_settings_that_break_it(topic: str, config: dict[str, Any], said: str) -> None:
    """The setting is named, and what it should be."""
    with pytest.raises(Misconfigured, match=said):
        check(NAMES, COUNTS, {**CONFIGS, topic: config})


def test_a_simulated_journal_is_stamped_by_its_feed() -> None:
    """Where time comes from the log only, the feed may write it."""
    check(NAMES, COUNTS, {**CONFIGS, "sla.tickets.v1": {}}, simulated=True)
