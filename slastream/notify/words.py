"""An alert in words for people. What a ticket says is shown, never obeyed: no marks, no markup.

Times are UTC here; a receiver that can show a reader's own time does so itself.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from slastream.core.instant import Instant, format_duration, to_datetime
from slastream.notify.alert import Alert
from slastream.notify.standing import RESOLVE, Notice

CLIP = 160
"""Characters of a ticket's own words that are shown; the ticket system has the rest."""

# Controls, and the marks that turn the direction of text around: a name must not rewrite its line.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)

# What would end a link early in somebody's markup, and what a strict reader of addresses refuses.
_ODD = re.compile(r"[\s<>|\"\\^`{}]|%(?![0-9A-Fa-f]{2})")


def plain(text: str, most: int = CLIP) -> str:
    """Return text without invisible marks, on one line, clipped."""
    clean = _UNSEEN.sub(" ", text)
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def link(alert: Alert) -> str:
    """Return where a person opens the ticket; "" for what is no http(s) address."""
    url = alert.text("url")
    if not url or len(url) > 2_000 or _UNSEEN.search(url) or _ODD.search(url):
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.hostname else ""


def ticket(alert: Alert) -> str:
    """Return what people call the ticket."""
    return plain(alert.text("number") or alert.text("ticket"))


def when(instant: Instant | None) -> str:
    """Return an instant for people, "" for none: `2026-03-02 15:10 UTC`."""
    return "" if instant is None else to_datetime(instant).strftime("%Y-%m-%d %H:%M UTC")


def headline(notice: Notice) -> str:
    """Return what happened, in a few words: `Resolution SLA breached`, `90% of response used`."""
    alert = notice.alert
    indicator = plain(alert.text("indicator"))
    threshold = plain(alert.text("threshold"))
    if notice.action == RESOLVE or not alert.stands:
        reason = plain(alert.text("reason"))
        what = "breach" if alert.level == "breached" else "risk"
        told = f"Over: {what} of the {indicator} SLA"
        return f"{told} ({reason.replace('_', ' ')})" if reason else told
    if alert.level == "at_risk":
        return f"{threshold} of the {indicator} time is used"
    if threshold.endswith(" over"):
        return f"{indicator.capitalize()} SLA breached, {_spoken(threshold)} ago"
    return f"{indicator.capitalize()} SLA breached"


def _spoken(threshold: str) -> str:
    """`PT30M over` is 30 min."""
    return threshold.removesuffix(" over").removeprefix("PT").lower()


def summary(notice: Notice, most: int = 1_024) -> str:
    """Return one line that says what, which ticket, whose, how urgent, and until when."""
    alert = notice.alert
    marks = "[simulated] " if alert.simulated else ""
    parts = [f"{marks}{headline(notice)}: {ticket(alert)}"]
    parts += [plain(text) for name in ("client", "priority") if (text := alert.text(name))]
    if alert.stands and (due := when(alert.instant("due"))):
        parts.append(("was due " if alert.level == "breached" else "due ") + due)
    if alert.stands and alert.data.get("late") is True:
        parts.append("told late")
    return plain(", ".join(parts), most)


def facts(alert: Alert) -> list[tuple[str, str]]:
    """Return what a responder asks next, as names and texts; what is not known is left out."""
    found = [
        ("Ticket", ticket(alert)),
        ("Client", plain(alert.text("client"))),
        ("Priority", plain(alert.text("priority"))),
        ("Team", plain(alert.text("team"))),
        ("Target", _length(alert, "target_ms")),
        ("Used", _length(alert, "elapsed_ms")),
        ("Left", _length(alert, "remaining_ms")),
        ("Due", when(alert.instant("due"))),
        ("Policy", plain(alert.text("policy"))),
        ("From", f"{plain(alert.text('tenant'))}/{plain(alert.text('source'))}"),
    ]
    return [(name, text) for name, text in found if text]


def _length(alert: Alert, name: str) -> str:
    value = alert.data.get(name)
    return format_duration(value) if isinstance(value, int) else ""
