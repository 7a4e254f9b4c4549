"""The board as people see it: a real browser, the real command, a real worker, a real broker."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from slastream import wire
from slastream.core.event import Actor, Event
from slastream.core.instant import MINUTE, format_instant
from slastream.kafka import admin
from slastream.kafka.local import LocalBroker
from slastream.kafka.plan import plan
from tests.conftest import Produce
from tests.support.chromium import Page, chromium, installed
from tests.unit.board.test_cards import clock, ticket

pytestmark = [
    pytest.mark.broker,
    pytest.mark.browser,
    pytest.mark.skipif(installed() is None, reason="chromium is not installed"),
]

BOOK = """\
apiVersion: slastream/v1
effective_from: 2020-01-01T00:00:00Z
tenant: acme
calendars: {always: 24x7}
options: {settle: PT0S}
policies:
  - name: quick
    calendar: always
    at_risk: ["50%"]
    targets: {response: {default: PT10S}, resolution: {default: PT2H}}
    objective: {response: 90%}
"""


def launch(verb: str, *arguments: str) -> subprocess.Popen[str]:
    """Start `slastream VERB`; its messages are read from `stderr`."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SLASTREAM_")}
    return subprocess.Popen(
        [sys.executable, "-m", "slastream", verb, *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env=environment,
    )  # fmt: skip


def end(process: subprocess.Popen[str]) -> int:
    """End a process in good order and return its exit code."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert process.stderr is not None
    process.stderr.close()
    return process.returncode


def board(broker: str, prefix: str, port: int = 0) -> tuple[subprocess.Popen[str], str]:
    """Start the board and return it with its address."""
    process = launch(
        "board",
        "--broker",
        broker,
        "--prefix",
        prefix,
        "--port",
        str(port),
        "--log-level",
        "warning",
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "http://" in line:
            return process, line.split()[-1].rstrip("/")
    raise AssertionError(f"the board ended with {process.wait()}")


@pytest.fixture
def address(broker: LocalBroker, prefix: str, topics: Callable[[str], str]) -> Iterator[str]:
    """A board over this test's own topics."""
    process, found = board(broker.bootstrap, prefix)
    try:
        yield found
    finally:
        assert 0 == end(process)


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A browser; whatever it complains about fails the test."""
    async with chromium() as page:
        await page.size(1440, 900)
        yield page

        # That a stream ends with its board is the browser's to say, and no fault of the page.
        assert [] == [
            each for each in page.errors if "net::ERR" not in each or "/events?" not in each
        ]


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core, from `SLASTREAM_AXE` or fetched by npm for this run."""
    if named := os.environ.get("SLASTREAM_AXE"):
        return Path(named).read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        npm = shutil.which("npm")
        command = [str(npm), "install", "--prefix", folder, "--no-audit", "--no-fund", "axe-core@4"]
        if npm is None or subprocess.run(command, capture_output=True, timeout=120).returncode:
            pytest.skip("axe-core cannot be had: npm is not installed, or reaches nothing")
        return (Path(folder) / "node_modules/axe-core/axe.min.js").read_text("utf-8")


async def serious(page: Page, axe: str) -> list[str]:
    """Return what axe finds that keeps people out."""
    await page.js(axe + ";0")
    told = await page.js(
        "axe.run(document, {runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']})"
        ".then((r) => r.violations.filter((v) => v.impact === 'serious' || v.impact === 'critical')"
        ".map((v) => v.id + ': ' + v.nodes.map((n) => n.html).slice(0, 3).join(' ')))"
    )
    return list(told)


def seen(number: str, group: str) -> str:
    """An expression: whether a ticket's response stands in a group."""
    return (
        f"Array.from(document.querySelectorAll('#g-{group} li.row')).some((row) =>"
        f" row.innerText.includes('{number}') && row.innerText.includes('response'))"
    )


async def figure(page: Page, number: str) -> int:
    """Return the seconds that a ticket's response has left, as shown."""
    text = await page.js(
        "Array.from(document.querySelectorAll('li.row')).find((row) =>"
        f" row.innerText.includes('{number}') && row.innerText.includes('response'))"
        ".querySelector('.figure').textContent"
    )
    found = re.fullmatch(r"(−?)(\d\d):(\d\d)", text)
    assert found, text
    return (-1 if found[1] else 1) * (60 * int(found[2]) + int(found[3]))


async def test_a_ticket_lives_on_the_page(
    broker: LocalBroker, prefix: str, topics: Callable[[str], str], produce: Produce,
    address: str, page: Page, tmp_path: Path,
) -> None:  # fmt: skip
    """It appears within a second, counts down, is at risk and overdue on time, and is corrected."""
    (tmp_path / "book.yaml").write_text(BOOK)
    worker = launch(
        "worker", "--broker", broker.bootstrap, "--prefix", prefix, "--app-id", prefix, "--web-port",
        "0", "--book", str(tmp_path / "book.yaml"), "--data-dir", str(tmp_path / "state"),
    )  # fmt: skip
    try:
        await tell(produce, topics, "0", "created", int(time.time() * 1000))
        await page.go(address)
        await page.until(
            seen("N-0", "today")
            + "||"
            + seen("N-0", "hour")
            + "||"
            + seen("N-0", "at_risk")
            + "||"
            + seen("N-0", "overdue"),
            40,
            "the worker works",
        )
        await asyncio.sleep(1)

        created = int(time.time() * 1000)
        await tell(produce, topics, "1", "created", created)
        sent = time.time()
        await page.until(seen("N-1", "hour"))

        assert time.time() - sent < 1.0
        first, at = await figure(page, "N-1"), time.time()
        await asyncio.sleep(2.2)

        assert abs((first - await figure(page, "N-1")) - (time.time() - at)) <= 2
        await page.until(seen("N-1", "at_risk"))

        assert 0 <= time.time() * 1000 - (created + 5_000) < 1_000
        await page.until(seen("N-1", "overdue"))

        assert 0 <= time.time() * 1000 - (created + 10_000) < 1_000
        assert await page.js("document.title.startsWith('(')")
        await page.until("document.querySelector('#news li.breached')")

        # The answer had been given in time, and is only told now.
        await tell(produce, topics, "1", "updated", created + 2_000, state="responded")
        await page.until("document.querySelector('#news li.corrected')")
        await page.until("!" + seen("N-1", "overdue"))
        await page.js("document.querySelector('#news li.corrected a').click()")
        await page.until("document.querySelector('table.alerts .mark.corrected')")
        text = await page.js("document.querySelector('main').innerText")

        assert "corrected" in text
        assert "equals elapsed exactly" in await page.js(
            "document.querySelector('main').textContent"
        )
        assert 1 == await page.js("document.querySelectorAll('.timeline svg').length")
        assert "missed" not in await page.js("document.querySelector('.clock-card').innerText")
        await page.go(f"{address}/trends")
        await page.until("document.querySelector('table.attainment')")
    finally:
        assert 0 == end(worker)


async def tell(
    produce: Produce, topics: Callable[[str], str], number: str, kind: str, at: int, **told: Any
) -> None:
    """Put an event of a ticket on the journal."""
    event = Event(
        tenant="acme", source="canonical", ticket=number, occurred_at=at, id=f"{number}{kind}{at}",
        kind=kind, number=f"N-{number}", client="dental", priority="P2", team="network",
        actor=Actor("jo", "agent"), **told,
    )  # fmt: skip
    await produce(
        topics("tickets"),
        [(wire.event_key(event), wire.encode_event(event), wire.event_headers(event))],
    )


def records() -> list[tuple[str, bytes]]:
    """Tickets in every group."""
    now = int(time.time() * 1000)
    fresh = {"confirmed_at": format_instant(now), "created_at": format_instant(now - 30 * MINUTE)}
    told = [
        clock(due=now - 5 * MINUTE, breached_at=now - 5 * MINUTE, verdict="breached"),
        clock(due=now + 20 * MINUTE, verdict="at_risk"),
        clock(due=now + 50 * MINUTE),
        clock(due=now + 61 * MINUTE),
        clock(due=None, phase="paused", waiting_on="client"),
        clock(due=now + 3000 * MINUTE),
    ]
    return [
        ticket(str(number), each, url="https://desk.example/t/1", **fresh)
        for number, each in enumerate(told)
    ]


async def fill(produce: Produce, topic: str, told: list[tuple[str, bytes]]) -> None:
    await produce(topic, [(key.encode(), value) for key, value in told])


async def test_everybody_can_use_it(
    produce: Produce, topics: Callable[[str], str], address: str, page: Page, axe: str
) -> None:
    """axe finds nothing serious on any view, light or dark, English or French, large or small."""
    await fill(produce, topics("clocks"), records())
    for where in ("/?", "/ticket?key=acme/desk/1&", "/evidence?key=acme/desk/0&", "/trends?"):
        for theme, language, width in (("light", "en", 1440), ("dark", "fr", 390)):
            await page.size(width, 900, phone=width < 500)
            await page.go(f"{address}{where}theme={theme}&lang={language}")
            await page.until("document.querySelector('.state.live')")
            if where == "/?":
                await page.until("document.querySelectorAll('li.row').length === 6")

            assert [] == await serious(page, axe), (where, theme, language)
            assert language == await page.js("document.documentElement.lang")
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert 0 == await page.js(wide), (where, width)


async def test_it_works_by_keyboard_and_keeps_its_view_in_the_address(
    produce: Produce, topics: Callable[[str], str], address: str, page: Page
) -> None:
    """Slash searches, Tab walks, Enter opens; a filter is an address that can be bookmarked."""
    await fill(produce, topics("clocks"), [*records(), ticket("77", client="law")])
    await page.go(address)
    await page.until("document.querySelectorAll('li.row').length === 7")
    await page.press("Tab")

    assert "skip" == await page.js("document.activeElement.className")
    await page.press("/", "/")
    await page.write("t-77")
    await page.until("document.querySelectorAll('li.row').length === 1")

    assert "?q=t-77" == await page.js("location.search")
    await page.go(f"{address}/?client=law")
    await page.until("document.querySelectorAll('li.row').length === 1")

    assert "law" == await page.js("document.querySelector('select[name=client]').value")
    for _ in range(40):
        await page.press("Tab")
        if await page.js("document.activeElement.className") == "number":
            break
    await page.press("Enter")
    await page.until("document.querySelector('main.ticket h1').innerText === 'T-77'")
    await page.js("history.back()")
    await page.until(
        "location.search === '?client=law' && document.querySelectorAll('li.row').length === 1"
    )


HOSTILE = (
    "<img src=x onerror=window.pwned=1><script>window.pwned=1</script>\"'`${pwned=1}\u202egpj.exe"
)


async def test_hostile_tickets_are_harmless_text(
    produce: Produce, topics: Callable[[str], str], address: str, page: Page
) -> None:
    """Markup, turned text, ten kilobytes of a name and script links are shown, and do nothing."""
    names = ("client", "team", "priority", "assignee", "number", "type", "contract", "status")
    told = clock(policy=HOSTILE, calendar=HOSTILE, waiting_on=HOSTILE, phase="paused", due=None)
    odd = clock(indicator=HOSTILE, ledger=[
        {"from": "2026-03-03T09:00:00.000Z", "to": "2026-03-03T10:00:00.000Z", "state": HOSTILE,
         "counted_ms": 1, "waiting_on": HOSTILE, "waited_ms": 1}])  # fmt: skip
    await fill(produce, topics("clocks"), [
        ticket("1", told, odd, url="javascript:window.pwned=1", **dict.fromkeys(names, HOSTILE)),
        ticket("2", url="https://x.example/\"onclick=\"pwned=1", client="x" * 10_000, number="y" * 10_000),
        (f"acme/desk/{HOSTILE}", ticket("3")[1]),
        ticket("4", state=7, client=["list"], team={"a": 1}, priority=None),
    ])  # fmt: skip
    await page.go(address)
    await page.until("document.querySelectorAll('li.row').length >= 4")
    await page.until("document.body.innerText.includes('<img src=x')")

    assert not await page.js("'pwned' in window")
    assert 0 == await page.js(
        "document.querySelectorAll('main img, main script, body a[href^=java]').length"
    )
    assert "\u202e" not in await page.js("document.documentElement.textContent")
    links = await page.js(
        "Array.from(document.querySelectorAll('a.out')).map((a) => [a.protocol, a.rel])"
    )

    assert links == [["https:", "noopener noreferrer"]] * len(links)
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert 0 == await page.js(wide)
    for where in (
        "/ticket?key=acme/desk/1",
        "/evidence?key=acme/desk/1",
        "/ticket?key=" + "<script>x",
    ):
        with contextlib.suppress(AssertionError):
            await page.go(address + where)

        assert not await page.js("'pwned' in window"), where
        assert 0 == await page.js("document.querySelectorAll('main img, a[href^=java]').length")
    # A ticket that is not there is told as such, and the browser says so in its console.
    assert all("404" in error for error in page.errors)
    page.errors.clear()


async def test_a_broker_that_goes_is_seen_and_so_is_its_return(
    page: Page, prefix: str, tmp_path: Path
) -> None:
    """A stale feed is visibly stale; when the broker is back, so is the page, by itself."""
    with LocalBroker(tmp_path / "kafka") as broker:
        await admin.create({"bootstrap_servers": broker.bootstrap}, plan(prefix, 2))
        process, address = board(broker.bootstrap, prefix)
        try:
            await page.go(address)
            await page.until("document.querySelector('.state.live')", 20)
            broker.kill()
            await page.until("document.querySelector('.state.stale')", 20)

            assert "Not confirmed since" in await page.js(
                "document.getElementById('banner').innerText"
            )
            broker.start()
            await page.until("document.querySelector('.state.live')", 40)

            assert await page.js("document.getElementById('banner').hidden")
            assert [] == page.errors
        finally:
            assert 0 == end(process)


async def test_a_board_that_goes_is_seen_and_so_is_its_return(
    broker: LocalBroker, prefix: str, topics: Callable[[str], str], produce: Produce, page: Page
) -> None:
    """The page says that its connection is lost, and comes back with the board, nothing lost."""
    await fill(produce, topics("clocks"), records())
    process, address = board(broker.bootstrap, prefix)
    await page.go(address)
    await page.until("document.querySelectorAll('li.row').length === 6")
    end(process)
    await page.until("document.querySelector('.state.lost')", 15)
    await fill(produce, topics("clocks"), [("acme/desk/99", records()[1][1])])
    again, _ = board(broker.bootstrap, prefix, int(address.rpartition(":")[2]))
    try:
        await page.until("document.querySelector('.state.live')", 20)
        await page.until("document.querySelectorAll('li.row').length === 7")
    finally:
        end(again)


async def test_times_are_the_viewers_with_the_calendars_beside(
    produce: Produce, topics: Callable[[str], str], address: str, page: Page
) -> None:
    """Someone in Tokyo reads Tokyo's time, and UTC of the calendar next to it."""
    await page.zone("Asia/Tokyo")
    await fill(produce, topics("clocks"), records())
    await page.go(address)
    await page.until("document.querySelectorAll('li.row').length === 6")  # the board has read them
    await page.go(f"{address}/ticket?key=acme/desk/1")
    await page.until("document.querySelector('.beside')")
    there, here = await page.js(
        "(() => { const t = document.querySelector('main time');"
        " return [t.dateTime.slice(11, 16), t.textContent]; })()"
    )
    hour = f"{(int(there[:2]) + 9) % 24:02d}{there[2:]}"

    assert hour in here
    assert f"({there}" in here
