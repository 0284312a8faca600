"""What demand would explain the loads that particles found: network tomography, round after round."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from router_core.paths.path_set import PathSet
from router_core.randomness import stream
from strategies.dynamic.matrix_probing_loads import ProbedLoads

# How far a pair's demand may be from what it is thought to be, relatively: all pairs together, those of one source or
# one target together, and each for itself.
ALL: Final = 0.15
END: Final = 0.15
OWN: Final = 0.5
# So much of what it would be by its ends' totals counts as a pair's size at least.
FLOOR: Final = 0.2
# And so much of the first guess, or a pair that was silent for long would never be thought of again.
SEED: Final = 0.01
# By how much of the way the guess goes back to that in a round: what loads cannot tell apart must not wander.
GRAVITY_RATE: Final = 0.03
# Of expected utilisations, beside what demand explains: variance.
UNEXPLAINED: Final = 1e-6
# How far a station's rate may drift from what is known of it, a round, relatively, and how fast that is forgotten.
RATE_DRIFT: Final = 0.01
RATE_FORGOTTEN: Final = 0.02
SLOWNESS_MAX: Final = 4.0
# Likely demands that are drawn: so many, and as many opposite ones.
DRAWN: Final = 4
# How far they are from the guess, in standard deviations: chosen where ratios were best.
SPREAD: Final = 0.4


class DemandGuess:
    """Demand of every pair, guessed from loads and from the shares that made them.

    Loads are fewer than pairs. Between the demands that explain them the most likely one is taken: a pair's error goes
    with those of its source and of its target, as it does where traffic follows the totals of its ends (gravity: Zhang,
    Roughan, Duffield and Greenberg, SIGMETRICS 2003), and is the greater the larger the pair. As shares change from
    round to round, so do the equations, and the running guess keeps what earlier ones said (a Kalman filter with a
    covariance that is not carried on: the full one was measured to be dearer and no better).

    Parameters
    ----------
    paths : PathSet
    unit_load : float64 (S,)
        Utilisation by one unit of demand, finite.
    demand : float64 (D,)
        The first guess, 0 of pairs that can have none.
    """

    def __init__(self, paths: PathSet, unit_load: NDArray[np.float64], demand: NDArray[np.float64]) -> None:
        self.demand = demand
        self._paths = paths
        # What each visit of a path adds, and to the load of which station by which pair.
        self._visit_path = np.repeat(np.arange(paths.path_count), np.diff(paths.path_start))
        self._visit_load = unit_load[paths.path_station]
        self._visit_cell = paths.path_station.astype(np.int64) * paths.pair_count + paths.path_pair[self._visit_path]
        self._least = SEED * demand
        self.slowness = np.ones(len(unit_load))
        ends = int(max(paths.source.max(initial=0), paths.target.max(initial=0))) + 1
        self._ends = ends
        pairs = np.arange(paths.pair_count)
        ones = np.ones(paths.pair_count)
        self._from, self._to = (
            sparse.csr_array((ones, (pairs, end)), shape=(paths.pair_count, ends))
            for end in (paths.source, paths.target)
        )
        dice = stream(0, "probing-demand")
        apart = ALL * dice.standard_normal((DRAWN, 1))
        apart = apart + END * dice.standard_normal((DRAWN, ends))[:, paths.source]
        apart = apart + END * dice.standard_normal((DRAWN, ends))[:, paths.target]
        apart = apart + OWN * dice.standard_normal((DRAWN, paths.pair_count))
        # The same ones in every round: what is drawn anew moves traffic for nothing.
        self._apart = np.concatenate((apart, -apart))
        error = dice.standard_normal((DRAWN, len(unit_load)))
        self._error = np.concatenate((error, -error))
        self._errors = self._apart * demand

    def expect(self, shares: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return utilisations that these shares would bring, (S,), and the inverse of their covariance, (S, S)."""
        shape = len(self.slowness), self._paths.pair_count
        used = np.bincount(self._visit_cell, self._visit_load * shares[self._visit_path], shape[0] * shape[1])
        self.slowness = self.slowness ** (1 - RATE_FORGOTTEN)
        self._used = used.reshape(shape) * self.slowness[:, None]
        expected = self._used @ self.demand
        gravity = self._gravity()
        self.demand = self.demand + GRAVITY_RATE * (gravity - self.demand)
        self._size = np.maximum(np.maximum(self.demand, FLOOR * gravity), self._least)
        sized = self._used * self._size
        source, target = self._paths.source, self._paths.target
        together = ALL**2 * sized.sum(axis=1)[:, None] + END**2 * (
            np.asarray(sized @ self._from)[:, source] + np.asarray(sized @ self._to)[:, target]
        )
        self._with_load = (together + OWN**2 * sized) * self._size
        covariance = self._with_load @ self._used.T
        self._drift = (RATE_DRIFT * expected) ** 2
        covariance[np.diag_indices(len(covariance))] += UNEXPLAINED + self._drift
        self._sureness = np.linalg.inv(covariance)
        return self._used @ self.demand, self._sureness

    def learn(self, loads: ProbedLoads) -> None:
        """Take in what was found under the shares of the last `expect`."""
        gain = self._sureness @ self._with_load
        expected = self._used @ self.demand
        new = loads.utilisation - expected
        self.demand = np.maximum(self.demand + new @ gain, 0.0)
        slower = np.divide(self._drift * (self._sureness @ new), expected, out=np.zeros_like(new), where=expected > 0)
        self.slowness = np.clip(self.slowness * np.exp(slower), 1 / SLOWNESS_MAX, SLOWNESS_MAX)
        # Likely errors: drawn ones of demand, made to bring the loads that were found, give or take their own error
        # (Matheron's rule).
        root = np.linalg.cholesky(np.linalg.inv(loads.precision))
        apart = self._apart * self._size
        self._errors = apart - (apart @ self._used.T - self._error @ root.T) @ gain

    def likely(self) -> NDArray[np.float64]:
        """Return demands (M, D) that what was learnt allows for."""
        return np.maximum(self.demand + SPREAD * self._errors, 0.0)

    def _gravity(self) -> NDArray[np.float64]:
        """Return the demand that each pair would have by the totals of its two ends."""
        source, target = self._paths.source, self._paths.target
        out = np.bincount(source, self.demand, self._ends)
        into = np.bincount(target, self.demand, self._ends)
        product = np.where(self._least > 0, out[source] * into[target], 0.0)
        total = product.sum()
        return product * (self.demand.sum() / total) if total > 0 else product
