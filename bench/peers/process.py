"""One engine as a process of its own, watched from outside. What its job is it may not know."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from bench.process import WorkerProcess

GLANCE = 0.05
"""Seconds between two looks at how far it is."""


class EngineProcess(WorkerProcess):
    """Its standard output and error are in `log`, where it says `first` and perhaps `done`."""

    def __init__(self, command: list[str], log: Path, cwd: Path) -> None:
        self.log = log
        self._command = command
        self._cwd = cwd
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, profile: Path | None = None) -> None:
        self.began = time.time()
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdout=log, stderr=log, cwd=self._cwd
            )

    async def says(self, word: str, limit: float) -> float:
        """Wait until it says a word; returns the time it gives with it, in epoch seconds."""
        while not (said := re.search(rf"^{word} ([\d.]+)$", self.log.read_text("utf-8"), re.M)):
            self._must_run(limit)
            await asyncio.sleep(GLANCE)
        return float(said[1])

    async def commits(
        self, broker: str, group: str, ends: dict[TopicPartition, int], limit: float
    ) -> float:
        """Wait until its group has committed all; returns when that was seen, in epoch seconds."""
        admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        await admin.start()
        try:
            while True:
                found = await admin.list_consumer_group_offsets(group)
                if all(tp in found and found[tp].offset >= end for tp, end in ends.items()):
                    return time.time()
                self._must_run(limit)
                await asyncio.sleep(GLANCE)
        finally:
            await admin.close()

    def _must_run(self, limit: float) -> None:
        if self.returncode is not None or time.time() > limit:
            raise SystemExit(f"the engine came to no end\n{self.log.read_text('utf-8')[-4000:]}")
