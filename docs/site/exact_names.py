"""Names of types in docstrings lead to the one object that has this name, and nowhere where several have it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sphinx.application import Sphinx
from sphinx.domains.python import ObjectEntry, PythonDomain

TYPES = ("class", "exception")


class ExactNames(PythonDomain):
    """Sphinx's own search for a last name passes over all objects, takes a minute here, and often finds several."""

    def find_obj(
        self, env: Any, modname: str | None, classname: str | None, name: str, type: str | None, searchmode: int = 0
    ) -> list[tuple[str, ObjectEntry]]:
        """Return what has exactly this name here, else the only type with this last name."""
        found = super().find_obj(env, modname, classname, name, type, 0)
        if found or not searchmode:
            return found
        places = self._by_last_name().get(name, [])
        return [(places[0], self.objects[places[0]])] if len(places) == 1 else []

    def _by_last_name(self) -> dict[str, list[str]]:
        known = getattr(self, "_known", (0, {}))
        if known[0] != len(self.objects):
            names: dict[str, list[str]] = defaultdict(list)
            for place, entry in self.objects.items():
                if entry.objtype in TYPES:
                    names[place.rpartition(".")[2]].append(place)
            self._known = known = (len(self.objects), dict(names))
        return known[1]


def setup(app: Sphinx) -> dict[str, Any]:
    """Put the domain in the place of Sphinx's."""
    app.add_domain(ExactNames, override=True)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
