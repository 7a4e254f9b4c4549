"""Alerts as a worker publishes them, made by hand: records of the alerts topic, and what follows them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import orjson

from slastream.core.instant import MINUTE, format_instant
from slastream.notify.alert import Alert, alert_of


def now_ms() -> int:
    return int(time.time() * 1000)


def said(
    kind: str,
    ticket: str = "714502",
    *,
    id_: str,
    level: str = "at_risk",
    threshold: str = "75%",
    indicator: str = "resolution",
    about: str = "",
    at: int | None = None,
    **more: Any,
) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """Return key, value and headers of an alert (`at_risk`, `breached`), a `cleared` or a `corrected`."""
    at = now_ms() if at is None else at
    tenant, source = more.pop("tenant", "acme-msp"), more.pop("source", "connectwise")
    key = f"{tenant}/{source}/{ticket}"
    value: dict[str, Any] = {
        "tenant": tenant, "source": source, "ticket": ticket, "number": f"T-{ticket}",
        "url": f"https://desk.example/tickets/{ticket}", "client": "harbour-dental",
        "contract": "gold", "priority": "P2", "type": "incident", "team": "network",
        "indicator": indicator, "cycle": 1, "policy": "gold", "book": "2026-01-01T00:00:00Z#3f9c0a",
        "calendar": "paris", "target_ms": 240 * MINUTE, "elapsed_ms": 180 * MINUTE,
        "remaining_ms": 60 * MINUTE, "started_at": format_instant(at - 180 * MINUTE),
        "due": format_instant(at + 60 * MINUTE), "threshold": threshold,
        "severity": "critical" if level == "breached" else "warning",
        "reached_at": format_instant(at), "detected_at": format_instant(at), "late": False,
        "dedup_key": f"{key}/{indicator}/1/{level}",
        "because": [{"from": format_instant(at - 180 * MINUTE), "to": format_instant(at),
                     "state": "new", "counted_ms": 180 * MINUTE}],
    }  # fmt: skip
    if about:
        value |= {"alert_id": about, "reason": "stopped"}
    value |= more
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_type", f"io.slastream.sla.{kind}.v1".encode()),
        ("ce_source", f"/slastream/{tenant}/{source}".encode()),
        ("ce_id", id_.encode()),
        ("ce_time", format_instant(at).encode()),
        ("content-type", b"application/json"),
    ]
    return key.encode(), orjson.dumps(value), headers


@dataclass
class Record:
    """What a consumer is handed, as far as it is looked at."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    offset: int = 0
    timestamp: int = 0
    topic: str = "sla.alerts.v1"
    partition: int = 0


def record(kind: str, *, offset: int = 0, logged_at: int | None = None, **told: Any) -> Record:
    """Return a record of the alerts topic."""
    key, value, headers = said(kind, **told)
    return Record(key, value, headers, offset, now_ms() if logged_at is None else logged_at)


def alert(kind: str, ticket: str = "714502", **told: Any) -> Alert:
    """Return an alert as `slastream notify` reads it."""
    return alert_of(record(kind, ticket=ticket, **told))
