"""The examples of deploy/examples/consumers, as they are written there, on a real broker."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from slastream.kafka import admin
from slastream.kafka.local import LocalBroker
from slastream.kafka.plan import plan
from tests.support.alerts import said

FOLDER = Path(__file__).parents[2] / "deploy" / "examples" / "consumers"


@pytest.fixture
async def bootstrap(broker: LocalBroker) -> AsyncIterator[str]:
    """A broker with the topics under the names that the examples know, two alerts, and one taken back."""
    client = {"bootstrap_servers": broker.bootstrap}
    wanted = [each for each in plan("sla.", 1) if each.topic.short == "alerts"]
    await admin.create(client, wanted)
    producer = AIOKafkaProducer(**client, transactional_id="example")
    async with producer:
        for committed in (True, False, True):
            transaction = producer.transaction()
            with contextlib.suppress(ZeroDivisionError):
                async with transaction:
                    for n in ("one", "two"):
                        key, value, headers = said("at_risk", n, id_=f"{n}-{committed}-id")
                        await producer.send_and_wait("sla.alerts.v1", value, key, headers=headers)
                    if not committed:
                        raise ZeroDivisionError
    yield broker.bootstrap
    async with admin.connected(client) as asked:
        await asked.delete_topics(["sla.alerts.v1"])


async def lines_of(*command: str, count: int) -> list[str]:
    """Return what a consumer prints: so many lines, and what comes within a second or two after them."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    found: list[str] = []
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            while len(found) < count:
                found.append((await process.stdout.readline()).decode())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                found.append((await process.stdout.readline()).decode())
    finally:
        process.terminate()
        await process.wait()
    return found


async def test_the_consumer_in_python(bootstrap: str) -> None:
    """It prints each committed alert, and goes on after them when it is started again."""
    command = (sys.executable, str(FOLDER / "alerts.py"), bootstrap)
    lines = await lines_of(*command, count=4)
    again = await lines_of(*command, count=0)

    assert [line.split()[:3] for line in lines] == [
        ["one-True-id", "at_risk", "acme-msp/connectwise/one/resolution/1/at_risk"],
        ["two-True-id", "at_risk", "acme-msp/connectwise/two/resolution/1/at_risk"],
    ] * 2
    assert again == []


async def test_the_consumer_in_a_shell(bootstrap: str) -> None:
    """kcat prints headers, key and value of each committed alert."""
    if shutil.which("kcat") is None:
        pytest.skip("kcat is not installed: apt-get install --no-install-recommends kcat")
    lines = await lines_of(str(FOLDER / "alerts.sh"), bootstrap, count=4)

    assert len(lines) == 4
    for line in lines:
        headers, key, value = line.rstrip("\n").split("\t")

        assert "ce_type=io.slastream.sla.at_risk.v1" in headers
        assert value.startswith('{"tenant":"acme-msp"')
        assert key.startswith("acme-msp/connectwise/")
