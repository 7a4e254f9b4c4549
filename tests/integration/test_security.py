"""Every way to prove who we are, against a real broker: the right one works, a wrong one is one line.

One broker with a listener for each protocol, certificates of a generated authority, and an
authorizer that guards whatever has a rule. The plain listener is the administrator's.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
from aiokafka.protocol.admin import CreateAclsRequest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from slastream.core.errors import Misconfigured
from slastream.kafka import acls, admin
from slastream.kafka.local import LocalBroker
from slastream.kafka.plan import plan
from slastream.kafka.reading import reader
from slastream.kafka.security import client_options

MODULES = "org.apache.kafka.common.security"
LISTENERS = {
    "TLS": "SSL",
    "MUTUAL": "SSL",
    "EXPIRED": "SSL",
    "SASL": "SASL_PLAINTEXT",
    "SECURE": "SASL_SSL",
}
USERS = {
    "worker": "worker's secret",
    "board": "board's secret",
    "notify": "notifier's secret",
    "forget": "eraser's secret",
}


def _write(folder: Path, name: str, certificate: trustme.LeafCert) -> Path:
    """A certificate and its key in one file, as Kafka wants them: PKCS#8."""
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    path = folder / f"{name}.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    )
    return path


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of certificates: of the broker, of a client, of strangers, and expired ones."""
    folder = tmp_path_factory.mktemp("pki")
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    stranger.cert_pem.write_to_path(str(folder / "stranger-ca.pem"))
    yesterday = datetime.now(UTC) - timedelta(days=1)
    past = {"not_before": yesterday - timedelta(days=9), "not_after": yesterday}
    _write(folder, "broker", authority.issue_cert("localhost"))
    _write(folder, "broker-expired", authority.issue_cert("localhost", **past))
    _write(folder, "client", authority.issue_cert("client.example"))
    _write(folder, "client-expired", authority.issue_cert("client.example", **past))
    _write(folder, "client-stranger", stranger.issue_cert("client.example"))
    for name, text in USERS.items():
        (folder / f"{name}.password").write_text(text + "\n")
    (folder / "wrong.password").write_text("something else")
    (folder / "token").write_text(_token("worker", time.time() + 3600))
    (folder / "token-expired").write_text(_token("worker", time.time() - 3600))
    return folder


def _token(subject: str, expires: float) -> str:
    def part(told: Mapping[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(told).encode()).rstrip(b"=").decode()

    claims = {"sub": subject, "iat": int(expires) - 7200, "exp": int(expires)}
    return f"{part({'alg': 'none'})}.{part(claims)}."


@pytest.fixture(scope="module")
def secured(pki: Path) -> Iterator[LocalBroker]:
    config = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(pki / "broker.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(pki / "ca.pem"),
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.expired.ssl.keystore.type": "PEM",
        "listener.name.expired.ssl.keystore.location": str(pki / "broker-expired.pem"),
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "allow.everyone.if.no.acl.found": "true",
    }
    users = " ".join(f'user_{name}="{password}"' for name, password in USERS.items())
    for listener in ("sasl", "secure"):
        jaas = f"listener.name.{listener}.%s.sasl.jaas.config"
        config[jaas % "plain"] = f"{MODULES}.plain.PlainLoginModule required {users};"
        for mechanism in ("scram-sha-256", "scram-sha-512"):
            config[jaas % mechanism] = f"{MODULES}.scram.ScramLoginModule required;"
        config[jaas % "oauthbearer"] = (
            f"{MODULES}.oauthbearer.OAuthBearerLoginModule required "
            'unsecuredLoginStringClaim_sub="broker";'
        )
    with LocalBroker(config=config, listeners=LISTENERS, scram=USERS) as broker:
        yield broker


def _environment(pki: Path, **told: str) -> dict[str, str]:
    """Settings as an operator gives them; a name that ends in _FILE is one of the folder's."""
    return {
        f"SLASTREAM_KAFKA_{name}": str(pki / value) if name.endswith("_FILE") else value
        for name, value in told.items()
    }


def _password(mechanism: str, user: str = "worker", file: str = "") -> dict[str, str]:
    return {
        "MECHANISM": mechanism,
        "USERNAME": user,
        "PASSWORD_FILE": file or f"{user}.password",
    }


