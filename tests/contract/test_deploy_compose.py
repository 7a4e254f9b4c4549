"""docker-compose.yml and the image: valid to validators that are not ours, pinned, and without root."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from slastream import __version__
from slastream.demo.desk import BY_KAFKA, SOURCES, ZONES

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
COMPOSE = yaml.safe_load(FILE.read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
ONCE = {"topics", "feed"}
"""Services that end: they have no health but their exit code."""

each = pytest.mark.parametrize("name", sorted(SERVICES))


def run(*told: str) -> None:
    done = subprocess.run(told, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_compose_specification_accepts_it() -> None:
    """The file is valid to the JSON Schema of the Compose specification."""
    run(
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        str(FILE),
    )


def test_the_dockerfile_passes_its_linter() -> None:
    """hadolint has nothing to say about deploy/Dockerfile."""
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))

    assert hadolint, "hadolint is not installed: it comes with the test dependencies"
    run(hadolint, "--failure-threshold", "style", str(ROOT / "deploy" / "Dockerfile"))


@each
def test_images_are_pinned(name: str) -> None:
    """The same file starts the same things next year."""
    image = SERVICES[name]["image"]

    assert re.search(r":v?\d+\.\d+\.\d+$", image)
    if image.startswith("slastream:"):
        assert image == f"slastream:{__version__}"


@each
def test_nobody_is_root_and_nothing_listens_beyond_this_machine(name: str) -> None:
    """Every container has a user of its own, and published ports are on loopback."""
    service = SERVICES[name]

    assert int(service["user"].partition(":")[0]) > 0
    assert [port for port in service.get("ports", []) if not port.startswith("127.0.0.1:")] == []


@each
def test_services_say_whether_they_are_well(name: str) -> None:
    """What runs has a health check, and whoever needs another waits until it is well, or done."""
    service = SERVICES[name]

    assert ("test" in service["healthcheck"]) == (name not in ONCE)
    for other, how in service.get("depends_on", {}).items():
        expected = "service_completed_successfully" if other in ONCE else "service_healthy"

        assert how["condition"] == expected


@each
def test_mounts_are_there(name: str) -> None:
    """A folder that is missing would be made by Docker, empty and owned by root."""
    for mount in SERVICES[name].get("volumes", []):
        source = mount.split(":")[0]

        assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


def test_the_demonstration_knows_the_systems_of_the_day() -> None:
    """Each ticket system of the generated day has its raw topic, and its zone where it tells none."""
    told = SERVICES["topics"]["command"]
    sources = {word.partition("=")[2] for word in told if word.startswith("--source=")}
    zones = SERVICES["worker"]["environment"]["SLASTREAM_TIMEZONES"].split(",")

    endpoints = yaml.safe_load((ROOT / "deploy" / "demo" / "endpoints.yaml").read_text("utf-8"))
    doors = {endpoint["source"] for endpoint in endpoints["endpoints"]}

    assert sources == set(SOURCES)
    assert doors == set(SOURCES) - set(BY_KAFKA)
    assert dict(zone.split("=") for zone in zones) == ZONES


def test_prometheus_scrapes_what_runs() -> None:
    """The target of the scrape is a service of the file, on the port of its page."""
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text("utf-8"))
    targets = [
        target.split(":")
        for job in config["scrape_configs"]
        for told in job["static_configs"]
        for target in told["targets"]
    ]

    assert targets == [["worker", "6066"], ["gateway", "6066"]]
    assert {"worker", "gateway"} <= set(SERVICES)


def test_grafana_finds_dashboards_and_source() -> None:
    """The provisioned data source has the uid that the managed alerts name, at Prometheus's address."""
    folder = ROOT / "deploy" / "grafana"
    [source] = yaml.safe_load((folder / "provisioning/datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    [boards] = yaml.safe_load((folder / "provisioning/dashboards/slastream.yml").read_text())[
        "providers"
    ]
    mounts = dict(mount.split(":")[:2] for mount in SERVICES["grafana"]["volumes"])

    assert source["uid"] == "prometheus"
    assert source["url"] == "http://prometheus:9090"
    assert mounts["./deploy/grafana/dashboards"] == boards["options"]["path"]


def test_the_image_takes_the_python_that_is_supported() -> None:
    """Both stages are of one pinned Python that pyproject.toml allows; the one that compiles has a compiler."""
    text = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)

    assert len(bases) == 2
    assert bases[0] == bases[1].replace("-slim", "")
    assert re.fullmatch(r"python:3\.1[123]\.\d+-slim-bookworm", bases[1])
    assert "USER 10001:10001" in text
    assert "HEALTHCHECK" in text
