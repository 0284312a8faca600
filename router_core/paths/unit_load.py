"""What a unit of demand takes of each station: one reading for every split solver and programme."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.paths.route_space import RouteSpace


def checked_unit_load(unit_load: NDArray[np.floating] | Sequence[float], space: RouteSpace) -> NDArray[np.float64]:
    """Return unit loads as float64 (R, S), or name the first station whose load cannot be.

    Parameters
    ----------
    unit_load : float (S,) or (R, S)
        Utilisation of each station by one unit of each of R >= 1 components of demand, >= 0; infinite for a station
        that is closed.

    Raises
    ------
    BadInputError
        If the shape is wrong or a value is negative or not a number.
    """
    values = np.atleast_2d(np.asarray(unit_load, dtype=np.float64))
    if values.ndim != 2 or values.shape[1] != space.station_count or len(values) == 0:
        raise BadInputError("unit_load", f"must be of shape (R, {space.station_count})", np.shape(unit_load))
    for rule, broken in (("must be a number", np.isnan(values)), ("must not be negative", values < 0)):
        if broken.any():
            row, station = (int(index) for index in np.argwhere(broken)[0])
            raise BadInputError(f"unit_load of {space.station_name[station]}", rule, float(values[row, station]))
    return values
