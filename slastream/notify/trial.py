"""One message that says it is a test, sent once: so that a route is known to work before it must."""

from __future__ import annotations

import time

import orjson

from slastream.core.instant import Instant, format_instant
from slastream.notify.alert import Alert
from slastream.notify.post import Answer, Poster
from slastream.notify.receivers import KINDS
from slastream.notify.route import Route
from slastream.notify.standing import RESOLVE, TRIGGER, Notice


def trial(route: Route, now: Instant, *, clear: bool = False) -> Notice:
    """Return an alert of a ticket that there is not, or what clears it. It looks like nobody's ticket."""
    at = format_instant(now)
    data: dict[str, object] = {
        "tenant": "test", "source": "slastream", "ticket": "test", "url": None,
        "number": "TEST (please ignore: somebody tries this route)",
        "client": "test", "contract": None, "priority": "test", "type": None, "team": None,
        "indicator": "response", "cycle": 1, "policy": "test", "book": None, "calendar": "24x7",
        "target_ms": 3_600_000, "elapsed_ms": 2_700_000, "remaining_ms": 900_000,
        "started_at": format_instant(now - 2_700_000), "due": format_instant(now + 900_000),
        "threshold": "75%", "severity": "warning", "reached_at": at, "detected_at": at,
        "late": False, "dedup_key": f"test/slastream/{route.name}/response/1/at_risk", "because": [],
    }  # fmt: skip
    kind = "cleared" if clear else "at_risk"
    id_ = f"test-{route.name}-{now}"
    if clear:
        data |= {"reason": "test", "alert_id": id_}
    headers = {
        "ce_specversion": "1.0",
        "ce_type": f"io.slastream.sla.{kind}.v1",
        "ce_source": "/slastream/test",
        "ce_id": f"{id_}-cleared" if clear else id_,
        "ce_time": at,
    }
    alert = Alert(
        kind, headers["ce_id"], str(data["dedup_key"]), b"test/slastream/test", data, headers,
        orjson.dumps(data), 0, now, False,
    )  # fmt: skip
    return Notice(RESOLVE if clear else TRIGGER, alert, alert)


async def tried(route: Route, *, clear: bool = False) -> Answer:
    """Send the test message once, and return what its receiver said."""
    now = int(time.time() * 1000)
    async with Poster(route, 1) as poster:
        request = KINDS[route.kind].request(route, trial(route, now, clear=clear), now)
        return await poster.post(request)
