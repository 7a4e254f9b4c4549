"""The three pages of several processes as one, each asked when somebody asks us."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Self

import aiohttp

from slastream.observe.merging import ASK_FOR, merged

ANSWER = 2.0
"""Seconds in which a process answers for its page."""


class Together:
    """Asks the processes at `addresses`, by their names. Use it as `async with`."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = addresses

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def livez(self) -> bool:
        return all((await self._ask("/livez")).values())

    async def readyz(self) -> Mapping[str, object]:
        """Return who is ready; one that does not answer is not."""
        told: dict[str, Any] = {
            name: json.loads(body) if body else {"ready": False, "partitions": {}}
            for name, body in (await self._ask("/readyz")).items()
        }
        partitions = {
            number: state for one in told.values() for number, state in one["partitions"].items()
        }
        return {
            "ready": all(one["ready"] for one in told.values()),
            "partitions": dict(sorted(partitions.items(), key=lambda item: int(item[0]))),
            "processes": {name: one["ready"] for name, one in told.items()},
        }

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """Return one page of all that answer; Prometheus marks what is missing as stale."""
        told = await self._ask("/metrics")
        return merged({name: body.decode() for name, body in told.items() if body}, accept)

    async def _ask(self, page: str) -> dict[str, bytes]:
        found = await asyncio.gather(*(self._get(at + page) for at in self._addresses.values()))
        return dict(zip(self._addresses, found, strict=True))

    async def _get(self, url: str) -> bytes:
        """Return a page, empty when it cannot be had."""
        try:
            async with self._session.get(url, headers={"Accept": ASK_FOR}) as answer:
                return await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            return b""
