"""What the page exposes, and what rules and dashboards ask for: names, read off the real things."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from prometheus_client import CollectorRegistry

from slastream import metrics
from slastream.gateway import counts
from slastream.notify import counts as notify_counts
from slastream.observe.owned import FAMILIES

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
_NAME = re.compile(r"\b(?:[a-z_]+:)?(?:slastream|process|python)_[a-z_]+(?::[a-z0-9_]+)?\b")
_INFO = {"slastream_build": ("version",), "slastream_book": ("tenant", "version")}


class Exposed(NamedTuple):
    """A metric as the page has it."""

    type: str
    labels: tuple[str, ...]
    about: str


def tool(name: str) -> str:
    """Return the path of a program of Debian's package `prometheus`; without it the test is skipped.

    Python and make are all that `make test` asks of a machine. CI installs it, see `.ci/run`.
    """
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install --no-install-recommends prometheus")
    return found


def exposed(*registries: CollectorRegistry) -> dict[str, Exposed]:
    """Return the metrics of these registries, by default of worker, gateway and notify, by their full names."""
    found = {}
    for registry in registries or (metrics.REGISTRY, counts.REGISTRY, notify_counts.REGISTRY):
        for collector in list(registry._collector_to_names):
            for family in getattr(collector, "describe", collector.collect)():
                labels = tuple(getattr(collector, "_labelnames", ()))
                short = family.name.removeprefix("slastream_")
                if short in FAMILIES:
                    labels = FAMILIES[short][1]
                name = family.name + {"counter": "_total", "info": "_info"}.get(family.type, "")
                labels = _INFO.get(family.name, labels)
                found[name] = Exposed(family.type, labels, family.documentation)
    return found


def series() -> set[str]:
    """Return the names that an expression may use."""
    names = set()
    for name, metric in exposed().items():
        names.add(name)
        if metric.type == "histogram":
            names |= {f"{name}_{part}" for part in ("bucket", "sum", "count")}
    return names | {rule["record"] for rule in rules() if "record" in rule}


def rules() -> list[dict[str, Any]]:
    """Return every rule that is shipped."""
    return [
        rule
        for path in sorted((PROMETHEUS / "rules").glob("*.yml"))
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]
        for rule in group["rules"]
    ]


def asked(expression: str) -> set[str]:
    """Return the names of ours that an expression uses."""
    return set(_NAME.findall(expression))


def panels(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the panels of a dashboard."""
    yield from json.loads(path.read_text("utf-8"))["panels"]


def queries(path: Path) -> list[tuple[str, str]]:
    """Return panel title and expression of every query of a dashboard, its variables filled in."""
    return [
        (panel["title"], filled(target["expr"]))
        for panel in panels(path)
        for target in panel.get("targets", [])
    ]


def filled(expression: str) -> str:
    """Return an expression with what Grafana puts in place of its variables."""
    for name, value in (("$__range", "1h"), ("$tenant", ".*"), ("$source", ".*")):
        expression = expression.replace(name, value)
    return expression
