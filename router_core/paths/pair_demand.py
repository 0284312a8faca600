"""How much every pair asks for: one reading for every split solver and programme."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.paths.route_space import RouteSpace


def checked_pair_demand(
    demand: NDArray[np.floating] | Sequence[float],
    space: RouteSpace,
    source: NDArray[np.integer],
    target: NDArray[np.integer],
    components: int = 1,
) -> NDArray[np.float64]:
    """Return the demand of these pairs as float64 (components, D), or name the first pair whose demand cannot be.

    Parameters
    ----------
    demand : float (D,) or (components, D)

    Raises
    ------
    BadInputError
        If the shape is wrong or a value is negative or not finite.
    """
    values = np.atleast_2d(np.asarray(demand, dtype=np.float64))
    if values.shape != (components, len(source)):
        raise BadInputError("demand", f"must be of shape ({components}, {len(source)})", np.shape(demand))
    if values.size and not (np.isfinite(values.sum()) and values.min() >= 0):
        for rule, broken in (("must be finite", ~np.isfinite(values)), ("must not be negative", values < 0)):
            if broken.any():
                row, pair = (int(index) for index in np.argwhere(broken)[0])
                name = space.pair_name(int(source[pair]), int(target[pair]))
                raise BadInputError(f"demand of {name}", rule, float(values[row, pair]))
    return values
