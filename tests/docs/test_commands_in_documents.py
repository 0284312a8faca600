"""Commands in the documents exist: each line that types `exchange-router` names a command, and options that it has."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs" / "site"))

from help_text import command, help_text  # noqa: E402 - what the site's pages are made with

DOCUMENTS = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])


SUBSTITUTION = re.compile(r"\$\((.*?)(?<!\\)\)")


def typed(text: str) -> list[str]:
    """Command lines in the fenced blocks of a page: continued lines joined, pipes cut off, substitutions apart."""
    found = []
    for block in re.findall(r"^```(?:sh|bash|console)?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        script = block.replace("\\\n", " ")
        for line in [*SUBSTITUTION.sub("SUBSTITUTED", script).splitlines(), *SUBSTITUTION.findall(script)]:
            for part in re.findall(r"(?:^|[;&|]) *(exchange-router [^|;&]*)", line):
                found.append(re.split(r"\s(?:#|\d?>)", part)[0])
    return found


def lines() -> list[Any]:
    return [
        pytest.param(line, id=f"{document.relative_to(ROOT)}: {line[:70]}")
        for document in DOCUMENTS
        for line in typed(document.read_text(encoding="utf-8"))
        # What stands for words of the reader's is no command line.
        if not re.search(r"\.\.\.| \[-| \| ", line)
    ]


def check(words: list[str]) -> None:
    """Refuse words that are no command, options that it has not, and arguments beyond those it takes."""
    path: list[str] = []
    found, context = command(path)
    while hasattr(found, "commands") and words and not words[0].startswith("-"):
        path.append(words.pop(0))
        found, context = command(path)
    assert not hasattr(found, "commands") or words, f"{path} is a group"
    given, rest, _ = found.make_parser(context).parse_args(list(words))
    assert rest == [], f"{rest} is too much"
    for parameter in found.params:
        missing = parameter.required and given.get(parameter.name) in (None, (), [])
        assert not missing, f"{parameter.name} is missing"


@pytest.mark.parametrize("line", lines())
def test_a_command_in_a_document_can_be_typed(line: str) -> None:
    check(shlex.split(line)[1:])


@pytest.mark.parametrize(
    "line",
    [
        "scenario lst",
        "replay --trase day.parquet --out x",
        "report a b",
        "replay --out x",
        "trace info",
        "replay --out",
    ],
)
def test_a_command_that_cannot_be_typed_is_found(line: str) -> None:
    with pytest.raises(Exception, match=r"(?s).+"):
        check(line.split())


def ends(words: list[str]) -> Iterator[list[str]]:
    """All commands, without the groups that they are in."""
    found, _ = command(words)
    if not hasattr(found, "commands"):
        yield words
        return
    for name in found.commands:
        yield from ends([*words, name])


def test_every_command_has_its_help_on_the_page_of_commands() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```\{help\} (.+)$", page, re.MULTILINE)
    assert sorted(shown) == sorted(" ".join(words) for words in ends([]))
    assert len(shown) > 30


def test_help_on_the_page_is_what_the_command_prints() -> None:
    assert help_text(["replay"]).startswith("Usage: exchange-router replay [OPTIONS]\n")
    assert "--data-plane" in help_text(["replay"])
