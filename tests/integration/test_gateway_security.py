"""What a gateway lets nobody do. Each attack has a test of its own; nothing of one reaches Kafka."""

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import hmac
import logging
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import gateway_rig as rig
import pytest
from gateway_rig import JIRA, SECRET, exchange, jira_proof, post, request, zendesk_proof

from slastream.gateway import counts
from slastream.gateway.door import Limits
from slastream.gateway.keys import Keys
from slastream.gateway.service import Gateway
from slastream.kafka.local import LocalBroker

ReadAll = Callable[..., Awaitable[list[Any]]]
LIMITS = Limits(body=50_000, body_seconds=1.0, keepalive_seconds=2.0, connections=40)


@pytest.fixture
async def one(broker: LocalBroker, prefix: str, tmp_path: Path) -> AsyncIterator[Gateway]:
    await rig.raw_topics(broker.bootstrap, prefix)
    async with rig.gateway(broker.bootstrap, prefix, tmp_path, limits=LIMITS) as running:
        yield running


@pytest.fixture
async def nothing_written(one: Gateway, broker: LocalBroker, prefix: str) -> AsyncIterator[None]:
    """At the end of the test no topic holds anything."""
    yield
    assert await rig.written(broker.bootstrap, prefix) == 0


@pytest.mark.usefixtures("nothing_written")
async def test_wrong_signature(one: Gateway) -> None:
    """A signature of another secret, or of other bytes, is refused."""
    others = await post(one, "/v1/acme/jira", JIRA, jira_proof(JIRA, "somebody-elses"))
    altered = await post(one, "/v1/acme/jira", JIRA + b" ", jira_proof(JIRA))

    assert [(a.status, a.reason) for a in (others, altered)] == [(401, "bad_signature")] * 2


@pytest.mark.usefixtures("nothing_written")
async def test_missing_signature(one: Gateway) -> None:
    """No signature, an empty one, a shown secret in its place, or a weaker scheme: refused."""
    sha1 = hmac.new(SECRET.encode(), JIRA, "sha1").hexdigest()
    for headers in (
        {},
        {"x-hub-signature": ""},
        {"x-slastream-token": SECRET},
        {"authorization": f"Bearer {SECRET}"},
        {"x-hub-signature": f"sha1={sha1}"},
        {"x-hub-signature-256": jira_proof(JIRA)["x-hub-signature"]},
    ):
        assert (await post(one, "/v1/acme/jira", JIRA, headers)).status == 401


