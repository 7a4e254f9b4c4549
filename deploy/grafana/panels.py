"""What a dashboard is made of: panels in a line or three, and Grafana's JSON from them."""

from __future__ import annotations

from typing import Any

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
GREEN, YELLOW, RED, BLUE = "green", "yellow", "red", "blue"

Panel = dict[str, Any]


def query(expr: str, legend: str = "", *, instant: bool = False, ref: str = "A") -> dict[str, Any]:
    told: dict[str, Any] = {"refId": ref, "datasource": SOURCE, "expr": expr, "editorMode": "code"}
    if legend:
        told["legendFormat"] = legend
    return told | ({"instant": True, "range": False} if instant else {"range": True})


def panel(kind: str, title: str, about: str, width: int, height: int, targets: Any) -> Panel:
    return {
        "type": kind,
        "title": title,
        "description": about,
        "datasource": SOURCE,
        "gridPos": {"w": width, "h": height},
        "targets": targets,
        "fieldConfig": {"defaults": {}, "overrides": []},
        "options": {},
    }


def stat(
    title: str, about: str, expr: str, unit: str = "short", steps: Any = None, width: int = 4
) -> Panel:
    """One number. `steps` are (from, colour), the first without a bound."""
    made = panel("stat", title, about, width, 4, [query(expr, instant=True)])
    made["fieldConfig"]["defaults"] = {
        "unit": unit,
        "noValue": "–",
        "color": {"mode": "thresholds"},
        "thresholds": {
            "mode": "absolute",
            "steps": [{"value": at, "color": colour} for at, colour in steps or [(None, BLUE)]],
        },
    }
    made["options"] = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value"}
    return made


def lines(
    title: str,
    about: str,
    queries: list[tuple[str, str]],
    unit: str = "short",
    *,
    stacked: bool = False,
    colours: dict[str, str] | None = None,
    width: int = 12,
) -> Panel:
    """Series over time."""
    targets = [query(e, legend, ref=chr(65 + n)) for n, (e, legend) in enumerate(queries)]
    made = panel("timeseries", title, about, width, 8, targets)
    made["fieldConfig"]["defaults"] = {
        "unit": unit,
        **({} if unit == "s" else {"min": 0}),
        "custom": {
            "lineWidth": 1,
            "fillOpacity": 30 if stacked else 5,
            "showPoints": "never",
            "stacking": {"mode": "normal" if stacked else "none"},
        },
    }
    made["fieldConfig"]["overrides"] = [
        {
            "matcher": {"id": "byName", "options": name},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
        }
        for name, colour in (colours or {}).items()
    ]
    made["options"] = {"legend": {"displayMode": "list", "placement": "bottom"},
                       "tooltip": {"mode": "multi", "sort": "desc"}}  # fmt: skip
    return made


def table(
    title: str, about: str, columns: list[tuple[str, str, str]], links: Any = (), width: int = 12
) -> Panel:
    """Columns are (heading, unit, expression); rows are joined on the labels that all have."""
    targets = [
        query(expr, instant=True, ref=chr(65 + n)) | {"format": "table"}
        for n, (_, _, expr) in enumerate(columns)
    ]
    made = panel("table", title, about, width, 9, targets)
    names = {f"Value #{chr(65 + n)}": heading for n, (heading, _, _) in enumerate(columns)}
    made["transformations"] = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": {"Time": True}, "renameByName": names}},
    ]
    made["fieldConfig"]["overrides"] = [
        {
            "matcher": {"id": "byName", "options": heading},
            "properties": [{"id": "unit", "value": unit}, {"id": "decimals", "value": 2 * ("percent" in unit)}],
        }
        for heading, unit, _ in columns
    ] + [
        {
            "matcher": {"id": "byName", "options": field},
            "properties": [{"id": "links", "value": [{"title": text, "url": url}]}],
        }
        for field, text, url in links
    ]  # fmt: skip
    made["options"] = {"showHeader": True}
    return made


def row(title: str) -> Panel:
    place = {"w": 24, "h": 1}
    return {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": place}


def variable(name: str, expr: str, label: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "refresh": 2,
        "query": {"query": expr, "refId": name},
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def dashboard(uid: str, title: str, about: str, panels: list[Panel], **more: Any) -> dict[str, Any]:
    """Panels flow from left to right; a new line begins where one does not fit any more."""
    x = y = tallest = 0
    for number, each in enumerate(panels, 1):
        place = each["gridPos"]
        if x + place["w"] > 24:
            x, y, tallest = 0, y + tallest, 0
        place["x"], place["y"], each["id"] = x, y, number
        x, tallest = x + place["w"], max(tallest, place["h"])
    return {
        "uid": uid,
        "title": title,
        "description": about,
        "tags": ["slastream"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": more.get("since", "now-6h"), "to": "now"},
        "timezone": "browser",
        "links": [
            {
                "type": "dashboards",
                "tags": ["slastream"],
                "title": "slastream",
                "includeVars": True,
                "keepTime": True,
            }
        ],
        "annotations": {"list": []},
        "templating": {
            "list": [
                {
                    "name": "datasource",
                    "label": "Prometheus",
                    "type": "datasource",
                    "query": "prometheus",
                    "current": {},
                    "hide": 0,
                    "refresh": 1,
                    "regex": "",
                },
                *more.get("variables", []),
            ]
        },
        "panels": panels,
    }
