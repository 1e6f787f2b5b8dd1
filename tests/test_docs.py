"""The site builds without a warning, and nothing in it leads nowhere or needs a network."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from test_package import PYPROJECT

import resnet_widgets

ROOT = Path(__file__).parents[1]


class _Page(HTMLParser):
    """Collects what a page links to, what it loads, and the places in it that links can name."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.places: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value for name, value in attrs if value}
        self.places |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if "src" in found:
            self.loads.append(found["src"])
        if tag == "link" and found.get("rel") in ("stylesheet", "icon", "preload"):
            self.loads.append(found["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet"]
    built = subprocess.run(
        [*command, "-d", str(tmp_path_factory.mktemp("doctrees")), str(ROOT / "docs"), str(out)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert built.returncode == 0, built.stderr
    return out


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, _Page]:
    return {path: _Page(path) for path in site.rglob("*.html") if "live" not in path.parts}


def test_every_page_is_there(pages, site):
    names = {path.relative_to(site).as_posix() for path in pages}
    wanted = {"index", "gallery", "lessons", "concepts", "howto", "generated/api"}
    wanted |= {"troubleshooting", "hosts", "architecture"}
    assert {f"{name}.html" for name in wanted} <= names


def test_links_lead_somewhere(pages):
    dead = []
    for path, page in pages.items():
        for link in [*page.links, *page.loads]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link.startswith("#top"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages.get(target)
            if not target.exists() or (
                parts.fragment and known and unquote(parts.fragment) not in known.places
            ):
                dead.append(f"{path.name}: {link}")
    assert not dead


def test_pages_load_nothing_from_the_network(pages, site):
    loads = [load for page in pages.values() for load in page.loads]
    assert loads
    assert not [load for load in loads if urlsplit(load).netloc]
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*[\"']?(https?:)?//", sheet.read_text("utf-8"))


def test_every_public_name_is_explained(pages, site):
    api = pages[site / "generated" / "api.html"]
    public = {name for name in resnet_widgets.__all__ if name != "explain"}
    assert {f"resnet_widgets.{name}" for name in public} <= api.places
    explain = {f"resnet_widgets.explain.{name}" for name in resnet_widgets.explain.__all__}
    assert explain <= api.places


def test_docstrings_are_shown_as_they_are_meant(site):
    text = (site / "generated" / "api.html").read_text(encoding="utf-8")
    # Markdown that reStructuredText does not know, or a section that napoleon did not.
    assert "```" not in text
    assert not re.search(r">\s*(Args|Returns|Raises|Attributes):\s*<", text)


def test_troubleshooting_goes_by_what_people_see(pages, site):
    text = (site / "troubleshooting.html").read_text(encoding="utf-8")
    for symptom in ("blank cell", "model not found", "could not be had", "kernel died"):
        assert symptom in text


@pytest.mark.parametrize(
    "path",
    [*ROOT.glob("*.md"), *ROOT.glob("benchmarks/*.md"), *ROOT.glob("resnet_widgets/*/*.md")],
    ids=lambda path: path.name,
)
def test_links_of_other_pages_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        parts = urlsplit(target)
        if not parts.scheme and parts.path:
            assert (path.parent / parts.path).exists(), target


# ------------------------------------------------------------------- where a published copy lives
def _linking() -> list[Path]:
    return [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("notebooks/*.ipynb")]


def test_links_to_binder_name_the_one_repository_and_notebooks_that_exist():
    repository = PYPROJECT["tool"]["resnet_widgets"]["repository"]
    linked = set()
    for path in _linking():
        text = path.read_text(encoding="utf-8")
        for owner, notebook in re.findall(
            r"mybinder\.org/v2/gh/([^/]+/[^/]+)/HEAD\?urlpath=lab/tree/([^)\s\"\\]+)", text
        ):
            assert owner == repository, path
            assert (ROOT / notebook).is_file(), notebook
            linked.add((path.name, Path(notebook).name))
    notebooks = {path.name for path in ROOT.glob("notebooks/*.ipynb")}
    assert {(name, name) for name in notebooks} <= linked
    assert {("README.md", name) for name in notebooks} <= linked


def test_the_repository_is_set_everywhere_at_once(tmp_path):
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        from set_repository import set_repository
    finally:
        sys.path.pop(0)
    (tmp_path / "notebooks").mkdir()
    for name in ("pyproject.toml", "README.md", "notebooks/01_first_look.ipynb"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    old = PYPROJECT["tool"]["resnet_widgets"]["repository"]
    changed = set_repository(tmp_path, "ada/lace")
    assert len(changed) == 3
    for path in changed:
        text = path.read_text(encoding="utf-8")
        assert "ada/lace" in text
        assert old not in text
    with pytest.raises(ValueError, match="OWNER/NAME"):
        set_repository(tmp_path, "https://example.org/ada/lace")
