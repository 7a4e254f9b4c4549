"""The engines that are compared: what each is called, what it promises, and how it is started."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from slastream.core.errors import Misconfigured

STREAMS = Path(__file__).parent / "streams"
ROOT = Path(__file__).parents[2]
BUILT = ROOT / "var" / "peers" / "streams"
COMPILED = ROOT / "var" / "peers" / "compiled"
"""Where slastream is as its image has it: what every event passes through is compiled."""


@dataclass(frozen=True)
class Start:
    """What a run tells an engine."""

    broker: str
    prefix: str
    folder: Path
    ends: tuple[int, ...]
    """Where the journal ends, by partition."""


@dataclass(frozen=True)
class Engine:
    """One row of the table."""

    name: str
    title: str
    guarantee: str
    command: Callable[[Start], list[str]]
    full: bool = False
    """Whether it runs slastream's own semantics and not the peers' job."""
    says_done: bool = False
    """Whether it tells itself when a partition is committed; else the offsets of its group do."""
    java: bool = False
    compiled: bool = False


def _python(module: str, *more: str) -> Callable[[Start], list[str]]:
    def command(start: Start) -> list[str]:
        return [
            sys.executable, "-m", f"bench.peers.{module}", "--broker", start.broker,
            "--prefix", start.prefix, "--data-dir", str(start.folder), *more,
        ]  # fmt: skip

    return command


def _ours(*more: str) -> Callable[[Start], list[str]]:
    return lambda start: _python("ours", *more, "--ends", *map(str, start.ends))(start)


def _streams(guarantee: str, threads: int = 1) -> Callable[[Start], list[str]]:
    def command(start: Start) -> list[str]:
        return [
            "java", "-Xms256m", "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp", f"{BUILT}/*:{BUILT}/dependency/*", "peers.Main",
            start.broker, start.prefix, str(start.folder), guarantee, str(threads),
        ]  # fmt: skip

    return command


EXACTLY, AT_LEAST = "exactly once", "at least once"
ENGINES = (
    Engine(
        "slastream", "slastream as in its image, full semantics", EXACTLY, _ours(),
        full=True, says_done=True, compiled=True,
    ),
    Engine(
        "slastream-2", "slastream as in its image, full semantics, 2 processes", EXACTLY,
        _ours("--processes", "2"), full=True, says_done=True, compiled=True,
    ),
    Engine(
        "slastream-plain", "slastream as from a checkout, full semantics", EXACTLY, _ours(),
        full=True, says_done=True,
    ),
    Engine("slastream-toy", "slastream, the peers' job", EXACTLY, _ours("--toy"), says_done=True),
    Engine("streams-eos", "Kafka Streams 4.3.1", EXACTLY, _streams("exactly_once_v2"), java=True),
    Engine(
        "streams-eos-2", "Kafka Streams 4.3.1, 2 threads", EXACTLY,
        _streams("exactly_once_v2", threads=2), java=True,
    ),
    Engine("streams-alos", "Kafka Streams 4.3.1", AT_LEAST, _streams("at_least_once"), java=True),
    Engine("quix-eos", "Quix Streams 3.28.1", EXACTLY, _python("quix", "--guarantee", "exactly-once")),
    Engine(
        "quix-alos", "Quix Streams 3.28.1", AT_LEAST, _python("quix", "--guarantee", "at-least-once")
    ),
    Engine("faust", "Faust 0.15.3, stock", AT_LEAST, _python("stock_faust")),
)  # fmt: skip


def fingerprint(*paths: Path) -> str:
    """Return what changes when a file below one of the paths does."""
    total = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*") if path.is_dir() else [path]):
            if file.is_file() and file.suffix != ".pyc":
                total.update(f"{file.relative_to(ROOT)}\n".encode() + file.read_bytes())
    return total.hexdigest()[:12]


def build_streams() -> None:
    """Compile the Java job; Maven fetches what it needs once. Raises Misconfigured without it."""
    for tool in ("mvn", "java"):
        if shutil.which(tool) is None:
            raise Misconfigured(
                f"Kafka Streams needs {tool} on the PATH",
                hint="install Maven and a JDK of 17 or newer, or leave it out with --only",
            )
    with _building(BUILT, fingerprint(STREAMS)) as stale:
        if stale:
            _run(["mvn", "-q", "-B", "-f", str(STREAMS / "pom.xml"), "package"], "the Java job")


def build_ours() -> None:
    """Compile slastream as its image does. Raises Misconfigured without a C compiler, say."""
    bench = ROOT / "bench"
    made_of = fingerprint(
        ROOT / "slastream", ROOT / "pyproject.toml", bench / "peers", bench / "workload.py"
    )
    with _building(COMPILED, made_of) as stale:
        if not stale:
            return
        source, wheels = COMPILED.with_name("source"), COMPILED.with_name("wheel")
        for folder in (source, wheels, COMPILED):
            shutil.rmtree(folder, ignore_errors=True)
        nothing = shutil.ignore_patterns("__pycache__")
        for name in ("slastream", "topics", "deploy"):
            shutil.copytree(ROOT / name, source / name, ignore=nothing)
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source)
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
        pip += ["--no-deps", "-c", str(ROOT / "constraints.txt"), "-w", str(wheels), str(source)]
        _run(pip, "slastream, compiled,", {"HATCH_BUILD_HOOK_ENABLE_MYPYC": "true"})
        (wheel,) = wheels.glob("*.whl")
        shutil.unpack_archive(wheel, COMPILED, "zip")
        shutil.copytree(bench, COMPILED / "bench", ignore=nothing)


@contextmanager
def _building(folder: Path, made_of: str) -> Iterator[bool]:
    """Give whether a build is older than its sources; after it, it is not."""
    stamp = folder.with_name(f"{folder.name}.made-of")
    stale = not folder.exists() or not stamp.exists() or stamp.read_text("utf-8") != made_of
    yield stale
    stamp.write_text(made_of, "utf-8")


def _run(command: list[str], what: str, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, **(environment or {})},
    )
    if done.returncode:
        raise Misconfigured(f"{what} was not built\n{(done.stdout + done.stderr)[-2000:]}")