TLS = {"PROTOCOL": "SSL", "CA_FILE": "ca.pem"}
SASL = {"PROTOCOL": "SASL_PLAINTEXT"}
SECURE = {"PROTOCOL": "SASL_SSL", "CA_FILE": "ca.pem"}
TOKEN = {"MECHANISM": "OAUTHBEARER", "TOKEN_FILE": "token"}

WORKS = [
    pytest.param("TLS", TLS, id="tls"),
    pytest.param(
        "MUTUAL", {**TLS, "CERT_FILE": "client.pem", "KEY_FILE": "client.pem"}, id="mutual-tls"
    ),
    *(
        pytest.param(listener, {**protocol, **told}, id=f"{listener.lower()}-{told['MECHANISM']}")
        for listener, protocol in (("SASL", SASL), ("SECURE", SECURE))
        for told in (
            _password("PLAIN"),
            _password("SCRAM-SHA-256"),
            _password("SCRAM-SHA-512"),
            TOKEN,
        )
    ),
]

FAILS = [
    *(
        pytest.param(
            listener,
            {**protocol, **_password(mechanism, file="wrong.password")},
            "the broker refuses our user",
            id=f"{listener.lower()}-{mechanism}-wrong-password",
        )
        for listener, protocol in (("SASL", SASL), ("SECURE", SECURE))
        for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
    ),
    pytest.param(
        "SASL",
        {**SASL, **_password("SCRAM-SHA-512", "nobody", "wrong.password")},
        "the broker refuses our user",
        id="unknown-user",
    ),
    pytest.param(
        "SECURE",
        {**SECURE, **TOKEN, "TOKEN_FILE": "token-expired"},
        "the broker refuses our user",
        id="expired-token",
    ),
    pytest.param("EXPIRED", TLS, "certificate has expired", id="expired-broker"),
    pytest.param(
        "TLS", {**TLS, "CA_FILE": "stranger-ca.pem"}, "certificate is not accepted", id="other-ca"
    ),
    pytest.param(
        "MUTUAL",
        {**TLS, "CERT_FILE": "client-expired.pem", "KEY_FILE": "client-expired.pem"},
        "TLS failed",
        id="expired-client",
    ),
    pytest.param(
        "MUTUAL",
        {**TLS, "CERT_FILE": "client-stranger.pem", "KEY_FILE": "client-stranger.pem"},
        "TLS failed",
        id="client-of-another-ca",
    ),
    pytest.param("MUTUAL", TLS, "TLS failed", id="no-client-certificate"),
    pytest.param("PLAINTEXT", TLS, "closed the connection", id="tls-to-a-plain-listener"),
    pytest.param("TLS", {}, "closed the connection", id="plain-to-a-tls-listener"),
    pytest.param(
        "TLS",
        {**SECURE, **_password("PLAIN")},
        "does not take this way to log in",
        id="sasl-to-a-listener-without",
    ),
]


@pytest.mark.parametrize(("listener", "told"), WORKS)
async def test_right_credentials_work(
    secured: LocalBroker, pki: Path, prefix: str, listener: str, told: dict[str, str]
) -> None:
    """A record written and read over this listener arrives."""
    client = client_options(secured.address(listener), _environment(pki, **told))
    topic = plan(prefix, 1)[0]
    await admin.create(client, [topic])
    async with AIOKafkaProducer(**client, acks="all") as producer:
        await producer.send_and_wait(topic.name, b"hello")
    consumer = AIOKafkaConsumer(topic.name, **client, auto_offset_reset="earliest")
    async with consumer:
        record = await consumer.getone()

    assert record.value == b"hello"


@pytest.mark.parametrize(("listener", "told", "says"), FAILS)
async def test_wrong_credentials_are_one_line(
    secured: LocalBroker,
    pki: Path,
    caplog: pytest.LogCaptureFixture,
    listener: str,
    told: dict[str, str],
    says: str,
) -> None:
    """What is wrong, where, and what to do; one line, and no secret in it or in the log."""
    client = client_options(secured.address(listener), _environment(pki, **told))
    with caplog.at_level(logging.DEBUG), pytest.raises(Misconfigured) as caught:
        async with admin.connected(client, patience=1):
            pass
    message = str(caught.value)

    assert says in message
    assert "\n" not in message
    assert secured.address(listener) in message
    assert caught.value.hint
    for secret in ("something else", *USERS.values()):
        assert secret not in message + caplog.text


