"""What each receiver is sent, field by field against what it publishes about its requests."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from slastream.core.instant import DAY, MINUTE, format_instant, parse_instant
from slastream.kafka.topics import samples
from slastream.notify.alert import alert_of
from slastream.notify.receivers import KINDS, alertmanager, tells, webhook
from slastream.notify.receivers.teams import MOST
from slastream.notify.route import Request, Route
from slastream.notify.secret import Secret
from slastream.notify.standing import Incident, Notice, Standing
from tests.support.alerts import Record, alert

AT = parse_instant("2026-03-02T09:02:11.000Z")
NOW = AT + 5 * MINUTE
KEY = "0123456789abcdef0123456789abcdef"
SIGNING = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
HOSTILE = "<!channel> [x](http://evil) *b* \u202egnp.exe\x07\n" + "w" * 5_000

PAGERDUTY = {
    "type": "object",
    "required": ["routing_key", "event_action", "dedup_key"],
    "additionalProperties": False,
    "properties": {
        "routing_key": {"type": "string", "minLength": 32, "maxLength": 32},
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": {"type": "string", "minLength": 1, "maxLength": 255},
        "client": {"type": "string"},
        "client_url": {"type": "string", "pattern": "^https?://"},
        "links": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["href"],
                "additionalProperties": False,
                "properties": {"href": {"type": "string"}, "text": {"type": "string"}},
            },
        },
        "payload": {
            "type": "object",
            "required": ["summary", "severity", "source"],
            "additionalProperties": False,
            "properties": {
                "summary": {"type": "string", "minLength": 1, "maxLength": 1024},
                "timestamp": {"type": "string", "format": "date-time"},
                "severity": {"enum": ["critical", "warning", "error", "info"]},
                "source": {"type": "string", "minLength": 1},
                "component": {"type": "string"},
                "group": {"type": "string"},
                "class": {"type": "string"},
                "custom_details": {"type": "object"},
            },
        },
    },
    "if": {"properties": {"event_action": {"const": "trigger"}}},
    "then": {"required": ["payload"]},
}
"""The members of an Events API v2 request as PagerDuty publishes them, with its limits."""

_LABELS = {
    "type": "object",
    "propertyNames": {"pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"},
    "additionalProperties": {"type": "string", "minLength": 1},
}
ALERTMANAGER = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["labels"],
        "additionalProperties": False,
        "properties": {
            "labels": {**_LABELS, "required": ["alertname"]},
            "annotations": _LABELS,
            "startsAt": {"type": "string", "format": "date-time"},
            "endsAt": {"type": "string", "format": "date-time"},
            "generatorURL": {"type": "string", "format": "uri"},
        },
    },
}
"""postableAlerts of Alertmanager's API v2."""


def route(kind: str, **more: Any) -> Route:
    given: dict[str, Any] = {"url": Secret("https://receiver.example/x"), "shown": "https://***"}
    if kind == "pagerduty":
        given["secrets"] = (Secret(KEY),)
    if kind == "webhook":
        given["secrets"] = (Secret(SIGNING), Secret("another key of 24 bytes.."))
    return Route(name="one", kind=kind, **{**given, **more})


def noticed(*told: Any) -> Notice:
    """Return what the last of these alerts does."""
    standing = Standing(lambda _: True)
    for each in told:
        notice = standing.take(each)
    assert isinstance(notice, Notice)
    return notice


def risk(**more: Any) -> Any:
    return alert("at_risk", id_="a", at=AT, logged_at=NOW, **more)


def over(**more: Any) -> Any:
    return alert("cleared", id_="c", about="a", at=AT, logged_at=NOW, **more)


def sent(kind: str, notice: Notice, **more: Any) -> tuple[Request, Any]:
    request = KINDS[kind].request(route(kind, **more), notice, NOW)
    return request, json.loads(request.body)


def test_pagerduty_triggers() -> None:
    """Every member is what PagerDuty calls it, and says what a responder asks first."""
    request, event = sent("pagerduty", noticed(risk()))
    details = event["payload"].pop("custom_details")

    assert event == {
        "routing_key": KEY,
        "event_action": "trigger",
        "dedup_key": "acme-msp/connectwise/714502/resolution/1/at_risk",
        "client": "slastream",
        "client_url": "https://desk.example/tickets/714502",
        "links": [{"href": "https://desk.example/tickets/714502", "text": "Ticket T-714502"}],
        "payload": {
            "summary": "75% of the resolution time is used: T-714502, harbour-dental, P2, "
            "due 2026-03-02 10:02 UTC",
            "source": "acme-msp/connectwise/714502",
            "severity": "warning",
            "timestamp": "2026-03-02T09:02:11.000Z",
            "component": "resolution",
            "group": "harbour-dental",
            "class": "sla_at_risk",
        },
    }
    assert details["alert_id"] == "a"
    assert (details["client"], details["remaining_ms"]) == ("harbour-dental", 3_600_000)
    assert request.headers == {"content-type": "application/json"}
    assert KINDS["pagerduty"].url == "https://events.pagerduty.com/v2/enqueue"


