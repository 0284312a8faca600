"""The documentation site: it builds without a warning, leads to all pages, in both languages, and needs no network."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
GUIDE = sorted(path.name for path in (DOCS / "zh").glob("*.md"))
PAGES = sorted(path.relative_to(DOCS).with_suffix("") for path in DOCS.rglob("*.md"))
ROOMS = ("router_core", "scenarios", "traces", "strategies", "sim", "feed")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site without the API's members, whose docstrings `make docs` reads."""
    folder = tmp_path_factory.mktemp("site")
    options = ["-b", "html", "-W", "--keep-going", "-q", "-t", "guide", "-d", str(folder / "trees")]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, str(DOCS), str(folder / "html")],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


def test_every_page_is_built(site: Path) -> None:
    assert len(PAGES) > 50
    assert [str(page) for page in PAGES if not (site / page).with_suffix(".html").exists()] == []


def test_pages_ask_for_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        asked = re.findall(r'<(?:script|img|iframe|source)\b[^>]*\bsrc="([^"]+)"', text)
        asked += re.findall(
            r'<link\b[^>]*\brel="(?:stylesheet|preload|prefetch|preconnect)"[^>]*\bhref="([^"]+)"', text
        )
        assert [one for one in asked if re.match(r"(?:https?:)?//", one)] == [], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def test_pages_tell_nothing_of_the_machine_that_built_them(site: Path) -> None:
    for page in site.rglob("*.html"):
        assert str(ROOT) not in page.read_text(encoding="utf-8"), page


def test_pages_say_which_language_they_are_in(site: Path) -> None:
    for page, language in (("tutorial.html", "en"), ("zh/tutorial.html", "zh-CN")):
        assert f'lang="{language}"' in (site / page).read_text(encoding="utf-8")[:400]


def test_chinese_is_searched_by_pairs_of_signs(site: Path) -> None:
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    terms = json.loads(index.removeprefix("Search.setIndex(").removesuffix(")"))["terms"]
    assert "浪涌" in terms
    assert "surg" in terms
    assert [term for term in terms if re.search(r"[一-鿿]{3}", term)] == []


def guide_page(name: str) -> tuple[str, str]:
    return ((DOCS / name).read_text(encoding="utf-8"), (DOCS / "zh" / name).read_text(encoding="utf-8"))


def code_blocks(text: str) -> list[str]:
    return re.findall(r"^```.*?^```$", text, re.MULTILINE | re.DOTALL)


def headings(text: str) -> list[str]:
    for block in code_blocks(text):
        text = text.replace(block, "")
    return re.findall(r"^(#+) ", text, re.MULTILINE)


def rows(text: str) -> list[int]:
    """Cells of each row of a table, in order."""
    return [line.count("|") for line in text.splitlines() if line.startswith("|")]


def test_the_guide_is_whole() -> None:
    assert {"index.md", "tutorial.md", "commands.md", "studies.md", "reports.md", "operating.md"} <= set(GUIDE)


@pytest.mark.parametrize("name", GUIDE)
def test_a_page_of_the_guide_says_the_same_in_both_languages(name: str) -> None:
    english, chinese = guide_page(name)
    assert headings(english) == headings(chinese)
    assert rows(english) == rows(chinese)
    if name != "index.md":  # whose blocks are the site's tables of contents
        assert code_blocks(english) == code_blocks(chinese)


@pytest.mark.parametrize("name", GUIDE)
def test_a_page_of_the_guide_begins_with_the_way_to_the_other_language(name: str) -> None:
    english, chinese = guide_page(name)
    assert english.splitlines()[2] == f"*English* · [中文](zh/{name})"
    assert chinese.splitlines()[2] == f"[English](../{name}) · *中文*"
    assert re.search(r"[一-鿿]", chinese.splitlines()[0])


def packages(name: str) -> list[str]:
    found = [name]
    for one in pkgutil.iter_modules(importlib.import_module(name).__path__, name + "."):
        if one.ispkg and not one.name.rpartition(".")[2].startswith("_"):
            found += packages(one.name)
    return found


def test_every_package_has_its_page_of_the_reference() -> None:
    wanted = [name for room in ROOMS for name in packages(room) if name != "sim.report.vendor"]
    for name in wanted:
        page = DOCS / "api" / f"{name}.md"
        assert page.exists(), f"docs/api/{name}.md is missing: a title, and a block {{room}} {name}"
        assert f"```{{room}} {name}\n" in page.read_text(encoding="utf-8")
    assert {path.stem for path in (DOCS / "api").glob("*.md")} == {"index", *wanted}
