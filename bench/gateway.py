"""The gateway under signed deliveries: `python -m bench.gateway`.

A real broker, `slastream gateway` in a process of its own, and senders here that keep their
connections. First as many deliveries as it takes; then a steady offer, each timed from the moment
when it was due, so that waiting in line counts. A delivery counts once it was answered with 202, and
at the end the broker is asked how many it has. The CPU is the gateway's alone: with it the rate on
one core is told apart from the broker and the senders, which share the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import re
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson
import uvloop
from aiohttp import ClientSession
from aiokafka import AIOKafkaConsumer, TopicPartition

from slastream.kafka import admin, plan, ports
from slastream.kafka.local import LocalBroker
from slastream.sources.samples import samples

RESULTS = Path(__file__).parent / "results" / "gateway.json"
SECRET = b"an-invented-secret-of-the-bench"
PREFIX = "bench."
_CLOCK = os.sysconf("SC_CLK_TCK")


def requests(count: int) -> list[bytes]:
    """Return signed Jira deliveries as they are on the wire, each of another ticket."""
    given = samples("jira")
    made = []
    for number in range(count):
        sample = given[number % len(given)]["delivery"]
        told = json.loads(sample["body"]) if isinstance(sample["body"], str) else sample["body"]
        issue = {**told.get("issue", {}), "id": str(100_000 + number % 5_000)}
        body = orjson.dumps({**told, "issue": issue})
        proof = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
        made.append(
            b"POST /v1/acme/jira HTTP/1.1\r\nhost: gateway.example\r\n"
            b"user-agent: Atlassian Webhook HTTP Client\r\naccept: */*\r\n"
            b"content-type: application/json; charset=utf-8\r\n"
            b"x-atlassian-webhook-identifier: b-%d\r\nx-atlassian-webhook-flow: Primary\r\n"
            b"x-hub-signature: sha256=%b\r\ncontent-length: %d\r\n\r\n%b"
            % (number, proof.encode(), len(body), body)
        )
    return made


class Sender(asyncio.Protocol):
    """One connection, one delivery at a time."""

    def __init__(self) -> None:
        self.lost = False
        self._answer: asyncio.Future[int] | None = None
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    async def send(self, request: bytes) -> int:
        """Return the status of the answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head) if end else None
        if length and len(body) >= int(length[1]) and self._answer and not self._answer.done():
            self._data = b""
            self._answer.set_result(int(head[9:12]))

    def connection_lost(self, problem: Exception | None) -> None:
        self.lost = True
        if self._answer and not self._answer.done():
            self._answer.set_exception(problem or ConnectionResetError())


async def senders(port: int, count: int) -> list[Sender]:
    loop = asyncio.get_running_loop()
    made = []
    for _ in range(count):
        _, sender = await loop.create_connection(Sender, "127.0.0.1", port)
        made.append(sender)
    return made


async def as_many(port: int, made: list[bytes], seconds: float, connections: int) -> dict[str, Any]:
    """Send as fast as answers come."""
    answered: dict[int, int] = {}
    took: list[float] = []
    end = time.perf_counter() + seconds
    number = 0

    async def keep(sender: Sender) -> None:
        nonlocal number
        while (now := time.perf_counter()) < end:
            number += 1
            status = await sender.send(made[number % len(made)])
            answered[status] = answered.get(status, 0) + 1
            took.append(time.perf_counter() - now)

    began = time.perf_counter()
    await asyncio.gather(*(keep(sender) for sender in await senders(port, connections)))
    wall = time.perf_counter() - began
    return {
        "connections": connections,
        "accepted": answered.get(202, 0),
        "other": sum(count for status, count in answered.items() if status != 202),
        "per_second": round(answered.get(202, 0) / wall),
        **percentiles(took),
    }


