"""Alertmanager, API v2: an alert is its labels, and is forgotten unless it is told again.

So the labels of an incident stay those of its first alert, whatever happens to the ticket, and what
changes is an annotation. `endsAt` lies ahead while it stands: if nobody repeats it, it ends there.
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from slastream.core.instant import Instant, format_instant
from slastream.notify import words
from slastream.notify.alert import Alert
from slastream.notify.route import Request, Route
from slastream.notify.standing import RESOLVE, TRIGGER, Incident, Notice

KEPT = 4
"""An alert ends by itself when it was not repeated so many times: a restart ends none."""

NAMES = {"at_risk": "SlaAtRisk", "breached": "SlaBreached"}

_LABELS = ("tenant", "source", "indicator", "client", "contract", "priority", "policy", "team")


def request(route: Route, notice: Notice, now: Instant) -> Request:
    """Return the one alert that a notice is about, standing or over."""
    ends = now if notice.action == RESOLVE else now + KEPT * route.repeat
    return _request(route, [_alert(notice, now, ends)])


def repeated(route: Route, incidents: Iterable[Incident], now: Instant) -> Request:
    """Return everything of some incidents once more, so that Alertmanager keeps them."""
    ends = now + KEPT * route.repeat
    return _request(
        route,
        [_alert(Notice(TRIGGER, each.latest, each.first), now, ends) for each in incidents],
    )


def _request(route: Route, alerts: list[dict[str, object]]) -> Request:
    headers = {"content-type": "application/json"}
    if route.authorization is not None:
        headers["authorization"] = route.authorization.reveal()
    url = route.url.reveal().rstrip("/") + "/api/v2/alerts"
    return Request(url, orjson.dumps(alerts), headers)


def _alert(notice: Notice, now: Instant, ends: Instant) -> dict[str, object]:
    alert = notice.alert
    began = notice.first.instant("reached_at") or notice.first.logged_at
    # A start that lies ahead would be after the end of what is over.
    began = min(began, now)
    told: dict[str, object] = {
        "labels": labels(notice.first),
        "annotations": {
            "summary": words.summary(notice),
            "threshold": words.plain(alert.text("threshold")),
            "alert_id": alert.id,
        },
        "startsAt": format_instant(began),
        "endsAt": format_instant(ends),
    }
    if url := words.link(alert):
        told["generatorURL"] = url
    return told


def labels(first: Alert) -> dict[str, str]:
    """Return what identifies an incident: functions of its first alert alone, the empty ones left out."""
    told = {
        "alertname": NAMES[first.level],
        "severity": "critical" if first.level == "breached" else "warning",
        "ticket": words.ticket(first),
        "dedup_key": first.dedup_key,
        **{name: words.plain(first.text(name)) for name in _LABELS},
    }
    if first.simulated:
        told["simulated"] = "true"
    return {name: text for name, text in told.items() if text}
