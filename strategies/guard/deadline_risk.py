"""How long exchanges take as things are: mean and pessimistic, for every class and pair of groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.link_state import LinkState
from router_core.network import Network
from router_core.paths.path_set import PathSet
from router_core.transport import WHOLE
from router_core.vocabulary import Discipline
from strategies.guard.alert_kernels import live_paths, pair_delays, slowest_stations, with_ends
from strategies.guard.group_ends import GroupEnds

# Where more stations than this share have changed, almost all pairs have: looking for them costs more than they do.
MANY: Final = 0.05


@dataclass(frozen=True)
class RiskSetting:
    """How delays are reckoned.

    Attributes
    ----------
    usual_bytes : float
        The chunk of usual size whose stays a `LinkState` tells [B], > 0.
    chunk_bytes : int
        As in `Transport`.
    deviations : float
        A pessimistic delay is the mean and so many standard deviations of the waits, >= 0.
    least_share : float
        A way with a smaller share of its pair says nothing of the pair, in 0..1.
    busy : float
        A station above this utilisation cannot keep up: its queue goes on growing as it does, in (0, 1].
    room_least : float
        No station is taken to leave less than this to a transfer, in (0, 1].
    change_share, change_ns : float
        What a station takes counts as changed from this share of it on, and a wait from so much on as well [ns], >= 0.
    """

    usual_bytes: float = 1e6
    chunk_bytes: int = WHOLE
    deviations: float = 2.0
    least_share: float = 0.05
    busy: float = 0.95
    room_least: float = 0.02
    change_share: float = 0.05
    change_ns: float = 1e6

    def __post_init__(self) -> None:
        tiny = 1e-9
        for name, low, high in (
            ("usual_bytes", tiny, 1e15),
            ("chunk_bytes", 0, 2**62),
            ("deviations", 0, 1e3),
            ("least_share", 0, 1),
            ("busy", tiny, 1),
            ("room_least", tiny, 1),
            ("change_share", 0, 1),
            ("change_ns", 0, 1e18),
        ):
            if not low <= getattr(self, name) <= high:
                raise BadInputError(f"alerts.{name}", f"must lie in {low}..{high}", getattr(self, name))


@dataclass(frozen=True, eq=False)
class Delays:
    """What exchanges take over D pairs, holds not counted.

    Attributes
    ----------
    figures : float64 (4, D)
        Mean delay, and pessimistic one, without what bytes take [ns]; what a byte takes at all stations, and at the
        slowest one alone [ns]. All 0 for a pair without a live way.
    worst_path : int64 (D,)
        The way with the greatest pessimistic delay; -1 for a pair without a live way.
    """

    figures: NDArray[np.float64]
    worst_path: NDArray[np.int64]

    @property
    def routed(self) -> NDArray[np.bool_]:
        """Whether a way of the pair is live, (D,)."""
        return self.worst_path >= 0

    def of_payload(
        self, payload_bytes: int, chunk_bytes: int = WHOLE
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and pessimistic delays of exchanges of this size, moved in chunks as `Transport` says, (D,)."""
        chunk = payload_bytes if chunk_bytes == WHOLE else min(payload_bytes, chunk_bytes)
        mean, high, byte_sum, byte_most = self.figures
        carried = byte_sum * chunk + byte_most * (payload_bytes - chunk)
        return mean + carried, high + carried


