"""The canonical workload through slastream and its peers, in turn: `make bench-peers`.

One real broker; each run has topics of its own with the same bytes in them, the whole backlog before
the engine starts. Counted is from the first record that the engine reads to the commit of what the
last one caused; CPU is the engine's process alone. After each run a read-committed consumer counts
what was published, and every record is held against what had to be.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import pickle
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.peers import check, report, workload
from bench.peers.engines import (
    COMPILED,
    ENGINES,
    ROOT,
    Engine,
    Start,
    build_ours,
    build_streams,
    fingerprint,
)
from bench.peers.process import EngineProcess
from slastream.kafka import admin, plan
from slastream.kafka.jars import KAFKA_VERSION
from slastream.kafka.local import LocalBroker

FOLDER = ROOT / "var" / "peers"
PARTITIONS = 4
BROKER = {"group.initial.rebalance.delay.ms": "3000"}
"""Kafka's own default, where our local broker does not wait: members that start at once join at once."""

PATIENCE = 900.0
"""Seconds in which an engine must be through."""


def say(text: str) -> None:
    print(f"{datetime.now():%H:%M:%S} {text}", flush=True)  # noqa: DTZ005 - for a person here


class Bench:
    """The input, and what it must lead to; `run` is one run of one engine."""

    def __init__(self, broker: str, tickets: int) -> None:
        self.broker = broker
        self.told = workload.kept(tickets, PARTITIONS, FOLDER)
        self.events = sum(1 for _ in self.told.values())
        self.code = fingerprint(ROOT / "slastream")
        self.described = {
            "tickets": tickets, "events": self.events, "partitions": PARTITIONS,
            "sha256": self.told.sha256,
        }  # fmt: skip
        self._expected: dict[bool, check.Facts] = {}

    def expected(self, full: bool) -> check.Facts:
        """Return what a run must publish.

        slastream's own takes half a minute to work out, so it is kept until slastream changes.
        """
        if full in self._expected:
            return self._expected[full]
        if not full:
            facts = check.expected_of_job(self.told)
        else:
            name = f"expected-{self.told.tickets}-{self.code}-{self.told.sha256[:12]}.pickle"
            if not (file := FOLDER / name).exists():
                say("working out slastream's alerts offline")
                _, events = workload.made(self.told.tickets, PARTITIONS)
                file.write_bytes(pickle.dumps(check.expected_of_slastream(events)))
            facts = pickle.loads(file.read_bytes())
        self._expected[full] = facts
        return facts

    async def run(self, engine: Engine, folder: Path) -> dict[str, Any]:
        """Run an engine once over topics of its own, which go again."""
        prefix = f"{engine.name}-{time.time_ns() // 10**6}."
        topics = plan.plan(prefix, PARTITIONS, simulated=True, sources=())
        if not engine.says_done:
            topics = [uncompacted(topic) for topic in topics]
        client = {"bootstrap_servers": self.broker}
        await admin.create(client, topics)
        await workload.fill(self.broker, f"{prefix}tickets.v1", self.told)
        data = folder / prefix
        process = EngineProcess(
            engine.command(Start(self.broker, prefix, data, tuple(map(len, self.told.parts)))),
            folder / f"{prefix}log",
            COMPILED if engine.compiled else ROOT,
        )
        try:
            measured = await self._measure(engine, prefix, process)
        finally:
            await process.stop()
            shutil.rmtree(data, ignore_errors=True)
        records = await read(self.broker, prefix)
        facts = check.facts_of_slastream if engine.full else check.facts_of_job
        verdict = check.compare(self.expected(engine.full), facts(records))
        alerts = sum(1 for record in records if record.topic == "alerts")
        async with admin.connected(client) as connection:
            names = await connection.list_topics()
        await admin.delete(client, [name for name in names if prefix[:-1] in name])
        return {
            **measured, "alerts": alerts, "clocks": len(records) - alerts,
            "verdict": str(verdict), **asdict(verdict),
        }  # fmt: skip

    async def _measure(self, engine: Engine, prefix: str, process: EngineProcess) -> dict[str, Any]:
        limit = time.time() + PATIENCE
        ends = {
            TopicPartition(f"{prefix}tickets.v1", number): len(part)
            for number, part in enumerate(self.told.parts)
        }
        await process.start()
        first = await process.says("first", limit)
        cpu = process.cpu()
        if engine.says_done:
            done = max(
                [await process.says(f"done-{number}", limit) for number in range(PARTITIONS)]
            )
        else:
            done = await process.commits(self.broker, prefix[:-1], ends, limit)
        spent = process.cpu() - cpu
        peak = process.peak() + sum(process.helpers())
        return {
            "engine": engine.name,
            **({"code": self.code} if engine.says_done else {}),
            "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "events_per_second": round(self.events / (done - first)),
            "seconds": round(done - first, 2),
            "seconds_to_first": round(first - process.began, 2),
            "cpu_us_per_event": round(spent / self.events * 1e6, 1),
            "peak_rss_mb": round(peak),
        }


