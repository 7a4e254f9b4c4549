"""The shipped rules: they parse, they fire when they should, and each alert has its page."""

from __future__ import annotations

import subprocess
from collections import defaultdict

import yaml

from tests.support.observed import PROMETHEUS, ROOT, asked, rules, series, tool

ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}
CASES = sorted((PROMETHEUS / "tests").glob("*.yml"))


def promtool(*arguments: object) -> str:
    told = [tool("promtool"), *map(str, arguments)]
    done = subprocess.run(told, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_rules_are_what_prometheus_reads() -> None:
    """promtool accepts every rule file and the configuration of docker-compose."""
    said = promtool("check", "rules", *sorted((PROMETHEUS / "rules").glob("*.yml")))
    promtool("check", "config", PROMETHEUS / "prometheus.yml")

    assert said.count("SUCCESS") == 2


def test_the_rules_do_what_their_cases_say() -> None:
    """Every case of deploy/prometheus/tests holds in promtool."""
    said = promtool("test", "rules", *CASES)

    assert said.count("SUCCESS") == len(CASES)


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    """An alert that no case has seen fire is a guess."""
    fired = defaultdict(int)
    for path in CASES:
        for case in yaml.safe_load(path.read_text("utf-8"))["tests"]:
            for check in case["alert_rule_test"]:
                fired[check["alertname"]] += bool(check["exp_alerts"])

    assert sorted(fired) == sorted(ALERTS)
    assert [name for name, count in fired.items() if not count] == []


def test_every_alert_has_a_page() -> None:
    """Whoever is woken finds what it means, what it does to tickets, where to look, how to mend it."""
    index = (ROOT / "docs" / "runbooks" / "README.md").read_text("utf-8")
    pages = {path.stem for path in (ROOT / "docs" / "runbooks").glob("Slastream*.md")}

    assert pages == set(ALERTS)
    for name, rule in ALERTS.items():
        page = ROOT / rule["annotations"]["runbook_url"]
        text = page.read_text("utf-8")

        assert page.stem == name
        assert f"({name}.md)" in index
        assert [line for line in text.splitlines() if line.startswith("## ")] == [
            "## What it means", "## What it does to tickets", "## Look", "## Mend",
        ]  # fmt: skip


def test_every_alert_says_how_bad_it_is() -> None:
    """Routing goes by severity, and people by summary and description."""
    for rule in ALERTS.values():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}


def test_rules_ask_only_for_what_exists() -> None:
    """A rule on a metric that nobody exposes never fires, and nobody notices."""
    known = series()
    missing = {
        rule.get("alert") or rule["record"]: sorted(asked(rule["expr"]) - known) for rule in rules()
    }

    assert {name: names for name, names in missing.items() if names} == {}
