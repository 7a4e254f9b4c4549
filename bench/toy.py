"""The smallest job that costs what transport, transaction and store cost: no SLA in it.

Per event: decode, read the old row, write the new one, move one deadline, publish one record.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from slastream.engine.effects import Effects, Message, Record
from slastream.engine.store import Store


class Toy:
    """A partition whose rows count the events of a ticket."""

    def __init__(self, number: int, store: Store, books: object = None) -> None:
        self.store = store

    def apply(self, records: Sequence[Record]) -> Effects:
        effects = Effects(position=records[-1].offset + 1)
        keys = list({record.key or b"": None for record in records})
        old = {
            key: orjson.loads(row) if row else None
            for key, row in zip(keys, self.store.get_many(keys), strict=True)
        }
        rows = dict(old)
        for record in records:
            key = record.key or b""
            told = orjson.loads(record.value or b"{}")
            row = rows[key]
            due = told["occurred_at"] + 10**9
            rows[key] = {
                "n": row["n"] + 1 if row else 1,
                "due": due,
                "priority": told.get("priority"),
            }
        for key, row in rows.items():
            if row is None:
                continue
            before = old[key]
            value = effects.rows[key] = orjson.dumps(row)
            if before is not None:
                effects.deadlines_del.append((before["due"], key))
            effects.deadlines_put.append((row["due"], key))
            effects.messages.append(Message("clocks", key, value, []))
        return effects

    def fire(self, now: int, limit: int = 1000) -> Effects:
        effects = Effects()
        for due, key in self.store.due(now, limit):
            effects.deadlines_del.append((due, key))
            effects.messages.append(Message("alerts", key, b"%d" % due, []))
        return effects

    def sweep(self, limit: int = 500) -> None:
        return None

    @property
    def next_due(self) -> int | None:
        return self.store.first_deadline()


def deadline(key: bytes, row: bytes) -> int | None:
    due: int = orjson.loads(row)["due"]
    return due
