"""What is installed is what is here: the wheel has every file that the program reads."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GIVEN = {
    "slastream": "slastream",
    "topics": "slastream/_topics",
    "deploy/books": "slastream/_books",
}
"""Folder -> where it is in the wheel."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built as a release would be."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stderr

    return zipfile.ZipFile(next(folder.glob("*.whl")))


@pytest.mark.parametrize("folder", GIVEN)
def test_every_file_is_in_the_wheel(wheel: zipfile.ZipFile, folder: str) -> None:
    """Presets, samples, schemas, pages and the example book: `slastream up` works where it is installed."""
    here = {
        f"{GIVEN[folder]}/{file.relative_to(ROOT / folder).as_posix()}"
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }

    assert here
    assert set() == here - set(wheel.namelist())


def test_nothing_else_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    """No test, no measurement, no file of the machine that built it."""
    tops = {name.split("/")[0].split("-")[0] for name in wheel.namelist()}

    assert {"slastream"} == tops
    assert [] == [name for name in wheel.namelist() if name.endswith((".pyc", ".log"))]
