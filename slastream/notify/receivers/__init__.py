"""Receivers: one file each, which puts an alert into the receiver's own words and sends nothing.

`KINDS` says what a route of each kind needs and how fast it may be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from slastream.core.instant import Instant
from slastream.notify.receivers import alertmanager, pagerduty, slack, teams, webhook
from slastream.notify.route import Request, Route
from slastream.notify.standing import PARTIAL, RESOLVE, Notice


@dataclass(frozen=True, slots=True)
class Kind:
    """What is true of every route of a kind."""

    request: Callable[[Route, Notice, Instant], Request]
    """Route, notice and now -> what to send."""
    rate: float
    """Requests a second, unless a route says otherwise: what the receiver's own limits allow."""
    burst: float
    parallel: int
    """Requests under way at once. Tickets keep their order however many; one keeps the channel's too."""
    url: str = ""
    """Where it is, unless a route says otherwise; "" when every route has to say."""
    url_is_secret: bool = False
    """Whoever knows the URL can write to the channel."""
    fields: tuple[str, ...] = ()
    """Members of a route that only this kind has."""
    repeats: bool = False
    """It forgets what it is not told again."""
    parts: bool = False
    """It is also told what only takes a part of an incident away."""


KINDS: Mapping[str, Kind] = {
    "pagerduty": Kind(
        pagerduty.request, rate=2, burst=10, parallel=4, url=pagerduty.URL, fields=("routing_key",)
    ),
    "alertmanager": Kind(
        alertmanager.request, rate=50, burst=50, parallel=1, fields=("authorization", "repeat"),
        repeats=True,
    ),
    "slack": Kind(
        slack.request, rate=1, burst=1, parallel=1, url_is_secret=True, fields=("cleared",)
    ),
    "teams": Kind(
        teams.request, rate=4, burst=4, parallel=1, url_is_secret=True, fields=("cleared",)
    ),
    "webhook": Kind(
        webhook.request, rate=50, burst=50, parallel=8, fields=("secret", "authorization"), parts=True,
    ),
}  # fmt: skip


def tells(route: Route, notice: Notice) -> bool:
    """Tell whether a route's receiver hears of what a notice does to its incident."""
    if notice.action == PARTIAL:
        return KINDS[route.kind].parts
    return route.cleared or notice.action != RESOLVE
