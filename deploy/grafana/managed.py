"""The alerts of the Prometheus rules as Grafana provisions its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

RULES = Path(__file__).parent.parent / "prometheus" / "rules" / "alerts.yml"


def managed_alerts() -> dict[str, Any]:
    """Return the alerts of the Prometheus rules as Grafana provisions its own."""
    groups = []
    for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]:
        rules = [_managed(rule) for rule in group["rules"]]
        groups.append(
            {
                "orgId": 1,
                "name": group["name"],
                "folder": "slastream",
                "interval": "1m",
                "rules": rules,
            },
        )
    return {"apiVersion": 1, "groups": groups}


def _managed(rule: dict[str, Any]) -> dict[str, Any]:
    words = re.sub(r"(?<!^)(?=[A-Z])", "-", rule["alert"]).lower()
    values = {
        name: text.replace("$value", "$values.A.Value")
        for name, text in rule["annotations"].items()
    }
    return {
        "uid": words[:40],
        "title": rule["alert"],
        "condition": "B",
        "data": [
            {
                "refId": "A",
                "relativeTimeRange": {"from": 600, "to": 0},
                "datasourceUid": "prometheus",
                "model": {"refId": "A", "expr": rule["expr"], "instant": True, "range": False},
            },
            {
                "refId": "B",
                "relativeTimeRange": {"from": 0, "to": 0},
                "datasourceUid": "__expr__",
                "model": {
                    "refId": "B",
                    "type": "math",
                    "expression": "!is_nan($A)",
                },
            },
        ],
        "noDataState": "OK",
        "execErrState": "Error",
        "for": rule.get("for", "0s"),
        "labels": rule["labels"],
        "annotations": values,
    }