def test_pagerduty_resolves() -> None:
    """What is over says so under the key of what began it, and no more."""
    _, event = sent("pagerduty", noticed(risk(), over()))

    assert event == {
        "routing_key": KEY,
        "event_action": "resolve",
        "dedup_key": "acme-msp/connectwise/714502/resolution/1/at_risk",
    }


def test_alertmanager_is_told_what_stands() -> None:
    """Labels identify, annotations tell, and the end lies ahead by four repeats."""
    request, alerts = sent("alertmanager", noticed(risk()), repeat=MINUTE)

    assert request.url == "https://receiver.example/x/api/v2/alerts"
    assert alerts == [
        {
            "labels": {
                "alertname": "SlaAtRisk",
                "severity": "warning",
                "ticket": "T-714502",
                "dedup_key": "acme-msp/connectwise/714502/resolution/1/at_risk",
                "tenant": "acme-msp",
                "source": "connectwise",
                "indicator": "resolution",
                "client": "harbour-dental",
                "contract": "gold",
                "priority": "P2",
                "policy": "gold",
                "team": "network",
            },
            "annotations": {
                "summary": "75% of the resolution time is used: T-714502, harbour-dental, P2, "
                "due 2026-03-02 10:02 UTC",
                "threshold": "75%",
                "alert_id": "a",
            },
            "startsAt": format_instant(AT),
            "endsAt": format_instant(NOW + 4 * MINUTE),
            "generatorURL": "https://desk.example/tickets/714502",
        }
    ]


def test_alertmanager_labels_stay_those_of_the_beginning() -> None:
    """Another priority is another label set, and so another alert: it must not slip in."""
    first = risk(priority="P1", client="one")
    later = alert(
        "at_risk", id_="b", at=AT, logged_at=NOW, priority="P4", client="two", threshold="90%"
    )
    updated = sent("alertmanager", noticed(first, later))[1][0]
    again = json.loads(
        alertmanager.repeated(route("alertmanager"), [Incident(first, later)], NOW).body
    )[0]
    ended = sent("alertmanager", noticed(first, over(priority="P4", client="two")))[1][0]

    assert updated["labels"] == again["labels"] == ended["labels"]
    assert updated["labels"]["priority"] == "P1"
    assert updated["annotations"]["threshold"] == again["annotations"]["threshold"] == "90%"
    assert ended["endsAt"] == format_instant(NOW)
    assert parse_instant(ended["startsAt"]) <= parse_instant(ended["endsAt"])


def test_slack_is_told_in_blocks() -> None:
    """The text is there for those who see no blocks, and the id for those who see it twice."""
    _, message = sent("slack", noticed(risk()))
    head, facts, foot = message["blocks"]

    assert message["text"].startswith("75% of the resolution time is used: T-714502")
    assert head["text"]["type"] == "mrkdwn"
    assert "<https://desk.example/tickets/714502|Open the ticket>" in head["text"]["text"]
    assert "*Left:* 1 h 00 min" in facts["text"]["text"]
    assert foot["elements"] == [{"type": "plain_text", "text": "slastream a"}]


def test_teams_is_told_with_a_card() -> None:
    """One message with one Adaptive Card, of elements that Teams knows."""
    _, message = sent("teams", noticed(risk()))
    [attachment] = message["attachments"]
    card = attachment["content"]

    assert message["type"] == "message"
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert attachment["contentUrl"] is None
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert card["body"][-1]["inlines"][0]["text"] == "slastream a"
    assert card["actions"] == [
        {"type": "Action.OpenUrl", "title": "Open the ticket", "url": "https://desk.example/tickets/714502"}
    ]  # fmt: skip


