"""Topics as code meets a real broker: made once, compared, mended only when told."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from slastream.core.errors import Misconfigured
from slastream.kafka import admin, ports
from slastream.kafka.local import LocalBroker
from slastream.kafka.plan import Wanted, plan


@pytest.fixture
def client(broker: LocalBroker) -> dict[str, Any]:
    return {"bootstrap_servers": broker.bootstrap}


def _with(wanted: list[Wanted], short: str, config: Mapping[str, str]) -> list[Wanted]:
    return [
        dataclasses.replace(one, config={**one.config, **config})
        if one.topic.short == short
        else one
        for one in wanted
    ]


@pytest.mark.parametrize("simulated", [False, True])
async def test_create_makes_what_diff_finds_right(
    client: dict[str, Any], prefix: str, simulated: bool
) -> None:
    """What was created is as the files say, and a second run has nothing to do."""
    wanted = plan(prefix, 3, simulated=simulated)

    assert [one.name for one in wanted] == await admin.create(client, wanted)
    assert await admin.create(client, wanted) == []
    assert await admin.diff(client, wanted) == []

    await admin.check_delivery(client, wanted)


async def test_drift_is_told_and_mended_only_when_asked(
    client: dict[str, Any], prefix: str
) -> None:
    """A setting that differs and a topic that is missing are named; mend() leaves neither."""
    wanted = plan(prefix, 2)
    await admin.create(client, _with(wanted[1:], "alerts", {"retention.ms": "1000"}))
    told = [str(each) for each in await admin.diff(client, wanted)]

    expected = [
        f"{prefix}raw.canonical: is not there",
        f"{prefix}alerts.v1: retention.ms is 1000, should be 2592000000",
    ]
    assert expected == told

    left = await admin.mend(client, wanted)

    assert left == []
    assert await admin.diff(client, wanted) == []


async def test_mend_keeps_settings_that_are_not_ours(client: dict[str, Any], prefix: str) -> None:
    """An operator's own setting on a topic survives, since the files do not speak of it."""
    wanted = plan(prefix, 1)
    await admin.create(
        client, _with(wanted, "alerts", {"retention.ms": "1000", "segment.ms": "77777777"})
    )
    await admin.mend(client, wanted)
    found = await admin.describe(client, [f"{prefix}alerts.v1"])

    assert found[f"{prefix}alerts.v1"].config["segment.ms"] == "77777777"
    assert found[f"{prefix}alerts.v1"].config["retention.ms"] == "2592000000"


async def test_partitions_of_tickets_are_never_changed(client: dict[str, Any], prefix: str) -> None:
    """More partitions would part tickets from their state: that is told, and left alone."""
    await admin.create(client, plan(prefix, 2))
    left = await admin.mend(client, plan(prefix, 4))

    assert {f"{prefix}{name}.v1" for name in
            ("tickets", "alerts", "outcomes", "clocks", "state")} == {
        each.topic for each in left
    }  # fmt: skip
    assert {"partitions"} == {each.setting for each in left}


@pytest.mark.parametrize(
    ("short", "config", "says"),
    [
        ("tickets", {"message.timestamp.type": "CreateTime"}, "message.timestamp.type"),
        ("state", {"cleanup.policy": "delete"}, "cleanup.policy"),
        ("clocks", {"cleanup.policy": "delete"}, "cleanup.policy"),
        ("books", {"retention.ms": "1000"}, "retention.ms"),
    ],
)
async def test_broker_that_cannot_keep_the_promise_is_refused(
    client: dict[str, Any], prefix: str, short: str, config: dict[str, str], says: str
) -> None:
    """A worker is told which topic and which setting stand against exactly once."""
    wanted = plan(prefix, 1)
    await admin.create(client, _with(wanted, short, config))
    with pytest.raises(Misconfigured) as caught:
        await admin.check_delivery(client, wanted)

    assert (f"{prefix}{short}.v1", says) == (caught.value.where, caught.value.key)


