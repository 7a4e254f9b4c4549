"""What stands for a route, read off the whole topic, and told once more by hand.

For whoever comes back from an outage of a receiver, or from a route that was wrong: what is over
meanwhile needs nobody, and what still stands is told under the key under which its receiver folds it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence

from aiokafka import TopicPartition

from slastream.core.errors import Misconfigured
from slastream.kafka import admin
from slastream.kafka.reading import reader
from slastream.kafka.security import client_options
from slastream.notify.gate import Gate
from slastream.notify.opening import fold
from slastream.notify.post import AGAIN, Answer, Poster
from slastream.notify.receivers import KINDS
from slastream.notify.route import Route
from slastream.notify.standing import TRIGGER, Incident, Notice, Standing
from slastream.settings import Settings

TRIES = 5


async def standing_of(settings: Settings, route: Route) -> list[Incident]:
    """Return the incidents that stand for a route, the oldest first. Raises `Misconfigured`."""
    client, topic = client_options(settings.broker), settings.topic("alerts")
    async with admin.connected(client) as asked:
        told = await asked.describe_topics([topic]) if topic in await asked.list_topics() else []
    if not told:
        raise Misconfigured("not on the broker", where=topic, hint="slastream topics create")
    tps = [TopicPartition(topic, part["partition"]) for part in told[0]["partitions"]]
    found: list[Incident] = []
    async with reader(client) as consumer:
        consumer.assign(tps)
        starts, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        for tp in tps:
            standing = Standing(route.passes)
            simulated = settings.time == "log"
            await fold(consumer, tp, starts[tp], ends[tp], standing, simulated)
            found += standing
    return sorted(found, key=lambda incident: incident.first.logged_at)


async def told_again(
    route: Route, incidents: Sequence[Incident]
) -> AsyncIterator[tuple[Incident, Answer]]:
    """Tell the receiver of each incident, and yield what it said; a receiver in trouble is asked again."""
    kind, gate = KINDS[route.kind], Gate(route.rate, route.burst)
    async with Poster(route, 1) as poster:
        for incident in incidents:
            notice = Notice(TRIGGER, incident.latest, incident.first)
            for _ in range(TRIES):
                async with gate.turn():
                    now = int(time.time() * 1000)
                    answer = await poster.post(kind.request(route, notice, now))
                if answer.outcome != AGAIN:
                    gate.succeeded()
                    break
                gate.failed(answer.after)
            yield incident, answer
