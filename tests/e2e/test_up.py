"""`slastream up` as a stranger runs it: a real broker, a real worker, real alerts, nothing left."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import Running, Start

ALERT = re.compile(
    r"\d\d:\d\d:\d\d  (at risk  |BREACHED |corrected)  [ \dHMS%]{9}  \S+ +\S.* (response|plan|resolution) "
)


def earlier(clock: str, minutes: int) -> str:
    hour, minute = int(clock[:2]), int(clock[3:5])
    return f"{(hour * 60 + minute - minutes) // 60:02d}:{(hour * 60 + minute - minutes) % 60:02d}"


def alerts(running: Running) -> list[str]:
    return [line for line in running.out if ALERT.match(line)]


def test_a_day_is_shown_and_nothing_is_left(start: Start) -> None:
    """`up --for 22s` prints alerts and a summary, ends with 0, and leaves no process behind.

    Alerts between two tallies are of the simulated hour between them, give or take.
    """
    running = start("up", "--for", "22s")
    code = running.ends(90)
    first, second = [at for at, line in enumerate(running.out) if line.startswith("-- ")][:2]
    begin, end = (running.out[at].split()[1] for at in (first, second))
    between = [line[:5] for line in running.out[first:second] if ALERT.match(line)]

    assert code == 0
    assert len(alerts(running)) > 20
    assert any("BREACHED" in line for line in alerts(running))
    assert earlier(begin, 10) <= min(between) <= max(between) <= end
    assert any(line.startswith("In:") for line in running.out)
    assert not any("bug" in line for line in running.out if "dead letters" in line)
    assert len(running.family) >= 3
    assert not running.survivors()


def test_ctrl_c_cleans_up(start: Start) -> None:
    """After Ctrl-C the broker and the worker are gone, the summary was told, and the code is 0."""
    running = start("up")
    running.until(lambda: len(alerts(running)) > 0, 60)
    running.process.send_signal(signal.SIGINT)
    code = running.ends(30)

    assert code == 0
    assert any(line.startswith("Out:") for line in running.out)
    assert len(running.family) >= 3
    assert not running.survivors()


def test_nobody_outlives_a_kill(start: Start) -> None:
    """Even kill -9 leaves no broker and no worker running for long."""
    running = start("up")
    running.until(lambda: any("first events" in line for line in running.err), 60)
    running.process.kill()
    running.ends(5)

    assert len(running.family) >= 3
    assert not running.survivors(15)
    assert not left_behind(running)


def left_behind(running: Running) -> list[Path]:
    """Return the folders that a run left, once the guards had a moment to remove them."""
    left: list[Path] = []
    for _ in range(20):
        left = list(running.temp.glob("slastream-*"))
        if not left:
            break
        time.sleep(0.5)
    return left


def test_a_broker_that_is_not_there_is_one_clear_line(start: Start) -> None:
    """The error names the address and what to do; it is no traceback, and the code is 2."""
    running = start("up", "--broker", "127.0.0.1:1")
    code = running.ends(40)

    assert code == 2
    assert "127.0.0.1:1" in running.err[-1]
    assert running.err[-1].startswith("error: ")
    assert not any("Traceback" in line for line in running.err)


def test_a_book_with_a_mistake_starts_nothing(start: Start, tmp_path: Path) -> None:
    """The mistake is named with its file and line before anything is downloaded or started."""
    book = tmp_path / "book.yaml"
    book.write_text("apiVersion: slastream/v1\ntenant: acme-msp\npolicys: []\n")
    running = start("up", "--book", str(book))
    code = running.ends(20)

    assert code == 2
    assert any(f"{book}:3" in line for line in running.err)
    assert not any("broker" in line for line in running.err)


@pytest.mark.parametrize("length", ["soon", "-1s"])
def test_a_length_of_time_that_is_none_is_wrong_usage(start: Start, length: str) -> None:
    """`--for soon` ends with code 2 and an example of what would do."""
    running = start("up", "--for", length)
    code = running.ends(20)

    assert code == 2
    assert any("such as 60s" in line or "No such option" in line for line in running.err)
