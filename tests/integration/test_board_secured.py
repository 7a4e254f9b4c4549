"""The board on a secured broker: its role suffices, and a wrong password is one line."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from test_security import SASL, _allow_all, _environment, _password, pki, secured

from slastream.board.service import Board, Options
from slastream.core.errors import Misconfigured
from slastream.kafka import acls, admin
from slastream.kafka.local import LocalBroker
from slastream.kafka.plan import plan
from slastream.kafka.security import client_options
from slastream.settings import Settings

__all__ = ["pki", "secured"]


def board(broker: LocalBroker, folder: Path, prefix: str, password: str = "") -> Board:
    """A board that logs in as the role `board`."""
    environ = _environment(folder, **SASL, **_password("SCRAM-SHA-512", "board", password))
    address = broker.address("SASL")
    client = client_options(address, environ)
    return Board(client, Settings(broker=address, prefix=prefix), Options(port=0))


async def test_what_the_acls_give_the_board_is_enough(
    secured: LocalBroker, pki: Path, prefix: str
) -> None:
    """With the rules of `slastream topics acls` it reads all its topics, in no group."""
    client = {"bootstrap_servers": secured.bootstrap}
    wanted = plan(prefix, 2)
    await admin.create(client, wanted)
    await _allow_all(client, acls.acls(wanted, prefix))
    async with board(secured, pki, prefix) as page:
        follow = asyncio.create_task(page.run())
        await asyncio.wait({asyncio.create_task(page.feed.loaded.wait()), follow}, timeout=30,
                           return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
        state = page.feed.state
        follow.cancel()
        await asyncio.gather(follow, return_exceptions=True)

    assert ("live", "") == (state.name, state.problem)


async def test_a_wrong_password_ends_it_with_the_reason(
    secured: LocalBroker, pki: Path, prefix: str
) -> None:
    """Waiting cannot help, so it does not wait."""
    async with board(secured, pki, prefix, "wrong.password") as page:
        with pytest.raises(BaseExceptionGroup) as several:
            await asyncio.wait_for(page.run(), 30)
    found = several.value.subgroup(Misconfigured)

    assert found is not None
    assert "refuses our user" in str(found.exceptions[0])
