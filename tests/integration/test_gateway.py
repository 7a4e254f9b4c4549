"""What a gateway promises to senders: what it accepts is on the broker, as it came."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import gateway_rig as rig
import orjson
import pytest
from gateway_rig import JIRA, SECRET, exchange, jira_proof, post, request, zendesk_proof

from slastream.gateway.door import Limits
from slastream.gateway.service import Gateway
from slastream.kafka.local import LocalBroker

ReadAll = Callable[..., Awaitable[list[Any]]]


@pytest.fixture
async def topics(broker: LocalBroker, prefix: str) -> None:
    await rig.raw_topics(broker.bootstrap, prefix)


@pytest.fixture
async def one(
    broker: LocalBroker, prefix: str, topics: None, tmp_path: Path
) -> AsyncIterator[Gateway]:
    async with rig.gateway(broker.bootstrap, prefix, tmp_path) as running:
        yield running


async def test_accepted_is_on_the_broker(one: Gateway, prefix: str, read_all: ReadAll) -> None:
    """A signed delivery is answered with 202 when its very bytes are on the source's raw topic."""
    body = b"  " + JIRA + b"\n"
    before = int(time.time() * 1000)
    sent = {**jira_proof(body), "X-Atlassian-Webhook-Identifier": "w-1", "x-other": "no"}
    answer = await post(one, "/v1/acme/jira", body, sent)
    (record,) = await read_all(f"{prefix}raw.jira")
    headers = dict(record.headers)

    assert answer.status == 202
    assert orjson.loads(answer.body) == {"status": "accepted", "delivery": "w-1"}
    assert (record.key, record.value) == (b"acme/jira/20417", body)
    assert before <= int(headers.pop("sla-received-at")) <= time.time() * 1000
    assert headers == {
        "sla-tenant": b"acme",
        "sla-delivery": b"w-1",
        "content-type": b"application/json",
        "x-atlassian-webhook-identifier": b"w-1",
    }


async def test_bytes_that_are_no_json_are_kept(
    one: Gateway, prefix: str, read_all: ReadAll
) -> None:
    """What nobody can read is accepted all the same: it becomes a dead letter, it is not lost."""
    body = b"\xff\x00 not json"
    answer = await post(one, "/v1/acme/jira", body, jira_proof(body))
    (record,) = await read_all(f"{prefix}raw.jira")

    assert answer.status == 202
    assert (record.key, record.value) == (None, body)


async def test_a_delivery_without_a_name_is_named_by_its_bytes(
    one: Gateway, prefix: str, read_all: ReadAll
) -> None:
    """A repeat of the same bytes has the same delivery id, other bytes another."""
    bearer = {"authorization": f"Bearer {SECRET}"}
    bodies = (b'{"ticket":{"id":1}}', b'{"ticket":{"id":1}}', b'{"ticket":{"id":2}}')
    names = [
        orjson.loads((await post(one, "/v1/acme/halopsa", body, bearer)).body)["delivery"]
        for body in bodies
    ]

    assert names[0] == names[1] != names[2]
    assert len(await read_all(f"{prefix}raw.halopsa")) == 3


async def test_secrets_while_one_replaces_another(one: Gateway) -> None:
    """During a rotation deliveries signed with either secret pass."""
    for secret in (SECRET, "the-secret-that-comes-next"):
        proof = zendesk_proof(b"{1}", time.time(), secret)

        assert (await post(one, "/v1/acme/zendesk", b"{1}", proof)).status == 202


async def test_tenants_have_secrets_of_their_own(one: Gateway) -> None:
    """One tenant's secret opens no other tenant's endpoint."""
    theirs = jira_proof(JIRA, "another-tenants-secret")

    assert (await post(one, "/v1/globex/jira", JIRA, theirs)).status == 202
    assert (await post(one, "/v1/acme/jira", JIRA, theirs)).status == 401
    assert (await post(one, "/v1/globex/jira", JIRA, jira_proof(JIRA))).status == 401


async def test_files_that_change_are_read_again(
    broker: LocalBroker, prefix: str, topics: None, tmp_path: Path
) -> None:
    """A new secret counts without a restart; a mistake in the file changes nothing."""
    async with rig.gateway(broker.bootstrap, prefix, tmp_path) as one:
        folder = tmp_path / "gateway"
        (folder / "secret").write_text("a-secret-made-this-minute", "utf-8")
        one.look()
        new = await post(one, "/v1/acme/jira", JIRA, jira_proof(JIRA, "a-secret-made-this-minute"))
        old = await post(one, "/v1/acme/jira", JIRA, jira_proof(JIRA))
        (folder / "endpoints.yaml").write_text("endpoints: [{tenant: acme}]", "utf-8")
        one.look()
        still = await post(
            one, "/v1/acme/jira", JIRA, jira_proof(JIRA, "a-secret-made-this-minute")
        )

    assert (new.status, old.status, still.status) == (202, 401, 202)


async def test_pings_and_questions(one: Gateway, prefix: str, read_all: ReadAll) -> None:
    """A sender's test is answered and writes nothing; a ping must be signed like all else."""
    port = one.address[1]
    seen = await exchange(port, request("/v1/acme/jira", method="GET"))
    head = await exchange(port, request("/v1/acme/jira", method="HEAD"))
    empty = await post(one, "/v1/acme/jira", b"", jira_proof(b""))
    nothing = await post(one, "/v1/acme/jira", b"{}", jira_proof(b"{}"))
    unsigned = await post(one, "/v1/acme/jira", b"{}")
    deleted = await exchange(port, request("/v1/acme/jira", method="DELETE"))

    assert [a.status for a in (seen, head, empty, nothing)] == [200] * 4
    assert unsigned.status == 401
    assert (deleted.status, deleted.headers["allow"]) == (405, "POST, GET, HEAD")
    assert await read_all(f"{prefix}raw.jira") == []