class TestAcls:
    """`slastream topics acls` gives each role what it needs, and no more."""

    @pytest.fixture
    async def name(self, secured: LocalBroker, prefix: str) -> str:
        """A set of topics with their rules, for an application of the same name."""
        client = {"bootstrap_servers": secured.bootstrap}
        wanted = plan(prefix, 1)
        await admin.create(client, wanted)
        await _allow_all(client, acls.acls(wanted, prefix))
        return prefix

    @pytest.fixture
    def client(self, secured: LocalBroker, pki: Path) -> Any:
        def client(role: str) -> dict[str, Any]:
            environ = _environment(pki, **SASL, **_password("SCRAM-SHA-512", role))
            return client_options(secured.address("SASL"), environ)

        return client

    async def test_worker_has_what_a_transaction_needs(self, name: str, client: Any) -> None:
        """It checks the topics, reads the journal in its group, and commits to all outputs."""
        options = client("worker")
        await admin.check_delivery(options, plan(name, 1))
        outputs = [f"{name}{short}.v1" for short in ("alerts", "outcomes", "clocks", "state")]
        producer = AIOKafkaProducer(**options, transactional_id=f"{name}-0")
        consumer = AIOKafkaConsumer(**options, group_id=name, enable_auto_commit=False)
        async with producer, consumer:
            consumer.assign([TopicPartition(f"{name}tickets.v1", 0)])
            assert await consumer.position(TopicPartition(f"{name}tickets.v1", 0)) == 0
            async with producer.transaction():
                for topic in outputs:
                    await producer.send_and_wait(topic, b"value", b"key")
            await consumer.commit({TopicPartition(f"{name}tickets.v1", 0): 0})

    @pytest.mark.parametrize("topic", ["raw.canonical"])
    async def test_worker_cannot_write_what_it_only_reads(
        self, name: str, client: Any, topic: str
    ) -> None:
        """Deliveries are the gateway's to write."""
        with pytest.raises(TopicAuthorizationFailedError):
            await _send(client("worker"), f"{name}{topic}")

    @pytest.mark.parametrize("topic", ["alerts.v1", "state.v1", "tickets.v1"])
    async def test_board_cannot_write(self, name: str, client: Any, topic: str) -> None:
        """Who only looks can change nothing."""
        with pytest.raises(TopicAuthorizationFailedError):
            await _send(client("board"), f"{name}{topic}")

    async def test_who_erases_can_ask_for_it_and_write_nothing_else(
        self, name: str, client: Any
    ) -> None:
        """It reads all and writes the journal; what follows is the worker's."""
        options = client("forget")
        found = await admin.describe(options, [one.name for one in plan(name, 1)])
        async with reader(options) as consumer:
            tps = [TopicPartition(topic, 0) for topic in found]
            consumer.assign(tps)
            ends = await consumer.end_offsets(tps)
        await _send(options, f"{name}tickets.v1")

        await admin.group_offsets(options, name)

        assert len(found) == len(ends) == len(plan(name, 1))
        assert all(topic.config for topic in found.values())
        for topic in ("clocks.v1", "state.v1", "outcomes.v1", "raw.canonical"):
            with pytest.raises(TopicAuthorizationFailedError):
                await _send(options, f"{name}{topic}")

    async def test_board_cannot_take_over_a_partition(self, name: str, client: Any) -> None:
        """Only a worker may use a worker's transactional id, or fence its owner with it."""
        producer = AIOKafkaProducer(**client("board"), transactional_id=f"{name}-0")
        with pytest.raises((TransactionalIdAuthorizationFailed, KafkaError)) as caught:
            await producer.start()
        await producer.stop()

        assert "TransactionalId" in repr(caught.value)

    async def test_board_cannot_move_the_workers_group(self, name: str, client: Any) -> None:
        """The worker's offsets are its own."""
        partition = TopicPartition(f"{name}alerts.v1", 0)
        async with AIOKafkaConsumer(
            **client("board"), group_id=name, enable_auto_commit=False
        ) as consumer:
            consumer.assign([partition])
            with pytest.raises(GroupAuthorizationFailedError):
                await consumer.commit({partition: 0})


