"""Who looks, and what they are sent: one beat that lets time pass and wakes those with news.

What is sent is made once for all browsers of a view. A browser that is slow misses steps in between
and gets the whole view instead, so nothing ever queues up for it. It may not know HTTP.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson

from slastream.board.alerts import Alerts, Said
from slastream.board.card import FACETS
from slastream.board.feed import State
from slastream.board.lens import Filter, Lens
from slastream.board.shelf import Shelf
from slastream.board.text import CLIP, plain
from slastream.board.trends import Trends
from slastream.core.instant import Instant

BEAT = 0.2
"""Seconds between two beats: changes within one are told together."""
TICK = 2.0
"""Seconds after which a browser hears from us even if nothing happens."""
LINGER = 30.0
"""Seconds for which a view that nobody looks at is kept: pages are reloaded."""
MOST_LENSES = 64
MOST_FACETS = 300
PATIENCE = 60_000
"""Milliseconds for which the engine may owe word of a due that has passed."""
NEWS = 50


class Full(Exception):
    """Too many browsers, or too many different views."""


class Browser:
    """One open page. `messages` yields what to send, coalesced."""

    def __init__(self, wanted: Filter, lens: Lens | None, ticket: str, trends: bool) -> None:
        self.wanted, self.lens, self.ticket, self.trends = wanted, lens, ticket, trends
        self.wake = asyncio.Event()
        self.wake.set()
        self.version = 0
        self.pulse = self.facets = self.news = self.changed = -1
        self.ticket_changed = False


class Hub:
    """The browsers that are open. `run` beats until cancelled."""

    def __init__(
        self, shelf: Shelf, alerts: Alerts, trends: Trends, state: State, *, simulated: bool,
        most: int,
    ) -> None:  # fmt: skip
        self._shelf, self._trends, self._state = shelf, trends, state
        self._simulated, self._most = simulated, most
        self._browsers: set[Browser] = set()
        self._by_lens: dict[Filter, set[Browser]] = {}
        self._by_ticket: dict[str, set[Browser]] = {}
        self._idle: dict[Filter, float] = {}
        self._news: deque[tuple[int, dict[str, str], bytes]] = deque(maxlen=NEWS)
        self._news_number = 0
        self._pulse = 0
        self._status: tuple[Any, ...] = ()
        self._told_at = 0.0
        self._facets: dict[frozenset[str] | None, tuple[int, bytes]] = {}
        self._facets_at = 0.0
        self._facets_version = 0
        self._trends_at = 0.0
        self._trends_version = 0
        self._ending = False
        self.slowest = 0.0
        """The longest beat so far, in seconds."""
        shelf.on_ticket = self._ticket_changed
        alerts.on_alert = self._announced

    @property
    def now(self) -> Instant:
        """The board's clock: the wall's, or the log's in a simulated run."""
        return self._shelf.newest if self._simulated else int(time.time() * 1000)

    def __len__(self) -> int:
        return len(self._browsers)

    # -- coming and going ----------------------------------------------------------------------

    def open(
        self, wanted: Filter, *, now_view: bool = False, ticket: str = "", trends: bool = False
    ) -> Browser:
        """Let a browser in. Raises `Full`."""
        if len(self._browsers) >= self._most:
            raise Full("too many pages are open")
        lens = self._lens(wanted) if now_view else None
        browser = Browser(wanted, lens, ticket, trends)
        browser.news = self._news_number
        browser.changed = self._trends_version
        self._browsers.add(browser)
        if lens is not None:
            self._by_lens.setdefault(wanted, set()).add(browser)
            self._idle.pop(wanted, None)
        if ticket:
            self._by_ticket.setdefault(ticket, set()).add(browser)
        return browser

    def _lens(self, wanted: Filter) -> Lens:
        if wanted not in self._by_lens and len(self._shelf.lenses) >= MOST_LENSES:
            if not self._idle:
                raise Full("too many different views are open")
            self._drop(min(self._idle, key=lambda each: self._idle[each]))
        lens = self._shelf.lens(wanted)
        if not lens.told.version:
            lens.flush(self._shelf.now)
        return lens

    def close(self, browser: Browser) -> None:
        """Forget a browser."""
        self._browsers.discard(browser)
        if browser.lens is not None:
            ours = self._by_lens[browser.wanted]
            ours.discard(browser)
            if not ours:
                del self._by_lens[browser.wanted]
                self._idle[browser.wanted] = time.monotonic()
        if browser.ticket:
            ours = self._by_ticket[browser.ticket]
            ours.discard(browser)
            if not ours:
                del self._by_ticket[browser.ticket]

    def _drop(self, wanted: Filter) -> None:
        self._idle.pop(wanted, None)
        if wanted != Filter():
            self._shelf.drop(wanted)

    def end(self) -> None:
        """End every stream in good order: pages come back to whoever listens next."""
        self._ending = True
        _wake(self._browsers)

    # -- the beat ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Beat until cancelled."""
        self._shelf.advance(self.now)
        self._shelf.lens(Filter())
        while True:
            began = time.monotonic()
            self._beat(began)
            self.slowest = max(self.slowest, time.monotonic() - began)
            await asyncio.sleep(BEAT)

    def _beat(self, at: float) -> None:
        now = self.now
        self._shelf.advance(now)
        for wanted, browsers in self._by_lens.items():
            lens = self._shelf.lens(wanted)
            lens.stale_calendars(now)
            if lens.flush(self._shelf.now):
                _wake(browsers)
        status: tuple[Any, ...] = (self._state.name, self._state.problem, self._owed() is None)
        if self._simulated:
            status = (*status, now)
        if status != self._status or at - self._told_at >= TICK:
            self._status, self._told_at = status, at
            self._pulse += 1
            _wake(self._browsers)
        if self._shelf.facets_version != self._facets_version and at - self._facets_at >= TICK:
            self._facets_at, self._facets_version = at, self._shelf.facets_version
        if self._trends.version != self._trends_version and at - self._trends_at >= TICK:
            self._trends_at, self._trends_version = at, self._trends.version
        for wanted, since in list(self._idle.items()):
            if at - since > LINGER:
                self._drop(wanted)

    def _owed(self) -> Instant | None:
        return None if self._simulated else self._shelf.overdue_news(PATIENCE)

    def _ticket_changed(self, key: str) -> None:
        for browser in self._by_ticket.get(key, ()):
            browser.ticket_changed = True
            browser.wake.set()

    def _announced(self, key: str, value: Mapping[str, Any], said: Said) -> None:
        self._ticket_changed(key)
        if self._state.name != "live":
            return  # what was announced before we looked is no news
        told = {name: plain(value.get(name), CLIP) for name in (*FACETS, "number")}
        told["number"] = told["number"] or plain(value.get("ticket"), CLIP)
        self._news_number += 1
        message = orjson.dumps(
            {**told, "key": key, "type": said.type, "threshold": said.threshold,
             "cycle": said.cycle, "reached": said.reached_at, "late": said.late,
             "before": said.before, "after": said.after, "id": said.id}
        )  # fmt: skip
        self._news.append((self._news_number, told, message))
        _wake(self._browsers)

    # -- what one browser is sent ------------------------------------------------------------

    async def messages(self, browser: Browser) -> AsyncIterator[bytes]:
        """Yield server-sent events for a browser until it is closed."""
        while not self._ending:
            await browser.wake.wait()
            browser.wake.clear()
            parts = self._due_to(browser)
            if parts:
                yield b"".join(parts)

    def _due_to(self, browser: Browser) -> list[bytes]:
        parts = []
        if browser.pulse != self._pulse or not browser.version:
            browser.pulse = self._pulse
            parts.append(_event(b"status", self.status()))
        if browser.lens is not None:
            parts += self._view(browser, browser.lens)
            parts += self._facets_for(browser)
        if browser.ticket and browser.ticket_changed:
            browser.ticket_changed = False
            parts.append(_event(b"changed", b"{}"))
        if browser.trends and browser.changed != self._trends_version:
            browser.changed = self._trends_version
            parts.append(_event(b"changed", b"{}"))
        for number, told, message in self._news:
            if number > browser.news and browser.lens and browser.wanted.takes_told(told):
                parts.append(_event(b"news", message))
        browser.news = self._news_number
        return parts

    def _view(self, browser: Browser, lens: Lens) -> list[bytes]:
        told = lens.told
        if browser.version == told.version:
            return []
        step = browser.version and browser.version == told.version - 1 and told.change
        browser.version = told.version
        if step:
            return [_event(b"change", told.change)]
        return [_event(b"view", lens.whole(self._shelf.now))]

    def _facets_for(self, browser: Browser) -> list[bytes]:
        if browser.facets == self._facets_version:
            return []
        browser.facets = self._facets_version
        return [_event(b"facets", self._facets_of(browser.wanted.tenants))]

    def _facets_of(self, tenants: frozenset[str] | None) -> bytes:
        found = self._facets.get(tenants)
        if found is None or found[0] != self._facets_version:
            merged: dict[str, dict[str, int]] = {name: {} for name in FACETS}
            for tenant, facets in self._shelf.facets.items():
                if tenants is None or tenant in tenants:
                    for name, counter in facets.items():
                        for value, count in counter.items():
                            merged[name][value] = merged[name].get(value, 0) + count
            told = {
                name: sorted(sorted(v, key=v.__getitem__, reverse=True)[:MOST_FACETS])
                for name, v in merged.items()
            }
            found = self._facets[tenants] = (self._facets_version, orjson.dumps(told))
        return found[1]

    def status(self) -> bytes:
        """Return what a page says about itself."""
        state = self._state
        return orjson.dumps(
            {"now": self.now, "state": state.name, "confirmed": state.confirmed, "read": state.read,
             "total": state.total, "simulated": self._simulated, "owed": self._owed(),
             "problem": state.problem}
        )  # fmt: skip


def _wake(browsers: set[Browser]) -> None:
    for browser in browsers:
        browser.wake.set()


def _event(name: bytes, data: bytes) -> bytes:
    return b"event: " + name + b"\ndata: " + data + b"\n\n"
