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
from strategies.dynamic.hold_kernels import longest_holds
from strategies.dynamic.setting import DynamicSetting
from strategies.static.task_rules import Classifier, TaskRules, longest_hold_ns

# A way that takes less of a pair than this does not decide how long the pair's bulk waits.
SHARE_MIN: Final = 0.05
# Holds shorter than this are not worth the trouble.
HOLD_MIN_S: Final = 5.0
# So much may wait in the network by itself.
BACKLOG_S: Final = 20.0
# Whoever is late anyway waits no longer than this.
# A queue is reckoned with what is to spare now, and often sinks sooner: only beyond so many times what a task may wait
# it counts as late.
HOPELESS: Final = 3.0
LAST_MAX_S: Final = 6 * 3_600.0


class Pacing:
    """Keeps, for every station, the bulk that it would take now but is to take later: a virtual queue.

    In each step a busy station's queue grows by what bulk asks of it and sinks by what it has to spare below the
    target; who comes now is held until those before it would be done. So front-ends keep what the network could not
    carry, urgent exchanges find it free, and nothing is let loose at once when a surge is over.

    Where the queue is longer than a task may be held before its deadline, the task would be late whatever is done. It
    is let go last, behind all that can still be in time: otherwise it would make them late too, one after the other.

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
        self._last_s = np.zeros(network.station_count)
        # Once a queue is that long, no class can be in time.
        self._hopeless_s = HOPELESS * float(self._hold_max_ns.max(initial=0, where=self.deferrable)) / SECOND_NS
        self.hold_s: NDArray[np.float64] = np.zeros(network.station_count)
        self.last_s: NDArray[np.float64] = np.zeros(network.station_count)

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
        hopeless = self.hold_s >= self._hopeless_s
        growth = (bulk - spare) * passed_s
        queue = self._queue_s + np.where(hopeless, -spare * passed_s, growth)
        # What is to spare beyond the queue is for those who are let go last.
        last = self._last_s + np.where(hopeless, bulk * passed_s, 0.0) + np.minimum(queue, 0.0)
        self._queue_s, self._last_s = np.maximum(queue, 0.0), np.maximum(last, 0.0)
        # A short queue in the network itself is no reason to hold anything.
        behind = self._queue_s + np.maximum(backlog_s - BACKLOG_S, 0.0)
        hold_s = behind / spare
        self.hold_s = np.where(hold_s >= HOLD_MIN_S, hold_s, 0.0)
        self.last_s = np.where(self.hold_s > 0, np.minimum((behind + self._last_s) / spare, LAST_MAX_S), 0.0)

    def forget(self) -> None:
        """Let go of all queues: what they were reckoned with is trusted no more."""
        for column in (self._queue_s, self._last_s, self.hold_s, self.last_s):
            column[:] = 0.0

    def pair_hold_ns(self, shares: NDArray[np.float64]) -> NDArray[np.int64]:
        """How long bulk of each pair of groups is to wait on the ways that it uses, shares (P,); (2, pairs) [ns].

        What can be in time, and what cannot.
        """
        paths = self._paths
        holds = np.rint(np.stack((self.hold_s, self.last_s), axis=1) * SECOND_NS).astype(np.int64)
        result = np.empty((paths.pair_count, 2), dtype=np.int64)
        start, station = paths.path_start.view(np.uint64), paths.path_station.view(np.uint32)
        longest_holds(paths.pair_start, start, station, shares, SHARE_MIN, holds, result)
        return result.T

    def rules(self, base: TaskRules | None, classes: Classifier, shares: NDArray[np.float64]) -> PacedRules | None:
        """Return how front-ends treat tasks until the next step, None if nothing is held beyond what the plan says."""
        if not self.hold_s.any():
            return None
        groups = len(self._network.groups)
        by_groups = np.zeros((2, groups, groups), dtype=np.int64)
        by_groups[:, self._paths.source, self._paths.target] = self.pair_hold_ns(shares)
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
    pair_hold_ns : int64 (2, G, G)
        Of tasks that can be in time, and of those that cannot.
    node_group : int32 (N,)
    hold_max_ns : int64 (C,)
    deferrable : bool (C,)
    hold_of_lead : float

    Attributes
    ----------
    base : TaskRules or None
    pair_hold_ns : int64 (2, G, G)
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
        self.base = base
        self._classes = classes
        self.pair_hold_ns = pair_hold_ns
        self._node_group = node_group
        self._hold_max_ns = hold_max_ns
        self._deferrable = deferrable
        self.hold_of_lead = hold_of_lead

    def over(self, base: TaskRules | None) -> PacedRules:
        """Return the same holds over a plan's rules of another slot."""
        return PacedRules(
            base,
            self._classes,
            self.pair_hold_ns,
            self._node_group,
            self._hold_max_ns,
            self._deferrable,
            self.hold_of_lead,
        )

    def handle(self, tasks: Exchanges, first_id: int) -> Handled:
        """Hold bulk for as long as its pair says, within what its deadline allows."""
        kind = self._classes.classify(tasks)
        if self.base is None:
            handled = Handled(np.zeros(len(tasks), dtype=np.int64), tasks.priority)
        else:
            handled = self.base.handle_classes(tasks, first_id, kind)
        ends = self._node_group[tasks.source], self._node_group[tasks.target]
        hold_ns = self.pair_hold_ns[0][ends]
        waits = np.flatnonzero(self._deferrable[kind] & (hold_ns > handled.hold_ns))
        if not len(waits):
            return handled
        limit_ns = np.minimum(longest_hold_ns(tasks[waits], self.hold_of_lead), self._hold_max_ns[kind[waits]])
        in_time = hold_ns[waits] <= HOPELESS * limit_ns
        last_ns = self.pair_hold_ns[1][ends][waits]
        result = handled.hold_ns.copy()
        held_ns = np.where(in_time, np.minimum(hold_ns[waits], limit_ns), np.maximum(last_ns, limit_ns))
        result[waits] = np.maximum(result[waits], held_ns)
        return Handled(result, handled.priority)