async def test_cloud_events_ask_first(one: Gateway) -> None:
    """A CloudEvents sender is told that it may, and how much a minute; its headers pass."""
    asked = {"webhook-request-origin": "events.example"}
    answer = await exchange(
        one.address[1], request("/v1/acme/canonical", b"", asked, method="OPTIONS")
    )
    hostile = {"webhook-request-origin": "a b<script>"}
    refused = await exchange(
        one.address[1], request("/v1/acme/canonical", b"", hostile, method="OPTIONS")
    )

    assert answer.status == 200
    assert answer.headers["webhook-allowed-origin"] == "events.example"
    assert answer.headers["webhook-allowed-rate"] == "6"
    assert refused.status == 405


async def test_too_many_are_told_when_to_come_again(
    one: Gateway, prefix: str, read_all: ReadAll
) -> None:
    """Beyond its rate an endpoint is answered with 429 and Retry-After; the others are not."""
    token = {"x-slastream-token": SECRET}
    told = [await post(one, "/v1/acme/canonical", b'{"ticket":"1"}', token) for _ in range(4)]

    assert [answer.status for answer in told] == [202, 202, 202, 429]
    assert 1 <= int(told[3].headers["retry-after"]) <= 60
    assert (await post(one, "/v1/acme/jira", JIRA, jira_proof(JIRA))).status == 202
    assert len(await read_all(f"{prefix}raw.canonical")) == 3


async def test_memory_has_an_end(
    broker: LocalBroker, prefix: str, topics: None, tmp_path: Path
) -> None:
    """Bodies under way may take so much and no more: the next one is told to come again."""
    limits = Limits(memory=300_000, body_seconds=5)
    async with rig.gateway(broker.bootstrap, prefix, tmp_path, limits=limits) as one:
        large = b"[" + b"1" * 200_000
        head, _, rest = request("/v1/acme/jira", large, jira_proof(large)).partition(b"\r\n\r\n")
        reader, writer = await asyncio.open_connection("127.0.0.1", one.address[1])
        writer.write(head + b"\r\n\r\n" + rest[:190_000])
        await rig.until(lambda: one._door.budget.taken > 150_000)
        busy = await post(one, "/v1/acme/jira", large, jira_proof(large))
        writer.write(rest[190_000:])
        first = await rig.answer_on(reader)
        writer.close()
        after = await post(one, "/v1/acme/jira", large, jira_proof(large))

        assert (busy.status, busy.reason) == (503, "busy")
        assert (first.status, after.status) == (202, 202)
        assert one._door.budget.taken == 0


async def test_pages(one: Gateway) -> None:
    """Liveness, readiness and metrics are on a port of their own, not on the webhooks' one."""
    await post(one, "/v1/acme/jira", JIRA, jira_proof(JIRA))
    await post(one, "/v1/acme/jira", JIRA)
    live = await exchange(one.pages[1], request("/livez", method="GET"))
    ready = await exchange(one.pages[1], request("/readyz", method="GET"))
    page = (await exchange(one.pages[1], request("/metrics", method="GET"))).body.decode()
    outside = await exchange(one.address[1], request("/metrics", method="GET"))

    assert (live.status, ready.status, outside.status) == (200, 200, 404)
    for line in (
        'requests_total{reason="accepted",source="jira",status="202",tenant="acme"}',
        'requests_total{reason="no_signature",source="jira",status="401",tenant="acme"}',
        "broker_up 1.0",
    ):
        assert f"slastream_gateway_{line}" in page


async def test_one_topic_that_is_missing(
    broker: LocalBroker, prefix: str, topics: None, tmp_path: Path
) -> None:
    """One endpoint without its topic does not make the gateway unready for the others."""
    more = rig.ENDPOINTS + "  - {tenant: acme, source: itop, secrets: [secret]}\n"
    async with rig.gateway(broker.bootstrap, prefix, tmp_path, endpoints=more) as one:
        token = {"x-slastream-token": SECRET}
        lost = await post(one, "/v1/acme/itop", b'{"ref":"R-1"}', token)
        other = await post(one, "/v1/acme/jira", JIRA, jira_proof(JIRA))
        page = await exchange(one.pages[1], request("/readyz", method="GET"))
        metrics = await exchange(one.pages[1], request("/metrics", method="GET"))

    assert (lost.status, lost.reason, other.status, page.status) == (503, "topic_missing", 202, 200)
    assert b"raw.itop" in page.body
    assert b"missing_topics 1.0" in metrics.body


async def test_a_topic_that_is_missing(broker: LocalBroker, prefix: str, tmp_path: Path) -> None:
    """Without its topic an endpoint answers 503, and works once somebody has made the topic."""
    async with rig.gateway(broker.bootstrap, prefix, tmp_path, ready=False) as one:
        await rig.until(lambda: "not on the broker" in one._writer.problem)
        before = await post(one, "/v1/acme/jira", JIRA, jira_proof(JIRA))
        await rig.raw_topics(broker.bootstrap, prefix)
        await rig.until(lambda: one.ready)
        after = await post(one, "/v1/acme/jira", JIRA, jira_proof(JIRA))

    assert (before.status, before.reason, after.status) == (503, "topic_missing", 202)
