"""A secret: from a file or the environment, and shown to nobody but its receiver."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

HIDDEN = "***"
SHORTEST = 8
"""Characters of the shortest secret that is taken: less can be guessed."""


class Secret:
    """One secret. A file is read again when it changed, so that it may be rotated under a route."""

    def __init__(self, text: str = "", file: Path | None = None) -> None:
        """Read it. Raises OSError for a file that cannot be read, and ValueError for one that is no text."""
        self._file = file
        self._text = text
        self._state: object = None
        if file is not None:
            self._state = _state_of(file)
            self._text = _read(file)

    def reveal(self) -> str:
        """Return the secret itself; of a file that went away, what was in it last."""
        if self._file is not None:
            state = _state_of(self._file)
            if state is not None and state != self._state:
                try:
                    text = _read(self._file)
                except (OSError, ValueError):
                    return self._text
                # An empty file is one that is being written.
                if len(text) >= SHORTEST:
                    self._text, self._state = text, state
        return self._text

    def __repr__(self) -> str:
        return HIDDEN


def redacted(text: str, secrets: Iterable[Secret]) -> str:
    """Return a text in which none of the secrets is left: receivers like to quote what they got."""
    for secret in secrets:
        shown = secret.reveal()
        for part in (shown, shown.removeprefix("whsec_"), shown.rpartition("/")[2]):
            if len(part) >= SHORTEST:
                text = text.replace(part, HIDDEN)
    return text


def _read(file: Path) -> str:
    return file.read_text("utf-8").strip("\r\n \t")


def _state_of(file: Path) -> object:
    try:
        stat = os.stat(file)
    except OSError:
        return None
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino, stat.st_dev)
