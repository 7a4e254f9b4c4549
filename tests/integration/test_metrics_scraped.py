"""A real Prometheus on a running worker: what it reads is true, and the shipped rules evaluate."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from rig import committed, create_topics, now_ms, settings_for, until

from bench import workload
from slastream import wire
from slastream.engine.partition import Partition
from slastream.engine.row import deadline_of
from slastream.kafka import ports
from slastream.kafka.local import LocalBroker
from slastream.settings import Settings
from slastream.stream.app import Worker
from tests.support.observed import DASHBOARDS, PROMETHEUS, queries, tool

TICKETS = 300


@pytest.fixture
async def settings(broker: LocalBroker, prefix: str, tmp_path: Path) -> Settings:
    await create_topics(broker.bootstrap, prefix)
    return settings_for(
        broker.bootstrap, prefix, tmp_path / "one", web_port=ports.free(), time="log",
        metric_clients="client-01",
    )  # fmt: skip


@contextlib.asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[Worker]:
    """A worker with the whole engine, ready and counted; it is stopped in good order at the end."""
    worker = Worker(settings, engine=Partition, deadlines=deadline_of)
    worker.books.add(workload.book())
    task = asyncio.create_task(worker.run())
    try:
        await until(lambda: task.done() or worker.ready)
        await until(lambda: all(p.complete for p in worker.census.portions.values()))
        yield worker
    finally:
        worker.stop.set()
        await asyncio.wait_for(asyncio.wait([task]), 15)
        task.result()


async def page(settings: Settings, accept: str = "") -> str:
    def read() -> str:
        request = urllib.request.Request(
            f"http://127.0.0.1:{settings.web_port}/metrics", headers={"Accept": accept}
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return str(answer.read().decode())

    return await asyncio.to_thread(read)


def clocks(text: str) -> Counter[str]:
    """Return the clocks of a page by their labels; one that nobody has any more is left out."""
    found: Counter[str] = Counter()
    for line in text.splitlines():
        if line.startswith("slastream_clocks{"):
            labels, _, value = line.rpartition(" ")
            found[labels] += int(float(value))
    return +found


async def snapshot(settings: Settings) -> Counter[str]:
    """Return the same from the clocks topic, where every consumer can count."""
    latest = {record.key: record.value for record in await committed(settings, "clocks")}
    found: Counter[str] = Counter()
    for value in latest.values():
        ticket = json.loads(value)
        for clock in ticket["clocks"]:
            verdict = "measured" if clock["target_ms"] is None else clock["verdict"]
            found[
                f'slastream_clocks{{indicator="{clock["indicator"]}",phase="{clock["phase"]}",'
                f'priority="{ticket["priority"] or "none"}",source="{ticket["source"]}",'
                f'tenant="{ticket["tenant"]}",verdict="{verdict}"}}'
            ] += 1
    return found


async def feed(settings: Settings, produce: Any, part: slice) -> None:
    """Write a part of a workload of which 1,600 events lie in the past, the last of them just now."""
    events = list(workload.events(TICKETS))
    later = now_ms() - events[1_600].occurred_at
    records = []
    for event in events[part]:
        told = {"occurred_at": event.occurred_at + later}
        if event.created_at is not None:
            told["created_at"] = event.created_at + later
        moved = msgspec.structs.replace(event, **told)
        records.append((wire.event_key(moved), wire.encode_event(moved)))
    await produce(settings.topic("tickets"), records)


async def level(worker: Worker, settings: Settings) -> None:
    async def none_waits() -> bool:
        return all(
            actor.state == "ready" and actor.post.source.level(actor.post.tp) and not actor._inbox
            for actor in worker.owners.actors.values()
        ) and "slastream_lag_records" in await page(settings)

    await until(none_waits)


async def test_the_gauges_are_those_of_the_topic_over_a_restart_and_a_new_owner(
    settings: Settings, produce: Any, tmp_path: Path
) -> None:
    """Clocks on the page are those of the clocks topic: while they move, restarted, and moved away."""
    await feed(settings, produce, slice(0, 1_200))
    async with working(settings) as worker:
        await level(worker, settings)

        async def same() -> bool:
            return clocks(await page(settings)) == await snapshot(settings) != Counter()

        await until(same, why="the first count")
        await feed(settings, produce, slice(1_200, 1_800))
        await level(worker, settings)
        await until(same, why="kept up by steps")
        before = clocks(await page(settings))
    async with working(settings):
        assert clocks(await page(settings)) == before

    other = settings_for(
        settings.broker, settings.prefix, tmp_path / "two", web_port=settings.web_port, time="log",
        instance_id="two",
    )  # fmt: skip
    async with working(other):
        assert clocks(await page(other)) == before


async def test_two_workers_never_count_the_same_clock(
    settings: Settings, produce: Any, tmp_path: Path
) -> None:
    """Partitions are shared out and moved back; the sum over workers is that of the topic."""
    second = settings_for(
        settings.broker, settings.prefix, tmp_path / "two", web_port=ports.free(), time="log",
        instance_id="two",
    )  # fmt: skip
    await feed(settings, produce, slice(0, 800))
    async with working(settings) as one:
        await level(one, settings)
        async with working(second) as two:
            await until(lambda: len(one.owners.actors) == len(two.owners.actors) == 1, 30)
            await until(lambda: one.ready and two.ready)
            expected = await snapshot(settings)

            async def shared_out() -> bool:
                # Both pages show both workers here: they are one process with one registry.
                return clocks(await page(settings)) == expected

            await until(shared_out)
            mine, theirs = one.census.clocks(), two.census.clocks()

            assert sum(mine.values()) + sum(theirs.values()) == sum(expected.values())
            assert min(sum(mine.values()), sum(theirs.values())) > 0

        await until(lambda: len(one.owners.actors) == 2, 30)
        await until(lambda: one.ready and all(p.complete for p in one.census.portions.values()))

        assert clocks(await page(settings)) == expected
        assert two.census.portions == {}


class Prometheus:
    """A real one in a process of its own, with the shipped rules and one target."""

    def __init__(self, folder: Path, target: int) -> None:
        self.port = ports.free()
        config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))
        config["global"] = {
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "evaluation_interval": "1s",
        }
        config["rule_files"] = [f"{folder}/rules/*.yml"]
        del config["scrape_configs"][1:]  # no gateway runs here
        config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{target}"]}]
        (folder / "rules").mkdir(parents=True)
        for path in (PROMETHEUS / "rules").glob("*.yml"):
            groups = yaml.safe_load(path.read_text("utf-8"))["groups"]
            often = [{**group, "interval": "1s"} for group in groups]  # a test has no five minutes
            (folder / "rules" / path.name).write_text(yaml.safe_dump({"groups": often}))
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self._log = (folder / "log").open("wb")
        self.popen = subprocess.Popen(
            [
                tool("prometheus"), f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{self.port}",
                "--enable-feature=exemplar-storage",
            ],
            stdout=self._log, stderr=self._log,
        )  # fmt: skip

    def ask(self, path: str, **told: str) -> Any:
        """Return the data of an answer of the API; None while it does not answer."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(told)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{told}: {error.read().decode()}") from None
        except OSError:
            return None

    def stop(self) -> None:
        self.popen.terminate()
        self.popen.wait(10)
        self._log.close()


