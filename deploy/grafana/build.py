"""Writes the dashboards and the Grafana-managed alerts: `python deploy/grafana/build.py`.

What Grafana loads is the JSON beside it. With `--check` nothing is written, and what is not as it
should be is named. The alerts are those of `deploy/prometheus/rules`, for whoever has Grafana and no
Alertmanager.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml
from managed import managed_alerts
from operations import operations
from service_desk import service_desk
from source_health import source_health

HERE = Path(__file__).parent


def written() -> dict[Path, str]:
    """Return what belongs into each file."""
    boards = {
        "service-desk": service_desk(),
        "operations": operations(),
        "source-health": source_health(),
    }
    files = {
        HERE / "dashboards" / f"{name}.json": json.dumps(board, indent=1, ensure_ascii=False) + "\n"
        for name, board in boards.items()
    }
    files[HERE / "managed-alerts.yml"] = (
        "# Written by build.py from ../prometheus/rules/alerts.yml; put it into provisioning/alerting to\n"
        "# have Grafana evaluate the alerts. Use these or Prometheus's own, not both.\n"
        + yaml.safe_dump(managed_alerts(), sort_keys=False, width=110, allow_unicode=True)
    )
    return files


def main() -> int:
    files = written()
    if "--check" in sys.argv:
        stale = [path for path, text in files.items() if path.read_text("utf-8") != text]
        for path in stale:
            sys.stderr.write(f"{path} is not what build.py writes\n")
        return 1 if stale else 0
    for path, text in files.items():
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
