"""How many servers each node should borrow for a slot."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from router_core.lending import Lending


def borrowed(
    lending: Lending, servers: NDArray[np.integer], work: NDArray[np.float64], target: float
) -> NDArray[np.int32]:
    """Return the fewest borrowed servers that bring every station down to a utilisation, as far as the pools reach.

    Parameters
    ----------
    lending : Lending
    servers : int (S,)
        Own servers of every station.
    work : float64 (S,)
        Server time that is asked of every station [s/s].
    target : float
        Utilisation that should not be exceeded, > 0.

    Returns
    -------
    int32 (B,)
        Where a pool is too small, one server after the other goes to the busiest station of the pool.
    """
    own = servers[lending.station].astype(np.float64)
    asked = work[lending.station]
    wanted = np.maximum(np.ceil(asked / target - 1e-9) - own, 0.0)
    result = wanted.astype(np.int32)
    for pool, budget in enumerate(lending.budget.tolist()):
        members = np.flatnonzero(lending.pool == pool)
        if wanted[members].sum() <= budget:
            continue
        given = np.zeros(len(members))
        for _ in range(budget):
            # The least index of equals, so that the same need gives the same servers.
            given[int(np.argmax(asked[members] / (own[members] + given)))] += 1
        result[members] = given
    return result