def uncompacted(topic: plan.Wanted) -> plan.Wanted:
    """Return a topic that keeps every record.

    A peer's record has the event's time, which is months old: compaction, which goes by that, would
    take rows away before they are counted.
    """
    if topic.config.get("cleanup.policy") != "compact":
        return topic
    return replace(topic, config={"cleanup.policy": "delete", "retention.ms": "-1"})


async def read(broker: str, prefix: str) -> list[check.Read]:
    """Return every committed record of the two topics that all engines write."""
    tps = {
        TopicPartition(f"{prefix}{name}.v1", number): name
        for name in ("alerts", "clocks")
        for number in range(PARTITIONS)
    }
    records: list[check.Read] = []
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    async with consumer:
        consumer.assign(list(tps))
        ends = await consumer.end_offsets(list(tps))
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            for tp, found in (await consumer.getmany(timeout_ms=200)).items():
                name = tps[tp]
                records += (check.Read(name, r.key, r.value, r.headers) for r in found)
    return records


def machine() -> dict[str, Any]:
    """Return what the figures were taken on."""
    cpu = Path("/proc/cpuinfo").read_text("utf-8").partition("model name\t: ")[2].partition("\n")[0]
    memory = int(Path("/proc/meminfo").read_text("utf-8").split()[1])
    libraries = ("quixstreams", "confluent-kafka", "faust-streaming", "aiokafka", "rocksdict")
    return {
        "cpus": os.cpu_count(),
        "cpu": cpu,
        "memory_gb": round(memory / 1e6, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "kafka": KAFKA_VERSION,
        **{name: metadata.version(name) for name in libraries},
    }


def kept_runs(file: Path, bench: Bench) -> list[dict[str, Any]]:
    """Return the runs that a file has of the same input, and of slastream as it is now."""
    known = json.loads(file.read_text("utf-8")) if file.exists() else {}
    if known.get("input") != bench.described:
        return []
    return [run for run in known["runs"] if run.get("code") in (None, bench.code)]


def save(file: Path, runs: list[dict[str, Any]], bench: Bench) -> dict[str, Any]:
    """Write the runs and their medians."""
    results = {
        "command": "make bench-peers",
        "input": bench.described,
        "machine": machine(),
        "medians": report.summary(runs),
        "runs": runs,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    return results


def turns(chosen: list[Engine], rounds: int) -> Iterable[tuple[int, Engine]]:
    """Yield every engine once a round, each round beginning with another one."""
    for number in range(rounds):
        shift = number % len(chosen)
        for engine in chosen[shift:] + chosen[:shift]:
            yield number + 1, engine


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="of each engine")
    parser.add_argument("--only", nargs="+", choices=[one.name for one in ENGINES], metavar="NAME")
    parser.add_argument("--tickets", type=int, default=50_000, help="eight events each")
    parser.add_argument("--short", action="store_true", help="one run of 20,000 events, not kept")
    parser.add_argument("--append", action="store_true", help="keep the runs that are there")
    parser.add_argument(
        "--prepare", action="store_true", help="build and make all, and run nothing"
    )
    parser.add_argument("--broker", help="else a local one is started")
    args = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # a new topic is retried, and it says so
    tickets, rounds = (2_500, 1) if args.short else (args.tickets, args.runs)
    file = FOLDER / "short.json" if args.short else report.RESULTS
    chosen = [one for one in ENGINES if not args.only or one.name in args.only]
    if any(one.java for one in chosen):
        say("building the Java job")
        build_streams()
    if any(one.compiled for one in chosen):
        say("compiling slastream")
        build_ours()
    say("making the input")
    workload.kept(tickets, PARTITIONS, FOLDER)
    if args.prepare:
        bench = Bench("", tickets)
        for full in {one.full for one in chosen}:
            bench.expected(full)
        return 0
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = args.broker
        if broker is None:
            local = LocalBroker(config=BROKER)
            stack.callback(local.stop)
            broker = await asyncio.to_thread(local.start)
        bench = Bench(broker, tickets)
        before = kept_runs(file, bench) if args.append else []
        runs: list[dict[str, Any]] = []
        for number, engine in turns(chosen, rounds):
            say(f"round {number} of {rounds}: {engine.title}, {engine.guarantee}")
            runs.append(run := await bench.run(engine, folder))
            say(
                f"  {run['events_per_second']:,} events/s, {run['cpu_us_per_event']} us CPU an event,"
                f" {run['peak_rss_mb']} MB, {run['alerts']:,} alerts: {run['verdict']}"
            )
            results = save(file, [*before, *runs], bench)
    print(report.table(results))
    ours = [run for run in runs if run["engine"].startswith("slastream")]
    return 0 if all(run["verdict"] == "right" for run in ours) else 1


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(main()))
