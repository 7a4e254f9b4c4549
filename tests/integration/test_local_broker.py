"""The local broker is a real one, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import ProducerFenced

from slastream.kafka.cluster import LocalCluster
from slastream.kafka.local import BrokerFailed, LocalBroker
from slastream.kafka.ports import answers


async def _create(bootstrap: str, topic: str, replication: int = 1) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic(topic, 1, replication)])
    finally:
        await admin.close()
    assert answer.topic_errors[0][1] == 0


async def _send(bootstrap: str, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.send_and_wait(topic, value)


async def _first(bootstrap: str, topic: str) -> bytes:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    async with consumer:
        return bytes((await consumer.getone()).value)


def _gone(pid: int, within: float = 15.0) -> bool:
    limit = time.monotonic() + within
    while time.monotonic() < limit:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


async def test_survives_kill_on_the_same_port() -> None:
    """What a killed broker had acknowledged is there when it is back, at the same address."""
    broker = LocalBroker()
    try:
        first = broker.start()
        await _create(first, "kept")
        await _send(first, "kept", b"before")
        broker.kill()

        assert not broker.running

        second = broker.start()

        assert first == second
        assert await _first(second, "kept") == b"before"
    finally:
        broker.stop()

    assert not broker.data_dir.exists()


async def test_restart_keeps_a_folder_that_was_given(tmp_path: Path) -> None:
    """A folder of the caller's outlives the broker, and a new one finds its data there."""
    with LocalBroker(tmp_path / "kafka") as broker:
        await _create(broker.bootstrap, "kept")
        await _send(broker.bootstrap, "kept", b"before")
        broker.restart()
        await _send(broker.bootstrap, "kept", b"after")

    with LocalBroker(tmp_path / "kafka", port=broker.port) as again:
        assert await _first(again.bootstrap, "kept") == b"before"


def test_paused_broker_does_not_answer() -> None:
    """pause() is a broker that hangs, not one that is away; resume() ends it."""
    with LocalBroker() as broker:
        assert answers("127.0.0.1", broker.port)

        broker.pause()

        assert not answers("127.0.0.1", broker.port, timeout=0.3)

        broker.resume()

        assert answers("127.0.0.1", broker.port, timeout=5)


async def test_second_owner_fences_the_first(broker: LocalBroker, prefix: str) -> None:
    """It is a real Kafka: a new producer with the same transactional id fences the old one."""
    topic = f"{prefix}fence"
    await _create(broker.bootstrap, topic)
    old = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id=topic)
    new = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id=topic)
    await old.start()
    await new.start()
    try:
        with pytest.raises(ProducerFenced):
            async with old.transaction():
                await old.send_and_wait(topic, b"too late")
    finally:
        await new.stop()
        await old.stop()


def test_failed_start_shows_the_log() -> None:
    """A broker that cannot start says why, in the error itself."""
    broker = LocalBroker(config={"inter.broker.listener.name": "NOWHERE"})
    with pytest.raises(BrokerFailed, match="NOWHERE"):
        broker.start()

    assert not broker.running

    broker.stop()


@pytest.mark.parametrize("paused", [False, True])
def test_ends_with_its_owner(paused: bool) -> None:
    """A process that is killed leaves neither a broker nor its folder, even a paused one."""
    script = (
        "import sys, time\n"
        "from slastream.kafka.local import LocalBroker\n"
        "broker = LocalBroker()\n"
        "broker.start()\n"
        f"{'broker.pause()' if paused else ''}\n"
        "print(broker.pid, broker.data_dir, flush=True)\n"
        "time.sleep(60)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    with owner:
        assert owner.stdout
        pid, folder = owner.stdout.readline().split()
        owner.send_signal(signal.SIGKILL)

    assert _gone(int(pid))

    limit = time.monotonic() + 15
    while Path(folder).exists() and time.monotonic() < limit:
        time.sleep(0.05)

    assert not Path(folder).exists()


@pytest.mark.slow
async def test_three_nodes_replicate() -> None:
    """With one of three nodes gone, what was acknowledged by all is still served."""
    with LocalCluster(3) as cluster:
        await _create(cluster.bootstrap, "safe", replication=3)
        await _send(cluster.bootstrap, "safe", b"kept")
        cluster.brokers[0].kill()

        assert await _first(cluster.bootstrap, "safe") == b"kept"
