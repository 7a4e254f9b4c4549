"""The notifier on a secured broker: its role suffices, also for a dead letter, and a wrong password is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from notify_rig import in_turn, notifying, receiver, write_routes
from rig import committed, settings_for, until
from test_security import SASL, _allow_all, _environment, _password, pki, secured

from slastream.kafka import acls, admin
from slastream.kafka.local import LocalBroker
from slastream.kafka.plan import plan
from slastream.settings import Settings
from tests.support.alerts import said

__all__ = ["pki", "secured"]

HOOK = "  - {{name: hook, kind: webhook, url: {0}, secret: {{file: signing}}, start: beginning}}\n"


def log_in(monkeypatch: pytest.MonkeyPatch, folder: Path, password: str = "") -> None:
    told = _environment(folder, **SASL, **_password("SCRAM-SHA-512", "notify", password))
    for name, value in told.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
async def topics(secured: LocalBroker, prefix: str) -> Any:
    """The topics and the permissions that `slastream topics acls` prints, and two alerts."""
    client = {"bootstrap_servers": secured.bootstrap}
    wanted = plan(prefix, 1)
    await admin.create(client, wanted)
    await _allow_all(client, acls.acls(wanted, prefix.strip(".")))
    async with AIOKafkaProducer(**client) as producer:
        for n in ("1", "2"):
            key, value, headers = said("at_risk", n, id_=f"a{n}")
            await producer.send_and_wait(f"{prefix}alerts.v1", value, key, headers=headers)


@pytest.mark.usefixtures("topics")
async def test_what_the_acls_give_notify_is_enough(
    secured: LocalBroker, pki: Path, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the rules of `slastream topics acls` it reads, commits, and writes its dead letters."""
    log_in(monkeypatch, pki)
    settings = Settings(
        broker=secured.address("SASL"), prefix=prefix, app_id=prefix.strip("."), web_port=0
    )
    async with receiver(in_turn(400, 200)) as hook:
        async with notifying(settings, write_routes(tmp_path, HOOK.format(hook.url))):
            await until(lambda: len(hook.got) == 2)
            plainly = settings_for(secured.bootstrap, prefix, tmp_path)

            async def set_aside() -> bool:
                return len(await committed(plainly, "dlq", 1)) == 1

            await until(set_aside)
        async with notifying(settings, tmp_path / "routes.yaml"):
            pass

    assert len(hook.got) == 2


@pytest.mark.usefixtures("topics")
async def test_a_wrong_password_is_said_where_readiness_is_asked(
    secured: LocalBroker, pki: Path, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on trying: the password may be mended. Until then it is not ready, and says why."""
    log_in(monkeypatch, pki, "wrong.password")
    settings = Settings(broker=secured.address("SASL"), prefix=prefix, web_port=0)
    file = write_routes(tmp_path, HOOK.format("http://127.0.0.1:1"))
    async with notifying(settings, file, ready=False) as one:
        await until(lambda: "refuses our user" in one.couriers[0].why)

        assert not one.ready
