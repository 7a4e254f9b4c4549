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
    by_kind = {each["kind"]: each for each in found}
    hardened(by_kind["StatefulSet"]["spec"]["template"]["spec"])
    selected(by_kind)
    sys.stdout.write(f"{len(found)} objects: {', '.join(sorted(by_kind))}\n")
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


def selected(kinds: dict[str, Any]) -> None:
    """Whatever selects pods selects these, and the service is the one that the set names."""
    labels = kinds["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
    chosen = [
        kinds["StatefulSet"]["spec"]["selector"]["matchLabels"],
        kinds["Service"]["spec"]["selector"],
        kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        kinds["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ]
    for selector in chosen:
        assert selector.items() <= labels.items()
    assert kinds["StatefulSet"]["spec"]["serviceName"] == kinds["Service"]["metadata"]["name"]


if __name__ == "__main__":
    sys.exit(main())
