"""What a group of workers stands on here: one broker behind wires that can be cut, or three brokers.

Each worker reaches the single broker through a listener and a proxy of its own, so one can be cut off
alone; whoever watches goes past all of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from slastream.kafka.cluster import LocalCluster
from slastream.kafka.local import LocalBroker
from tests.faults.disks import MIB, Disk
from tests.support.proxy import Proxy

NAMES = ("ada", "bob", "cleo")
"""The workers of a group."""

CLEANING = {
    "log.cleaner.backoff.ms": "1000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    "log.index.size.max.bytes": str(MIB),
}


class Ground(Protocol):
    """A cluster, as a world sees it."""

    direct: str
    """Bootstrap servers past all proxies."""
    replication: int
    proxies: Mapping[str, Proxy]

    def address(self, name: str) -> str:
        """Bootstrap servers of one worker."""


class Wired(LocalBroker):
    """A broker that is reached by each worker through a port of that worker's own proxy."""

    def __init__(self, data_dir: Path) -> None:
        listeners = {name.upper(): "PLAINTEXT" for name in NAMES}
        super().__init__(data_dir, listeners=listeners, config=CLEANING)
        self.proxies = {name: Proxy(self._port_of(name)) for name in NAMES}

    def _port_of(self, name: str):  # type: ignore[no-untyped-def]
        return lambda: int(self.address(name.upper()).rpartition(":")[2])

    def properties(self) -> dict[str, str]:
        given = super().properties()
        advertised = [f"PLAINTEXT://{self.address('PLAINTEXT')}"]
        advertised += [
            f"{name.upper()}://localhost:{proxy.port}" for name, proxy in self.proxies.items()
        ]
        return {**given, "advertised.listeners": ",".join(advertised)}


class OneBroker:
    """A single broker with a disk of its own, and a wire to each worker."""

    replication = 1

    def __init__(self, folder: Path) -> None:
        self.disk = Disk(folder / "broker", 4096 * MIB)
        self.broker = Wired(folder / "broker" / "data")
        self.proxies: Mapping[str, Proxy] = self.broker.proxies
        self.direct = self.broker.bootstrap
        self._stack = contextlib.AsyncExitStack()

    def address(self, name: str) -> str:
        return f"localhost:{self.proxies[name].port}"

    async def __aenter__(self) -> OneBroker:
        self._stack.callback(self.disk.close)
        self._stack.callback(self.broker.stop)
        for proxy in self.proxies.values():
            await self._stack.enter_async_context(proxy)
        self.broker.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


class ThreeBrokers:
    """A cluster that replicates: any one of its brokers may be lost."""

    replication = 3

    def __init__(self) -> None:
        self.cluster = LocalCluster(3, {**CLEANING, "transaction.state.log.min.isr": "2"})
        self.proxies: Mapping[str, Proxy] = {}
        self.direct = self.cluster.bootstrap

    def address(self, name: str) -> str:
        return self.direct

    async def __aenter__(self) -> ThreeBrokers:
        self.cluster.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cluster.stop()
