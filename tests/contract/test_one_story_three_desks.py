"""Ten days of one ticket, told by ConnectWise, Jira and ServiceNow in their own payloads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from slastream.cli.backtest import command as backtest
from slastream.core.instant import parse_instant

BOOK = """
apiVersion: slastream/v1
effective_from: 2026-01-01T00:00:00Z
tenant: acme-msp
calendars:
  paris:
    timezone: Europe/Paris
    open: {mon-fri: ["08:30-12:30", "13:30-18:00"]}
sources:
  connectwise: {preset: connectwise, clients: {HARBOURDENTAL: Harbour Dental}}
  jira: {preset: jira, clients: {Harbour: Harbour Dental}}
  servicenow: {preset: servicenow}
policies:
  - name: harbour
    when: {client: Harbour Dental}
    calendar: paris
    targets:
      response: {P1: PT10M, P2: PT30M}
      plan: {P1: PT30M, P2: PT1H}
      resolution: {P1: PT16H, P2: PT40H}
"""

# When, status in the words of (ConnectWise, Jira, ServiceNow), whether assigned, priority.
Step = tuple[str, tuple[str, str, tuple[int, str]], bool, int]
STORY: tuple[Step, ...] = (
    ("2026-03-02T09:02:11Z", ("New", "Waiting for support", (1, "")), False, 2),
    ("2026-03-02T09:20:40Z", ("Assigned", "Waiting for support", (1, "")), True, 2),
    ("2026-03-02T09:41:00Z", ("In Progress", "In Progress", (2, "")), True, 2),
    ("2026-03-02T10:05:00Z", ("Waiting Client", "Waiting for customer", (3, "1")), True, 2),
    ("2026-03-03T11:31:27Z", ("In Progress", "In Progress", (2, "")), True, 2),
    ("2026-03-03T13:10:00Z", ("Waiting Vendor", "Pending", (3, "4")), True, 2),
    ("2026-03-04T14:45:00Z", ("In Progress", "In Progress", (2, "")), True, 2),
    ("2026-03-05T10:00:00Z", ("In Progress", "In Progress", (2, "")), True, 1),
    ("2026-03-06T15:52:09Z", ("Resolved", "Resolved", (6, "")), True, 1),
    ("2026-03-09T08:15:00Z", ("In Progress", "In Progress", (2, "")), True, 1),
    ("2026-03-10T09:59:59Z", ("Resolved", "Resolved", (6, "")), True, 1),
    ("2026-03-12T16:00:00Z", ("Closed", "Closed", (7, "")), True, 1),
)
CREATED = STORY[0][0]
DONE = {"Resolved", "Closed"}


def connectwise(number: int, step: Step) -> dict[str, Any]:
    at, (status, _, _), assigned, priority = step
    entity = {
        "id": 714502,
        "board": {"name": "Service Desk"},
        "company": {"id": 250, "identifier": "HARBOURDENTAL", "name": "Harbour Dental Ltd"},
        "status": {"id": 100 + number, "name": status},
        "priority": {
            "name": ("", "Priority 1 - Emergency", "Priority 2 - Quick Response")[priority]
        },
        "owner": {"identifier": "maalto"} if assigned else None,
        "closedFlag": status == "Closed",
        "_info": {"lastUpdated": at, "dateEntered": CREATED, "updatedBy": "maalto"},
    }
    return {
        "MessageId": f"m-{number}",
        "Action": "updated" if number else "added",
        "Type": "ticket",
        "ID": 714502,
        "Entity": orjson.dumps(entity).decode(),
    }


def jira(number: int, step: Step) -> dict[str, Any]:
    at, (_, status, _), assigned, priority = step
    agent = {"accountId": "712020:aa", "accountType": "atlassian"}
    fields = {
        "created": CREATED.replace("Z", ".000+0000"),
        "status": {"name": status},
        "priority": {"name": ("", "Highest", "High")[priority]},
        "assignee": agent if assigned else None,
        "resolution": {"name": "Done"} if status in DONE else None,
        "customfield_10002": [{"id": "31", "name": "Harbour"}],
    }
    return {
        "timestamp": parse_instant(at),
        "webhookEvent": f"jira:issue_{'updated' if number else 'created'}",
        "user": agent,
        "issue": {"id": "20417", "key": "SUP-417", "fields": fields},
        "changelog": {"id": str(88_100 + number)},
    }


def servicenow(number: int, step: Step) -> dict[str, Any]:
    at, (_, _, (state, reason)), assigned, priority = step
    return {
        "sys_id": "9d38",
        "number": "INC0012417",
        "state": state,
        "hold_reason": reason,
        "priority": priority,
        "assigned_to": "5137" if assigned else "",
        "company": "Harbour Dental",
        "opened_at": CREATED.replace("Z", ".000Z"),
        "sys_updated_on": at.replace("Z", ".000Z"),
        "sys_updated_by": "maalto",
        "sys_mod_count": number,
    }


def clocks(
    folder: Path, source: str, tell: Callable[[int, Step], dict[str, Any]]
) -> list[dict[str, Any]]:
    """Judge the story as one desk tells it, and return its clocks without the desk's own names."""
    book, export = folder / "book.yaml", folder / f"{source}.jsonl"
    book.write_text(BOOK)
    export.write_bytes(
        b"\n".join(orjson.dumps(tell(number, step)) for number, step in enumerate(STORY))
    )
    arguments = [str(book), str(export), "--source", source, "--format", "jsonl"]
    answer = CliRunner().invoke(backtest, [*arguments, "--as-of", "2026-03-20T00:00:00Z"])

    assert answer.exit_code == 0, answer.output
    rows = [orjson.loads(line) for line in answer.stdout.splitlines()]
    return [{k: v for k, v in row.items() if k not in ("source", "ticket")} for row in rows]


