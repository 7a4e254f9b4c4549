"""The ticket systems of a simulated day as they knock at a gateway: signed, and again if it says so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Self

import aiohttp

from slastream.cli.feeding import Outgoing
from slastream.core.errors import Misconfigured
from slastream.gateway.headers import LOG_TIME
from slastream.sources.signatures import sign

PATIENCE = 60.0
"""Seconds that a delivery is tried for: a vendor would do so for longer."""
AGAIN = 0.2
_LATER = (429, 503)
_OURS = "sla-"
"""What the gateway adds to a record, and nobody may send."""


def write_endpoints(folder: Path, tenant: str, sources: Iterable[str], secret: str) -> Path:
    """Write the gateway's file of endpoints, and the secret beside it."""
    (folder / "secret").write_text(secret, "utf-8")
    (folder / "secret").chmod(0o600)
    lines = [
        f"  - {{tenant: {tenant}, source: {source}, secrets: [secret], rate: 5000}}\n"
        for source in sources
    ]
    file = folder / "endpoints.yaml"
    file.write_text("endpoints:\n" + "".join(lines), "utf-8")
    return file


class Senders:
    """Posts deliveries, those of a source one after another. Use it as `async with`."""

    def __init__(self, address: str, paths: Mapping[str, str], secret: str) -> None:
        """`paths` are raw topic -> path at the gateway, such as `/v1/acme-msp/jira`."""
        self._address, self._paths, self._secret = address, paths, secret

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    def takes(self, topic: str) -> bool:
        """Tell whether a topic's records come by webhook."""
        return topic in self._paths

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Return once the gateway has acknowledged all of them. Raises `Misconfigured`."""
        by_topic = groupby(sorted(records, key=lambda record: record.topic), lambda r: r.topic)
        await asyncio.gather(*(self._in_turn(topic, list(group)) for topic, group in by_topic))

    async def _in_turn(self, topic: str, records: Sequence[Outgoing]) -> None:
        for record in records:
            await self._post(self._paths[topic], record)

    async def _post(self, path: str, record: Outgoing) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            status, said = await self._try(path, record)
            if status == 202:
                return
            if (status not in _LATER and status != 0) or time.monotonic() > until:
                raise Misconfigured(f"the gateway refused a delivery: {status} {said}", where=path)
            await asyncio.sleep(AGAIN)

    async def _try(self, path: str, record: Outgoing) -> tuple[int, str]:
        """Return the answer of one attempt; 0 while nobody answers."""
        body = record.value or b""
        proof = sign(path.rpartition("/")[2], self._secret, body, int(time.time() * 1000))
        headers = {
            name: value.decode() for name, value in record.headers if not name.startswith(_OURS)
        }
        headers |= {**proof, LOG_TIME: str(record.at)}
        try:
            async with self._session.post(
                self._address + path, data=body, headers=headers
            ) as answer:
                return answer.status, (await answer.text())[:200]
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            return 0, str(error) or type(error).__name__
