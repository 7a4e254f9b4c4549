"""Teams, a Workflows webhook: an Adaptive Card each. Teams folds nothing, so each names the alert's id.

Text stands in runs, which know no Markdown: a ticket's words make no links.
"""

from __future__ import annotations

import orjson

from slastream.core.instant import Instant
from slastream.notify import words
from slastream.notify.route import Request, Route
from slastream.notify.standing import RESOLVE, Notice

MOST = 28_000
"""Bytes of a message that Teams takes."""

_COLOURS = {"at_risk": "Warning", "breached": "Attention"}


def request(route: Route, notice: Notice, now: Instant) -> Request:
    """Return the message."""
    alert = notice.alert
    over = notice.action == RESOLVE
    colour = "Good" if over else _COLOURS[alert.level]
    body = [_block(_run(words.summary(notice, 1_000), weight="Bolder", color=colour))]
    if not over:
        for name, text in words.facts(alert):
            body.append(_block(_run(f"{name}: ", isSubtle=True), _run(text)))
    body.append(_block(_run(f"slastream {alert.id}", size="Small", isSubtle=True)))
    card: dict[str, object] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    if url := words.link(alert):
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open the ticket", "url": url}]
    message = {
        "type": "message",
        "attachments": [
            {
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": None,
                "content": card,
            }
        ],
    }
    return Request(route.url.reveal(), orjson.dumps(message), {"content-type": "application/json"})


def _block(*runs: dict[str, object]) -> dict[str, object]:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, **more: object) -> dict[str, object]:
    return {"type": "TextRun", "text": text, **more}
