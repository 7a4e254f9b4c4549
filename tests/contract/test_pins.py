"""What is installed is what was tested: every dependency has one exact version, and no address."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LINES = [
    line
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]


def wanted() -> list[Requirement]:
    """Return every requirement of the project: its own, extras, groups, and what builds it."""
    project = PROJECT["project"]
    told: list[str] = [*project["dependencies"], *PROJECT["build-system"]["requires"]]
    for extra in project["optional-dependencies"].values():
        told += extra
    for group in PROJECT["dependency-groups"].values():
        told += [one for one in group if isinstance(one, str)]
    return [Requirement(one) for one in told]


def test_pins_are_names_and_versions() -> None:
    """Nothing else may stand in the file: no address, no range, no name twice."""
    odd = [line for line in LINES if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line)]
    names = [canonicalize_name(line.partition("==")[0]) for line in LINES]

    assert [] == odd
    assert len(set(names)) == len(names)


def test_every_dependency_is_pinned_within_its_range() -> None:
    """A requirement without a pin would be resolved anew on each machine."""
    pins = {
        canonicalize_name(name): version
        for name, _, version in (line.partition("==") for line in LINES)
    }
    loose = [str(one) for one in wanted() if canonicalize_name(one.name) not in pins]
    outside = [
        str(one)
        for one in wanted()
        if (pin := pins.get(canonicalize_name(one.name))) and not one.specifier.contains(pin)
    ]

    assert [] == loose
    assert [] == outside
