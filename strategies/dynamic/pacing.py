"""Bulk steps back: what can wait is sent through busy stations at the pace that they have left, and no faster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.exchanges import Exchanges
from router_core.network import Network
from router_core.paths.path_set import PathSet
from router_core.units import SECOND_NS
from strategies.brain import Handled
from strategies.classes.class_model import PolicyTemplate
from strategies.dynamic.setting import DynamicSetting
from strategies.static.task_rules import Classifier, TaskRules, longest_hold_ns

# A way that takes less of a pair than this does not decide how long the pair's bulk waits.
SHARE_MIN: Final = 0.05
# Holds shorter than this are not worth the trouble.
HOLD_MIN_S: Final = 5.0
# So much may wait in the network by itself.
BACKLOG_S: Final = 20.0


class Pacing:
    """Keeps, for every station, the bulk that it would take now but is to take later: a virtual queue.

    In each step a busy station's queue grows by what bulk asks of it and sinks by what it has to spare below the
    target; who comes now is held until those before it would be done. So front-ends keep what the network could not
    carry, urgent exchanges find it free, and nothing is let loose at once when a surge is over.

    Parameters
    ----------
    network : Network
    paths : PathSet
    policies : sequence of PolicyTemplate, length C
    setting : DynamicSetting
    """

    def __init__(
        self, network: Network, paths: PathSet, policies: Sequence[PolicyTemplate], setting: DynamicSetting
    ) -> None:
        self._network = network
        self._paths = paths
        self._setting = setting
        self.deferrable: NDArray[np.bool_] = np.array([one.deferrable for one in policies], dtype=np.bool_)
        self._hold_max_ns = np.array([one.hold_max_ns for one in policies], dtype=np.int64)
        self._queue_s = np.zeros(network.station_count)
        # The paths that pass each station.
        path = np.repeat(np.arange(paths.path_count), np.diff(paths.path_start))
        self._path = path[np.argsort(paths.path_station, kind="stable")]
        visits = np.bincount(paths.path_station, minlength=network.station_count)
        self._first = np.concatenate(([0], np.cumsum(visits)))
        self.hold_s: NDArray[np.float64] = np.zeros(network.station_count)

    def step(
        self, passed_s: float, bulk: NDArray[np.float64], rest: NDArray[np.float64], backlog_s: NDArray[np.float64]
    ) -> None:
        """Let time pass.

        Parameters
        ----------
        passed_s : float
            Since the last step [s].
        bulk, rest : float64 (S,)
            Utilisation that deferrable classes, and all others, ask of each station now, nothing held.
        backlog_s : float64 (S,)
            Time that it would take each station to work off what waits there [s].
        """
        setting = self._setting
        spare = np.maximum(setting.pace_target - rest, setting.pace_min)
        self._queue_s = np.maximum(self._queue_s + (bulk - spare) * passed_s, 0.0)
        # A short queue in the network itself is no reason to hold anything.
        behind = self._queue_s + np.maximum(backlog_s - BACKLOG_S, 0.0)
        hold_s = behind / spare
        self.hold_s = np.where(hold_s >= HOLD_MIN_S, hold_s, 0.0)

    def pair_hold_ns(self, shares: NDArray[np.float64]) -> NDArray[np.int64]:
        """How long bulk of each pair of groups is to wait, (pairs,), by the ways that it uses, shares (P,) [ns]."""
        paths = self._paths
        result = np.zeros(paths.pair_count, dtype=np.int64)
        for station in np.flatnonzero(self.hold_s).tolist():
            through = self._path[self._first[station] : self._first[station + 1]]
            pairs = paths.path_pair[through[shares[through] >= SHARE_MIN]]
            hold_ns = round(self.hold_s[station] * SECOND_NS)
            result[pairs] = np.maximum(result[pairs], hold_ns)
        return result

    def rules(self, base: TaskRules | None, classes: Classifier, shares: NDArray[np.float64]) -> PacedRules | None:
        """Return how front-ends treat tasks until the next step, None if nothing is held beyond what the plan says."""
        pair_hold_ns = self.pair_hold_ns(shares)
        if not pair_hold_ns.any():
            return None
        groups = len(self._network.groups)
        by_groups = np.zeros((groups, groups), dtype=np.int64)
        by_groups[self._paths.source, self._paths.target] = pair_hold_ns
        return PacedRules(
            base,
            classes,
            by_groups,
            self._network.node_group,
            self._hold_max_ns,
            self.deferrable,
            self._setting.hold_of_lead,
        )


class PacedRules:
    """`Handling` by a plan's rules, with longer holds for bulk between some pairs of groups.

    Parameters
    ----------
    base : TaskRules or None
        None: nothing is held by plan, and tasks travel as they came.
    classes : Classifier
    pair_hold_ns : int64 (G, G)
    node_group : int32 (N,)
    hold_max_ns : int64 (C,)
    deferrable : bool (C,)
    hold_of_lead : float
    """

    def __init__(
        self,
        base: TaskRules | None,
        classes: Classifier,
        pair_hold_ns: NDArray[np.int64],
        node_group: NDArray[np.int32],
        hold_max_ns: NDArray[np.int64],
        deferrable: NDArray[np.bool_],
        hold_of_lead: float,
    ) -> None:
        self._base = base
        self._classes = classes
        self._pair_hold_ns = pair_hold_ns
        self._node_group = node_group
        self._hold_max_ns = hold_max_ns
        self._deferrable = deferrable
        self._hold_of_lead = hold_of_lead

    def handle(self, tasks: Exchanges, first_id: int) -> Handled:
        """Hold bulk for as long as its pair says, within what its deadline allows."""
        kind = self._classes.classify(tasks)
        if self._base is None:
            handled = Handled(np.zeros(len(tasks), dtype=np.int64), tasks.priority)
        else:
            handled = self._base.handle_classes(tasks, first_id, kind)
        hold_ns = self._pair_hold_ns[self._node_group[tasks.source], self._node_group[tasks.target]]
        waits = np.flatnonzero(self._deferrable[kind] & (hold_ns > handled.hold_ns))
        if not len(waits):
            return handled
        result = handled.hold_ns.copy()
        limit_ns = np.minimum(longest_hold_ns(tasks[waits], self._hold_of_lead), self._hold_max_ns[kind[waits]])
        result[waits] = np.maximum(result[waits], np.minimum(hold_ns[waits], limit_ns))
        return Handled(result, handled.priority)
