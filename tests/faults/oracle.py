"""What must have been published by some simulated instant: an offline run of the same events. Pure.

Alerts come from `slastream.offline.alerts`, the same run as `slastream backtest --alerts`; the same
steps say which outcomes are published on the way. At the end `decided` asks the other offline path,
that of `slastream backtest`, which folds each ticket once and knows no order of arrival.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from slastream import wire
from slastream.core.books import Books, TenantBooks
from slastream.core.instant import Instant
from slastream.core.shapes import Row
from slastream.engine.judge import look
from slastream.offline.alerts import Arrival, Ticker, alert_line
from slastream.offline.histories import History
from slastream.offline.lines import clock_lines
from slastream.offline.run import Trouble, run

FLEETING = ("detected_at", "late", "decided_at")
"""What is no part of a fact's identity (`tests/support/consumer.py`)."""

Fact = tuple[str, bytes]
"""The topic (`alerts` or `outcomes`), and what is said, in canonical form."""
Decided = dict[tuple[str, str, int], str]
"""(ticket, indicator, cycle) -> met or missed."""


def canonical(value: dict[str, Any]) -> bytes:
    """Return what an alert or outcome says, without what is no part of its identity."""
    told = {name: said for name, said in value.items() if name not in FLEETING}
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)


class _Recorder(Ticker):
    """A ticker that keeps the outcomes too."""

    def __init__(self, books: Books, trouble: Trouble, expected: dict[str, Fact]) -> None:
        super().__init__(books, trouble)
        self._expected = expected

    def _look(
        self, key: str, row: Row, now: Instant, books: TenantBooks
    ) -> Iterator[dict[str, Any]]:
        said = look(key, row, now, books)
        if row.deadline is not None:
            heapq.heappush(self.heap, (row.deadline, key))
        for notice in said.notices:
            yield alert_line(key, row, notice, now, books)
        for decided in said.outcomes:
            value, headers = wire.outcome(key, row.fold, decided, now, books)
            id_ = dict(headers)["ce_id"].decode()
            self._expected[id_] = "outcomes", canonical(orjson.loads(value))


class Oracle:
    """Hears every event that is fed, and says what must be on the topics."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._trouble = Trouble()
        self.expected: dict[str, Fact] = {}
        """`ce_id` of everything that must be published by now -> what it says."""
        self.poison: set[bytes] = set()
        self.events = 0
        self._ticker = _Recorder(books, self._trouble, self.expected)
        self._histories: dict[str, History] = {}

    def hear(self, arrivals: Iterable[Arrival], until: Instant) -> None:
        """Take the events of a slice, and let time go on to its end."""
        ticker = self._ticker
        for log_time, event in arrivals:
            self.events += 1
            self._keep(ticker.fire(log_time))
            self._keep(ticker.take(event, log_time))
            history = self._histories.get(event.ticket)
            if history is None:
                history = History(event.tenant, event.source, event.ticket)
                self._histories[event.ticket] = history
            history.add(event)
        self._keep(ticker.fire(until))

    def _keep(self, lines: Iterable[dict[str, Any]]) -> None:
        for line in lines:
            id_, told = line["ce_id"], {k: v for k, v in line.items() if k[:3] != "ce_"}
            self.expected[id_] = "alerts", canonical(told)
        assert not self._trouble.failed, self._trouble.failed

    def decided(self, as_of: Instant) -> Decided:
        """Return the outcome of every clock cycle that is decided, as a backtest has them."""
        return {
            (line["ticket"], line["indicator"], line["cycle"]): line["outcome"]
            for judged in run(list(self._histories.values()), self._books, as_of, Trouble())
            for line in clock_lines(judged, as_of)
            if line["phase"] == "stopped" and line["outcome"] in ("met", "missed")
        }


def decided_of(facts: Iterable[Fact]) -> Decided:
    """Return the last word on each clock cycle, from outcomes in the order of publication."""
    latest: Decided = {}
    for topic, said in facts:
        if topic != "outcomes":
            continue
        value = orjson.loads(said)
        key = (value["ticket"], value["indicator"], value["cycle"])
        if value["finality"] == "retracted":
            latest.pop(key, None)
        else:
            latest[key] = value["outcome"]
    return latest