class DeadlineRisk:
    """Predicts delays from what is known of stations and the routes in force.

    The wait at a station is what its stay exceeds the free passage of a usual chunk by. Waits are taken for independent
    and, as in M/M/1, as spread as they are long; what is known badly is taken for wider still. Where a station is
    busier than it can keep up with and its queue has grown since the last step, the wait grows on at that pace for as
    long as the observation is old and a step takes. A payload adds its bytes at every station up to the size of a
    chunk, and beyond at the slowest one alone, as chunks follow one another. From endpoint to home, and back, a group
    goes by its slowest endpoint.

    A pair is reckoned anew where its weights, who is up, or the figures of a station on its ways have changed by more
    than the setting lets pass.

    Parameters
    ----------
    network : Network
    paths : PathSet
        Of ``space_of_network(network)``.
    setting : RiskSetting, optional
    asked : bool (D,), optional
        Pairs whose delays are asked for; all if not given. Of the others only `Delays.routed` is kept up.
    """

    def __init__(
        self,
        network: Network,
        paths: PathSet,
        setting: RiskSetting | None = None,
        asked: NDArray[np.bool_] | None = None,
    ) -> None:
        self._network = network
        self._paths = paths
        self._setting = setting or RiskSetting()
        self._free_ns = (network.station_fixed_ns + network.station_after_ns).astype(np.float64)
        self._byte_ns = network.station_ps_per_byte / 1_000.0
        self._shares = network.station_discipline == Discipline.SHARING
        self._is_line = np.zeros(network.station_count, dtype=np.bool_)
        self._is_line[network.line_station] = True
        self._out, self._back = GroupEnds(network, outward=True), GroupEnds(network, outward=False)
        access = np.array(list(network.access_station.values()), dtype=np.int64)
        # An access line on a path stands for those of all endpoints of its group: one that stops is one endpoint's.
        self._always = np.zeros(network.station_count, dtype=np.bool_)
        self._always[access] = True
        self._up: NDArray[np.bool_] | None = None
        self._live = np.ones(paths.path_count, dtype=np.bool_)
        self._used = np.zeros((network.station_count, 4))
        self._weights = np.zeros(paths.path_count, dtype=np.int32)
        self._waiting: tuple[int, NDArray[np.int64]] | None = None
        self._station_start, self._pair_of = paths.pairs_of_stations
        self._asked = np.ones(paths.pair_count, dtype=np.bool_) if asked is None else asked
        self._pairs = np.zeros((paths.pair_count, 4))
        self._worst = np.full(paths.pair_count, -1, dtype=np.int64)
        self._wait_ns = np.zeros(network.station_count)

    def delays(
        self,
        state: LinkState,
        weights: NDArray[np.int32],
        waiting: NDArray[np.int64] | None = None,
        available: NDArray[np.float64] | None = None,
    ) -> Delays:
        """Return what exchanges take now.

        Parameters
        ----------
        state : LinkState
            Of all stations; steps come in order of time.
        weights : int32 (P,)
            Of each path, as in force.
        waiting : int64 (S,), optional
            Who waits at each station, to see queues grow.
        available : float64 (L,), optional
            Share of each line that other users leave, in (0, 1]; all of it if not given.
        """
        setting, paths = self._setting, self._paths
        if weights.dtype != np.int32 or weights.shape != (paths.path_count,):
            rule = f"must be int32 of shape ({paths.path_count},)"
            raise BadInputError("alerts: weights", rule, f"{weights.dtype} {weights.shape}")
        figures = self._figures(state, waiting, available)
        changed = self._changed(figures, state.up, weights)
        pair_delays(
            changed,
            paths.pair_start,
            paths.path_start,
            paths.path_station,
            self._weights,
            self._live,
            self._used,
            setting.least_share,
            setting.deviations,
            self._pairs,
            self._worst,
        )
        out, back = self._out.worst(figures, setting.deviations), self._back.worst(figures, setting.deviations)
        result = np.empty((4, paths.pair_count))
        with_ends(self._pairs, self._worst, paths.source, paths.target, out, back, result)
        return Delays(result, self._worst.copy())

    def _changed(
        self, figures: NDArray[np.float64], up: NDArray[np.bool_], weights: NDArray[np.int32]
    ) -> NDArray[np.int64]:
        """Take over what has changed by enough, and return the pairs that it concerns."""
        setting, paths = self._setting, self._paths
        if self._up is None:
            everything = np.arange(paths.pair_count, dtype=np.int64)
            self._up, self._used, self._weights = up.copy(), figures, weights.copy()
            live_paths(paths.path_start, paths.path_station, self._up | self._always, self._live)
            return everything
        concerned = np.zeros(paths.pair_count, dtype=np.bool_)
        rerouted = concerned.copy()
        if not np.array_equal(up, self._up):
            self._up, before = up.copy(), self._live.copy()
            live_paths(paths.path_start, paths.path_station, self._up | self._always, self._live)
            rerouted[paths.path_pair[self._live != before]] = True
        other = weights != self._weights
        if other.any():
            concerned[paths.path_pair[other]] = True
            self._weights = weights.copy()
        least = np.array([setting.change_ns, setting.change_ns, setting.change_ns, 0.0])
        moved = (np.abs(figures - self._used) > np.maximum(setting.change_share * self._used, least)).any(axis=1)
        self._used[moved] = figures[moved]
        found = np.flatnonzero(moved).tolist()
        if len(found) > MANY * len(moved):
            return np.flatnonzero(self._asked | rerouted)
        for station in found:
            concerned[self._pair_of[self._station_start[station] : self._station_start[station + 1]]] = True
        return np.flatnonzero(concerned & self._asked | rerouted)

    def bottlenecks(self, pairs: NDArray[np.integer]) -> NDArray[np.int32]:
        """Return the station where the exchanges of each of these pairs wait longest, by the last `delays`, (n,).

        -1 for a pair without a live way.
        """
        paths, wait = self._paths, self._wait_ns
        worst = self._worst[pairs]
        found = np.full(len(pairs), -1, dtype=np.int32)
        on = np.flatnonzero(worst >= 0)
        station = np.empty(len(on), dtype=np.int32)
        slowest_stations(worst[on], paths.path_start, paths.path_station, wait, station)
        found[on] = station
        for ends, end in ((self._out, paths.source), (self._back, paths.target)):
            at = ends.slowest(wait)[end[pairs[on]]]
            longer = (found[on] < 0) | (wait[at] > wait[np.maximum(found[on], 0)])
            found[on] = np.where(longer, at, found[on])
        return found

    def _figures(
        self, state: LinkState, waiting: NDArray[np.int64] | None, available: NDArray[np.float64] | None
    ) -> NDArray[np.float64]:
        """What each station takes: fixed, wait, deviation of the wait, a byte; (S, 4) [ns]."""
        setting = self._setting
        room = np.where(self._shares, 1.0 - state.utilisation, 1.0)
        if available is not None:
            line = self._network.line_station
            room[line] = np.where(self._shares[line], room[line], available)
        byte_ns = self._byte_ns / np.maximum(room, setting.room_least)
        wait = np.maximum(state.stay_ns - self._free_ns - byte_ns * setting.usual_bytes, 0.0)
        wait *= self._growth(state, waiting)
        self._wait_ns = wait
        figures = np.empty((len(wait), 4))
        figures[:, 0] = self._free_ns
        figures[:, 1] = wait
        figures[:, 2] = wait * (2.0 - state.confidence)
        figures[:, 3] = byte_ns
        return figures

    def _growth(self, state: LinkState, waiting: NDArray[np.int64] | None) -> NDArray[np.float64]:
        """By how much each wait will have grown when an exchange of now meets it, >= 1."""
        last, self._waiting = self._waiting, None if waiting is None else (state.now_ns, waiting.copy())
        if last is None or waiting is None or state.now_ns <= last[0]:
            return np.ones(len(state.stay_ns))
        step_ns = state.now_ns - last[0]
        grown = np.where(state.utilisation >= self._setting.busy, np.maximum(waiting - last[1], 0), 0)
        ahead = 1.0 + np.maximum(state.age_ns, 0) / step_ns
        return np.asarray(1.0 + grown / np.maximum(waiting, 1) * ahead)
