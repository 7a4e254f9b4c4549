"""`slastream worker` as an operator meets it: its lines, its pages, its exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
from rig import committed, create_topics, settings_for, until

from slastream.kafka import ports
from slastream.kafka.local import LocalBroker
from slastream.settings import Settings

BOOK = """\
apiVersion: slastream/v1
effective_from: 2020-01-01T00:00:00Z
tenant: acme
calendars: {always: 24x7}
policies:
  - name: all
    calendar: always
    targets: {resolution: {default: PT1H}}
"""


@pytest.fixture
async def settings(broker: LocalBroker, prefix: str, tmp_path: Path) -> Settings:
    await create_topics(broker.bootstrap, prefix)
    return settings_for(broker.bootstrap, prefix, tmp_path / "data", web_port=ports.free())


@pytest.fixture
def launch(settings: Settings, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start `slastream worker` with some more arguments; its lines go to worker.log."""
    started: list[subprocess.Popen[bytes]] = []

    def launch(*arguments: str) -> subprocess.Popen[bytes]:
        command = [
            sys.executable, "-m", "slastream", "worker", "--broker", settings.broker,
            "--prefix", settings.prefix, "--app-id", settings.app_id, "--instance-id", "one",
            "--data-dir", str(settings.data_dir), "--web-port", str(settings.web_port), *arguments,
        ]  # fmt: skip
        root = str(Path(__file__).parents[2])
        with (tmp_path / "worker.log").open("ab") as log:
            started.append(
                subprocess.Popen(
                    command, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": root}
                )
            )
        return started[-1]

    yield launch
    for process in started:
        process.kill()
        process.wait()


def page(settings: Settings, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{settings.web_port}{path}", timeout=2
        ) as found:
            return found.status, found.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError:
        return 0, b""


async def test_lines_pages_and_a_graceful_end(
    settings: Settings, launch: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    """It says what it stands on, is ready when it is, shows its metrics, and leaves in seconds."""
    (tmp_path / "book.yaml").write_text(BOOK)
    worker = launch("--book", str(tmp_path / "book.yaml"))
    await until(lambda: page(settings, "/readyz")[0] == 200)

    assert page(settings, "/livez")[0] == 200
    assert orjson.loads(page(settings, "/readyz")[1]) == {
        "ready": True,
        "partitions": {"0": "ready", "1": "ready"},
    }
    assert b"slastream_build_info" in page(settings, "/metrics")[1]
    assert page(settings, "/router/")[0] == 404
    # The page knows it a moment before the log does.
    await until(lambda: "ready: 2 partitions" in (tmp_path / "worker.log").read_text())
    began = time.monotonic()
    worker.send_signal(signal.SIGTERM)

    assert worker.wait(10) == 0
    assert time.monotonic() - began < 5
    lines = (tmp_path / "worker.log").read_text().splitlines()
    for said in (
        "broker ",
        "partitions: 0, 1",
        "recovered 0 rows",
        "ready: 2 partitions",
        "stopping",
    ):
        assert any(said in line for line in lines), said
    assert not [line for line in lines if "Traceback" in line or "DEBUG" in line]


async def test_a_book_is_published_once(
    settings: Settings, launch: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    """The same book at the next start is not published again; another one is."""
    book = tmp_path / "book.yaml"
    for text in (BOOK, BOOK, BOOK.replace("PT1H", "PT2H")):
        book.write_text(text)
        worker = launch("--book", str(book))
        await until(lambda: page(settings, "/readyz")[0] == 200)
        worker.terminate()
        worker.wait(10)
    books = await committed(settings, "books", 1)

    assert len(books) == 2
    assert all(record.key.startswith(b"acme/") for record in books)


async def test_a_book_with_a_mistake_starts_no_worker(
    launch: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    """A book with a mistake ends the command with code 2, and the line of the mistake."""
    (tmp_path / "book.yaml").write_text(BOOK.replace("PT1H", "an hour"))
    worker = launch("--book", str(tmp_path / "book.yaml"))

    assert worker.wait(20) == 2
    assert "book.yaml:8" in (tmp_path / "worker.log").read_text()


async def test_a_port_that_is_taken(
    settings: Settings,
    broker: LocalBroker,
    launch: Callable[..., subprocess.Popen[bytes]],
    tmp_path: Path,
) -> None:
    """A port of somebody else's is a line and code 2, not a traceback."""
    worker = launch("--web-port", broker.bootstrap.rpartition(":")[2])

    assert worker.wait(20) == 2
    said = (tmp_path / "worker.log").read_text()
    assert "cannot listen on" in said
    assert "Traceback" not in said


# -- several processes

Launch = Callable[..., subprocess.Popen[bytes]]


def members(worker: subprocess.Popen[bytes]) -> list[int]:
    """Return the processes that a worker consists of."""
    found = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
    return [int(pid) for pid in found]


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def both_ready(settings: Settings) -> bool:
    status, body = page(settings, "/readyz")
    return status == 200 and len(orjson.loads(body)["partitions"]) == 2


async def test_several_processes_are_one_worker(
    settings: Settings, launch: Launch, tmp_path: Path
) -> None:
    """Each process has a partition; pages tell of both; one that is killed comes back; all end at once."""
    (tmp_path / "book.yaml").write_text(BOOK)
    worker = launch("--processes", "2", "--book", str(tmp_path / "book.yaml"))
    await until(lambda: both_ready(settings))
    pids = members(worker)

    assert page(settings, "/livez")[0] == 200
    assert orjson.loads(page(settings, "/readyz")[1])["processes"] == {"1": True, "2": True}
    await until(lambda: page(settings, "/metrics")[1].count(b'state="ready"} 1.0') == 2)
    assert page(settings, "/metrics")[1].count(b"slastream_build_info{") == 2
    assert len(await committed(settings, "books", 1)) == 1

    os.kill(pids[0], signal.SIGKILL)
    await until(lambda: len(members(worker)) == 2 and pids[0] not in members(worker))
    await until(lambda: both_ready(settings))
    worker.send_signal(signal.SIGINT)

    assert worker.wait(20) == 0
    said = (tmp_path / "worker.log").read_text()
    assert "process 1 was killed (SIGKILL), starting it again" in said
    assert all(f"INFO    [{number}] stopping" in said for number in (1, 2))
    assert "Traceback" not in said


async def test_none_outlives_its_worker(settings: Settings, launch: Launch) -> None:
    """kill -9 of whoever holds them together ends the processes too, in good order."""
    worker = launch("--processes", "2")
    await until(lambda: both_ready(settings))
    pids = members(worker)
    worker.kill()

    await until(lambda: not any(running(pid) for pid in pids))


async def test_what_is_wrong_is_said_once(
    settings: Settings, launch: Launch, tmp_path: Path
) -> None:
    """A topic that is not there ends the worker before a process is started."""
    worker = launch("--processes", "2", "--prefix", "nowhere.")

    assert worker.wait(30) == 2
    assert (tmp_path / "worker.log").read_text().count("nowhere.tickets.v1") == 1


async def test_a_process_that_gives_up_ends_the_worker(
    settings: Settings, launch: Launch, tmp_path: Path
) -> None:
    """What a process cannot mend by being started again is its worker's end, with its code."""
    settings.data_dir.mkdir(parents=True)
    (settings.data_dir / "2").write_text("a file where a folder has to be")
    worker = launch("--processes", "2")

    assert worker.wait(30) == 1
