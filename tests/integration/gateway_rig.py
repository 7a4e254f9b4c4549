"""A gateway on the real broker, in this process or one of its own, and senders that sign by hand."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from rig import until

from slastream.gateway.door import Limits
from slastream.gateway.keys import Keys
from slastream.gateway.service import Gateway, Options
from slastream.kafka import admin, plan, ports
from slastream.settings import Settings

SECRET = "an-invented-secret-of-this-test"
SOURCES = ("jira", "zendesk", "halopsa", "glpi", "connectwise", "canonical", "zammad")
ENDPOINTS = """
endpoints:
  - {tenant: acme, source: jira, secrets: [secret]}
  - {tenant: acme, source: zendesk, secrets: [secret.next, secret]}
  - {tenant: acme, source: halopsa, secrets: [secret]}
  - {tenant: acme, source: glpi, secrets: [secret]}
  - {tenant: acme, source: canonical, secrets: [secret], rate: 0.1, burst: 3}
  - {tenant: acme, source: connectwise, company: fjordline}
  - {tenant: globex, source: jira, secrets: [secret.globex]}
"""
JIRA = orjson.dumps(
    {
        "timestamp": 1772442131204,
        "webhookEvent": "jira:issue_created",
        "issue": {"id": "20417", "key": "SUP-417", "fields": {"status": {"name": "Open"}}},
    }
)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def reason(self) -> str:
        return str(orjson.loads(self.body).get("error", ""))


def write_files(folder: Path, endpoints: str = ENDPOINTS) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "secret").write_text(SECRET + "\n", "utf-8")
    (folder / "secret.next").write_text("the-secret-that-comes-next\n", "utf-8")
    (folder / "secret.globex").write_text("another-tenants-secret\n", "utf-8")
    (folder / "endpoints.yaml").write_text(endpoints, "utf-8")
    return folder / "endpoints.yaml"


async def raw_topics(bootstrap: str, prefix: str) -> None:
    await admin.create({"bootstrap_servers": bootstrap}, plan.plan(prefix, 2, sources=SOURCES))


async def written(bootstrap: str, prefix: str) -> int:
    """How many records all raw topics hold together."""
    tps = [TopicPartition(f"{prefix}raw.{source}", n) for source in SOURCES for n in range(2)]
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer:
        return sum((await consumer.end_offsets(tps)).values())


@contextlib.asynccontextmanager
async def gateway(
    bootstrap: str,
    prefix: str,
    folder: Path,
    *,
    endpoints: str = ENDPOINTS,
    limits: Limits | None = None,
    keys: Keys | None = None,
    ready: bool = True,
    **options: Path,
) -> AsyncIterator[Gateway]:
    """A gateway in this process; it drains at the end."""
    settings = Settings(broker=bootstrap, prefix=prefix, web_port=ports.free())
    file = write_files(folder / "gateway", endpoints)
    given = Options(endpoints=file, port=0, limits=limits or Limits(), **options)
    one = Gateway(settings, given, keys)
    task = asyncio.create_task(one.run())
    try:
        await until(lambda: task.done() or (one.ready if ready else one.address[1]))
        if task.done():
            task.result()
        yield one
    finally:
        one.stop.set()
        await asyncio.wait_for(task, 30)


def jira_proof(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"x-hub-signature": "sha256=" + hmac.new(secret.encode(), body, "sha256").hexdigest()}


def zendesk_proof(body: bytes, at: float, secret: str = SECRET) -> dict[str, str]:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    mac = hmac.new(secret.encode(), stamp.encode() + body, "sha256").digest()
    return {
        "x-zendesk-webhook-signature": base64.b64encode(mac).decode(),
        "x-zendesk-webhook-signature-timestamp": stamp,
    }


def connectwise_proof(body: bytes, key: str) -> dict[str, str]:
    derived = hashlib.sha256(key.encode()).digest()
    mac = hmac.new(derived, body, "sha256").digest()
    return {"x-content-signature": base64.b64encode(mac).decode()}


def request(
    path: str, body: bytes = b"", headers: Mapping[str, str] | None = None, method: str = "POST"
) -> bytes:
    """A request as it is on the wire; nothing on its way here tidies it up."""
    lines = [f"{method} {path} HTTP/1.1", "host: gateway.example"]
    given = {"content-type": "application/json", "content-length": str(len(body))}
    lines += [f"{name}: {value}" for name, value in {**given, **(headers or {})}.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


async def exchange(port: int, sent: bytes, seconds: float = 15.0) -> Answer:
    """Send bytes on a connection of their own and return the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        async with asyncio.timeout(seconds):
            return await answer_on(reader)
    finally:
        writer.close()


async def answer_on(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *rest = head.split("\r\n")
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in rest if line)
    }
    length = int(headers.get("content-length", "0"))
    return Answer(int(first.split()[1]), headers, await reader.readexactly(length))


async def post(
    one: Gateway | int, path: str, body: bytes, headers: Mapping[str, str] | None = None
) -> Answer:
    port = one if isinstance(one, int) else one.address[1]
    return await exchange(port, request(path, body, headers))


class Process:
    """`slastream gateway` in a process of its own, which can be killed and started again."""

    def __init__(self, bootstrap: str, prefix: str, folder: Path, *flags: str) -> None:
        self.port, self.web_port = ports.free(), ports.free()
        self.log = folder / "gateway.log"
        self._command = [
            sys.executable, "-m", "slastream", "gateway", "--broker", bootstrap, "--prefix", prefix,
            "--endpoints", str(write_files(folder / "process")), "--port", str(self.port),
            "--web-port", str(self.web_port), *flags,
        ]  # fmt: skip
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            )

    async def listening(self) -> None:
        await until(self.ready, 30.0, "it is ready")

    async def ready(self) -> bool:
        try:
            page = await exchange(self.web_port, request("/readyz", method="GET"))
        except (OSError, EOFError):
            return False
        return page.status == 200

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def leave(self) -> int:
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(30)


async def retried(port: int, path: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Deliver as ticket systems do, until it is accepted; returns how often it had to be tried."""
    for attempt in range(1, 400):
        try:
            answer = await exchange(port, request(path, body, headers), 8.0)
        except (OSError, EOFError, TimeoutError):
            await asyncio.sleep(0.1)
            continue
        if answer.status == 202:
            return attempt
        assert answer.status == 503, answer
        assert re.fullmatch(r"\d+", answer.headers["retry-after"])
        await asyncio.sleep(0.2)
    raise AssertionError("never accepted")
