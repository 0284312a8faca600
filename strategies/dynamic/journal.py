"""The log of a dynamic brain: every action with its reason and its cost, in the words of `strategies.decision`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.lending import Lending
from router_core.network import Network
from router_core.units import SECOND_NS
from strategies.brain import Command, LogDecision
from strategies.decision import Decision, DecisionKind, Reason
from strategies.surges.surge import Surge

# Names in an entry; more than a reader takes in are left out.
NAMES_MAX: Final = 6
# A hold is told anew when the longest one has grown, or fallen, by this factor.
HOLD_FACTOR: Final = 1.5


class Journal:
    """Turns what is done into decisions, and keeps what was told last where only a change is worth an entry.

    Parameters
    ----------
    network : Network
    lending : Lending
    cool_down_ns : int
        Servers that are borrowed are kept at least so long [ns]: what they cost.
    """

    def __init__(self, network: Network, lending: Lending, cool_down_ns: int) -> None:
        self._network = network
        self._lending = lending
        self._cool_down_s = cool_down_ns / SECOND_NS
        self._held_s = 0.0

    def surges(self, now_ns: int, found: Iterable[Surge], over: Iterable[Surge]) -> list[Decision]:
        """Surges that were found, and that ended."""
        decisions = []
        for kind, reason, surges in (
            (DecisionKind.SURGE_FOUND, Reason.ABOVE_FORECAST, found),
            (DecisionKind.SURGE_OVER, Reason.AS_FORECAST, over),
        ):
            for surge in surges:
                figures = {
                    "factor": surge.factor,
                    "rate": surge.rate,
                    "expected_rate": surge.expected_rate,
                    "score": surge.score,
                    "onset_s": (now_ns - surge.onset_ns) / SECOND_NS,
                }
                decisions.append(Decision(now_ns, surge.found_ns, kind, reason, surge.names[:NAMES_MAX], figures))
        return decisions

    def servers(
        self,
        now_ns: int,
        observed_ns: int,
        before: NDArray[np.int32],
        after: NDArray[np.int32],
        planned: NDArray[np.int32],
        load: NDArray[np.float64],
        left: NDArray[np.int64],
        *,
        surging: bool,
    ) -> list[Decision]:
        """Servers that nodes, rows of the lending, get and give back, pool by pool; those by plan apart."""
        decisions = []
        change = after.astype(np.int64) - before
        by_plan = after == planned
        for kind, way in ((DecisionKind.SERVERS_RETURNED, change < 0), (DecisionKind.SERVERS_BORROWED, change > 0)):
            for plan in (True, False):
                rows = np.flatnonzero(way & (by_plan == plan))
                for pool in np.unique(self._lending.pool[rows]).tolist():
                    part = rows[self._lending.pool[rows] == pool]
                    part = part[np.argsort(-np.abs(change[part]), kind="stable")]
                    used = load[self._lending.station[part]]
                    count = float(np.abs(change[part]).sum())
                    gets = kind is DecisionKind.SERVERS_BORROWED
                    reason = Reason.SLOT_BEGAN
                    if not plan:
                        reason = (Reason.SURGE if surging else Reason.STATION_BUSY) if gets else Reason.STATION_IDLE
                    figures = {
                        "servers": count,
                        "utilisation": float(used.max()),
                        "pool_left": float(left[pool]),
                    }
                    if gets:
                        figures["server_s"] = count * self._cool_down_s
                    names = tuple(self._network.node_name[node] for node in self._lending.node[part[:NAMES_MAX]])
                    decisions.append(Decision(now_ns, observed_ns, kind, reason, names, figures))
        return decisions

    def holds(
        self, now_ns: int, observed_ns: int, hold_s: NDArray[np.float64], bytes_per_s: float, *, surging: bool
    ) -> list[Decision]:
        """Bulk that waits for stations, by the longest hold (S,) [s] and the bytes a second that it strikes."""
        longest = float(hold_s.max(initial=0.0))
        before, self._held_s = self._held_s, longest
        if longest == 0.0:
            if before == 0.0:
                return []
            reason = Reason.STATION_IDLE
            return [Decision(now_ns, observed_ns, DecisionKind.BULK_RELEASED, reason, (), {"hold_s": 0.0})]
        if before > 0.0 and 1 / HOLD_FACTOR < longest / before < HOLD_FACTOR:
            self._held_s = before
            return []
        order = np.argsort(-hold_s, kind="stable")[:NAMES_MAX]
        names = tuple(self._network.station_name[station] for station in order if hold_s[station] > 0)
        figures = {"hold_s": longest, "stations": float((hold_s > 0).sum()), "bytes_per_s": bytes_per_s}
        reason = Reason.SURGE if surging else Reason.STATION_BUSY
        return [Decision(now_ns, observed_ns, DecisionKind.BULK_HELD, reason, names, figures)]

    def stations(self, now_ns: int, observed_ns: int, station: NDArray[np.int32], *, up: bool) -> list[Decision]:
        """Stations that stopped, or returned."""
        if not len(station):
            return []
        kind, reason = (
            (DecisionKind.STATIONS_BACK, Reason.STATIONS_UP)
            if up
            else (DecisionKind.STATIONS_LOST, Reason.STATIONS_DOWN)
        )
        names = tuple(self._network.station_name[one] for one in station[:NAMES_MAX].tolist())
        return [Decision(now_ns, observed_ns, kind, reason, names, {"stations": float(len(station))})]


def logged(decisions: Iterable[Decision]) -> list[Command]:
    """Return the commands that put decisions into the log."""
    return [LogDecision(decision) for decision in decisions]
