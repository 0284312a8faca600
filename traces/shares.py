"""Which share of a type's day each flow has in each hour: the one place where flows meet tides and timetables."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from router_core.demand_model import DemandType
from router_core.vocabulary import TaskKind
from traces.flows import Flows
from traces.tides import HOURS, hour_weights
from traces.timetable import runs_in_hour


class HourShares:
    """Shares of the mean number of exchanges, by type, hour and flow.

    A flow of an on-demand type follows the tide of its type. A synchronisation task has exchanges only in hours in
    which it runs, and a run weighs what its hour weighs; over a day both sum to the flow's weight.

    Parameters
    ----------
    types : tuple of DemandType
    flows : Flows
    """

    def __init__(self, types: tuple[DemandType, ...], flows: Flows) -> None:
        self.types = types
        self.flows = flows
        self._hours = {working: np.stack([hour_weights(kind, working) for kind in types]) for working in (True, False)}
        self._run_share: dict[tuple[int, bool], NDArray[np.float64]] = {}

    def phase_ns(self, kind: int, working: bool) -> NDArray[np.int64]:
        """Phases of the tasks of type `kind` on such a day [ns]."""
        flows = self.flows
        return (flows.phase_ns if working else flows.off_phase_ns)[flows.rows(kind)]

    def of(self, kind: int, hour: int, working: bool) -> NDArray[np.float64]:
        """Share of the type's day that each of its flows has in an hour; over flows and hours it sums to 1."""
        level = self._hours[working][kind, hour]
        if self.types[kind].kind == TaskKind.EXCHANGE:
            return np.asarray(self.flows.weight[self.flows.rows(kind)] * level)
        count = runs_in_hour(self.phase_ns(kind, working), self.types[kind].period_ns, hour)[1]
        return np.asarray(self._share_of_a_run(kind, working) * (count * level))

    def _share_of_a_run(self, kind: int, working: bool) -> NDArray[np.float64]:
        """Flow's weight over the weights of all hours in which it runs, each run counted."""
        if (kind, working) not in self._run_share:
            phase, period = self.phase_ns(kind, working), self.types[kind].period_ns
            hours = self._hours[working][kind]
            total = sum(runs_in_hour(phase, period, hour)[1] * hours[hour] for hour in range(HOURS))
            self._run_share[kind, working] = np.asarray(self.flows.weight[self.flows.rows(kind)] / total)
        return self._run_share[kind, working]
