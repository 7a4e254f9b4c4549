"""Reads each dashboard into the models of Grafana's own SDK and writes it again: nothing may be lost."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard


def lost(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Yield where `after` lacks or changes what `before` has."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key not in after:
                yield f"{path}/{key}"
            else:
                yield from lost(value, after[key], f"{path}/{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from lost(one, other, f"{path}/{number}")
    elif before != after:
        yield path


def main() -> int:
    bad = 0
    for path in sorted((Path(__file__).parent / "dashboards").glob("*.json")):
        told = json.loads(path.read_text("utf-8"))
        again = json.loads(JSONEncoder().encode(Dashboard.from_json(told)))
        for where in lost(told, again):
            bad += 1
            sys.stderr.write(f"{path.name}: Grafana knows no {where}\n")
        sys.stdout.write(f"{path.name}: {len(told['panels'])} panels\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
