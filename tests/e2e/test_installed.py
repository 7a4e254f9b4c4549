"""What a release is to a stranger: the wheel, installed into an empty environment, away from the sources."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment with the wheel, its `local` extra, and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done(build, ROOT)
    wheel = next(folder.glob("*.whl"))
    done([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], folder)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "venv"), "install", "--quiet"]
    pinned = ["--disable-pip-version-check", "--constraint", str(ROOT / "constraints.txt")]
    done([*pip, *pinned, f"{wheel}[local]"], folder, 250)
    return folder / "venv" / "bin"


def done(command: list[str], place: Path, patience: float = 100) -> str:
    """Run a command away from the sources and return what it said; it must end with 0."""
    environ = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run(
        command,
        cwd=place,
        env=environ,
        capture_output=True,
        text=True,
        timeout=patience,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]

    return ended.stdout


def test_nothing_of_ours_is_there_but_the_wheel(installed: Path, tmp_path: Path) -> None:
    """The program that runs is the installed one: the sources are out of its sight."""
    where = done(
        [str(installed / "python"), "-c", "import slastream; print(slastream.__file__)"], tmp_path
    )

    assert where.startswith(str(installed.parent))


def test_up_shows_alerts(installed: Path, tmp_path: Path) -> None:
    """`pip install` and `slastream up` are all that a first look takes."""
    said = done([str(installed / "slastream"), "up", "--for", "20s"], tmp_path)

    assert "BREACHED" in said
    assert any(line.startswith("Out:") for line in said.splitlines())
    assert list(tmp_path.iterdir()) == []


def test_what_the_images_run(installed: Path, tmp_path: Path) -> None:
    """Each command of docker-compose.yml that our image runs, on a real broker, with its own health check."""
    script, compose = ROOT / "deploy" / "services.py", ROOT / "docker-compose.yml"
    said = done([str(installed / "python"), str(script), str(compose)], tmp_path, 200)

    assert "worker is healthy" in said
    assert "worker stopped with 0" in said
