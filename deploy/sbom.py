"""Writes the release's bill of materials: `sbom.py ENVIRONMENT OUT`, where ENVIRONMENT is a bare virtual
environment in which `slastream[local]` was installed and nothing else.

CycloneDX JSON: each Python package as cyclonedx-bom finds it, and the jars of the local broker, which are no
package of Python's. It is validated by CycloneDX's own library before it is written.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).parents[1]
JARS = ROOT / "slastream" / "kafka" / "jars.txt"


def main() -> int:
    environment, out = sys.argv[1], Path(sys.argv[2])
    bill = _packages(environment)
    _add_jars(bill)
    text = json.dumps(bill, indent=2, sort_keys=True) + "\n"
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    missing = _missing(bill)
    if problem is not None or missing:
        sys.stderr.write(f"no bill of materials: {problem or 'missing ' + ', '.join(missing)}\n")
        return 1
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, "utf-8")
    sys.stdout.write(
        f"{out}: {len(bill['components'])} components, valid CycloneDX {bill['specVersion']}\n"
    )
    return 0


def _packages(environment: str) -> dict[str, Any]:
    command = [
        str(Path(sys.executable).parent / "cyclonedx-py"), "environment", "--pyproject",
        str(ROOT / "pyproject.toml"), "--output-reproducible", "--short-PURLs", "--sv", "1.6",
        environment,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    bill: dict[str, Any] = json.loads(done.stdout)
    return bill


def _add_jars(bill: dict[str, Any]) -> None:
    """Add what `slastream up` downloads, once, by name and checksum; a worker never does."""
    refs = []
    for line in JARS.read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        coordinates, checksum, _ = line.split()
        group, name, version = coordinates.split(":")
        purl = f"pkg:maven/{group}/{name}@{version}"
        refs.append(purl)
        bill["components"].append(
            {
                "bom-ref": purl, "type": "library", "group": group, "name": name,
                "version": version, "purl": purl, "scope": "optional",
                "hashes": [{"alg": "SHA-256", "content": checksum}],
            }
        )  # fmt: skip
        bill["dependencies"].append({"ref": purl})
    root = bill["metadata"]["component"]["bom-ref"]
    ours = next(each for each in bill["dependencies"] if each["ref"] == root)
    ours["dependsOn"] = sorted([*ours.get("dependsOn", []), *refs])


def _missing(bill: dict[str, Any]) -> list[str]:
    """Return what the project asks for and the bill does not name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["local"]]
    names = {_plain(each["name"]) for each in bill["components"]}
    return [one for one in asked if _plain(re.split(r"[^\w.-]", one)[0]) not in names]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main())
