"""The environment, read once, as one frozen value. A secret is never a flag.

Every setting is `SLASTREAM_<NAME>`; a flag of the command line overrides it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, Self

from slastream.core.errors import Misconfigured

PREFIX = "SLASTREAM_"
VERSIONED = ("tickets", "alerts", "outcomes", "clocks", "state", "books", "ops", "dlq")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a worker is told. Times in seconds, sizes in bytes."""

    broker: str = "localhost:9092"
    prefix: str = "sla."
    app_id: str = "slastream"
    """The consumer group, and the first half of every transactional id."""
    instance_id: str = field(default_factory=socket.gethostname)
    """This worker's name in its group: a restart under the same name moves no partition."""
    data_dir: Path = Path("slastream-data")
    time: Literal["wall", "log"] = "wall"
    web_host: str = "127.0.0.1"
    web_port: int = 6066
    """0 serves no pages at all."""
    ingest: bool = True
    tenant: str = ""
    """The tenant of a delivery that names none."""
    tenants: Mapping[str, str] = field(default_factory=dict)
    """Source -> tenant, for topics that one tenant fills: `SLASTREAM_TENANTS=jira=acme,...`."""
    timezones: Mapping[str, str] = field(default_factory=dict)
    """Source -> zone of times without an offset."""
    metric_clients: str = ""
    """Clients that have metrics of their own, separated by commas; all others are `other`."""
    log_level: str = "info"
    session_timeout: float = 6.0
    heartbeat_interval: float = 1.0
    transaction_timeout: float = 10.0
    chunk: int = 4_000
    """Journal records in one transaction, at most."""
    fires: int = 500
    """Tickets fired in one transaction, at most."""
    processes: int = 1
    """Members of the group in this worker, each a process with partitions of its own."""
    helpers: int = 2
    """Processes that rebuild lost stores, at most; 0 leaves it to the worker itself."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None, **flags: Any) -> Self:
        """Read the settings; a flag that is not None wins. Raises `Misconfigured`."""
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for setting in fields(cls):
            name = PREFIX + setting.name.upper()
            if flags.get(setting.name) is not None:
                values[setting.name] = flags[setting.name]
            elif name in environ:
                values[setting.name] = _read(name, str(setting.type), environ[name])
        settings = cls(**values)
        settings.check()
        return settings

    def check(self) -> None:
        """Raise `Misconfigured` for a value that no worker can run with."""
        if self.time not in ("wall", "log"):
            raise Misconfigured(f"{self.time!r} is neither wall nor log", where="SLASTREAM_TIME")
        if not 0 < self.heartbeat_interval * 2 <= self.session_timeout:
            raise Misconfigured(
                "a session must outlast two heartbeats", where="SLASTREAM_SESSION_TIMEOUT"
            )
        if self.chunk < 1 or self.fires < 1:
            raise Misconfigured("must be 1 or more", where="SLASTREAM_CHUNK, SLASTREAM_FIRES")
        if self.processes < 1:
            raise Misconfigured("must be 1 or more", where="SLASTREAM_PROCESSES")
        if self.helpers < 0:
            raise Misconfigured("must be 0 or more", where="SLASTREAM_HELPERS")

    def environ(self) -> dict[str, str]:
        """Return the environment that `from_environment` reads these settings from."""
        return {
            PREFIX + one.name.upper(): _written(getattr(self, one.name)) for one in fields(self)
        }

    def of_process(self, number: int) -> Self:
        """Return the settings of one of a worker's processes, counted from 1."""
        return replace(
            self,
            processes=1,
            instance_id=f"{self.instance_id}.{number}",
            data_dir=self.data_dir / str(number),
        )

    def topic(self, name: str) -> str:
        """Return the full name of a topic: `tickets` -> `sla.tickets.v1`, `raw.jira` -> as it is."""
        return f"{self.prefix}{name}.v1" if name in VERSIONED else f"{self.prefix}{name}"


def _written(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{key}={each}" for key, each in value.items())
    return str(value)


def _read(name: str, kind: str, text: str) -> Any:
    try:
        if kind == "bool":
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[
                text.strip().lower()
            ]
        if kind in ("int", "float"):
            return int(text) if kind == "int" else float(text)
        if kind.startswith("Mapping"):
            pairs = (pair.partition("=") for pair in text.split(",") if pair.strip())
            return {key.strip(): value.strip() for key, _, value in pairs}
    except (ValueError, KeyError):
        raise Misconfigured(f"{text!r} cannot be read as {kind}", where=name) from None
    return Path(text) if kind == "Path" else text