async def test_journal_and_state_must_have_the_same_partitions(
    client: dict[str, Any], prefix: str
) -> None:
    """A ticket must be on the same partition everywhere."""
    wanted = plan(prefix, 3)
    await _raw_create(client, f"{prefix}state.v1", 2, {"cleanup.policy": "compact"})
    await admin.create(client, wanted)
    with pytest.raises(Misconfigured, match=r"state\.v1: partitions: are 2 here and 3 in"):
        await admin.check_delivery(client, wanted)


async def test_missing_topics_are_named(client: dict[str, Any], prefix: str) -> None:
    """A worker on an empty broker is told what to type."""
    with pytest.raises(Misconfigured, match="slastream topics create"):
        await admin.check_delivery(client, plan(prefix))


async def test_broker_that_is_away_is_one_line(prefix: str) -> None:
    """Nobody listens: one sentence, within the patience that was given."""
    began = time.monotonic()
    with pytest.raises(Misconfigured) as caught:
        async with admin.connected({"bootstrap_servers": f"localhost:{ports.free()}"}, patience=1):
            pass

    assert "\n" not in str(caught.value)
    assert "no broker listens there" in str(caught.value)
    assert time.monotonic() - began < 5


async def _raw_create(
    client: dict[str, Any], name: str, partitions: int, config: dict[str, str]
) -> None:
    connection = AIOKafkaAdminClient(**client)
    await connection.start()
    try:
        await connection.create_topics([NewTopic(name, partitions, 1, topic_configs=config)])
    finally:
        await connection.close()


class TestCommand:
    """`slastream topics` on a real broker."""

    @pytest.fixture
    def run(self, broker: LocalBroker, prefix: str) -> Any:
        def run(*arguments: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "slastream", "topics", *arguments]
            environ = {
                **os.environ,
                "SLASTREAM_PREFIX": prefix,
                "SLASTREAM_BROKER": broker.bootstrap,
            }
            return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)

        return run

    def test_create_then_diff_then_apply(self, run: Any, prefix: str) -> None:
        """Create, find no drift; ask for other settings, be told with exit code 1; mend, and be done."""
        created = run("create", "--partitions", "2")

        assert created.returncode == 0
        assert f"created {prefix}tickets.v1\n" in created.stdout
        assert run("create", "--partitions", "2").stdout == ""
        assert run("diff", "--partitions", "2").returncode == 0

        drift = run("diff", "--partitions", "2", "--simulated")

        assert drift.returncode == 1
        assert "message.timestamp.type" in drift.stdout

        mended = run("diff", "--partitions", "2", "--simulated", "--apply")

        assert mended.returncode == 0
        assert run("diff", "--partitions", "2").returncode == 1

    def test_broker_away(self, run: Any) -> None:
        """One line on standard error and exit code 2."""
        away = f"localhost:{ports.free()}"
        done = run("create", "--broker", away)

        assert done.returncode == 2
        assert [f"error: {away}: no broker listens there (start it, or name another)"] == (
            done.stderr.splitlines()
        )

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("list",), "tickets.v1"),
            (("render", "--format", "strimzi"), "kind: KafkaTopic"),
            (("render", "--format", "asyncapi"), "asyncapi: 3.0.0"),
            (("acls", "--role", "board"), "--allow-principal User:board"),
        ],
    )
    def test_prints(self, run: Any, arguments: tuple[str, ...], says: str) -> None:
        """What needs no broker asks none."""
        done = run(*arguments)

        assert done.returncode == 0
        assert says in done.stdout


async def test_topics_fixture(topics: Any, produce: Any, read_all: Any) -> None:
    """The fixtures that other tests build on: a record put on a topic is read from it."""
    await produce(topics("alerts"), [(b"k", b"v", [("ce_id", b"1")])], partition=1)

    assert [(1, b"k", b"v")] == [
        (record.partition, record.key, record.value) for record in await read_all(topics("alerts"))
    ]
