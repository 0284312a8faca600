"""The documents keep step with the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("router_core/**/*.md")])


@pytest.mark.parametrize("document", ["INVARIANTS.md", "security.md"])
def test_every_test_that_a_claim_names_exists(document):
    named = re.findall(r"`(tests/\S+\.py)::(\w+)`", (ROOT / "docs" / document).read_text(encoding="utf-8"))
    assert len(named) >= 15
    for file, test in named:
        assert re.search(rf"^def {test}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), f"{file}::{test}"


def test_every_law_has_its_row():
    rows = re.findall(r"^\| (\d) \|", (ROOT / "docs" / "INVARIANTS.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == list("123456789")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_named_files_exist(document):
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (document.parent / target).exists(), target
    for target in re.findall(
        r"`((?:router_core|scenarios|traces|strategies|sim|exchange_router|tests|benchmarks|docs)/[\w./-]+)`", text
    ):
        assert (ROOT / target).exists(), target


def test_the_readme_opens_with_the_two_commands():
    first = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:6]
    assert any(line.startswith("make run ") for line in first)
    assert any(line.startswith("make test ") for line in first)
