"""Running the product as a person does: the command, its output, its exit code, what it leaves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from aiokafka import AIOKafkaConsumer

Start: TypeAlias = Callable[..., "Running"]


class Running:
    """One `slastream` process. Its output is collected while it runs."""

    def __init__(self, *arguments: str, temp: Path) -> None:
        self.temp = temp
        """Where it makes its temporary folders: its own, since others run beside it."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SLASTREAM_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "slastream", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment | {"PYTHONUNBUFFERED": "1", "TMPDIR": str(temp)},
        )
        self.out: list[str] = []
        self.err: list[str] = []
        self._readers = [
            threading.Thread(target=_collect, args=pair, daemon=True)
            for pair in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()
        self.family: set[int] = set()

    def until(self, wanted: Callable[[], bool], seconds: float) -> None:
        """Wait until something is true of the output; fails when the process ends or is too slow."""
        limit = time.monotonic() + seconds
        while not wanted():
            self.look_at_family()
            assert self.process.poll() is None, f"it ended: {self.err}"
            assert time.monotonic() < limit, f"not within {seconds} s: {self.out} {self.err}"
            time.sleep(0.1)
        self.look_at_family()

    def look_at_family(self) -> None:
        """Note every process that descends from this one."""
        processes = _processes()
        found = {self.process.pid} | self.family
        grew = True
        while grew:
            more = {pid for pid, (parent, _) in processes.items() if parent in found} - found
            found |= more
            grew = bool(more)
        self.family = found - {self.process.pid}

    def ends(self, seconds: float) -> int:
        """Wait for the end and return the exit code."""
        limit = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < limit, f"still running after {seconds} s: {self.err}"
            self.look_at_family()
            time.sleep(0.2)
        for reader in self._readers:
            reader.join(5)
        return self.process.returncode

    def survivors(self, seconds: float = 0.0) -> list[int]:
        """Return which of its descendants still run after waiting up to `seconds` for them."""
        limit = time.monotonic() + seconds
        while (alive := [pid for pid in self.family if _alive(pid)]) and time.monotonic() < limit:
            time.sleep(0.2)
        return alive


def _collect(stream: Iterator[str], lines: list[str]) -> None:
    for line in stream:
        lines.append(line.rstrip("\n"))


def _processes() -> dict[int, tuple[int, str]]:
    """Return parent and state of every process. Small machines have /proc and no `ps`, others `ps` alone."""
    if not Path("/proc/self/stat").exists():
        listed = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True
        )
        rows = [line.split() for line in listed.stdout.splitlines()]
        return {int(pid): (int(parent), state) for pid, parent, state in rows}
    found: dict[int, tuple[int, str]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            state, parent = entry.read_text("utf-8", "replace").rpartition(")")[2].split()[:2]
            found[int(entry.parent.name)] = (int(parent), state)
    return found


def _alive(pid: int) -> bool:
    _, state = _processes().get(pid, (0, "Z"))
    return not state.startswith("Z")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `slastream ...`; whatever a failed test leaves is ended, by process id."""
    started: list[Running] = []

    def run(*arguments: str) -> Running:
        temp = tmp_path / f"t{len(started)}"
        temp.mkdir()
        started.append(Running(*arguments, temp=temp))
        return started[-1]

    yield run
    for running in started:
        running.process.kill()
        running.process.wait()
        for pid in running.survivors(12):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for stream in (running.process.stdout, running.process.stderr):
            if stream is not None:
                stream.close()


async def published(bootstrap: str, topic: str) -> list[Any]:
    """Return what a read-committed consumer finds on a topic, up to its present end."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with consumer:
        partitions = list(consumer.assignment())
        ends = await consumer.end_offsets(partitions)
        found: list[Any] = []
        for partition in partitions:
            while await consumer.position(partition) < ends[partition]:
                batches = await consumer.getmany(partition, timeout_ms=100)
                found += [record for records in batches.values() for record in records]
        return found


async def at_least(count: int, bootstrap: str, topic: str, tries: int = 120) -> list[Any]:
    """Return what is published on a topic once there are `count` records, or after half a minute."""
    found: list[Any] = []
    for _ in range(tries):
        found = await published(bootstrap, topic)
        if len(found) >= count:
            break
        await asyncio.sleep(0.25)
    return found
