"""Renews `slastream/kafka/jars.txt` from `pom.xml`. Needs Maven; nothing else of slastream does."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
LIST = HERE.parent.parent / "slastream" / "kafka" / "jars.txt"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(
            ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies",
             "-DincludeScope=runtime", "-Dmdep.useRepositoryLayout=true",
             f"-DoutputDirectory={folder}"],
            check=True,
        )  # fmt: skip
        lines = [pinned(path, folder) for path in sorted(folder.rglob("*.jar"))]
    header = LIST.read_text("utf-8").splitlines()[:2]
    LIST.write_text("\n".join([*header, *lines]) + "\n", "utf-8")
    sys.stdout.write(f"{len(lines)} jars in {LIST.name}\n")


def pinned(path: Path, folder: Path) -> str:
    """One line: coordinates, SHA-256, bytes. A repository's layout spells the coordinates."""
    *group, artifact, version, _ = path.relative_to(folder).parts
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    return f"{'.'.join(group)}:{artifact}:{version} {digest} {len(data)}"


if __name__ == "__main__":
    main()