BOOK = """\
apiVersion: slastream/v1
effective_from: 2026-01-01T00:00:00Z
tenant: acme
calendars: {always: 24x7}
sources: {canonical: {preset: canonical}}
policies:
  - {name: all, calendar: always, targets: {resolution: {default: PT4H}}}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("listener", "told"),
    [
        pytest.param("SECURE", {**SECURE, **_password("SCRAM-SHA-512")}, id="scram-tls-acls"),
        pytest.param("SECURE", {**SECURE, **TOKEN}, id="token-tls-acls"),
        pytest.param("SASL", {**SASL, **_password("PLAIN")}, id="plain-acls"),
        pytest.param(
            "MUTUAL", {**TLS, "CERT_FILE": "client.pem", "KEY_FILE": "client.pem"}, id="mutual-tls"
        ),
    ],
)
async def test_worker_runs(
    secured: LocalBroker,
    pki: Path,
    prefix: str,
    tmp_path: Path,
    listener: str,
    told: dict[str, str],
) -> None:
    """The real worker takes a ticket in and publishes its clocks, with its own rights and no more."""
    client = {"bootstrap_servers": secured.bootstrap}
    wanted = plan(prefix, 1)
    await admin.create(client, wanted)
    if "MECHANISM" in told:
        await _allow_all(client, acls.acls(wanted, prefix))
    (tmp_path / "book.yaml").write_text(BOOK)
    environ = {
        **os.environ,
        **_environment(pki, **told),
        "SLASTREAM_BROKER": secured.address(listener),
        "SLASTREAM_PREFIX": prefix,
        "SLASTREAM_APP_ID": prefix,
        "SLASTREAM_DATA_DIR": str(tmp_path / "data"),
        "SLASTREAM_WEB_PORT": "0",
    }
    with (tmp_path / "log").open("wb") as log:
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "slastream", "worker", "--book", str(tmp_path / "book.yaml"),
            env=environ, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        async with AIOKafkaProducer(**client, acks="all") as producer:
            await producer.send_and_wait(f"{prefix}raw.canonical", _ticket(), b"1")
        consumer = AIOKafkaConsumer(
            f"{prefix}clocks.v1",
            **client,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        async with consumer:
            first = asyncio.create_task(consumer.getone())
            ended = asyncio.create_task(worker.wait())
            await asyncio.wait((first, ended), timeout=40, return_when=asyncio.FIRST_COMPLETED)
            if not first.done():
                first.cancel()
                pytest.fail((tmp_path / "log").read_text())
            record = first.result()
    finally:
        if worker.returncode is None:
            worker.terminate()
        await worker.wait()

    assert record.key == b"acme/canonical/1"
    assert not [line for line in (tmp_path / "log").read_text().splitlines() if "ERROR" in line]


def _ticket() -> bytes:
    now = datetime.now(UTC).isoformat()
    told = {"tenant": "acme", "source": "canonical", "ticket": "1", "kind": "created", "id": "1"}
    return json.dumps({**told, "occurred_at": now, "created_at": now, "state": "new"}).encode()


async def _allow_all(client: Mapping[str, Any], wanted: Iterable[acls.Acl]) -> None:
    connection = AIOKafkaAdminClient(**client)
    await connection.start()
    try:
        for acl in wanted:
            await _allow(connection, acl)
    finally:
        await connection.close()


async def _allow(connection: AIOKafkaAdminClient, acl: acls.Acl) -> None:
    literal, prefixed, allow = 3, 4, 3
    answer = await connection._send_to_controller(
        CreateAclsRequest(
            acls.PROTOCOL_TYPES[acl.resource],
            acl.name,
            prefixed if acl.prefixed else literal,
            f"User:{acl.role}",
            "*",
            acls.PROTOCOL_OPERATIONS[acl.operation],
            allow,
        )
    )
    for entry in answer.creation_responses:
        assert entry[0] == 0, entry[1]


async def _send(options: dict[str, Any], topic: str) -> None:
    async with AIOKafkaProducer(**options, acks="all") as producer:
        await producer.send_and_wait(topic, b"value")
