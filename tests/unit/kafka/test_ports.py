"""Free ports."""

from __future__ import annotations

import random

import pytest

from slastream.kafka import ports


def test_none_is_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several are drawn before any of them is listened on: drawing the same again is no bad luck."""
    drawn = iter([25_001, 25_001, 25_002])
    monkeypatch.setattr(ports, "_given", set())
    monkeypatch.setattr(random, "choice", lambda _: next(drawn))

    assert (ports.free(), ports.free()) == (25_001, 25_002)
