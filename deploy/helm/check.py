"""Checks rendered manifests: `check.py RENDERED RULES VERSION...`; rules of a PrometheusRule go to RULES.

Kinds of Kubernetes itself are validated, strictly, against the schemas that kubernetes-validate
carries. Of custom kinds, which it does not know, only the parts that are ours to get wrong are looked at.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

CUSTOM = {"ServiceMonitor", "PrometheusRule", "ScaledObject"}


def main() -> int:
    rendered, rules, *versions = sys.argv[1:]
    found = [each for each in yaml.safe_load_all(Path(rendered).read_text("utf-8")) if each]
    Path(rules).write_text("")
    for each in found:
        if each["kind"] in CUSTOM:
            if each["kind"] == "PrometheusRule":
                Path(rules).write_text(yaml.safe_dump(each["spec"]))
            continue
        for version in versions:
            kubernetes_validate.validate(each, version, strict=True)
    for pods in found:
        if pods["kind"] in ("StatefulSet", "Deployment"):
            hardened(pods["spec"]["template"]["spec"])
            selected(pods, found)
    kinds = sorted({each["kind"] for each in found})
    sys.stdout.write(f"{len(found)} objects: {', '.join(kinds)}\n")
    return 0


def hardened(pod: dict[str, Any]) -> None:
    """A pod runs without root, rights or a writable image, and every probe has its path."""
    [container] = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["automountServiceAccountToken"] is False
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert "secretKeyRef" not in str(container), "secrets are files, not variables"


def selected(pods: dict[str, Any], found: list[dict[str, Any]]) -> None:
    """Service, budget, policy and monitor of the same name select these pods, and no others do."""
    name, labels = pods["metadata"]["name"], pods["spec"]["template"]["metadata"]["labels"]
    where = {
        "Service": ("spec", "selector"),
        "PodDisruptionBudget": ("spec", "selector", "matchLabels"),
        "NetworkPolicy": ("spec", "podSelector", "matchLabels"),
        "ServiceMonitor": ("spec", "selector", "matchLabels"),
    }
    for each in found:
        if each["kind"] in where:
            chosen: Any = each
            for key in where[each["kind"]]:
                chosen = chosen[key]
            ours = each["metadata"]["name"] == name
            assert (chosen.items() <= labels.items()) == ours, (
                each["kind"],
                each["metadata"]["name"],
            )
    assert pods["spec"].get("serviceName", name) == name


if __name__ == "__main__":
    sys.exit(main())
