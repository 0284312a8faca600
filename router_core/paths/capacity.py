"""What each station carries, as makers of path sets take it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.network import Network
from router_core.paths.route_space import REFERENCE_BYTES, RouteSpace
from router_core.units import SECOND_NS, service_ns


def checked_capacity(capacity: NDArray[np.floating], space: RouteSpace) -> NDArray[np.float64]:
    """Return capacities as float64 (S,), or name the first station whose capacity cannot be.

    Raises
    ------
    BadInputError
        If the shape is wrong or a value is negative or not a number.
    """
    values = np.asarray(capacity, dtype=np.float64)
    if values.shape != (space.station_count,):
        raise BadInputError("capacity", f"must be of shape ({space.station_count},)", np.shape(capacity))
    for rule, broken in (("must be a number", np.isnan(values)), ("must not be negative", values < 0)):
        if broken.any():
            station = int(np.flatnonzero(broken)[0])
            raise BadInputError(f"capacity of {space.station_name[station]}", rule, float(values[station]))
    return values


def platform_capacity(network: Network) -> NDArray[np.float64]:
    """Return how many exchanges of 1 MB each station serves [1/s], (S,); infinite if it takes no time."""
    busy_ns = service_ns(network.station_fixed_ns, network.station_ps_per_byte, REFERENCE_BYTES).astype(np.float64)
    busy_s = busy_ns / float(SECOND_NS) / network.station_servers
    per_s: NDArray[np.float64] = np.full(len(busy_s), np.inf)
    np.divide(1.0, busy_s, out=per_s, where=busy_s > 0)
    return per_s
