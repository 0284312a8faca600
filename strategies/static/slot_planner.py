"""One slot of the static plan: the split and the servers that are good for a set of matrices, and little change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.lending import lending
from router_core.network import Network
from router_core.paths.path_set import PathSet
from router_core.paths.platform_load import platform_unit_load
from router_core.splits.peak import PeakSolver
from router_core.splits.peak_set import PeakSetSolver
from router_core.table.weights import whole_weights
from strategies.static.borrowing import borrowed
from strategies.static.week_plan import WEIGHT_TOTAL

# Other users never leave less than this of a line: what a forecast says beyond would close it.
AVAILABLE_MIN: Final = 0.05


@dataclass(frozen=True)
class PlanSetting:
    """What a planner goes by; the defaults are meant to be left alone.

    Attributes
    ----------
    scenarios : int
        Matrices in each slot's set.
    gap : float
        How far from its bound a slot's mean peak may be, relatively.
    quiet : float
        Below this peak utilisation nothing is worth a change: the split of the slot before is kept.
    keep_within : float
        The split of the slot before is kept too where it is so close to the new one's bound, relatively.
    server_target : float
        Utilisation above which stations borrow servers.
    holds : bool
        Whether deferrable classes may be held back.
    hold_of_lead : float
        No exchange is held for more than this share of the time that its deadline leaves.
    paths : int
        Paths a pair.
    """

    scenarios: int = 6
    gap: float = 0.02
    quiet: float = 0.35
    keep_within: float = 0.04
    server_target: float = 0.6
    holds: bool = True
    hold_of_lead: float = 0.75
    paths: int = 4


@dataclass(frozen=True, eq=False)
class Slot:
    """What a slot's planning yields: weights int16 (P,), borrowed servers int32 (B,), figures by name."""

    weights: NDArray[np.int16]
    servers: NDArray[np.int32]
    figures: dict[str, float]


class SlotPlanner:
    """Plans one slot after the other; each begins with the split of the one before.

    Parameters
    ----------
    network : Network
    paths : PathSet
        Of ``space_of_network(network)``.
    setting : PlanSetting
    """

    def __init__(self, network: Network, paths: PathSet, setting: PlanSetting) -> None:
        self._network = network
        self._paths = paths
        self._setting = setting
        self._lending = lending(network)
        unit_load = platform_unit_load(network)
        self._split = PeakSetSolver(paths, unit_load)
        self._meter = PeakSolver(paths, unit_load)
        first = np.zeros(paths.path_count)
        first[paths.pair_start[:-1][np.diff(paths.pair_start) > 0]] = 1.0
        self._weights = whole_weights(first, paths.pair_start, WEIGHT_TOTAL)
        self._begun = False

    @property
    def nodes(self) -> NDArray[np.int32]:
        """Nodes that may borrow, (B,), in the order of a slot's servers."""
        return self._lending.node

    def plan(
        self,
        demands: NDArray[np.float64],
        submitted: NDArray[np.float64],
        others: NDArray[np.float64],
        endpoint_work: NDArray[np.float64],
    ) -> Slot:
        """Plan the next slot.

        Parameters
        ----------
        demands : float64 (M, 2, D)
            Exchanges and bytes a second of each pair of groups, in each matrix of the set.
        submitted : float64 (M, 2, D)
            The same, had nothing been held back.
        others : float64 (L,)
            Share of each line that other users are expected to take.
        endpoint_work : float64 (S,)
            Server time asked of the endpoints' own stations [s/s]; 0 elsewhere.
        """
        setting, own_servers = self._setting, self._network.station_servers
        unit_load = platform_unit_load(self._network, np.maximum(1.0 - others, AVAILABLE_MIN))
        before = self._weights
        shares = before / WEIGHT_TOTAL
        servers = borrowed(self._lending, own_servers, endpoint_work, setting.server_target)
        lent = self._lent(unit_load, servers)
        peaks = self._peaks(lent, demands, shares)
        bound = 0.0
        if not (self._begun and peaks.mean() <= setting.quiet):
            # Where would work go if the clouds lent all they have? Then lend what that asks for, and split again.
            free = self._lent(unit_load, self._lending.budget[self._lending.pool])
            wish = self._split.loaded(free).solve(demands, gap=setting.gap, start=shares)
            work = self._work(unit_load, demands, wish.shares) + endpoint_work
            servers = borrowed(self._lending, own_servers, work, setting.server_target)
            lent = self._lent(unit_load, servers)
            solved = self._split.loaded(lent).solve(demands, gap=setting.gap, start=shares)
            bound = solved.lower_bound
            peaks = self._peaks(lent, demands, shares)
            if not self._begun or peaks.mean() > bound * (1 + setting.keep_within):
                # A pair without any demand keeps the way that it had.
                used = (demands.sum(axis=(0, 1)) > 0)[self._paths.path_pair]
                shares = np.where(used | (not self._begun), solved.shares, shares)
                self._weights = whole_weights(shares, self._paths.pair_start, WEIGHT_TOTAL)
                shares = self._weights / WEIGHT_TOTAL
                peaks = self._peaks(lent, demands, shares)
        connected = max(int((np.diff(self._paths.pair_start) > 0).sum()), 1)
        change = float(np.abs(self._weights - before).sum()) / WEIGHT_TOTAL / 2 / connected if self._begun else 0.0
        self._begun = True
        return Slot(
            weights=self._weights.astype(np.int16),
            servers=servers,
            figures={
                "peak_mean": float(peaks.mean()),
                "peak_high": float(peaks.max()),
                "bound": bound,
                "peak_unheld": float(self._peaks(lent, submitted, shares).mean()),
                "churn": change,
                "exchanges": float(demands[:, 0].sum(axis=1).mean()),
                "payload_bytes": float(demands[:, 1].sum(axis=1).mean()),
            },
        )

    def _lent(self, unit_load: NDArray[np.float64], servers: NDArray[np.integer]) -> NDArray[np.float64]:
        """Unit loads with borrowed servers beside a station's own."""
        own = self._network.station_servers[self._lending.station]
        result = unit_load.copy()
        result[:, self._lending.station] *= own / (own + servers)
        return result

    def _peaks(
        self, unit_load: NDArray[np.float64], demands: NDArray[np.float64], shares: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Peak utilisation of each matrix, (M,)."""
        meter = self._meter.loaded(unit_load)
        return np.array([meter.utilisation(demand, shares).max(initial=0.0) for demand in demands])

    def _work(
        self, unit_load: NDArray[np.float64], demands: NDArray[np.float64], shares: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Server time asked of each station [s/s] by the heaviest matrix for it, with its own servers, (S,)."""
        meter = self._meter.loaded(unit_load)
        used = np.stack([meter.utilisation(demand, shares) for demand in demands]).max(axis=0)
        return np.asarray(used * self._network.station_servers)
