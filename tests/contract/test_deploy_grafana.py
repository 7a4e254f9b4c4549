"""The dashboards: what build.py writes, on metrics that exist, in queries that Prometheus can read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.observed import DASHBOARDS, ROOT, asked, panels, queries, rules, series, tool

GRAFANA = ROOT / "deploy" / "grafana"

each = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)


def test_the_files_are_what_build_writes() -> None:
    """Nobody edits the JSON by hand: it would be lost at the next build."""
    told = [sys.executable, str(GRAFANA / "build.py"), "--check"]
    done = subprocess.run(told, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert len(DASHBOARDS) == 3


@each
def test_panels_ask_only_for_what_exists(path: Path) -> None:
    """A panel on a metric that nobody exposes is empty for ever."""
    known = series()
    missing = {title: sorted(asked(expr) - known) for title, expr in queries(path)}

    assert {title: names for title, names in missing.items() if names} == {}
    assert all(asked(expr) or "up{" in expr or "ALERTS" in expr for _, expr in queries(path))


@each
def test_queries_are_promql(path: Path, tmp_path: Path) -> None:
    """promtool reads each query as the expression of a rule."""
    told = [
        {"record": f"panel:query{number}:value", "expr": expr}
        for number, (_, expr) in enumerate(queries(path))
    ]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": told}]}))
    check = [tool("promtool"), "check", "rules", str(file)]
    done = subprocess.run(check, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    assert f"{len(told)} rules found" in done.stdout


@each
def test_a_dashboard_can_be_loaded_anywhere(path: Path) -> None:
    """It names no data source but its variable, no id of one Grafana, and panels do not overlap."""
    board = json.loads(path.read_text("utf-8"))
    taken: set[tuple[int, int]] = set()
    for panel in panels(path):
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }

        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        assert panel["type"] == "row" or panel["description"]
        assert panel.get("datasource", {"uid": "${datasource}"})["uid"] == "${datasource}"

        taken |= cells

    assert "id" not in board
    assert board["uid"] == {"service-desk": "slastream-desk", "operations": "slastream-operations",
                            "source-health": "slastream-sources"}[path.stem]  # fmt: skip
    assert board["templating"]["list"][0]["type"] == "datasource"
    assert len({panel["id"] for panel in panels(path)}) == len(list(panels(path)))


def test_links_lead_to_dashboards_that_are_there() -> None:
    """A data link names the uid of one of ours."""
    uids = {json.loads(path.read_text("utf-8"))["uid"] for path in DASHBOARDS}
    linked = {
        link["url"].split("/")[2]
        for path in DASHBOARDS
        for panel in panels(path)
        for override in panel.get("fieldConfig", {}).get("overrides", [])
        for told in override["properties"]
        if told["id"] == "links"
        for link in told["value"]
    }

    assert linked
    assert linked <= uids


def test_grafanas_own_alerts_are_those_of_prometheus() -> None:
    """Whoever lets Grafana evaluate the alerts gets the same expressions, times and words."""
    managed = yaml.safe_load((GRAFANA / "managed-alerts.yml").read_text("utf-8"))
    found = {
        rule["title"]: (rule["data"][0]["model"]["expr"], rule["for"], rule["labels"])
        for group in managed["groups"]
        for rule in group["rules"]
    }
    uids = [rule["uid"] for group in managed["groups"] for rule in group["rules"]]
    expected = {
        rule["alert"]: (rule["expr"], rule.get("for", "0s"), rule["labels"])
        for rule in rules()
        if "alert" in rule
    }

    assert found == expected
    assert len(set(uids)) == len(uids)
    assert max(map(len, uids)) <= 40
