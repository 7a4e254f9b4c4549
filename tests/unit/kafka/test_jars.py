"""The jars of the local broker: pinned, verified, and fetched without disturbing each other."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path

import pytest

from slastream.core.errors import Misconfigured
from slastream.kafka import jars
from slastream.kafka.jars import Jar


class _Quiet(SimpleHTTPRequestHandler):
    asked: list[str]

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A Maven mirror on loopback, and an empty cache. Yields the mirror's folder."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    _Quiet.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv(jars.MIRROR, f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv(jars.CACHE, str(tmp_path / "cache"))
    monkeypatch.setattr(jars, "_TRIES", 1)
    yield folder
    server.shutdown()
    server.server_close()
    thread.join()


def _publish(mirror: Path, artifact: str, data: bytes) -> Jar:
    path = mirror / "org" / "example" / artifact / "1.0" / f"{artifact}-1.0.jar"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    return Jar(f"org.example:{artifact}:1.0", hashlib.sha256(data).hexdigest(), len(data))


def test_list_is_whole() -> None:
    """Each jar is named once, with a full sum; the broker itself is there, and no address is."""
    pinned = jars.pinned()
    names = [jar.filename for jar in pinned]

    assert len(set(names)) == len(names)
    assert f"kafka_2.13-{jars.KAFKA_VERSION}.jar" in names
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in pinned)

    text = resources.files("slastream.kafka").joinpath("jars.txt").read_text("utf-8")

    assert "://" not in text


def test_fetches_what_is_missing_once(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first call fetches everything, a second nothing, and a broken file is fetched again."""
    wanted = [_publish(mirror, "one", b"1" * 1000), _publish(mirror, "two", b"2" * 2000)]
    monkeypatch.setattr(jars, "pinned", lambda: wanted)
    folder = jars.ensure()

    assert {"one-1.0.jar", "two-1.0.jar"} == {path.name for path in folder.glob("*.jar")}
    assert len(_Quiet.asked) == 2

    jars.ensure()

    assert len(_Quiet.asked) == 2

    (folder / "two-1.0.jar").write_bytes(b"2" * 1999 + b"3")
    jars.ensure()

    assert _Quiet.asked[2:] == ["/org/example/two/1.0/two-1.0.jar"]
    assert (folder / "two-1.0.jar").read_bytes() == b"2" * 2000


def test_other_file_than_pinned_is_refused(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A jar with another sum never reaches the folder that Java reads."""
    jar = _publish(mirror, "one", b"good")
    monkeypatch.setattr(jars, "pinned", lambda: [Jar(jar.coordinates, "0" * 64, jar.size)])
    with pytest.raises(Misconfigured, match="not the file that was pinned"):
        jars.ensure()

    assert list(jars.cache_dir().rglob("*.jar*")) == []


def test_missing_jar_is_one_line(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the jar there is one line, which names it and says what to do."""
    monkeypatch.setattr(jars, "pinned", lambda: [Jar("org.example:gone:1.0", "0" * 64, 1)])
    with pytest.raises(Misconfigured, match=r"org\.example:gone:1\.0 could not") as caught:
        jars.ensure()

    assert "\n" not in str(caught.value)
    assert jars.MIRROR in str(caught.value)


def test_two_at_once_fetch_once(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of two waits for the first, and finds the work done."""
    wanted = [_publish(mirror, f"jar{number}", bytes([number]) * 50_000) for number in range(8)]
    monkeypatch.setattr(jars, "pinned", lambda: wanted)
    both = [threading.Thread(target=jars.ensure) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()

    assert len(_Quiet.asked) == 8
    assert not list(jars.cache_dir().rglob(".*.jar*"))


def _settings(home: Path, mirrors: str) -> None:
    (home / ".m2").mkdir()
    (home / ".m2" / "settings.xml").write_text(
        f'<settings xmlns="http://maven.apache.org/SETTINGS/1.0.0"><mirrors>{mirrors}</mirrors>'
        "</settings>"
    )


@pytest.mark.parametrize(
    ("of", "extra", "expected"),
    [
        ("central", "", "https://maven.example/x"),
        ("*", "", "https://maven.example/x"),
        ("*,!snapshots", "", "https://maven.example/x"),
        ("*,!central", "", None),
        ("snapshots", "", None),
        ("*", "<blocked>true</blocked>", None),
    ],
)
def test_mirror_of_maven_settings(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    of: str,
    extra: str,
    expected: str | None,
) -> None:
    """A site's Maven settings are honoured as Maven would: the mirror of central, unless blocked."""
    monkeypatch.delenv(jars.MIRROR, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    url = "https://maven.example/x"
    _settings(tmp_path, f"<mirror><mirrorOf>{of}</mirrorOf><url>{url}</url>{extra}</mirror>")

    assert expected == jars._mirror()


def test_cache_dir(monkeypatch: pytest.MonkeyPatch) -> None:
    """SLASTREAM_CACHE wins over the XDG folder."""
    monkeypatch.delenv(jars.CACHE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")

    assert Path("/somewhere/slastream") == jars.cache_dir()

    monkeypatch.setenv(jars.CACHE, "/elsewhere")

    assert Path("/elsewhere") == jars.cache_dir()
