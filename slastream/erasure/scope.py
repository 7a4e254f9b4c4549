"""Whose data is meant: a client's, a tenant's, or that of some tickets. Values only, no Kafka.

A name is compared as a policy compares it, without regard to case. Records are told apart by their
bytes first, since most are somebody else's and need not be decoded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from slastream.core.policy import fold_text
from slastream.core.shapes import Row
from slastream.engine.row import NOTE


@dataclass(frozen=True)
class Scope:
    """Tickets by key, or all of a tenant, or those of one client (of one tenant, when it is named)."""

    tickets: frozenset[str] = frozenset()
    tenant: str = ""
    client: str = ""
    also: frozenset[str] = frozenset()
    """What sources call the client. Looked for in texts only: another source may call another so."""

    def has_key(self, key: str) -> bool:
        """Return whether a key alone says that its ticket is meant."""
        if self.tickets:
            return key in self.tickets
        return not self.client and key.startswith(f"{self.tenant}/")

    def may_have(self, key: str) -> bool:
        """Return whether a client's ticket may have this key."""
        return not self.tenant or key.startswith(f"{self.tenant}/")

    def is_client(self, name: object) -> bool:
        """Return whether an attribute is the client's name."""
        return bool(self.client) and fold_text(str(name or "")) == fold_text(self.client)

    def of_row(self, row: Row) -> tuple[bool, bool]:
        """Return whether a row is the client's now, as the book names it, and whether it ever was told."""
        now = self.is_client(row.fold.attributes.get("client"))
        return now, now or any(self.is_client(told.get("client")) for told in row.told_attributes)

    def called(self, names: Iterable[str]) -> Scope:
        """Return a scope that looks in others' words for these names too: what sources call the client."""
        return replace(
            self, also=self.also | {name for name in names if re.search(r"[^\W\d]", name)}
        )

    def of_note(self, note: str) -> bool:
        """Return whether a note of a partition (`!unmapped/<tenant>/...`) is meant."""
        _, _, rest = note.removeprefix(NOTE.decode()).partition("/")
        if self.client:
            return self.may_have(rest) and _has_words(fold_text(rest), self.client)
        return self.has_key(rest)

    def of_value(self, value: Mapping[str, Any]) -> bool:
        """Return whether a published value or a journal event is the client's."""
        return self.is_client(value.get("client"))

    def needles(self) -> list[bytes]:
        """Return lower-case bytes without any of which no record names the client."""
        names = [self.client, *self.also] if self.client else []
        words = [re.findall(r"[a-z0-9]+", name.lower()) for name in names]
        return [max(each, key=len, default="").encode() for each in words]

    def in_text(self, data: bytes) -> bool:
        """Return whether bytes in anybody's words hold the client's name, plain or escaped as JSON."""
        text = fold_text(data.decode("utf-8", "replace"))
        return any(
            _has_words(text, name) or _has_words(text, json.dumps(name)[1:-1])
            for name in (self.client, *self.also)
        )


def source_name(row: Row) -> str:
    """Return what the source last called the client of a row's ticket."""
    told = [row.told_attributes[fact.told] for fact in row.facts.all() if fact.told >= 0]
    return str(next((each["client"] for each in reversed(told) if each.get("client")), ""))


def _has_words(text: str, name: str) -> bool:
    """Return whether a folded text holds a name as words of their own, not within longer ones."""
    folded = fold_text(name)
    return folded in text and re.search(rf"(?<!\w){re.escape(folded)}(?!\w)", text) is not None
