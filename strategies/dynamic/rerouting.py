"""Routes of the moment: few pairs leave the planned ways where there is cause, and go home when there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.delay_cost import NetworkDelayCost
from router_core.kernels.split_sweeps import (
    delay_moves,
    delay_returns,
    moving_gains,
    shift_load,
    station_flows,
    two_flows,
)
from router_core.network import Network
from router_core.paths.path_set import PathSet
from router_core.paths.platform_load import platform_unit_load
from router_core.table.weights import whole_weights
from strategies.dynamic.setting import DynamicSetting
from strategies.static.slot_planner import AVAILABLE_MIN
from strategies.static.week_plan import WEIGHT_TOTAL

# Sizes of chunks vary much: most are small, some are whole chunks of a file.
MEAN_BYTES: Final = 1e6
SQUARED_VARIATION: Final = 4.0
# Shifts of a pair in a step.
ROUNDS_MAX: Final = 3
# Of the utilisation from which pairs leave: where it is calmer than this at home, they go there whatever it costs.
CALM_PART: Final = 0.9
NEVER_NS: Final = -(2**62)


@dataclass(frozen=True, eq=False)
class Situation:
    """What the stations can do at the moment.

    Attributes
    ----------
    demand : float64 (2, D)
        Exchanges and bytes a second of each pair of groups.
    available : float64 (L,)
        Share of each line that other users leave, in (0, 1].
    borrowed : int (S,)
        Servers that stations have beside their own.
    backlog : float64 (S,)
        Utilisation that working off what waits at each station takes.
    up : bool (S,)
    part : float64 (2, D), optional
        A part of the demand whose own utilisation is asked for.
    """

    demand: NDArray[np.float64]
    available: NDArray[np.float64]
    borrowed: NDArray[np.integer]
    backlog: NDArray[np.float64]
    up: NDArray[np.bool_]
    part: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Rerouted:
    """What a step changed.

    Attributes
    ----------
    pairs : int64 (k,)
        Whose weights changed, ascending.
    left, returned : int
        How many of them moved for a better way, and towards home.
    churn : float
        Share of all demand [bytes] that moved to another way.
    peak_before, peak : float
        Utilisation of the busiest station that is up, by the model.
    delay_before_s, delay_s : float
        Delay that arises in a second, summed over all chunks [s].
    load : float64 (S,)
        Utilisation after the step, backlogs included.
    part : float64 (S,)
        Utilisation by the part of the demand that was asked for, after the step; 0 if none was.
    """

    pairs: NDArray[np.int64]
    left: int
    returned: int
    churn: float
    peak_before: float
    peak: float
    delay_before_s: float
    delay_s: float
    load: NDArray[np.float64]
    part: NDArray[np.float64]


class Rerouting:
    """Keeps the weights in force, and what is planned.

    A pair may leave the planned ways only for a cause: one of the stations on the ways that it uses is busy or down.
    All such pairs are priced at what their move would do to all others (marginal delay), and those that gain most
    move, one after the other, each knowing what those before it did: so they do not herd, however old the picture is.
    A way that lost traffic gets none back for a while. Without cause a pair goes home, step by step.

    Parameters
    ----------
    network : Network
    paths : PathSet
        Of ``space_of_network(network)``.
    setting : DynamicSetting

    Attributes
    ----------
    home, weights : int32 (P,)
        What is planned, and what is in force; those of a pair sum to `WEIGHT_TOTAL`.
    """

    def __init__(self, network: Network, paths: PathSet, setting: DynamicSetting) -> None:
        self._network = network
        self._paths = paths
        self._setting = setting
        self._unit = platform_unit_load(network)
        self._cost = NetworkDelayCost(network, MEAN_BYTES, SQUARED_VARIATION)
        self.home: NDArray[np.int32] = np.zeros(paths.path_count, dtype=np.int32)
        self.weights: NDArray[np.int32] = self.home.copy()
        self._shares: NDArray[np.float64] | None = None
        self._lost_ns = np.full(paths.path_count, NEVER_NS, dtype=np.int64)
        self._returned_ns = NEVER_NS
        self._off: NDArray[np.bool_] = np.zeros(paths.pair_count, dtype=np.bool_)
        # Kernels read unsigned indices faster.
        self._path_start = paths.path_start.view(np.uint64)
        self._path_station = paths.path_station.view(np.uint32)
        self._found = np.empty(paths.pair_count, dtype=np.int64)
        self._gain = np.empty(paths.pair_count)
        self._warm()

    def _warm(self) -> None:
        """Call each kernel once with nothing to do: the first surge is no time to compile them."""
        paths, stations = self._paths, self._network.station_count
        nobody, nothing = np.empty(0, dtype=np.int64), np.zeros((2, paths.pair_count))
        rows = paths.pair_start, self._path_start, self._path_station
        unit, curve, load = np.zeros((2, stations)), np.ones((4, stations)), np.zeros(stations)
        shares, nowhere = np.zeros(paths.path_count), np.zeros(paths.path_count, dtype=np.bool_)
        self.flows(nothing)
        self._both_flows(nothing, nothing)
        idle = np.zeros(stations, dtype=np.bool_)
        moving_gains(*rows, nowhere, idle, unit, nothing, 0.0, shares, self._found, self._gain)
        delay_moves(nobody, *rows, nowhere, nowhere, unit, nothing, curve, 0.0, 0.0, ROUNDS_MAX, load, shares)
        delay_returns(nobody, *rows, unit, nothing, curve, shares, 0.0, 0.0, load, shares)
        shift_load(nobody, *rows, unit, nothing, shares, shares, load)

    @property
    def is_away(self) -> NDArray[np.bool_]:
        """Which pairs are not on the planned ways, (D,)."""
        return self._off

    def set_home(self, weights: NDArray[np.integer]) -> None:
        """Let this be planned from now on, (P,); pairs that are on the planned ways stay on them."""
        home = weights.astype(np.int32)
        at_home = ~self._off[self._paths.path_pair]
        self.weights = np.where(at_home, home, self.weights).astype(np.int32)
        self.home = home
        self._shares = None
        self._note_off()

    def unit_load(self, situation: Situation) -> NDArray[np.float64]:
        """Utilisation of each station by one exchange, and one byte, a second, (2, S), as things are."""
        network = self._network
        own = network.station_servers
        result = self._unit * (own / (own + situation.borrowed))
        result[:, network.line_station] /= np.maximum(situation.available, AVAILABLE_MIN)
        return np.asarray(result)

    def flows(self, demand: NDArray[np.float64]) -> NDArray[np.float64]:
        """What of a demand (2, D), exchanges and bytes, passes each station on the ways in force, (2, S)."""
        flow = np.empty((self._network.station_count, len(demand)))
        station_flows(self._paths.pair_start, self._path_start, self._path_station, demand, self.shares, flow)
        return np.asarray(flow.T)

    def _both_flows(
        self, demand: NDArray[np.float64], part: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Flows of a demand and of a part of it at once, (2, S) each: paths are read from memory once."""
        flow = np.empty((self._network.station_count, 4))
        two_flows(self._paths.pair_start, self._path_start, self._path_station, demand, part, self.shares, flow)
        return np.asarray(flow.T[:2]), np.asarray(flow.T[2:])

    @property
    def shares(self) -> NDArray[np.float64]:
        """Shares (P,) in force."""
        if self._shares is None:
            self._shares = self.weights / float(WEIGHT_TOTAL)
        return self._shares

    def step(self, now_ns: int, situation: Situation, *, leave: bool = True) -> Rerouted:
        """Do a control step.

        Parameters
        ----------
        now_ns : int
        situation : Situation
        leave : bool
            Whether pairs may leave the planned ways for better ones; from stations that are down they go in any case.
        """
        paths, setting = self._paths, self._setting
        unit_load = self.unit_load(situation)
        cost = self._cost.at(np.clip(situation.available, AVAILABLE_MIN, 1.0))
        curve = np.stack((cost.linear, cost.queue, cost.power, cost.bend))
        before = self.shares
        shares = before.copy()
        if situation.part is None:
            flows, flows_of_part = self.flows(situation.demand), np.zeros_like(unit_load)
        else:
            flows, flows_of_part = self._both_flows(situation.demand, situation.part)
        load = (unit_load * flows).sum(axis=0) + situation.backlog
        part = (unit_load * flows_of_part).sum(axis=0)
        value, slope, _ = cost.terms(load)
        up = situation.up
        peak_before, delay_before = float(load[up].max(initial=0.0)), float(value.sum())
        whole = self._open_paths(up)
        resting = self._lost_ns > now_ns - setting.settle_ns

        left = 0
        listed = self._with_cause(load, shares, whole, unit_load * slope, situation.demand, leave=leave)
        if len(listed):
            # A way that rests may be taken where nothing else is left: down is worse than to and fro.
            free = whole & ~resting
            none_free = np.bincount(paths.path_pair[free], minlength=paths.pair_count) == 0
            gaining = free | (whole & none_free[paths.path_pair])
            left = delay_moves(
                listed, paths.pair_start, self._path_start, self._path_station, whole, gaining, unit_load,
                situation.demand, curve, setting.gain_min, setting.step_max if leave else 0.0, ROUNDS_MAX, load, shares,
            )  # fmt: skip
        returned = 0
        listed = self._without_cause(whole, resting, listed)
        # There is no hurry, and every change costs: all go home together, now and then.
        if len(listed) and now_ns - self._returned_ns >= setting.settle_ns:
            self._returned_ns = now_ns
            home = self.home / float(WEIGHT_TOTAL)
            calm = CALM_PART * setting.busy if leave else np.inf
            returned = delay_returns(
                listed, paths.pair_start, self._path_start, self._path_station, unit_load, situation.demand, curve,
                home, calm, setting.return_step, load, shares,
            )  # fmt: skip
        # What was taken away again and again may be less than nothing in the last digit.
        np.maximum(load, 0.0, out=load)
        pairs = self._take(now_ns, before, shares, whole)
        if situation.part is not None and len(pairs):
            shift_load(
                pairs, paths.pair_start, self._path_start, self._path_station, unit_load, situation.part,
                before, self.shares, part,
            )  # fmt: skip
            np.maximum(part, 0.0, out=part)
        size = situation.demand[1][paths.path_pair]
        total = float(situation.demand[1].sum())
        churn = float((np.abs(self.shares - before) * size).sum()) / 2 / total if total > 0 else 0.0
        return Rerouted(
            pairs=pairs,
            left=left,
            returned=returned,
            churn=churn,
            peak_before=peak_before,
            peak=float(load[up].max(initial=0.0)),
            delay_before_s=delay_before,
            delay_s=float(cost.value(load).sum()),
            load=load,
            part=part,
        )

    def choice_weights(self, pair: int) -> tuple[int, ...]:
        """Weights of a pair's ways, in the order of its paths."""
        return tuple(self.weights[self._paths.pair_start[pair] : self._paths.pair_start[pair + 1]].tolist())

    def _open_paths(self, up: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which paths pass no station that is down, (P,); all of a pair's where none does."""
        if up.all():
            return np.ones(self._paths.path_count, dtype=np.bool_)
        path = np.repeat(np.arange(self._paths.path_count), np.diff(self._paths.path_start))
        down = np.bincount(path, ~up[self._paths.path_station], self._paths.path_count) > 0
        closed = np.bincount(self._paths.path_pair[~down], minlength=self._paths.pair_count) == 0
        return np.asarray(~down | closed[self._paths.path_pair])

    def _with_cause(
        self,
        load: NDArray[np.float64],
        shares: NDArray[np.float64],
        whole: NDArray[np.bool_],
        price: NDArray[np.float64],
        demand: NDArray[np.float64],
        *,
        leave: bool,
    ) -> NDArray[np.int64]:
        """Pairs that use a way over a busy station, or one that is down; those that gain most come first."""
        paths, setting = self._paths, self._setting
        used = shares > 0
        lost = np.unique(paths.path_pair[used & ~whole]).astype(np.int64)
        busy = load > setting.busy
        if not leave or not busy.any():
            return lost
        count = moving_gains(
            paths.pair_start, self._path_start, self._path_station, whole, busy, price, demand, setting.gain_min,
            shares, self._found, self._gain,
        )  # fmt: skip
        order = self._found[:count][np.argsort(-self._gain[:count], kind="stable")][: setting.pairs_max]
        return np.concatenate((lost, order[~np.isin(order, lost)])).astype(np.int64)

    def _without_cause(
        self, whole: NDArray[np.bool_], resting: NDArray[np.bool_], moved: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Pairs away from home that may go there: its ways are open and at rest no more."""
        paths = self._paths
        away = self._off.copy()
        away[moved] = False
        if not away.any():
            return np.empty(0, dtype=np.int64)
        gains = self.home > self.weights
        barred = gains & (resting | ~whole) | (~whole & (self.home > 0))
        away[paths.path_pair[barred]] = False
        return np.flatnonzero(away).astype(np.int64)

    def _take(
        self, now_ns: int, before: NDArray[np.float64], shares: NDArray[np.float64], whole: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Let the new shares be in force, as whole weights; return the pairs that changed."""
        paths = self._paths
        differ = np.flatnonzero(shares != before)
        if not len(differ):
            return np.empty(0, dtype=np.int64)
        pairs = np.unique(paths.path_pair[differ]).astype(np.int64)
        weights = self.weights.copy()
        counts = np.diff(paths.pair_start)[pairs]
        starts = np.concatenate(([0], np.cumsum(counts)))
        rows = np.arange(starts[-1]) + np.repeat(paths.pair_start[pairs] - starts[:-1], counts)
        clean = np.maximum(shares[rows], 0.0)
        sums = np.add.reduceat(clean, starts[:-1])
        weights[rows] = whole_weights(clean / np.repeat(sums, counts), starts, WEIGHT_TOTAL)
        # The last few thousandths of the way home are not worth a step each.
        near = (np.abs(weights - self.home) <= HOME_NEAR) & (whole | (self.home == 0))
        close = np.bincount(paths.path_pair[rows], ~near[rows], paths.pair_count) == 0
        snap = rows[close[paths.path_pair[rows]]]
        weights[snap] = self.home[snap]
        self._lost_ns[weights < self.weights] = now_ns
        changed = np.unique(paths.path_pair[rows[weights[rows] != self.weights[rows]]]).astype(np.int64)
        self.weights, self._shares = weights, None
        self._note_off()
        return changed

    def _note_off(self) -> None:
        self._off = np.zeros(self._paths.pair_count, dtype=np.bool_)
        self._off[self._paths.path_pair[self.weights != self.home]] = True


HOME_NEAR: Final = WEIGHT_TOTAL // 50
