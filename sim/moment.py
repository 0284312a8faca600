"""What can be seen of a running world at the border of a slot, small enough to be told to another process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.network import Network
from sim.data_plane import Snapshot
from sim.series import Steered
from strategies.decision import Decision

BUSIEST: Final = 5


@dataclass(frozen=True)
class Moment:
    """The world at one instant; what is said of a slot is of the one that ends.

    Attributes
    ----------
    now_ns : int
        The instant [ns].
    submitted, delivered : int
        Exchanges in the slot.
    in_flight, withheld : int
        Exchanges on their way, and held back by front-ends as the brain told them.
    busiest : tuple of (str, float)
        Names of the busiest stations, and the share of their servers' time that was taken in the slot; descending.
    down : int
        Stations that monitoring knows to be stopped.
    decisions : tuple of Decision
        What the brain logged in the slot.
    """

    now_ns: int
    submitted: int
    delivered: int
    in_flight: int
    withheld: int
    busiest: tuple[tuple[str, float], ...]
    down: int
    decisions: tuple[Decision, ...]


class Observer:
    """Makes a moment of what has changed since the last one.

    Parameters
    ----------
    network : Network
    """

    def __init__(self, network: Network) -> None:
        self._names = network.station_name
        self._servers = network.station_servers.astype(np.float64)
        self._last: tuple[Snapshot, Steered] | None = None
        self._told = 0

    def moment(
        self, snapshot: Snapshot, steered: Steered, known_up: NDArray[np.bool_], decisions: list[Decision]
    ) -> Moment:
        """Return the moment.

        Parameters
        ----------
        snapshot : Snapshot
            Now.
        steered : Steered
            Now.
        known_up : bool (S,)
            Stations that are not known to be stopped.
        decisions : list of Decision
            All so far.
        """
        now_ns, busy_ns, borrowed_ns = snapshot.now_ns, snapshot.busy_ns, steered.borrowed_ns
        since_ns, submitted, delivered = 0, snapshot.submitted, snapshot.delivered
        if self._last is not None:
            last, lent = self._last
            since_ns, busy_ns, borrowed_ns = last.now_ns, busy_ns - last.busy_ns, borrowed_ns - lent.borrowed_ns
            submitted, delivered = submitted - last.submitted, delivered - last.delivered
        self._last = snapshot, steered
        share = busy_ns / np.maximum(self._servers * (now_ns - since_ns) + borrowed_ns, 1.0)
        most = np.argsort(-share, kind="stable")[:BUSIEST]
        fresh, self._told = tuple(decisions[self._told :]), len(decisions)
        return Moment(
            now_ns,
            submitted,
            delivered,
            snapshot.in_flight,
            steered.withheld,
            tuple((self._names[station], float(share[station])) for station in most if share[station] > 0.0),
            int(np.count_nonzero(~known_up)),
            fresh,
        )
