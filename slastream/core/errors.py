"""Whose fault is it? Three answers, no fourth.

SlastreamError
├── Rejected          their data: it goes onto a dead-letter topic, the stream goes on
├── Misconfigured     our operator: at start, with file, line and key
└── InvariantBroken   our bug: the record or the partition is set aside, loudly
"""

from __future__ import annotations


class SlastreamError(Exception):
    """The root of every error that slastream raises on purpose."""


class Rejected(SlastreamError):
    """A delivery that cannot be understood.

    `reason` is a short, bounded word fit for a metric label (`not_json`, `no_ticket`, `naive_time`);
    `detail` is one sentence for a person.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Misconfigured(SlastreamError):
    """A setting, book or topic that must be mended before a worker may run.

    `where` is `file:line` or a setting's name, `key` the dotted path inside the file.
    """

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        key: str | None = None,
        hint: str | None = None,
    ) -> None:
        place = ": ".join(part for part in (where, key) if part)
        text = f"{place}: {message}" if place else message
        super().__init__(f"{text} ({hint})" if hint else text)
        self.message = message
        self.where = where
        self.key = key
        self.hint = hint


class InvariantBroken(SlastreamError):
    """Something that cannot be, is. A bug of ours, never of the data."""
