"""The two public event logs through the mappings that ship, where the logs are present."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from slastream.core.event import Event
from slastream.sources.files import Bad, read_events

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the public logs are not here")


def read(name: str, example: str) -> list[Event]:
    mapping = ROOT / "deploy" / "examples" / example / "mapping.yaml"
    found = list(read_events([DATA / name], "csv", mapping, "acme-msp"))
    bad = [str(each) for each in found if isinstance(each, Bad)]

    assert bad == []
    return [each for each in found if isinstance(each, Event)]


def test_help_desk_log() -> None:
    """Every row but the bug tracker's eight is an event with a state; every case has a beginning."""
    events = read("helpdesk_event_log.csv", "helpdesk")
    created = Counter(event.ticket for event in events if event.kind == "created")
    first = {event.ticket: event.created_at for event in events}

    assert len(events) == 21_348 - 8
    assert len(first) == 4_580
    assert set(created.values()) == {1}
    assert len(created) == 4_580
    assert all(event.state is not None for event in events)
    assert all((event.created_at or 0) <= event.occurred_at for event in events)


def test_incident_log() -> None:
    """Every row is an event with a state, a creation and the instance's own verdict."""
    events = read("servicenow_incident_log.csv", "incidents")
    last = {event.ticket: event for event in events}
    missed = [event for event in last.values() if event.reported == {"breached": True}]

    assert len(events) == 5_998
    assert len(last) == 890
    assert all(event.state is not None and event.created_at is not None for event in events)
    assert len(missed) == 395