@pytest.fixture
def prometheus(tmp_path: Path, settings: Settings) -> Iterator[Prometheus]:
    made = Prometheus(tmp_path / "prometheus", settings.web_port)
    yield made
    made.stop()


async def test_prometheus_reads_a_worker_and_evaluates_the_rules(
    settings: Settings, produce: Any, prometheus: Prometheus
) -> None:
    """Every shipped rule and every query of the dashboards evaluates on what a worker exposes."""

    async def ask(path: str, **told: str) -> Any:
        return await asyncio.to_thread(prometheus.ask, path, **told)

    async def rules() -> list[Any]:
        data = await ask("rules") or {"groups": []}
        return [rule for group in data["groups"] for rule in group["rules"]]

    async def one(query: str) -> float:
        found = (await ask("query", query=query) or {"result": []})["result"]
        return float(found[0]["value"][1]) if found else -1.0

    settings = replace(settings, time="wall")
    await feed(settings, produce, slice(0, 800))
    async with working(settings) as worker:
        await level(worker, settings)
        expected = await snapshot(settings)

        async def read() -> bool:
            return await one("sum(slastream_clocks)") == sum(expected.values())

        await until(read, 30, "Prometheus has the clocks")
        await feed(settings, produce, slice(800, 1_600))
        await level(worker, settings)

        async def recorded() -> bool:
            return await one("sum(tenant_policy_indicator:slastream_decided:increase1h)") > 0

        await until(recorded, 30, "decisions are recorded")

        async def evaluated() -> bool:
            found = await rules()
            return bool(found) and all(rule["health"] != "unknown" for rule in found)

        await until(evaluated, 30, "every rule was evaluated")
        told = await rules()
        targets = (await ask("targets"))["activeTargets"]

        async def exemplified() -> bool:
            found = await ask(
                "query_exemplars", query="slastream_detection_delay_seconds_bucket",
                start=str(time.time() - 300), end=str(time.time() + 60),
            )  # fmt: skip
            return any(point["exemplars"] for point in found)

        await until(exemplified, 20, "a detection has its ticket as exemplar")
        firing = {
            alert["labels"]["alertname"]
            for alert in (await ask("alerts"))["alerts"]
            if alert["state"] == "firing"
        }
        empty: set[str] = set()

        async def filled() -> bool:
            empty.clear()
            for path in DASHBOARDS:
                for title, expr in queries(path):
                    if not (await ask("query", query=expr))["result"]:
                        empty.add(title)
            return empty <= NOT_HERE

        with contextlib.suppress(AssertionError):
            await until(filled, 20)

    assert [(target["health"], target["lastError"]) for target in targets] == [("up", "")]
    assert {
        rule["name"]: rule.get("lastError", "") for rule in told if rule["health"] != "ok"
    } == {}
    assert len(told) > 50
    assert firing == set()
    assert empty - NOT_HERE == set()


NOT_HERE = {
    "Alerts that fire",
    "Warnings an hour by level",  # of what is past already only the breach is announced
    "Attainment against the objective",  # this book names no objective
    "Partition time behind now",  # nothing waits
    "Rejected by reason", "Unmapped statuses", "Milestones inferred from a later status",
    "Late and repeated", "Failures",
    # a worker without ingest, and no gateway:
    "Events a second", "Silent for", "Events a minute", "Since the last event",
    "Age of events on arrival", "Webhooks by answer", "Gateway: time to an answer",
    "Gateway: records not acknowledged",
    # and nobody is told:
    "Alerts told a second", "Oldest alert not told", "Tried again, and dead letters",
    "Incidents that stand",
}  # fmt: skip
"""Panels that have nothing to show of this worker. Their queries are evaluated all the same."""


async def test_open_metrics_is_what_prometheus_is_given(settings: Settings) -> None:
    """Asked for OpenMetrics, the page is OpenMetrics to a parser that is not ours to bend."""
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    async with working(settings):
        text = await page(settings, "application/openmetrics-text; version=1.0.0")
    families = {family.name for family in text_string_to_metric_families(text)}

    assert {"slastream_partition_state", "slastream_build", "process_cpu_seconds"} <= families
    assert sys.getsizeof(text) < 1_000_000
