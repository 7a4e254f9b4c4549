"""A consumer of the alerts in thirty lines: `python alerts.py localhost:9092`. Needs aiokafka."""

import asyncio
import json
import sys

from aiokafka import AIOKafkaConsumer


async def main(broker: str) -> None:
    consumer = AIOKafkaConsumer(
        "sla.alerts.v1",
        bootstrap_servers=broker,
        group_id="my-desk",  # yours: it remembers how far you are
        isolation_level="read_committed",  # else you see what a crashed worker took back
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    async with consumer:
        async for record in consumer:
            id_, kind = (dict(record.headers)[name].decode() for name in ("ce_id", "ce_type"))
            alert = json.loads(record.value)
            kind = kind.split(".")[-2]  # at_risk, breached, cleared or corrected
            print(id_, kind, alert["dedup_key"], alert["due"], flush=True)  # noqa: T201
            # Do what you must, under id_: after a crash the last alerts come once more. Then:
            await consumer.commit()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
