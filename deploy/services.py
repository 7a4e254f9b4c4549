"""Runs what docker-compose.yml runs in our image, without Docker: `services.py COMPOSE`, by the Python of
an environment in which slastream is installed.

Each service of our image is started with its own command, settings and files, in the order of the file, on a
real local broker; its health check must pass, what ends must end well, and what runs must stop in good order.
Only what a container would give each service for itself is changed: host names, ports, folders.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from aiokafka import TopicPartition

from slastream.kafka import ports
from slastream.kafka.admin import describe
from slastream.kafka.local import LocalBroker
from slastream.kafka.reading import reader

BIN = Path(sys.executable).parent
STARTS = 60.0
"""Seconds within which a service must be healthy."""
A_SHORT_DAY = ["3000", "200"]
"""Of the feed: speed and tickets, instead of the demonstration's own."""


class Place:
    """What stands for the network and the disks of the containers."""

    def __init__(self, compose: Path, broker: str, folder: Path) -> None:
        self.root, self.folder = compose.parent, folder
        self.names = {"kafka:9092": broker}
        self._ports: dict[tuple[str, str], str] = {}

    def port(self, service: str, inside: str) -> str:
        return self._ports.setdefault((service, inside), str(ports.free()))

    def translated(self, service: str, told: dict[str, Any], text: str) -> str:
        """Return an argument or a setting as it is here."""
        for name, here in self.names.items():
            text = text.replace(name, here)
        for volume in told.get("volumes", ()):
            outside, inside, *_ = volume.split(":")
            here = self.root / outside if outside.startswith(".") else self.folder / outside
            text = re.sub(rf"^{re.escape(inside)}(?=/|$)", str(here), text)
        for other in ("gateway",):
            text = text.replace(
                f"http://{other}:8080", f"http://127.0.0.1:{self.port(other, '8080')}"
            )
        return re.sub(r"(?<=127\.0\.0\.1:)\d{4}(?=/)", lambda m: self.port(service, m[0]), text)

    def environment(self, service: str, told: dict[str, Any]) -> dict[str, str]:
        # The image's own settings first, as the Dockerfile gives them.
        given = {"SLASTREAM_WEB_HOST": "127.0.0.1", "SLASTREAM_WEB_PORT": "6066"}
        given |= {
            name: self.translated(service, told, str(text))
            for name, text in told["environment"].items()
        }
        for name in ("SLASTREAM_WEB_PORT", "SLASTREAM_GATEWAY_PORT"):
            if name in given:
                given[name] = self.port(service, given[name])
        given["SLASTREAM_DATA_DIR"] = str(self.folder / service)
        return {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **given}


def main() -> int:
    compose = Path(sys.argv[1]).resolve()
    services = yaml.safe_load(compose.read_text("utf-8"))["services"]
    ours = {name: told for name, told in services.items() if told["image"].startswith("slastream:")}
    with tempfile.TemporaryDirectory() as folder, LocalBroker() as broker:
        return run(ours, Place(compose, broker.bootstrap, Path(folder)))


def run(services: dict[str, Any], place: Place) -> int:
    running: dict[str, subprocess.Popen[bytes]] = {}
    bad: list[str] = []
    try:
        for name, told in services.items():
            process = start(name, told, place)
            if told.get("restart") == "no":
                code = process.wait(timeout=300)
                report(name, f"ended with {code}", code == 0, bad)
                if name == "feed":
                    count = asyncio.run(records_on(place.names["kafka:9092"], "sla.alerts.v1"))
                    report(name, f"led to {count} records on the alerts topic", count > 0, bad)
            else:
                running[name] = process
                well = healthy(name, told, place, process)
                report(name, "is healthy" if well else "does not become healthy", well, bad)
    finally:
        for name, process in reversed(running.items()):
            process.send_signal(signal.SIGTERM)
            try:
                code = process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
            report(name, f"stopped with {code}", code == 0, bad)
    return 1 if bad else 0


async def records_on(broker: str, topic: str) -> int:
    client = {"bootstrap_servers": broker}
    found = (await describe(client, [topic]))[topic]
    async with reader(client) as consumer:
        parts = [TopicPartition(topic, number) for number in range(found.partitions)]
        return sum((await consumer.end_offsets(parts)).values())


def start(name: str, told: dict[str, Any], place: Place) -> subprocess.Popen[bytes]:
    words = [*told.get("entrypoint", ["slastream"]), *told["command"]]
    words = [place.translated(name, told, str(word)) for word in words]
    if name == "feed":
        words[-3:-1] = A_SHORT_DAY
    log = (place.folder / f"{name}.log").open("wb")
    command = [str(BIN / words[0]), *words[1:]]
    return subprocess.Popen(
        command, env=place.environment(name, told), cwd=place.folder, stdout=log, stderr=log
    )


def healthy(
    name: str, told: dict[str, Any], place: Place, process: subprocess.Popen[bytes]
) -> bool:
    """Ask as the container's own health check does, until it says yes."""
    _, *check = told["healthcheck"]["test"]
    check = [place.translated(name, told, word) for word in check]
    limit = time.monotonic() + STARTS
    while time.monotonic() < limit and process.poll() is None:
        done = subprocess.run(
            [str(BIN / check[0]), *check[1:]], capture_output=True, timeout=10, check=False
        )
        if done.returncode == 0:
            return True
        time.sleep(0.5)
    sys.stderr.write((place.folder / f"{name}.log").read_text("utf-8", "replace")[-2000:])
    return False


def report(name: str, what: str, good: bool, bad: list[str]) -> None:
    sys.stdout.write(f"{name} {what}\n")
    sys.stdout.flush()
    if not good:
        bad.append(name)


if __name__ == "__main__":
    sys.exit(main())
