"""A gateway whose broker goes away, that is killed itself, or that is told to go: nothing is lost."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import gateway_rig as rig
import pytest
import trustme
from aiohttp import ClientSession
from gateway_rig import JIRA, exchange, jira_proof, post, request
from rig import committed

from slastream.gateway import writer
from slastream.gateway.door import Limits
from slastream.kafka.local import LocalBroker
from slastream.settings import Settings


@pytest.fixture
async def own() -> AsyncIterator[LocalBroker]:
    """A broker of this test's own, since it is killed."""
    broker = LocalBroker()
    await asyncio.to_thread(broker.start)
    try:
        yield broker
    finally:
        await asyncio.to_thread(broker.stop)


def delivery(number: int) -> tuple[bytes, dict[str, str]]:
    body = rig.orjson.dumps({"issue": {"id": str(number)}})
    return body, jira_proof(body)


async def arrived(bootstrap: str, prefix: str) -> list[bytes]:
    settings = Settings(broker=bootstrap, prefix=prefix)
    return [record.value for record in await committed(settings, "raw.jira", 2)]


@pytest.mark.parametrize("outage", ["short", "long"])
async def test_broker_killed_and_restarted(
    outage: str,
    own: LocalBroker,
    prefix: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While the broker is away senders are told to come again; all they bring in the end is there,
    whether the producer lives through it or is given up."""
    if outage == "long":
        monkeypatch.setattr(writer, "STUCK", 2.0)
    await rig.raw_topics(own.bootstrap, prefix)
    async with rig.gateway(own.bootstrap, prefix, tmp_path) as one:
        port, tries = one.address[1], []

        async def sender(first: int) -> None:
            for number in range(first, 300, 10):
                body, proof = delivery(number)
                tries.append(await rig.retried(port, "/v1/acme/jira", body, proof))
                await asyncio.sleep(0.05)

        sending = asyncio.gather(*(sender(first) for first in range(10)))
        await rig.until(lambda: len(tries) > 50, 30)
        await asyncio.to_thread(own.kill)
        await rig.until(lambda: one._writer.away, 30)
        away = await post(one, "/v1/acme/jira", JIRA, jira_proof(JIRA))
        page = await exchange(one.pages[1], request("/readyz", method="GET"))
        if outage == "long":
            await rig.until(lambda: one._writer._producer is None, 30)
            await rig.until(lambda: one._door.budget.taken == 0, 30)
        await asyncio.to_thread(own.start)
        await asyncio.wait_for(sending, 90)
        await rig.until(lambda: one.ready, 30)
        assert one._door.budget.taken == 0

    found = await arrived(own.bootstrap, prefix)

    assert (away.status, away.reason, page.status) == (503, "broker_away", 503)
    assert sum(tries) > 300
    assert set(found) == {delivery(number)[0] for number in range(300)}


async def test_broker_away_takes_no_memory(own: LocalBroker, prefix: str, tmp_path: Path) -> None:
    """However much is offered while the broker does not answer, what is held has an end."""
    await rig.raw_topics(own.bootstrap, prefix)
    limits = Limits(memory=400_000, acknowledge_seconds=1.0)
    async with rig.gateway(own.bootstrap, prefix, tmp_path, limits=limits) as one:
        body = b"[" + b"1" * 20_000
        await post(one, "/v1/acme/jira", body, jira_proof(body))
        own.pause()
        try:
            offers = [post(one, "/v1/acme/jira", body, jira_proof(body)) for _ in range(100)]
            answers = await asyncio.gather(*offers)
            held = one._door.budget.taken
        finally:
            own.resume()
        await rig.until(lambda: one.ready, 30)
        after = await post(one, "/v1/acme/jira", body, jira_proof(body))
        await rig.until(lambda: one._door.budget.taken == 0, 30)

    assert {answer.status for answer in answers} == {503}
    assert 0 < held <= limits.memory
    assert after.status == 202


@pytest.mark.parametrize("used", [True, False])
async def test_a_producer_that_breaks_is_replaced(
    used: bool,
    broker: LocalBroker,
    prefix: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a failure that a producer cannot get over, the next deliveries go through a new one;
    also when the producer does not fail but takes nothing any more."""
    monkeypatch.setattr(writer, "BLOCKED", 1.0)
    await rig.raw_topics(broker.bootstrap, prefix)
    limits = Limits(acknowledge_seconds=0.5)
    async with rig.gateway(broker.bootstrap, prefix, tmp_path, limits=limits) as one:
        if used:
            await rig.retried(one.address[1], "/v1/acme/jira", JIRA, jira_proof(JIRA))
        else:
            # Its topic is not known to it, and it will wait for news that cannot come.
            one._writer._producer.client.cluster._partitions.clear()
        broken = one._writer._producer
        assert broken is not None
        await broken.stop()
        first = await post(one, "/v1/acme/jira", JIRA, jira_proof(JIRA))
        tries = await rig.retried(one.address[1], "/v1/acme/jira", JIRA, jira_proof(JIRA))

        assert first.status == 503
        assert tries < 40
        assert one._writer._producer is not broken


async def test_gateway_killed_and_restarted(
    broker: LocalBroker, prefix: str, tmp_path: Path
) -> None:
    """Killed in the middle and started again: what was answered with 202 before is there, and so is
    all that senders bring again."""
    await rig.raw_topics(broker.bootstrap, prefix)
    process = rig.Process(broker.bootstrap, prefix, tmp_path)
    accepted: list[bytes] = []
    try:
        await process.listening()

        async def sender(first: int) -> None:
            for number in range(first, 400, 8):
                body, proof = delivery(number)
                await rig.retried(process.port, "/v1/acme/jira", body, proof)
                accepted.append(body)

        sending = asyncio.gather(*(sender(first) for first in range(8)))
        await rig.until(lambda: len(accepted) > 40, 30)
        process.kill()
        before = list(accepted)
        found = await arrived(broker.bootstrap, prefix)
        await asyncio.to_thread(process.start)
        await asyncio.wait_for(sending, 90)
        code = await asyncio.to_thread(process.leave)
    finally:
        process.kill()

    assert set(before) <= set(found)
    assert set(accepted) == {delivery(n)[0] for n in range(400)}
    assert set(await arrived(broker.bootstrap, prefix)) == set(accepted)
    assert code == 0


async def test_drain(broker: LocalBroker, prefix: str, tmp_path: Path) -> None:
    """Told to go, it takes no new connection, finishes what is under way, and ends with code 0."""
    await rig.raw_topics(broker.bootstrap, prefix)
    process = rig.Process(broker.bootstrap, prefix, tmp_path)
    try:
        await process.listening()
        body, proof = delivery(1)
        sent = request("/v1/acme/jira", body, proof)
        reader, writer = await asyncio.open_connection("127.0.0.1", process.port)
        writer.write(sent[:-5])
        await asyncio.sleep(0.3)
        leaving = asyncio.create_task(asyncio.to_thread(process.leave))
        await rig.until(lambda: "leaving" in process.log.read_text(), 10)
        with pytest.raises(OSError, match="onnect"):
            await asyncio.open_connection("127.0.0.1", process.port)
        writer.write(sent[-5:])
        answer = await rig.answer_on(reader)
        ended = await reader.read()
        writer.close()
        code = await leaving
    finally:
        process.kill()

    assert (answer.status, answer.headers.get("connection"), ended) == (202, "close", b"")
    assert code == 0
    assert await arrived(broker.bootstrap, prefix) == [body]


async def test_started_before_its_broker(prefix: str, tmp_path: Path) -> None:
    """Without a broker it starts all the same, says why it is not ready, and answers 503."""
    async with rig.gateway("127.0.0.1:9", prefix, tmp_path, ready=False) as one:
        await rig.until(lambda: "no broker" in one._writer.problem)
        answer = await post(one, "/v1/acme/jira", JIRA, jira_proof(JIRA))
        page = await exchange(one.pages[1], request("/readyz", method="GET"))
        live = await exchange(one.pages[1], request("/livez", method="GET"))

    assert (answer.status, answer.headers["retry-after"]) == (503, "3")
    assert b"no broker listens there" in page.body
    assert (page.status, live.status) == (503, 200)


async def test_tls_and_a_renewed_certificate(
    broker: LocalBroker, prefix: str, tmp_path: Path
) -> None:
    """With a certificate it speaks TLS alone; a renewed one counts without a restart."""
    await rig.raw_topics(broker.bootstrap, prefix)
    authority = trustme.CA()
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"

    def issue() -> None:
        issued = authority.issue_cert("localhost")
        cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(key)

    issue()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    files = {"cert_file": cert, "key_file": key}
    async with rig.gateway(broker.bootstrap, prefix, tmp_path, **files) as one:
        url = f"https://localhost:{one.address[1]}/v1/acme/jira"
        statuses, serials = [], []
        for _ in range(2):
            async with (
                ClientSession() as session,
                session.post(
                    url, data=JIRA, headers={**jira_proof(JIRA), "content-type": "application/json"},
                    ssl=context,
                ) as answer,
            ):  # fmt: skip
                statuses.append(answer.status)
            serials.append(await _serial(one.address[1], context))
            issue()
            one.look()
        with pytest.raises((OSError, EOFError)):
            await post(one, "/v1/acme/jira", JIRA, jira_proof(JIRA))

    assert statuses == [202, 202]
    assert serials[0] != serials[1]


async def _serial(port: int, context: ssl.SSLContext) -> str:
    _, out = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="localhost"
    )
    shown = out.get_extra_info("peercert")
    out.close()
    await out.wait_closed()
    return str(shown["serialNumber"])


def test_it_is_told_away_before_senders_give_up() -> None:
    """The broker counts as away before the first sender stops waiting, so that others need not."""
    assert writer.AWAY < Limits().acknowledge_seconds < 5
