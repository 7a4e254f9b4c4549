"""One remark of the linter about a book."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What looks wrong: its code, `file:line`, the dotted key, one sentence, and what to do."""

    code: str
    where: str
    key: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        tail = f" ({self.hint})" if self.hint else ""
        return f"{self.where}: {self.key}: {self.message}{tail} [{self.code}]"
