"""The API reference of a package: a block ``{room} package`` becomes a section for each of its public modules."""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import Any

from sphinx.application import Sphinx

BLOCK = re.compile(r"^```\{room\} (\S+)\n```$", re.MULTILINE)


def public_modules(package: str) -> list[str]:
    """Return the public modules of a package, in order of names; packages in it have pages of their own."""
    found = pkgutil.iter_modules(importlib.import_module(package).__path__, package + ".")
    return sorted(one.name for one in found if not one.ispkg and not one.name.rpartition(".")[2].startswith("_"))


def expand(app: Sphinx, page: str, source: list[str]) -> None:
    """Put sections in the place of the block, before the page is parsed."""
    if not page.startswith("api/"):
        return
    # `-t guide` leaves out what the modules hold, which takes most of the time: what tests build.
    brief = app.tags.has("guide")
    source[0] = BLOCK.sub(lambda found: sections(found[1], [] if brief else public_modules(found[1])), source[0])


def sections(package: str, modules: list[str]) -> str:
    """Return the Markdown of a package: what it says of itself, then its modules."""
    parts = [f"```{{eval-rst}}\n.. automodule:: {package}\n   :no-members:\n```\n"]
    parts += [f"## `{module}`\n\n```{{eval-rst}}\n.. automodule:: {module}\n```\n" for module in modules]
    return "\n".join(parts)


def setup(app: Sphinx) -> dict[str, Any]:
    """Listen to pages that are about to be parsed."""
    app.connect("source-read", expand)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
