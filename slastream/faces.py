"""What a published event begins with: who and what its ticket is. The order of members is fixed.

A ticket's attributes may hold any JSON, so they are encoded as structs are; `slastream.snapshot` and
`slastream.wire` write what follows.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class About(Struct, gc=False):
    """Who and what a ticket is."""

    tenant: str
    source: str
    ticket: str
    number: Any
    url: Any
    client: Any
    contract: Any
    priority: Any
    type: Any
    team: Any


class Standing(About, gc=False):
    """Who and what a ticket is, and its state: what its snapshot says before its clocks."""

    state: str
    waiting_on: str | None
    status: Any
    board: Any
    assignee: Any
    created_at: str
    judged: bool
    reopen_count: int
    confirmed_at: str
