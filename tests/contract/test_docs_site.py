"""The site is whole: every link and anchor leads somewhere, every page has its place, nothing is fetched."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the site, built as `make docs` builds it: strictly."""
    built = tmp_path_factory.mktemp("site")
    done = build(ROOT / "mkdocs.yml", built)

    assert done.returncode == 0, done.stderr

    return built


def build(config: Path, built: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(built)]
    return subprocess.run(
        [*command, "--config-file", str(config)],
        capture_output=True,
        text=True,
        timeout=120,
        env={"NO_MKDOCS_2_WARNING": "1"},
        check=False,
    )


def test_every_page_of_the_repository_is_on_the_site(site: Path) -> None:
    """The three readers' pages, each runbook and each decision record are there, and no source of ours."""
    pages = [page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")]
    expected = {
        page.parent if page.stem in ("index", "README") else page.with_suffix("") for page in pages
    }
    found = {page.parent.relative_to(site) for page in site.rglob("index.html")}

    assert set() == expected - found
    assert [] == list(site.rglob("*.py"))


def test_a_file_that_a_page_links_to_is_on_the_site(site: Path) -> None:
    """Whoever reads the site gets at the example book and the schemas, which are no pages."""
    assert (site / "files" / "deploy" / "books" / "acme-msp.yaml").read_bytes() == (
        ROOT / "deploy" / "books" / "acme-msp.yaml"
    ).read_bytes()
    assert (site / "files" / "topics" / "schemas" / "alert.v1.json").exists()


def test_figures_are_those_that_were_measured(site: Path) -> None:
    """The page of figures holds numbers on the site, taken from the results."""
    page = (site / "figures" / "index.html").read_text("utf-8")
    table = page[page.index("<table") : page.index("</table>")]

    assert "bench/results" not in table
    assert len(re.findall(r"<strong>[\d,.]+</strong>", table)) >= 10


def test_nothing_is_fetched_while_somebody_reads(site: Path) -> None:
    """No page asks another host for a script, a style, a font or a picture."""
    fetched = {
        f"{page.relative_to(site)}: {address}"
        for page in site.rglob("*.html")
        for address in re.findall(
            r"<(?:script|link|img)\b[^>]*?(?:src|href)=\"?(https?://[^\"\s>]+)",
            page.read_text("utf-8"),
        )
    }

    assert set() == {each for each in fetched if "canonical" not in each}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[gone](nowhere.md)", "nowhere.md"),
        ("[gone](book.md#nothing-of-that-name)", "nothing-of-that-name"),
        ("[gone](../deploy/books/nobody.yaml)", "nobody.yaml"),
    ],
)
def test_a_broken_link_fails_the_build(tmp_path: Path, text: str, complaint: str) -> None:
    """A page, an anchor, a file beside docs/: whatever is not there is named, and the build fails."""
    for name in ("book.md", "index.md"):
        (tmp_path / name).write_text(f"# {name}\n\n{text if name == 'index.md' else ''}\n")
    told = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    told |= {"docs_dir": str(tmp_path), "hooks": [str(ROOT / "docs" / "pages.py")]}
    told["nav"], told["markdown_extensions"] = ["index.md", "book.md", "overview.md"], ["tables"]
    config = tmp_path.parent / f"{tmp_path.name}.yml"
    config.write_text(yaml.safe_dump(told))
    done = build(config, tmp_path.parent / "built")

    assert done.returncode != 0
    assert complaint in done.stderr
