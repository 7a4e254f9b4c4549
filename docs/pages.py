"""The pages of the site that do not lie in docs/, and links to files beside it. A hook of mkdocs.

A reader of the repository and a reader of the site follow the same links: what a page links to outside
docs/ becomes a page of the site, or a file beside it. A link that leads nowhere is left as it is, and
the strict build fails on it. Knows paths and Markdown links, nothing of what the pages say.
"""

from __future__ import annotations

import json
import logging
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

log = logging.getLogger("mkdocs.hooks.pages")

ROOT = Path(__file__).parents[1]

PAGES = {
    "README.md": "overview.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "topics/README.md": "topics.md",
    "bench/README.md": "measurements.md",
    "deploy/connect/README.md": "connect.md",
}
"""Markdown of the repository -> its page on the site."""

_HOME = {page: path for path, page in PAGES.items()}
_FIGURE = re.compile(r"`(bench/results/\w+\.json): ([^`]+)`")
_LINK = re.compile(r"(\]\()(?![a-z]+:|#|<)([^)#\s]+)([^)]*\))")
_FENCE = re.compile(r"(^[ ]*```.*?^[ ]*```[ ]*$)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that lie elsewhere, and every file that a page links to."""
    for path, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / path)))
    linked = {
        target
        for file in files.documentation_pages()
        for _, target in _links(file.src_uri, file.content_string)
        if target not in PAGES and not target.startswith("docs/")
    }
    for target in sorted(linked):
        files.append(File.generated(config, f"files/{target}", abs_src_path=str(ROOT / target)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links to where the site has what they name."""
    here = page.file.src_uri
    parts = _FENCE.split(markdown)
    for at in range(0, len(parts), 2):
        parts[at] = _LINK.sub(lambda link: _pointed(here, link), parts[at])
        parts[at] = _FIGURE.sub(_measured, parts[at])
    return "".join(parts)


def _measured(figure: re.Match[str]) -> str:
    """Return the figure that a page names by its file and its place in it."""
    found = json.loads((ROOT / figure[1]).read_text("utf-8"))
    try:
        for name in figure[2].split("."):
            found = found[name]
        return f"**{found:,}**"
    except (KeyError, TypeError, ValueError):
        log.warning("there is no figure %s in %s", figure[2], figure[1])
        return figure[0]


def _pointed(page: str, link: re.Match[str]) -> str:
    target = _target(page, link[2])
    if target is None:
        return link[0]
    there = PAGES.get(target) or (
        target.removeprefix("docs/") if target.startswith("docs/") else f"files/{target}"
    )
    return f"{link[1]}{posixpath.relpath(there, posixpath.dirname(page) or '.')}{link[3]}"


def _links(page: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield each link of a page to a file of the repository, and the file's path in it."""
    for part in _FENCE.split(text)[::2]:
        for link in _LINK.finditer(part):
            if (target := _target(page, link[2])) is not None:
                yield link[2], target


def _target(page: str, link: str) -> str | None:
    """Return the path in the repository that a link of a page means; None where there is no such file."""
    source = _HOME.get(page, f"docs/{page}")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    return path if not path.startswith("..") and (ROOT / path).is_file() else None