@pytest.mark.usefixtures("nothing_written")
async def test_truncated_signature(one: Gateway) -> None:
    """The beginning of a right signature is refused, whatever its length."""
    proof = jira_proof(JIRA)["x-hub-signature"]
    for length in (len("sha256="), 8, len(proof) // 2, len(proof) - 1):
        answer = await post(one, "/v1/acme/jira", JIRA, {"x-hub-signature": proof[:length]})

        assert answer.status == 401


@pytest.mark.usefixtures("nothing_written")
async def test_replayed_signature(one: Gateway) -> None:
    """A recorded delivery is refused once its time is past, and its time cannot be renewed."""
    body = b'{"detail":{"id":"1"}}'
    old = zendesk_proof(body, time.time() - 600)
    ahead = zendesk_proof(body, time.time() + 600)
    fresh = {**old, **{k: v for k, v in zendesk_proof(body, time.time()).items() if "time" in k}}

    assert (await post(one, "/v1/acme/zendesk", body, old)).reason == "stale"
    assert (await post(one, "/v1/acme/zendesk", body, ahead)).reason == "stale"
    assert (await post(one, "/v1/acme/zendesk", body, fresh)).reason == "bad_signature"


@pytest.mark.usefixtures("nothing_written")
async def test_signature_of_another_endpoint(one: Gateway) -> None:
    """A delivery recorded at one tenant's endpoint opens no other tenant's."""
    answer = await post(one, "/v1/globex/jira", JIRA, jira_proof(JIRA))

    assert answer.status == 401


@pytest.mark.usefixtures("nothing_written")
async def test_oversized_body(one: Gateway) -> None:
    """A body beyond the limit is refused: by its announced length, or while it comes in pieces."""
    large = b"x" * 60_000
    proof = jira_proof(large)
    announced = await exchange(
        one.address[1], request("/v1/acme/jira", b"", {**proof, "content-length": "60000"})
    )
    pieces = b"".join(b"%x\r\n%b\r\n" % (1000, b"x" * 1000) for _ in range(60)) + b"0\r\n\r\n"
    head = request("/v1/acme/jira", b"", {**proof, "transfer-encoding": "chunked"})
    chunked = await exchange(one.address[1], head.replace(b"content-length: 0\r\n", b"") + pieces)

    assert (announced.status, chunked.status) == (413, 413)
    assert announced.headers["connection"] == chunked.headers["connection"] == "close"
    assert one._door.budget.taken == 0


@pytest.mark.usefixtures("nothing_written")
async def test_packed_body(one: Gateway) -> None:
    """A compressed body is refused unopened: what is small cannot unpack into much."""
    answer = await post(
        one, "/v1/acme/jira", b"\x1f\x8b" * 20, {"content-encoding": "gzip", **jira_proof(b"")}
    )

    assert (answer.status, answer.reason) == (415, "content_encoding")


@pytest.mark.usefixtures("nothing_written")
async def test_form_and_multipart(one: Gateway) -> None:
    """What no ticket system sends here, such as a browser's form, is refused by its type."""
    for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = await post(one, "/v1/acme/jira", JIRA, {"content-type": kind, **jira_proof(JIRA)})

        assert (answer.status, answer.reason) == (415, "content_type")


@pytest.mark.usefixtures("nothing_written")
async def test_slow_body(one: Gateway) -> None:
    """A body that drips in is cut off after its time, however steadily it drips."""
    reader, writer = await asyncio.open_connection("127.0.0.1", one.address[1])
    head, _, _ = request("/v1/acme/jira", JIRA, jira_proof(JIRA)).partition(b"\r\n\r\n")
    writer.write(head + b"\r\n\r\n")
    began = time.monotonic()

    async def drip() -> None:
        while True:
            writer.write(b" ")
            await asyncio.sleep(0.1)

    dripping = asyncio.create_task(drip())
    answer = await asyncio.wait_for(rig.answer_on(reader), 10)
    dripping.cancel()
    writer.close()

    assert (answer.status, answer.reason) == (408, "slow_body")
    assert 0.8 < time.monotonic() - began < 4


@pytest.mark.usefixtures("nothing_written")
async def test_slow_headers(one: Gateway) -> None:
    """A connection that never finishes its headers is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", one.address[1])
    writer.write(b"POST /v1/acme/jira HTTP/1.1\r\nhost: gateway.example\r\nx-slow: ")
    got = await asyncio.wait_for(reader.read(), 8)
    writer.close()

    assert got == b""


@pytest.mark.usefixtures("nothing_written")
async def test_body_that_ends_early(one: Gateway) -> None:
    """A sender that goes away in the middle leaves nothing behind."""
    large = b"x" * 40_000
    _, writer = await asyncio.open_connection("127.0.0.1", one.address[1])
    writer.write(request("/v1/acme/jira", large, jira_proof(large))[:20_000])
    await rig.until(lambda: one._door.budget.taken > 0)
    writer.close()
    await rig.until(lambda: one._door.budget.taken == 0 and one._door.active == 0)


async def test_too_many_connections(one: Gateway) -> None:
    """Beyond the limit a connection is closed unheard; those that are open go on."""
    before = counts.TURNED_AWAY._value.get()
    opened = [await asyncio.open_connection("127.0.0.1", one.address[1]) for _ in range(40)]
    with pytest.raises((OSError, EOFError)):
        await post(one, "/v1/acme/jira", JIRA, jira_proof(JIRA))
    reader, writer = opened[0]
    writer.write(request("/v1/acme/jira", JIRA, jira_proof(JIRA)))
    answer = await rig.answer_on(reader)
    for _, each in opened:
        each.close()

    assert answer.status == 202
    assert counts.TURNED_AWAY._value.get() == before + 1


async def test_noise(one: Gateway, broker: LocalBroker, prefix: str) -> None:
    """Requests with bytes changed, cut or added at random are refused or dropped, never a 500, and
    nothing of them is accepted unless its body and signature came through whole."""
    rng = random.Random(7)
    plain = request("/v1/acme/jira", JIRA, jira_proof(JIRA))

    def changed() -> bytes:
        hostile = bytearray(plain)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(hostile))
            match rng.randrange(3):
                case 0:
                    hostile[at] = rng.randrange(256)
                case 1:
                    del hostile[at : at + rng.randint(1, 20)]
                case _:
                    hostile[at:at] = rng.randbytes(rng.randint(1, 20))
        return bytes(hostile)

    async def ask(hostile: bytes) -> int:
        try:
            return (await exchange(one.address[1], hostile, 5.0)).status
        except (OSError, EOFError, TimeoutError):
            return 0

    statuses: Counter[int] = Counter()
    for _ in range(8):
        statuses.update(await asyncio.gather(*(ask(changed()) for _ in range(20))))
    after = await post(one, "/v1/acme/jira", JIRA, jira_proof(JIRA))

    assert set(statuses) <= {0, 200, 202, 400, 401, 404, 405, 408, 413, 415}, statuses
    assert statuses[401] > 0
    assert after.status == 202
    assert await rig.written(broker.bootstrap, prefix) == statuses[202] + 1


async def test_header_injection(one: Gateway, prefix: str, read_all: ReadAll) -> None:
    """No sender can set a header of ours, nor one that its source does not have."""
    hostile = {
        "sla-tenant": "globex",
        "sla-received-at": "0",
        "sla-resent": "x",
        "ce-id": "chosen",
        "ce_id": "chosen",
        "x-zammad-delivery": "chosen",
    }
    answer = await post(one, "/v1/acme/jira", JIRA, {**hostile, **jira_proof(JIRA)})
    (record,) = await read_all(f"{prefix}raw.jira")
    headers = dict(record.headers)

    assert answer.status == 202
    assert len(headers) == len(record.headers)
    assert set(headers) == {"sla-tenant", "sla-delivery", "sla-received-at", "content-type"}
    assert headers["sla-tenant"] == b"acme"


@pytest.mark.usefixtures("nothing_written")
async def test_header_smuggling(one: Gateway) -> None:
    """Line ends, folds, control characters and doubles in headers are refused."""
    proof = jira_proof(JIRA)
    plain = request("/v1/acme/jira", JIRA, proof)
    mark = b"x-hub-signature: "
    for hostile in (
        plain.replace(mark, b"x-atlassian-webhook-identifier: a\rsla-tenant: globex\r\n" + mark),
        plain.replace(mark, b"x-atlassian-webhook-identifier: a\nsla-tenant: globex\r\n" + mark),
        plain.replace(mark, b"x-atlassian-webhook-identifier: a\r\n sla-tenant: globex\r\n" + mark),
        plain.replace(mark, b"x-atlassian-webhook-identifier: a\x00b\r\n" + mark),
        plain.replace(mark, b"x-atlassian-webhook-identifier: a\x01b\r\n" + mark),
        plain.replace(mark, b"x-hub-signature: sha256=00\r\n" + mark),
        plain.replace(mark, b"content-length: 5\r\n" + mark),
        plain.replace(mark, b"transfer-encoding: chunked\r\n" + mark),
        plain.replace(mark, b"x-atlassian-webhook-identifier: " + b"a" * 5000 + b"\r\n" + mark),
    ):
        answer = await exchange(one.address[1], hostile)

        assert answer.status == 400, hostile


@pytest.mark.usefixtures("nothing_written")
@pytest.mark.parametrize(
    "path",
    [
        "/v1/acme/../globex/jira",
        "/v1/acme/..%2fglobex/jira",
        "/v1/acme%2fjira",
        "/v1/acme/%6aira",
        "/v1//acme/jira",
        "//v1/acme/jira",
        "/v1/acme//jira",
        "/v1/acme/jira/",
        "/v1/acme/./jira",
        "/v1/ACME/jira",
        "/v1/acme/jira;x=1",
        "/v1/acme/jira%00",
        "/v1/acme/jira%0d%0asla-tenant:globex",
        "/v1/acme/jira\\..\\zendesk",
        "/v1/acme/jira.tickets",
        "/v1/nobody/jira",
        "/v1/acme/nothing",
        "/v1/acme/servicenow",
        "/v1/acme",
        "/",
        "*",
        "http://gateway.example/v1/acme/jira",
        "/v2/acme/jira",
    ],
)
async def test_path_tricks(one: Gateway, path: str) -> None:
    """A path is an endpoint's byte for byte, or it is none: 404, and the same for all of them."""
    answer = await exchange(one.address[1], request(path, JIRA, jira_proof(JIRA)))

    assert answer.status in (400, 404)
    assert answer.status == 400 or answer.reason == "unknown_endpoint"


async def test_glpi_challenge_is_no_oracle(one: Gateway) -> None:
    """GLPI's own question is answered; what would be a signature for something else is not."""

    def mac(text: bytes) -> str:
        return hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest()

    async def ask(token: str) -> rig.Answer:
        return await exchange(
            one.address[1], request(f"/v1/acme/glpi?crc_token={token}", method="GET")
        )

    token = mac(b"validate_cra_challenge")
    right = await ask(token)

    assert (right.status, right.body.decode()) == (200, mac(token.encode()))
    for wrong in ("", "1", "%7B%7D1772442140", mac(b"other"), token[:-1], f"{token}&crc_token=x"):
        assert (await ask(wrong)).status == 401


@pytest.mark.usefixtures("nothing_written")
async def test_attackers_key_url(
    broker: LocalBroker, prefix: str, tmp_path: Path, one: Gateway
) -> None:
    """A ConnectWise delivery that names its sender's own key host is refused, and nothing fetched."""
    fetched: list[str] = []
    async with rig.gateway(
        broker.bootstrap, prefix, tmp_path, keys=Keys(on_fetch=fetched.append)
    ) as own:
        for url in (
            "https://evil.example/key",
            "http://api-eu.myconnectwise.net/key",
            "https://api-eu.myconnectwise.net@evil.example/key",
            "https://evil.example/.myconnectwise.net",
            "https://127.0.0.1/key",
            "https://[::1]/key",
            "https://evilmyconnectwise.net/key",
            None,
            7,
        ):
            told = {"ID": 1, "CompanyId": "fjordline", "Metadata": {"key_url": url}}
            body = rig.orjson.dumps(told)
            answer = await post(
                own, "/v1/acme/connectwise", body, rig.connectwise_proof(body, "the-attackers-key")
            )

            assert (answer.status, answer.reason) == (401, "key_url"), url

    assert fetched == []


@pytest.mark.usefixtures("nothing_written")
async def test_another_company_of_the_key_host(one: Gateway) -> None:
    """The key host vouches for all its customers: another one's deliveries are refused before it is
    asked."""
    url = "https://api-eu.myconnectwise.net/key"
    body = rig.orjson.dumps({"ID": 1, "CompanyId": "evil", "Metadata": {"key_url": url}})
    answer = await post(
        one, "/v1/acme/connectwise", body, rig.connectwise_proof(body, "the-attackers-key")
    )

    assert (answer.status, answer.reason) == (401, "wrong_company")


async def test_secrets_are_nowhere(
    one: Gateway, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is refused or goes wrong: no secret, no signature, no body in a log or an answer."""
    caplog.set_level(logging.DEBUG)
    basic = base64.b64encode(f"x:{SECRET}".encode()).decode()
    answers = [
        await post(one, "/v1/acme/jira", b"private text", jira_proof(JIRA)),
        await post(one, "/v1/acme/jira", b"private text", jira_proof(b"private text")),
        await post(one, "/v1/acme/halopsa", b"private text", {"authorization": f"Basic {basic}"}),
        await post(one, "/v1/acme/halopsa", b"private text", {"x-slastream-token": SECRET + "x"}),
        await post(one, f"/v1/acme/{SECRET}", b"private text"),
        await exchange(one.pages[1], request("/metrics", method="GET")),
    ]
    (tmp_path / "gateway" / "endpoints.yaml").write_text(
        f"endpoints: [{{tenant: acme, source: jira, secrets: [{SECRET}]}}]", "utf-8"
    )
    one.look()
    (tmp_path / "gateway" / "endpoints.yaml").write_text(f"endpoints: [{SECRET}: {{", "utf-8")
    one.look()
    own = "\n".join(r.getMessage() for r in caplog.records if r.name.startswith("slastream"))
    said = own + "".join(f"{answer.headers} {answer.body!r}" for answer in answers)

    assert [answer.status for answer in answers] == [401, 202, 401, 401, 404, 200]
    assert "the endpoints stay as they were" in own
    for hidden in (SECRET, basic, "private", jira_proof(JIRA)["x-hub-signature"]):
        assert hidden not in said
    shown = [f"{each!r}" for each in gc.get_objects() if type(each).__name__ == "Endpoint"]
    assert shown
    assert not any(SECRET in text for text in shown)
