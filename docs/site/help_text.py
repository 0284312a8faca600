"""The directive `help`: what a command's `--help` prints, taken from the command itself when the site is built."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from typer.main import get_command

from exchange_router.main import app as command_line

WIDTH = 92


def command(words: list[str]) -> tuple[Any, Any]:
    """Return the command of these words, and the context that it has."""
    found: Any = get_command(command_line)
    context = found.context_class(found, info_name="exchange-router", terminal_width=WIDTH)
    for word in words:
        name, found, _ = found.resolve_command(context, [word])
        if name is None:
            raise ValueError(f"{word}: no such command")
        context = found.context_class(found, info_name=word, parent=context, terminal_width=WIDTH)
    return found, context


def help_text(words: list[str]) -> str:
    """Return the help of the command of these words."""
    found, context = command(words)
    return str(found.get_help(context))


class Help(SphinxDirective):
    """The help of the command whose words are given."""

    optional_arguments = 9

    def run(self) -> list[nodes.Node]:
        """Return one literal block."""
        try:
            text = help_text(self.arguments)
        except ValueError as error:
            raise self.error(str(error)) from error
        block = nodes.literal_block(text, text, language="text", classes=["help"])
        return [block]


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directive."""
    app.add_directive("help", Help)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
