"""The directive `room`: the API reference of a package, one section for each of its public modules."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def public_modules(package: str) -> list[str]:
    """Return the package's public modules, the package itself excluded, packages in it too, in order of names."""
    found = pkgutil.iter_modules(importlib.import_module(package).__path__, package + ".")
    return sorted(one.name for one in found if not one.ispkg and not one.name.rpartition(".")[2].startswith("_"))


class Room(SphinxDirective):
    """All public modules of the package that is named."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return one section a module, made by autodoc."""
        package = self.arguments[0]
        lines = []
        # `-t guide` leaves out what the modules hold, which takes most of the time: what tests build.
        for module in [] if self.env.app.tags.has("guide") else public_modules(package):
            lines += [f"## `{module}`", "", "```{eval-rst}", f".. automodule:: {module}", "```", ""]
        holder = nodes.section()
        holder.document = self.state.document
        source = self.get_source_info()[0]
        self.state.nested_parse(StringList(lines, source), self.content_offset, holder, match_titles=True)
        return [*self._about(package), *holder.children]

    def _about(self, package: str) -> list[nodes.Node]:
        """Return what the package says of itself; by itself, as sections would come before it."""
        holder = nodes.Element()
        lines = StringList(["```{eval-rst}", f".. automodule:: {package}", "   :no-members:", "```"], package)
        self.state.nested_parse(lines, self.content_offset, holder)
        return holder.children


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directive."""
    app.add_directive("room", Room)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
