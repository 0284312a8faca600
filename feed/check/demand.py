"""What front-ends send under a policy's release plan, and what that asks of stations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from feed.bundle.documents import ReleaseDocument
from feed.bundle.parsed import weights_at
from feed.check.loads import Loads
from feed.check.policy_table import PolicyTable
from router_core.network import Network
from router_core.slot_clock import SlotClock
from router_core.units import HOUR_NS, SECOND_NS

HOUR_S = HOUR_NS / SECOND_NS


class Sent:
    """What is released in each hour of what is submitted, evenly within hours.

    Parameters
    ----------
    loads : Loads
    release : ReleaseDocument
        Its slots are found by the clock, as front-ends do.

    Attributes
    ----------
    slot_of : int64 (T,)
        Slot of the policy that holds in each hour.
    """

    def __init__(self, loads: Loads, release: ReleaseDocument) -> None:
        self._loads = loads
        clock = SlotClock(release.grid())
        hours = loads.grid.count
        self.slot_of: NDArray[np.int64] = np.array(
            [clock.slot_at(loads.grid.at(hour)) for hour in range(hours)], dtype=np.int64
        )
        longest = max(lag for lag in release.lag_ns)
        back = min(int(longest // HOUR_NS) + 2, max(hours, 1))
        # Of what is submitted in an hour, the share that is released so many hours later, class by class.
        self._share = np.zeros((hours, back, max(loads.series.class_count, len(release.hold))))
        for kind, runs in enumerate(release.hold):
            for slot in np.unique(self.slot_of).tolist():
                row = np.zeros(back)
                for lag, weight in zip(release.lag_ns, weights_at(runs, slot), strict=True):
                    whole, rest = divmod(lag, HOUR_NS)
                    for later, part in ((whole, 1 - rest / HOUR_NS), (whole + 1, rest / HOUR_NS)):
                        # What would come later than any hour reckoned with counts in the last of them.
                        row[min(later, back - 1)] += weight / release.hold_total * part
                self._share[self.slot_of == slot, :, kind] = row
        self._back = int(np.flatnonzero(self._share.any(axis=(0, 2))).max(initial=0)) + 1

    def mean(self) -> NDArray[np.float64]:
        """Expected exchanges an hour of each series in every hour, (T, D)."""
        loads = self._loads
        kind = loads.series.demand_class
        result = np.zeros_like(loads.mean)
        for later in range(self._back):
            used = np.asarray(self._share[:, later].any(axis=0))
            waits = np.flatnonzero(used[kind])
            part = loads.mean[:, waits] * self._share[:, later][:, kind[waits]]
            result[later:, waits] += part[: len(part) - later]
        return result

    def courses(self, hour: int) -> NDArray[np.float64]:
        """Exchanges an hour of each series in one hour, in every course, (M, D)."""
        loads = self._loads
        kind = loads.series.demand_class
        first = max(hour - self._back + 1, 0)
        drawn = loads.courses(first, hour + 1)
        result = np.zeros((len(drawn), len(kind)))
        for at in range(first, hour + 1):
            result += drawn[:, at - first] * self._share[at, hour - at][kind]
        return result


@dataclass(frozen=True, eq=False)
class EndLoads:
    """Exchanges and bytes a second at the E endpoints, in Q columns, float64 (2, E, Q)."""

    sent: NDArray[np.float64]
    received: NDArray[np.float64]


class Demand:
    """Gathers the demand of series by pairs of a policy, and by endpoints.

    Parameters
    ----------
    network : Network
    table : PolicyTable
    loads : Loads
    """

    def __init__(self, network: Network, table: PolicyTable, loads: Loads) -> None:
        series = self._series = loads.series
        self._network = network
        groups, count = len(network.groups), len(series)
        place = np.full((groups, groups), -1, dtype=np.int64)
        place[table.source, table.target] = np.arange(table.pair_count)
        self.pair: NDArray[np.int64] = place[series.source_group, series.target_group]
        routed = np.flatnonzero(self.pair >= 0)
        self._by_pair = sparse.csr_array(
            (np.ones(len(routed)), (self.pair[routed], routed)), shape=(table.pair_count, count)
        )
        self.unrouted = int(count - len(routed))
        ones = np.ones(count)
        self._by_group = [
            sparse.csr_array(
                (ones, (group.astype(np.int64) * series.class_count + series.demand_class, np.arange(count))),
                shape=(groups * series.class_count, count),
            )
            for group in (series.source_group, series.target_group)
        ]

    def of_pairs(self, hourly: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn exchanges an hour (Q, D) into those a second of each pair, then bytes a second, (pairs, 2 Q)."""
        rate = np.ascontiguousarray(hourly.T) / HOUR_S
        amounts = (rate, rate * self._series.mean_bytes[:, None])
        parts = [np.asarray(self._by_pair @ amount) for amount in amounts]
        return np.ascontiguousarray(np.concatenate(parts, axis=1))

    def of_ends(self, hourly: NDArray[np.float64], part: Sequence[NDArray[np.float64]] | None = None) -> EndLoads:
        """Return what each endpoint sends and receives of exchanges an hour (Q, D).

        Parameters
        ----------
        hourly : float64 (Q, D)
        part : pair of float64 (D,), optional
            Only so much of each series, of what is sent and of what is received.
        """
        network, series = self._network, self._series
        ends = network.endpoints
        rate = np.ascontiguousarray(hourly.T) / HOUR_S
        found = []
        for way, (gather, share) in enumerate(zip(self._by_group, (series.sent, series.received), strict=True)):
            own = rate if part is None else rate * part[way][:, None]
            both = []
            for amount in (own, own * series.mean_bytes[:, None]):
                whole = np.asarray(gather @ amount).reshape(len(network.groups), series.class_count, -1)
                both.append(np.einsum("ec,ecq->eq", share[ends], whole[network.node_group[ends]]))
            found.append(np.stack(both))
        return EndLoads(*found)
