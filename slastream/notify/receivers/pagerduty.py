"""PagerDuty, Events API v2: an incident by its `dedup_key`, triggered again and again, resolved once."""

from __future__ import annotations

import orjson

from slastream.core.instant import Instant, format_instant
from slastream.notify import words
from slastream.notify.alert import Alert
from slastream.notify.route import Request, Route
from slastream.notify.standing import RESOLVE, Notice

URL = "https://events.pagerduty.com/v2/enqueue"
KEY_LENGTH = 32
MOST = 1_024
"""Characters of a summary."""

_DETAILS = (
    "tenant", "source", "ticket", "number", "client", "contract", "priority", "type", "team",
    "indicator", "cycle", "threshold", "policy", "book", "calendar", "target_ms", "elapsed_ms",
    "remaining_ms", "started_at", "due", "reached_at", "detected_at", "late", "cause", "because",
)  # fmt: skip


def request(route: Route, notice: Notice, now: Instant) -> Request:
    """Return the event to enqueue."""
    event: dict[str, object] = {
        "routing_key": route.secrets[0].reveal(),
        "event_action": "resolve" if notice.action == RESOLVE else "trigger",
        "dedup_key": notice.alert.dedup_key,
    }
    if notice.action != RESOLVE:
        event |= _shown(notice)
    return Request(route.url.reveal(), orjson.dumps(event), {"content-type": "application/json"})


def _shown(notice: Notice) -> dict[str, object]:
    alert = notice.alert
    told: dict[str, object] = {"client": "slastream", "payload": _payload(notice)}
    if url := words.link(alert):
        told["client_url"] = url
        told["links"] = [{"href": url, "text": f"Ticket {words.ticket(alert)}"}]
    return told


def _payload(notice: Notice) -> dict[str, object]:
    alert = notice.alert
    reached = alert.instant("reached_at")
    return {
        "summary": words.summary(notice, MOST),
        "source": _source(alert),
        "severity": "critical" if alert.level == "breached" else "warning",
        "timestamp": format_instant(alert.logged_at if reached is None else reached),
        "component": words.plain(alert.text("indicator")),
        "group": words.plain(alert.text("client")) or words.plain(alert.text("tenant")),
        "class": f"sla_{alert.level}",
        "custom_details": {
            "alert_id": alert.id,
            **{name: _shown_value(alert.data.get(name)) for name in _DETAILS if name in alert.data},
        },
    }


def _shown_value(value: object) -> object:
    return words.plain(value, 500) if isinstance(value, str) else value


def _source(alert: Alert) -> str:
    return words.plain("/".join(alert.text(name) for name in ("tenant", "source", "ticket")), 255)
