"""Python loads this by itself where it is on its path: `router_core` then is the sanitized one, wherever one stands.

A folder on the path alone would not do: ``python -m`` and scripts put their own folder before it.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec, PathFinder

FOLDER = os.environ["ENGINE_SANITIZED"]


class SanitizedFirst:
    """Finds one package, in one folder."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [FOLDER]) if name == "router_core" else None


sys.meta_path.insert(0, SanitizedFirst)  # type: ignore[arg-type]
