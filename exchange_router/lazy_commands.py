"""Commands that are loaded when they are called: help and version need none of what a replay or a solver loads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from exchange_router import console


@dataclass(frozen=True)
class Place:
    """Where a command is.

    Attributes
    ----------
    module : str
        In `exchange_router`.
    name : str
        Of a function, or of a typer application.
    help : str
        The first paragraph of its help, for the list of commands: English, two blanks, Chinese.
    """

    module: str
    name: str
    help: str

    def load(self, command: str) -> Any:
        """Return the command itself."""
        found = getattr(import_module(f"exchange_router.{self.module}"), self.name)
        if isinstance(found, typer.Typer):
            return typer.main.get_group(found)
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(command)(found)
        return typer.main.get_command(alone)


def lazy_group(places: Mapping[str, Place]) -> type[TyperGroup]:
    """Return a group whose commands are these; `register` makes it list them."""

    class LazyGroup(TyperGroup):
        def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
            name, _, rest = super().resolve_command(ctx, args)
            return name, None if name is None else places[name].load(name), rest

    return LazyGroup


def register(app: typer.Typer, places: Mapping[str, Place]) -> None:
    """Let an application of a `lazy_group` list its commands."""
    for name, place in places.items():
        app.command(name, help=console.text(*place.help.split("  ")))(_stand_in)


def _stand_in() -> None:
    """Stand in for a command in the list of commands."""
