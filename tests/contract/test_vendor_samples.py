"""Vendors' deliveries against what we say they mean: our own samples, and the shared ones if present.

A shared sample's `expect` is somebody's reading and not law. Where ours differs, `OTHERWISE` says
what we read and why; an entry that is no longer needed fails.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from msgspec import UNSET

from slastream.book.mappings import preset
from slastream.core.event import STATES, Event, State
from slastream.core.instant import parse_instant
from slastream.core.policy import Mapped, fold_text
from slastream.sources import SOURCES, Delivery, read, source_module
from slastream.sources.files import recorded
from slastream.sources.samples import samples, shown
from slastream.sources.signatures import SCHEMES, verify

SHARED = Path(__file__).parents[3] / "shared" / "payloads"
ARRIVED = 1_772_442_139_000

OTHERWISE: dict[tuple[str, str], tuple[str, str | None, str]] = {
    ("autotask", "status_numeric_id"): (
        "state",
        None,
        "picklist ids other than 1 and 5 are a site's own, so the preset leaves them unmapped",
    ),
    ("autotask", "status_complete"): (
        "state",
        "closed",
        "Complete is Autotask's end state; Resolved is the one that does not close",
    ),
    ("frappe_helpdesk", "customer_answers"): (
        "state",
        "new",
        "Open is new until answered; milestones that were reached stay reached, and the clock runs",
    ),
    ("glpi", "assigned"): (
        "state",
        "responded",
        "assigned is taken on, not begun: GLPI has no status for work under way",
    ),
}


NAMES = [name for name, module in SOURCES.items() if module.endswith(f".{name}")]
OWN = [(source, sample) for source in NAMES for sample in samples(source)]


@pytest.mark.parametrize(
    ("source", "sample"), OWN, ids=[f"{source}-{sample['name']}" for source, sample in OWN]
)
def test_own_samples(source: str, sample: dict[str, Any]) -> None:
    """Each sample that ships is read as the events that it shows, to the last member."""
    delivery = recorded(sample["delivery"], source, "acme-msp", ARRIVED)

    assert sample["events"] == [shown(event) for event in read(delivery)]


def test_every_source_ships_samples() -> None:
    """Three samples or more for every source, each under a name of its own."""
    for source in SOURCES:
        names = [sample["name"] for sample in samples(source)]

        assert len(names) >= 3, source
        assert len(names) == len(set(names))


def test_own_samples_are_in_the_words_of_their_preset() -> None:
    """Every status and priority of our samples is known to the preset that ships with it."""
    for source, sample in OWN:
        for event in read(recorded(sample["delivery"], source, "acme-msp", ARRIVED)):
            mapping = preset(source_module(source).ABOUT.preset or source)
            if isinstance(event.priority, str):
                assert fold_text(event.priority) in mapping.priorities, sample["name"]
            if isinstance(event.status, str) and event.state is None:
                assert state_of(event, mapping) is not None, sample["name"]


# The shared payloads.


def shared() -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    if not SHARED.is_dir():
        return []
    files = (json.loads(file.read_text("utf-8")) for file in sorted(SHARED.glob("*.json")))
    return [(file["system"], file, sample) for file in files for sample in file["samples"]]


needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared payloads are not here")
each_shared = pytest.mark.parametrize(
    ("system", "file", "sample"),
    shared(),
    ids=[f"{system}-{sample['name']}" for system, _, sample in shared()],
)


def raw(system: str, body: object) -> bytes:
    """Return the bytes that a sample's signature was made over, as its `signing` says."""
    if system == "glpi":
        return json.dumps(body, indent=4).encode()
    if system == "frappe_helpdesk":
        return json.dumps(body).encode()
    return orjson.dumps(body)


def delivery_of(system: str, sample: dict[str, Any]) -> Delivery:
    kafka = sample.get("kafka", {})
    headers = sample.get("headers") or kafka.get("headers") or {}
    expects = sample["expect"] if isinstance(sample["expect"], list) else [sample["expect"]]
    return Delivery(
        source=system,
        tenant="acme-msp",
        key=None if "key" not in kafka else orjson.dumps(kafka["key"]),
        value=None if sample["body"] is None else raw(system, sample["body"]),
        headers={name: str(value).encode() for name, value in headers.items()},
        received_at=ARRIVED,
        timezone=expects[0].get("source_zone"),
    )


