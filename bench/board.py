"""The board with 200,000 open clocks: loading, memory, first paint, an update's cost, 200 browsers.

    python -m bench.board [--clocks 200000] [--browsers 200] [--seconds 20]

A real broker, the real command, bound to one core; clients are a process of their own. First paint is
Chromium's, and left out where there is none. Writes bench/results/board.json.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from aiokafka import AIOKafkaProducer

from slastream.board.hours import Hours
from slastream.board.lens import Filter
from slastream.board.shelf import Shelf
from slastream.core.instant import HOUR, MINUTE, Instant, format_instant
from slastream.kafka import admin
from slastream.kafka.local import LocalBroker
from slastream.kafka.plan import plan
from tests.support.chromium import chromium, installed

RESULT = Path(__file__).parent / "results" / "board.json"
STATES = ("running", "running", "running", "paused")
CLIENTS = [f"client-{number:03d}" for number in range(200)]
TEAMS = [f"team-{number:02d}" for number in range(40)]


def value(number: int, now: Instant, rng: random.Random, team: str = "") -> bytes:
    """Return a ticket with three clocks, two of them open, as the clocks topic has it."""
    opened = now - rng.randrange(20 * HOUR)
    about = {
        "tenant": f"tenant-{number % 5}", "source": "canonical", "ticket": str(number),
        "number": f"T{number:07d}", "url": f"https://desk.example/tickets/{number}",
        "client": rng.choice(CLIENTS), "contract": "gold", "priority": f"P{1 + number % 4}",
        "type": "incident", "team": team or rng.choice(TEAMS), "state": "responded",
        "waiting_on": None, "status": "In progress", "board": "service", "assignee": "jo",
        "created_at": format_instant(opened), "judged": True, "reopen_count": 0,
        "confirmed_at": format_instant(now),
    }  # fmt: skip
    met = _clock("response", opened, HOUR, "stopped", now, now)
    plan_ = _clock("plan", opened, 30 * HOUR, rng.choice(STATES), None, now)
    end = _clock("resolution", opened, 60 * HOUR, rng.choice(STATES), None, now)
    return orjson.dumps({**about, "clocks": [met, plan_, end]})


def _clock(
    indicator: str, opened: Instant, target: int, phase: str, reached: Instant | None, now: Instant
) -> dict[str, Any]:
    elapsed = now - opened if reached is None else 30 * MINUTE
    paused = phase == "paused"
    started = format_instant(opened)
    rows = [
        {"from": started, "to": format_instant(opened + 30 * MINUTE), "state": "new",
         "counted_ms": 30 * MINUTE},
        {"from": format_instant(opened + 30 * MINUTE), "to": format_instant(now),
         "state": "responded", "counted_ms": elapsed - 30 * MINUTE},
    ]  # fmt: skip
    return {
        "indicator": indicator, "cycle": 1, "policy": "gold", "book": "2026-01-01T00:00:00Z#3397df",
        "calendar": "24x7", "target_ms": target, "elapsed_ms": elapsed,
        "remaining_ms": target - elapsed, "started_at": started,
        "due": None if paused else format_instant(opened + target), "phase": phase,
        "verdict": "on_track", "outcome": phase, "reached_at": None, "breached_at": None,
        "superseded": False, "paused_ms": 0, "paused_by": {},
        "waiting_on": "client" if paused else None,
        "next": {"level": "75%", "at": format_instant(opened + target * 3 // 4)},
        "alerts": [], "ledger": rows,
    }  # fmt: skip


def key(number: int) -> bytes:
    return f"tenant-{number % 5}/canonical/{number}".encode()


# -- the cost of an update, without a network -----------------------------------------------------


def update_cost(tickets: int) -> dict[str, float]:
    """Return milliseconds of CPU: a beat with 200 changed tickets, a new view, a filter."""
    rng, now = random.Random(3), int(time.time() * 1000)
    shelf = Shelf(Hours())
    shelf.advance(now)
    loading = 0.0
    for number in range(tickets):
        name, data = key(number).decode(), value(number, now, rng)
        began = time.process_time()
        shelf.put(name, data)
        loading += time.process_time() - began
    lens, building = _timed(lambda: shelf.lens(Filter()))
    lens.flush(now)
    narrow = Filter(wanted=(("client", frozenset(CLIENTS[:1])),))
    _, filtering = _timed(lambda: shelf.lens(narrow))
    beats = []
    for beat in range(50):
        changed = [(n, value(n, now, rng)) for n in rng.sample(range(tickets), 200)]
        began = time.process_time()
        for number, data in changed:
            shelf.put(key(number).decode(), data)
        shelf.advance(now + beat * 200)
        for each in shelf.lenses:
            each.flush(shelf.now)
        beats.append(1000 * (time.process_time() - began))
    whole = _timed(lambda: lens.whole(now))[1]
    return {
        "load_cpu_s_without_kafka": round(loading, 2),
        "beat_of_200_changes_ms_median": round(sorted(beats)[25], 2),
        "beat_of_200_changes_ms_worst": round(max(beats), 2),
        "whole_view_ms": round(1000 * whole, 2),
        "new_view_of_everything_ms": round(1000 * building, 1),
        "new_filtered_view_ms": round(1000 * filtering, 1),
    }


def _timed(do: Any) -> tuple[Any, float]:
    began = time.process_time()
    return do(), time.process_time() - began


# -- the command, on a real broker ------------------------------------------------------------------


@contextlib.contextmanager
def board(broker: str, core: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `slastream board` on one core; yields its process and address."""
    process = subprocess.Popen(
        ["taskset", "-c", str(core), sys.executable, "-m", "slastream", "board", "--broker", broker,
         "--prefix", "bench.", "--port", "0"],
        stderr=subprocess.PIPE, text=True,
        env={k: v for k, v in os.environ.items() if not k.startswith("SLASTREAM_")},
    )  # fmt: skip
    try:
        assert process.stderr is not None
        address = next(line for line in process.stderr if "http" in line).split()[-1].rstrip("/")
        yield process, address
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def memory(pid: int) -> int:
    """Return the resident MiB of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) // 1024


async def ready(address: str, seconds: float) -> float:
    """Wait until the board has read everything; returns how long that took."""
    began = time.monotonic()
    async with aiohttp.ClientSession() as session:
        while time.monotonic() - began < seconds:
            async with session.get(f"{address}/readyz") as answer:
                if answer.status == 200:
                    return time.monotonic() - began
            await asyncio.sleep(0.1)
    raise SystemExit("the board was not ready in time")


async def fill(broker: str, tickets: int) -> None:
    """Publish all tickets."""
    rng, now = random.Random(3), int(time.time() * 1000)
    async with AIOKafkaProducer(
        bootstrap_servers=broker, linger_ms=20, max_batch_size=1 << 19
    ) as producer:
        for number in range(tickets):
            await producer.send("bench.clocks.v1", value(number, now, rng), key(number))
        await producer.flush()


def watch(address: str, browsers: int, seconds: float) -> None:
    """Be so many browsers (in a process of our own) and print the delays that they saw."""
    delays: list[float] = []
    opened = time.time()

    async def one(session: aiohttp.ClientSession) -> None:
        async with session.get(f"{address}/events?") as answer:
            async for event, data in events(answer):
                if event == "change":
                    heard = time.time()
                    for row in data["rows"]:
                        sent = float(row["team"][5:]) if row["team"].startswith("sent ") else 0
                        if sent > opened:
                            delays.append(heard - sent)

    async def all_() -> None:
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            tasks = [asyncio.create_task(one(session)) for _ in range(browsers)]
            await asyncio.wait(tasks, timeout=seconds)
            print(json.dumps({"ended": sum(task.done() for task in tasks), "delays": delays}))
            for task in tasks:
                task.cancel()

    asyncio.run(all_())


async def events(answer: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, Any]]:
    """Yield server-sent events with their data."""
    rest, name = b"", ""
    async for chunk in answer.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"event: "):
                name = line[7:].decode()
            elif line.startswith(b"data: "):
                yield name, orjson.loads(line[6:])


async def stir(broker: str, seconds: float) -> int:
    """Change one of the most urgent tickets ten times a second, with the time of sending in its team."""
    rng, count = random.Random(5), 0
    first = int(time.time() * 1000) + 5 * MINUTE
    async with AIOKafkaProducer(bootstrap_servers=broker, acks="all") as producer:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            now = int(time.time() * 1000)
            # Just at risk: it stands at the top of its group, where every browser shows it.
            told = orjson.loads(value(count % 10, now, rng, f"sent {time.time():.4f}"))
            for clock in told["clocks"]:
                if clock["phase"] != "stopped":
                    due = first - count  # the newest stands at the top
                    clock |= {"phase": "running", "verdict": "at_risk", "due": format_instant(due)}
            await producer.send_and_wait("bench.clocks.v1", orjson.dumps(told), key(count % 10))
            count += 1
            await asyncio.sleep(0.1)
    return count


async def paint(address: str) -> dict[str, float] | None:
    """Return Chromium's milliseconds from the click to the first paint and to the first rows."""
    if installed() is None:
        return None
    found = []
    async with chromium() as page:
        await page.size(1920, 1080)
        for _ in range(5):
            await page.go(address)
            await page.until("performance.getEntriesByName('rows').length")
            await page.until("performance.getEntriesByName('first-contentful-paint').length")
            found.append(
                await page.js(
                    "[performance.getEntriesByName('first-contentful-paint')[0].startTime,"
                    " performance.getEntriesByName('rows')[0].startTime]"
                )
            )
    found.sort(key=lambda pair: pair[1])
    return {
        "first_paint_ms": round(found[2][0]),
        "first_rows_ms": round(found[2][1]),
        "first_rows_ms_worst": round(found[-1][1]),
    }


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clocks", type=int, default=200_000)
    parser.add_argument("--browsers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--watch", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.watch:
        watch(given.watch, given.browsers, given.seconds)
        return
    tickets = given.clocks // 2
    result: dict[str, Any] = {"open_clocks": tickets * 2, "tickets": tickets}
    result |= update_cost(tickets)
    print(json.dumps(result, indent=1))
    with LocalBroker() as broker:
        client = {"bootstrap_servers": broker.bootstrap}
        asyncio.run(admin.create(client, plan("bench.", 4)))
        asyncio.run(fill(broker.bootstrap, tickets))
        with board(broker.bootstrap, 0) as (process, address):
            result["load_s"] = round(asyncio.run(ready(address, 120)), 1)
            result["memory_mib"] = memory(process.pid)
            result["paint"] = asyncio.run(paint(address))
            result |= browsers_of(given, broker.bootstrap, address, process.pid)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def browsers_of(given: argparse.Namespace, broker: str, address: str, pid: int) -> dict[str, Any]:
    """Return the delays that 200 browsers see from a change's sending to its arrival."""
    watcher = subprocess.Popen(
        [sys.executable, "-m", "bench.board", "--watch", address, "--browsers",
         str(given.browsers), "--seconds", str(given.seconds + 6)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    time.sleep(4)
    before = _cpu(pid)
    changes = asyncio.run(stir(broker, given.seconds))
    spent = _cpu(pid) - before
    told = json.loads(watcher.communicate(timeout=60)[0])
    return {
        "browsers": given.browsers,
        "browsers_lost": told["ended"],
        "changes": changes,
        "deliveries": len(told["delays"]),
        "delay_ms_p50": percentile(told["delays"], 0.5),
        "delay_ms_p99": percentile(told["delays"], 0.99),
        "delay_ms_worst": percentile(told["delays"], 1.0),
        "server_cpu_percent_of_a_core": round(100 * spent / given.seconds),
        "memory_mib_with_browsers": memory(pid),
    }


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
