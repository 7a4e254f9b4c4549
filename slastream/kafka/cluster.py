"""A few local brokers that replicate to each other, for tests where replication matters."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from slastream.kafka import jars
from slastream.kafka.local import LocalBroker


class LocalCluster:
    """A few brokers that replicate to each other, for tests where replication matters."""

    def __init__(self, n: int = 3, config: Mapping[str, str] | None = None) -> None:
        self.brokers: Sequence[LocalBroker] = [
            LocalBroker(config=config, node_id=number) for number in range(1, n + 1)
        ]
        voters = ",".join(broker.voters for broker in self.brokers)
        for broker in self.brokers:
            broker.voters = voters

    @property
    def bootstrap(self) -> str:
        return ",".join(broker.bootstrap for broker in self.brokers)

    def start(self, timeout: float = 90.0) -> str:
        """Starts all nodes at once; returns the bootstrap list."""
        try:
            jars.ensure()
            launches = [threading.Thread(target=broker.launch) for broker in self.brokers]
            for launch in launches:
                launch.start()
            for launch in launches:
                launch.join()
            for broker in self.brokers:
                broker.wait(timeout)
        except BaseException:
            self.stop()
            raise
        return self.bootstrap

    def stop(self) -> None:
        """Stops all nodes at once, briefly: the last ones wait for a vote that cannot come."""
        stops = [threading.Thread(target=broker.stop, args=(2.0,)) for broker in self.brokers]
        for stop in stops:
            stop.start()
        for stop in stops:
            stop.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