DESKS = {"connectwise": connectwise, "jira": jira, "servicenow": servicenow}


def test_three_desks_tell_one_story(tmp_path: Path) -> None:
    """The same ten days give the same clocks, to the millisecond, whoever told them."""
    told = {source: clocks(tmp_path, source, tell) for source, tell in DESKS.items()}

    assert len(told["connectwise"]) == 3
    assert {"Harbour Dental"} == {row["client"] for row in told["connectwise"]}
    assert told["connectwise"] == told["jira"]
    assert told["connectwise"] == told["servicenow"]


@pytest.mark.parametrize("source", DESKS)
def test_the_story_has_the_ending_it_should(tmp_path: Path, source: str) -> None:
    """Answered in 18 min 29 s, begun in 38 min 49 s, solved in hours that were not paused."""
    rows = {row["indicator"]: row for row in clocks(tmp_path, source, DESKS[source])}

    assert rows["response"]["elapsed_ms"] == 1_109_000
    assert rows["plan"]["elapsed_ms"] == 2_329_000
    assert parse_instant(rows["response"]["reached_at"]) == parse_instant(STORY[1][0])
    # Open in Paris, not paused and not resolved: 1 h 02 min 49 s on Monday, 40 min on Tuesday (it
    # was resumed at 12:31:27, in the noon break), 2 h 15 min on Wednesday, all of Thursday (8 h
    # 30 min), and Friday until 16:52:09 (7 h 22 min 09 s); then after the reopening all of Monday
    # from 09:15 (7 h 45 min) and Tuesday until 10:59:59 (2 h 29 min 59 s).
    spent = ((1, 2, 49), (0, 40, 0), (2, 15, 0), (8, 30, 0), (7, 22, 9), (7, 45, 0), (2, 29, 59))
    assert rows["resolution"]["elapsed_ms"] == 1_000 * sum(
        hours * 3_600 + minutes * 60 + seconds for hours, minutes, seconds in spent
    )
    assert rows["resolution"]["reopen_count"] == 1
