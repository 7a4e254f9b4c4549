"""What is left after an erasure, until when, and what `--now` may delete."""

from __future__ import annotations

import pytest

from slastream.core.errors import Misconfigured
from slastream.core.instant import DAY
from slastream.erasure.finding import Trace
from slastream.erasure.remains import cuts, gone_by, line

NOW = 1_800_000_000_000
MONTH = {"cleanup.policy": "delete", "retention.ms": str(30 * DAY), "segment.ms": str(7 * DAY)}
COMPACT = {"cleanup.policy": "compact", "max.compaction.lag.ms": str(DAY)}


def trace(short: str = "alerts", found: int = 2, **config: str) -> Trace:
    told = {**MONTH, **{name.replace("_", "."): value for name, value in config.items()}}
    one = Trace(short, f"sla.{short}.v1", told, read=9, found=found, last=NOW - DAY)
    if found:
        one.reach, one.below = {0: 17, 2: 5}, {0: 6, 2: 1}
    return one


@pytest.mark.parametrize(
    ("config", "gone"),
    [
        (MONTH, NOW - DAY + 37 * DAY),
        ({**MONTH, "retention.ms": "-1"}, None),
        ({**MONTH, "segment.ms": str(2**63 - 1)}, NOW + 29 * DAY),
        (COMPACT, NOW + DAY),
        ({**COMPACT, "max.compaction.lag.ms": str(2**63 - 1)}, None),
    ],
)
def test_when_the_broker_has_dropped_it(config: dict[str, str], gone: int | None) -> None:
    """Retention counts from the youngest record of a segment, compaction from now; some keep for ever."""
    assert gone == gone_by(Trace("x", "x", config, last=NOW - DAY), NOW)


def test_a_line_of_the_report() -> None:
    """How many there are, how many of others go with them, and by when they are gone."""
    told, none = line(trace(), NOW), line(trace(found=0), NOW)

    assert (told["found"], told["others before"]) == (2, 5)
    assert told["gone at the latest"] == "2027-02-20T08:00:00.000Z"
    assert (none["found"], none["others before"]) == (0, None)
    assert none["gone at the latest"] == "nothing found"


def test_what_was_not_searched_counts_to_its_end() -> None:
    """Nobody can say which of a source's own words are the ticket's, so all of them count."""
    raw = trace("raw.jira", found=0)
    raw.searched, raw.reach, raw.below = False, {0: 40}, {0: 9}

    assert (line(raw, NOW)["found"], line(raw, NOW)["others before"]) == (None, 9)
    assert line(raw, NOW)["gone at the latest"] == "2027-02-20T08:00:00.000Z"
    assert cuts([raw], ["raw"]) == {("sla.raw.jira.v1", 0): 40}


def test_records_are_deleted_up_to_the_last_one_found() -> None:
    """Of the topics that were named, in each partition that holds some; `raw` is all raw topics."""
    traces = [trace(), trace("outcomes"), trace("raw.jira"), trace("raw.glpi", found=0)]

    assert cuts(traces, ["alerts", "alerts"]) == {("sla.alerts.v1", 0): 17, ("sla.alerts.v1", 2): 5}
    assert {topic for topic, _ in cuts(traces, ["raw"])} == {"sla.raw.jira.v1"}
    assert cuts(traces, []) == {}


@pytest.mark.parametrize("topic", ["clocks", "state", "books"])
def test_what_stands_is_never_cut_off(topic: str) -> None:
    """In a compacted topic the records below an offset are other tickets' latest."""
    with pytest.raises(Misconfigured, match="no records are deleted there"):
        cuts([trace(topic)], [topic])


def test_a_topic_that_is_none() -> None:
    """A mistyped name deletes nothing, and is told the right ones."""
    with pytest.raises(Misconfigured, match=r"'alert' is none of alerts, outcomes"):
        cuts([trace(), trace("outcomes")], ["alert"])