async def offered(
    port: int, made: list[bytes], rate: float, seconds: float, connections: int
) -> dict[str, Any]:
    """Offer `rate` a second, whatever the answers do; time runs from when each was due."""
    free: asyncio.Queue[Sender] = asyncio.Queue()
    for sender in await senders(port, connections):
        free.put_nowait(sender)
    took: list[float] = []
    refused = 0
    began = time.perf_counter()

    async def one(sender: Sender, due: float, request: bytes) -> None:
        nonlocal refused
        status = await sender.send(request)
        took.append(time.perf_counter() - due)
        refused += status != 202
        free.put_nowait(sender)

    tasks = set()
    for number in range(int(rate * seconds)):
        due = began + number / rate
        if (wait := due - time.perf_counter()) > 0.0005:
            await asyncio.sleep(wait)
        task = asyncio.create_task(one(await free.get(), due, made[number % len(made)]))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    return {
        "offered_per_second": rate,
        "connections": connections,
        "accepted": len(took) - refused,
        "other": refused,
        **percentiles(took),
    }


def percentiles(took: list[float]) -> dict[str, float]:
    took = sorted(took)
    return {
        f"{name}_ms": round(took[min(len(took) - 1, int(len(took) * share))] * 1000, 2)
        for name, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))
    }


async def ready(web_port: int) -> None:
    """Wait until the gateway would accept a delivery."""
    async with ClientSession() as session:
        for _ in range(300):
            try:
                async with session.get(f"http://127.0.0.1:{web_port}/readyz") as page:
                    if page.status == 200:
                        return
            except OSError:
                pass  # it does not listen yet
            await asyncio.sleep(0.1)
    raise TimeoutError("the gateway is not ready within 30 s")


def cpu(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _CLOCK


async def on_the_broker(bootstrap: str, partitions: int) -> int:
    tps = [TopicPartition(f"{PREFIX}raw.jira", number) for number in range(partitions)]
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer:
        return sum((await consumer.end_offsets(tps)).values())


async def measure(args: argparse.Namespace, broker: LocalBroker, folder: Path) -> dict[str, Any]:
    wanted = plan.plan(PREFIX, args.partitions, sources=("jira",))
    await admin.create({"bootstrap_servers": broker.bootstrap}, wanted)
    (folder / "jira").write_bytes(SECRET)
    (folder / "endpoints.yaml").write_text(
        "endpoints: [{tenant: acme, source: jira, secrets: [jira], rate: 1000000}]\n", "utf-8"
    )
    port, web_port = ports.free(), ports.free()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "slastream", "gateway", "--broker", broker.bootstrap,
        "--prefix", PREFIX, "--endpoints", str(folder / "endpoints.yaml"),
        "--port", str(port), "--web-port", str(web_port), "--log-level", "warning",
    )  # fmt: skip
    try:
        await ready(web_port)
        made = requests(20_000)
        await as_many(port, made, 2.0, args.connections)  # warm, and the topic known
        accepted = await on_the_broker(broker.bootstrap, args.partitions)
        before = cpu(process.pid)
        fast = await as_many(port, made, args.seconds, args.connections)
        used = cpu(process.pid) - before
        fast["gateway_cpu_us"] = round(used / fast["accepted"] * 1e6, 1)
        fast["per_second_and_core"] = round(fast["accepted"] / used)
        before = cpu(process.pid)
        steady = await offered(port, made, args.rate, args.seconds, args.connections)
        steady["gateway_cpu_share"] = round((cpu(process.pid) - before) / args.seconds, 2)
        accepted += fast["accepted"] + steady["accepted"]
        return {
            "request_bytes": round(sum(len(each) for each in made) / len(made)),
            "as_many_as_it_takes": fast,
            "steady": steady,
            "accepted": accepted,
            "on_the_broker": await on_the_broker(broker.bootstrap, args.partitions),
            "senders_cpu_s": round(resource.getrusage(resource.RUSAGE_SELF).ru_utime, 1),
            "cores": os.cpu_count(),
        }
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--rate", type=float, default=1_500.0)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--save", action="store_true", help="Write bench/results/gateway.json.")
    args = parser.parse_args()
    with (
        LocalBroker() as broker,
        tempfile.TemporaryDirectory() as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        found = runner.run(measure(args, broker, Path(folder)))
    print(json.dumps(found, indent=1))
    if args.save:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
