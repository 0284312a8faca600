"""The names of path sets, as a user types them: a kind and how many paths a pair has, such as ``ksp-4``.

``ksp`` are the shortest ones, ``trees`` those of a tree mixture, ``survivable`` a choice of both such that every pair
keeps a path after any single failure; where that takes more paths, a pair has more.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.paths.k_shortest import k_shortest
from router_core.paths.path_set import PathSet
from router_core.paths.route_space import RouteSpace
from router_core.paths.survivable import choose_paths
from router_core.paths.tree_mixture import tree_mixture

DEFAULT_PATHS: Final = "survivable-4"
PATHS_MAX: Final = 64


def _shortest(space: RouteSpace, _capacity: NDArray[np.float64], count: int) -> PathSet:
    return k_shortest(space, count)


PATH_KINDS: Final[dict[str, Callable[[RouteSpace, NDArray[np.float64], int], PathSet]]] = {
    "ksp": _shortest,
    "trees": tree_mixture,
    "survivable": choose_paths,
}
PATHS_RULE: Final = f"must be one of {', '.join(f'{kind}-N' for kind in PATH_KINDS)} with N in 1..{PATHS_MAX}"


def named_paths(name: str, space: RouteSpace, capacity: NDArray[np.float64]) -> PathSet:
    """Return the path set of a name for all pairs of a space, or raise `BadInputError`."""
    kind, count = parse_paths(name)
    return PATH_KINDS[kind](space, capacity, count)


def parse_paths(name: str) -> tuple[str, int]:
    """Return kind and number of paths of a name, or raise `BadInputError`."""
    found = re.fullmatch(r"([a-z]+)-([0-9]{1,3})", name, re.ASCII)
    if found is None or found[1] not in PATH_KINDS or not 1 <= int(found[2]) <= PATHS_MAX:
        raise BadInputError("paths", PATHS_RULE, name)
    return found[1], int(found[2])
