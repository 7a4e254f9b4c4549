"""A worker without one of its rules: `python -m tests.faults.sabotage RULE [options of the worker]`.

A matrix that stays green on these would prove nothing. Each rule is broken from outside, in one place.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from typing import Any

from slastream.stream import actor, changelog, ingest, rebuild, transaction

Transactions: Any = transaction.Transactions
Changelog: Any = changelog.Changelog
Position: Any = changelog.Position


def no_fencing() -> None:
    """Each owner of a partition has a transactional id of its own: nobody fences anybody."""
    begin = Transactions.__init__

    def init(self: Any, client: Any, name: str, *rest: Any) -> None:
        begin(self, client, f"{name}-{secrets.token_hex(4)}", *rest)

    Transactions.__init__ = init


def position_outside() -> None:
    """The position is not part of the transaction: it stays what it was when the partition was opened."""
    encode = Position.encode
    first: dict[str, bytes] = {}

    def stuck(self: Any) -> bytes:
        return first.setdefault(self.lineage, encode(self))

    Position.encode = stuck


def store_before_commit() -> None:
    """RocksDB is written before the commit: a crash between them leaves it ahead of the changelog."""
    owner: Any = actor.Actor
    commit = owner._commit

    async def early(self: Any, effects: Any, position: int, *rest: Any) -> None:
        reached = Position(position, self._position.lineage, self.post.cluster)
        notes = {"position": reached.encode(), "lineage": reached.lineage.encode()}
        self._store.write(effects.rows, effects.deadlines_put, effects.deadlines_del, notes)
        await commit(self, effects, position, *rest)

    owner._commit = early


def commit_tried_again() -> None:
    """A commit whose answer is lost is taken for one that did not happen, and done again."""
    commit = Transactions.commit

    async def again(self: Any, records: Any, offsets: Any = None, group: str = "") -> Any:
        try:
            return await commit(self, records, offsets, group)
        except transaction.Uncertain:
            fresh = Transactions(self._client, self.name, 10.0)
            await fresh.start()
            self._producer = fresh._producer
            return await commit(self, records, offsets, group)

    begin = Transactions.__init__

    def init(self: Any, client: Any, *rest: Any) -> None:
        self._client = client
        begin(self, client, *rest)

    Transactions.__init__ = init
    Transactions.commit = again


def ingest_commits_first() -> None:
    """Ingest commits its offset before its records are in the journal."""
    desk: Any = ingest.Ingest
    handle = desk.handle

    async def first(self: Any, batch: Any) -> None:
        await batch.consumer.commit_offset(batch.tp, batch.end)
        await handle(self, batch)

    desk.handle = first


def uncommitted_replay() -> None:
    """The changelog is replayed with what was never committed."""
    module: Any = rebuild
    consumer = module.AIOKafkaConsumer

    def reading(**options: Any) -> Any:
        return consumer(**{**options, "isolation_level": "read_uncommitted"})

    module.AIOKafkaConsumer = reading


RULES: dict[str, Callable[[], None]] = {
    "no fencing": no_fencing,
    "position outside the transaction": position_outside,
    "store before commit": store_before_commit,
    "commit tried again": commit_tried_again,
    "ingest commits first": ingest_commits_first,
    "uncommitted replay": uncommitted_replay,
}


def command_without(rule: str) -> tuple[str, ...]:
    """Return the command of a worker that breaks `rule`."""
    return (sys.executable, "-m", "tests.faults.sabotage", rule)


def main() -> None:
    from slastream.cli import main as slastream

    RULES[sys.argv[1]]()
    sys.argv = ["slastream", "worker", *sys.argv[2:]]
    slastream()


if __name__ == "__main__":
    main()
