"""How a command that stays runs: on uvloop where there is one, one log line a message on standard error."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

AIOKAFKA = {"aiokafka": logging.CRITICAL}
"""At DEBUG the client library writes whole records down; its errors we tell ourselves."""


def run_to_end(task: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end and return what it returns."""
    try:
        import uvloop
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(task)


def log_to_stderr(level: str, quiet: Mapping[str, int] = AIOKAFKA) -> None:
    """Log from `level` on; the libraries in `quiet` only from theirs."""
    logging.basicConfig(
        level=logging.getLevelName(level.upper()),
        format="%(asctime)s %(levelname)-7s %(message)s",
        stream=sys.stderr,
        force=True,
    )
    for name, their_level in quiet.items():
        logging.getLogger(name).setLevel(their_level)