def test_a_webhook_is_a_signed_cloud_event() -> None:
    """The event as it stands on the topic; the signature covers id, time and every byte."""
    one = risk()
    request, event = sent("webhook", noticed(one))
    entries = request.headers["webhook-signature"].split()
    seconds = request.headers["webhook-timestamp"]

    assert event.pop("data") == json.loads(one.value)
    assert event == {
        "specversion": "1.0",
        "type": "io.slastream.sla.at_risk.v1",
        "source": "/slastream/acme-msp/connectwise",
        "id": "a",
        "time": "2026-03-02T09:02:11.000Z",
        "datacontenttype": "application/json",
        "dedupkey": "acme-msp/connectwise/714502/resolution/1/at_risk",
    }
    assert request.headers["content-type"].startswith("application/cloudevents+json")
    assert (request.headers["webhook-id"], seconds) == ("a", str(NOW // 1000))
    assert len(entries) == 2
    assert entries[0] == webhook.signature(webhook.key_of(SIGNING), "a", seconds, request.body)


def test_a_signature_is_what_the_specifications_own_library_makes() -> None:
    """Computed once with `standardwebhooks` 1.1.0 over these very words."""
    found = webhook.signature(
        webhook.key_of(SIGNING), "c5e4b0", "1772442131", b'{"tenant":"acme-msp","n":1}'
    )

    assert found == "v1,Qqriw4p57FV80t6fWX9A6PYHrUgSx49WgKWx05s0JhM="


def test_who_hears_of_the_end() -> None:
    """A part of an incident concerns whoever keeps books; a channel may not want to know the end."""
    partial = noticed(risk(), alert("at_risk", id_="b"), over())
    ended = noticed(risk(), over())

    assert [kind for kind in KINDS if tells(route(kind), partial)] == ["webhook"]
    assert [kind for kind in KINDS if tells(route(kind), ended)] == list(KINDS)
    assert not tells(route("slack", cleared=False), ended)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_ticket_says_is_shown_and_never_obeyed(kind: str) -> None:
    """Names of any length with markup, controls and turned text stay inside the receiver's limits."""
    odd = risk(number=HOSTILE, client=HOSTILE, policy=HOSTILE, url="javascript:alert(1)", team=None)
    _, body = sent(kind, noticed(odd))
    text = orjson.dumps(body).decode() if kind != "webhook" else ""

    assert "javascript" not in text
    assert "\\u202e" not in text
    assert "\u202e" not in text
    if kind == "pagerduty":
        jsonschema.validate(body, PAGERDUTY)
    if kind == "alertmanager":
        jsonschema.validate(body, ALERTMANAGER)
    if kind == "slack":
        assert "<!channel>" not in text
        assert all(
            len(b["text"]["text"]) <= 3_000 for b in body["blocks"] if b["type"] == "section"
        )
    if kind == "teams":
        assert len(text) < MOST


@pytest.mark.parametrize("kind", ["pagerduty", "alertmanager"])
def test_all_samples_of_the_topic_meet_the_published_format(kind: str) -> None:
    """Alerts, clearings and corrections as a worker publishes them, each with its incident's history."""
    schema = PAGERDUTY if kind == "pagerduty" else ALERTMANAGER
    told = []
    for n, sample in enumerate(samples("alerts")):
        headers = [(name, value.encode()) for name, value in sample["headers"].items()]
        record = Record(sample["key"].encode(), orjson.dumps(sample["value"]), headers, n, AT + DAY)
        one = alert_of(record)
        action = "trigger" if one.stands else "resolve"
        _, body = sent(kind, Notice(action, one, one))
        jsonschema.validate(body, schema, format_checker=jsonschema.FormatChecker())
        told.append(one.type)

    assert set(told) == {"at_risk", "breached", "cleared", "corrected"}


def test_every_kind_has_its_line_in_the_document() -> None:
    """docs/notify.md names each kind, its rate, and every member of a route."""
    text = (Path(__file__).parents[3] / "docs" / "notify.md").read_text("utf-8")
    members = set(
        re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)))
    )
    fields = {name for kind in KINDS.values() for name in kind.fields}

    for kind, told in KINDS.items():
        [line] = re.findall(rf"^\| `{kind}` \|.*$", text, re.MULTILINE)

        assert f"{told.rate:g} a second" in line or kind == "pagerduty"
    assert fields - {"routing_key", "secret"} <= members


@pytest.mark.parametrize("kind", ["alertmanager", "webhook"])
def test_an_authorization_is_shown_to_its_receiver(kind: str) -> None:
    """The header is the secret, whole, and there is none where a route has none."""
    given, _ = sent(kind, noticed(risk()), authorization=Secret("Bearer some-token"))
    none, _ = sent(kind, noticed(risk()))

    assert given.headers["authorization"] == "Bearer some-token"
    assert "authorization" not in none.headers
