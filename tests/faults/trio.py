"""The kinds of faults that need three brokers: any one of them may be lost, and work goes on."""

from __future__ import annotations

import asyncio
import time

from aiokafka.admin import AIOKafkaAdminClient

from slastream.kafka.local import LocalBroker
from tests.faults.grounds import ThreeBrokers
from tests.faults.world import Kind, Met, World


async def _leader(world: World) -> LocalBroker:
    """Return the broker that leads one of the changelog's partitions."""
    assert isinstance(world.ground, ThreeBrokers)
    admin = AIOKafkaAdminClient(bootstrap_servers=world.ground.direct)
    await admin.start()
    try:
        (told,) = await admin.describe_topics([world.settings.topic("state")])
    finally:
        await admin.close()
    leader: int = world.rng.choice(
        [each["leader"] for each in told["partitions"] if each["leader"] > 0]
    )
    return world.ground.cluster.brokers[leader - 1]


async def one_of_three_killed(world: World) -> Met:
    """kill -9 of a leader: another takes over; then it comes back and catches up."""
    broker = await _leader(world)
    struck = world.struck()
    await asyncio.to_thread(broker.kill)
    await world.fed(3)
    went_on = f"{asyncio.get_running_loop().time() - struck.at:.1f} s"
    await asyncio.to_thread(broker.start)
    await in_sync(world)
    return Met(f"broker {broker.node_id}: kill -9, work went on within {went_on}, back", struck)


async def one_of_three_paused(world: World) -> Met:
    """SIGSTOP of a leader until it is missed, and SIGCONT."""
    broker = await _leader(world)
    struck = world.struck()
    broker.pause()
    try:
        await asyncio.sleep(world.rng.choice((1.0, 6.0)))
        began = time.monotonic()
        # A frozen broker takes connections and answers nothing: each client that happens to ask it
        # waits for its own time-outs, one after another.
        await world.fed(1, limit=120.0)
        went_on = f"{time.monotonic() - began:.1f} s"
    finally:
        broker.resume()
    await in_sync(world)
    return Met(f"broker {broker.node_id}: SIGSTOP, work went on after {went_on}, SIGCONT", struck)


async def one_of_three_restarted(world: World) -> Met:
    """A leader is restarted in good order, as in a rolling upgrade."""
    broker = await _leader(world)
    struck = world.struck()
    await asyncio.to_thread(broker.restart)
    await in_sync(world)
    return Met(f"broker {broker.node_id}: restarted in good order", struck)


async def in_sync(world: World, seconds: float = 40.0) -> None:
    """Wait until every replica of the changelog is in sync: only then may another one be lost."""
    limit = asyncio.get_running_loop().time() + seconds
    admin = AIOKafkaAdminClient(bootstrap_servers=world.ground.direct)
    await admin.start()
    try:
        names = [world.settings.topic(short) for short in ("tickets", "state", "alerts")]
        names += ["__transaction_state", "__consumer_offsets"]
        while True:
            told = await admin.describe_topics(names)
            if all(len(p["isr"]) == 3 for topic in told for p in topic["partitions"]):
                return
            if asyncio.get_running_loop().time() > limit:
                raise TimeoutError("the replicas do not come into sync")
            await asyncio.sleep(0.2)
    finally:
        await admin.close()


CLUSTER: dict[str, Kind] = {
    "one of three killed": one_of_three_killed,
    "one of three paused": one_of_three_paused,
    "one of three restarted": one_of_three_restarted,
}
