"""Slack, incoming webhook: a message each. Slack folds nothing, so each names the alert's id."""

from __future__ import annotations

import orjson

from slastream.core.instant import Instant
from slastream.notify import words
from slastream.notify.route import Request, Route
from slastream.notify.standing import RESOLVE, Notice

_SECTION = 3_000
"""Characters of a section's text."""


def request(route: Route, notice: Notice, now: Instant) -> Request:
    """Return the message."""
    alert = notice.alert
    over = notice.action == RESOLVE
    mark = ":white_check_mark:" if over else _MARKS[alert.level]
    line = _escaped(words.summary(notice, 1_000))
    if url := words.link(alert):
        line += f"\n<{_escaped(url)}|Open the ticket>"
    blocks: list[dict[str, object]] = [_section(f"{mark} {line}")]
    if not over:
        fields = [f"*{name}:* {_escaped(text)}" for name, text in words.facts(alert)]
        blocks.append(_section("  ".join(fields)))
    blocks.append(
        {"type": "context", "elements": [{"type": "plain_text", "text": f"slastream {alert.id}"}]}
    )
    body = {"text": _escaped(words.summary(notice, 1_000)), "blocks": blocks}
    return Request(route.url.reveal(), orjson.dumps(body), {"content-type": "application/json"})


_MARKS = {"at_risk": ":warning:", "breached": ":rotating_light:"}


def _section(text: str) -> dict[str, object]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:_SECTION]}}


def _escaped(text: str) -> str:
    """Slack's three: without them a ticket could mention everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