def state_of(event: Event, mapping: Any) -> str | None:
    """Return the state that an event gives or that the preset knows, in the words of `expect`."""
    if event.state is not None:
        return event.state
    if isinstance(event.status, str):
        status = fold_text(event.status)
        sub = fold_text(event.sub_status) if isinstance(event.sub_status, str) else ""
        found = mapping.statuses.get(("", status, sub)) or mapping.statuses.get(("", status, ""))
        return None if found is None else spoken(found)
    kind = "unknown" if event.actor is None else event.actor.kind
    if event.comment is not None and event.comment.public and kind in ("agent", "unknown"):
        return "responded"
    return None


def spoken(found: Mapped) -> str:
    if found.state == State.WAITING:
        return {"client": "waiting_customer"}.get(found.on, f"waiting_{found.on}")
    return found.state.label


@needs_shared
@each_shared
def test_shared_samples(system: str, file: dict[str, Any], sample: dict[str, Any]) -> None:
    """Each shared sample maps to what it expects, or to what we say instead."""
    expects = sample["expect"] if isinstance(sample["expect"], list) else [sample["expect"]]
    events = [e for e in read(delivery_of(system, sample)) if e.kind != "absorbed"]
    mapping = preset(source_module(system).ABOUT.preset or system)
    what, ours, _ = OTHERWISE.get((system, sample["name"]), ("", None, ""))

    assert len(expects) == len(events)
    for expect, event in zip(expects, events, strict=True):
        assert expect["ticket"] in (event.ticket, event.number)
        occurred_at = expect["occurred_at"]
        assert event.occurred_at == (parse_instant(occurred_at) if occurred_at else ARRIVED)
        if expect["priority"] is not None and event.priority is not UNSET:
            assert isinstance(event.priority, str)
            assert mapping.priorities[fold_text(event.priority)] == expect["priority"]
        if expect["signal"] == "tombstone":
            assert event.kind == "deleted"
        elif what == "state":
            assert expect["state"] != ours, "read as expected by now: drop the entry"
            assert state_of(event, mapping) == ours
        else:
            assert state_of(event, mapping) == expect["state"]
        assert event.merged_into == expect.get("merged_into")
        if str(expect.get("sequence", "x")).isdigit():
            assert event.sequence == int(expect["sequence"])
        if expect["signal"] in ("created", "deleted", "merged", "snapshot"):
            assert event.kind == expect["signal"]
        if expect["signal"] == "first_response" and what != "state":
            assert event.comment is not None or STATES.get(str(expect["state"])) == State.RESPONDED


@needs_shared
@pytest.mark.parametrize(
    ("system", "file", "sample"),
    [(*each, sample) for *each, sample in shared() if each[0] in SCHEMES],
    ids=[f"{system}-{sample['name']}" for system, _, sample in shared() if system in SCHEMES],
)
def test_shared_signatures(system: str, file: dict[str, Any], sample: dict[str, Any]) -> None:
    """Each signed shared sample verifies, with its signed time as now, and not with another secret."""
    signing = file["signing"]
    secret = signing.get("secret") or signing["key_url_response"]["signing_key"]
    body = raw(system, sample["body"])
    time = sample["headers"].get(SCHEMES[system].timed or "")
    now = 0
    if time is not None:
        now = int(time) * 1_000 if time.isdigit() else parse_instant(time)

    verify(system, sample["headers"], body, ["another", secret], now)
    with pytest.raises(Exception, match="bad_signature"):
        verify(system, sample["headers"], body, ["another"], now)


@needs_shared
def test_a_retried_delivery_is_the_same_event() -> None:
    """Jira's retry of a delivery carries the id of the first attempt."""
    by_name = {s["name"]: s for system, _, s in shared() if system == "jira"}
    first, again = (
        read(delivery_of("jira", by_name[name]))
        for name in ("status_waiting_for_customer", "same_delivery_retried")
    )

    assert first == again
