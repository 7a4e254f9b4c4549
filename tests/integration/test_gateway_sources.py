"""Every source through the gateway: what ingest reads from the raw topic is what the vendor sent."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import gateway_rig as rig
import pytest
from gateway_rig import SECRET, post

from slastream.kafka import admin, plan
from slastream.kafka.local import LocalBroker
from slastream.sources import SOURCES, Delivery, read
from slastream.sources.files import recorded
from slastream.sources.samples import samples

ReadAll = Callable[..., Awaitable[list[Any]]]
WEBHOOKS = [name for name in SOURCES if "debezium" not in name]


def proof(source: str, body: bytes) -> dict[str, str]:
    """Sign as the vendor does, by hand."""
    key = SECRET.encode()

    def mac(name: str, message: bytes) -> bytes:
        return hmac.new(key, message, name).digest()

    now = str(int(time.time()))
    match source:
        case "jira":
            return rig.jira_proof(body)
        case "zendesk":
            return rig.zendesk_proof(body, time.time())
        case "connectwise":
            return rig.connectwise_proof(body, SECRET)
        case "autotask":
            signed = base64.b64encode(mac("sha1", body)).decode()
            return {"x-hook-signature": f"sha1={signed}"}
        case "zammad":
            return {"x-hub-signature": f"sha1={mac('sha1', body).hex()}"}
        case "frappe_helpdesk":
            signed = base64.b64encode(mac("sha256", body)).decode()
            return {"x-frappe-webhook-signature": signed}
        case "glpi":
            signed = mac("sha256", body + now.encode()).hex()
            return {"x-glpi-signature": signed, "x-glpi-timestamp": now}
        case "halopsa" | "znuny":
            return {"authorization": f"Bearer {SECRET}"}
        case "canonical":
            signed = hmac.new(key, f"{now}.".encode() + body, hashlib.sha256).hexdigest()
            return {"x-slastream-signature": f"t={now},v1={signed}"}
    return {"x-slastream-token": SECRET}


@pytest.mark.parametrize("source", WEBHOOKS)
async def test_source(
    source: str, broker: LocalBroker, prefix: str, read_all: ReadAll, tmp_path: Path
) -> None:
    """Each shipped sample, signed and posted, is read from its raw topic as if read directly."""
    wanted = plan.plan(prefix, 1, sources=(source,))
    await admin.create({"bootstrap_servers": broker.bootstrap}, wanted)
    endpoints = f"endpoints: [{{tenant: acme-msp, source: {source}, secrets: [secret]}}]"
    sent: list[Delivery] = []
    async with rig.gateway(broker.bootstrap, prefix, tmp_path, endpoints=endpoints) as one:
        for sample in samples(source):
            delivery = recorded(sample["delivery"], source, "acme-msp")
            if delivery.value is None:
                continue  # a tombstone is Kafka's alone
            headers = {name: value.decode() for name, value in delivery.headers.items()}
            answer = await post(
                one, f"/v1/acme-msp/{source}?recordId=1&action=updated", delivery.value,
                {**headers, **proof(source, delivery.value)},
            )  # fmt: skip

            assert answer.status == 202, (sample["name"], answer)
            sent.append(delivery)
    records = await read_all(f"{prefix}raw.{source}")

    assert [record.value for record in records] == [delivery.value for delivery in sent]
    for record, direct in zip(records, sent, strict=True):
        arrived = Delivery(
            source, "acme-msp", record.key, record.value, dict(record.headers),
            direct.received_at, direct.timezone,
        )  # fmt: skip

        assert read(arrived) == read(direct)
