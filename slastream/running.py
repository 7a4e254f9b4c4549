"""How a command that stays runs: on uvloop where there is one, one log line a message on standard error."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

AIOKAFKA = {"aiokafka": logging.CRITICAL}
"""At DEBUG the client library writes whole records down; its errors we tell ourselves."""

NOISY: Mapping[str, int] = {
    "faust": logging.WARNING,
    "mode": logging.WARNING,
    "slastream.stream.transport": logging.WARNING,  # Faust's services of ours, in its words
    "aiokafka": logging.CRITICAL,  # what it meets, we meet too, and say in one line
    "asyncio": logging.ERROR,
}
"""What a worker's libraries are heard from."""


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


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set `stop` when this process is told to go, by SIGTERM or by a terminal's Ctrl-C."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


def log_to_stderr(level: str, quiet: Mapping[str, int] = AIOKAFKA, mark: str = "") -> None:
    """Log from `level` on, each message behind `mark`; the libraries in `quiet` only from theirs."""
    logging.basicConfig(
        level=logging.getLevelName(level.upper()),
        format=f"%(asctime)s %(levelname)-7s {mark}%(message)s",
        stream=sys.stderr,
        force=True,
    )
    for name, their_level in quiet.items():
        logging.getLogger(name).setLevel(their_level)
