"""Our data plane, driven as the world drives it: fed ahead, advanced to each epoch, and its telemetry taken there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from replay_workloads import Outage, Workload

from router_core.network import Network
from router_core.transport import Transport
from router_core.units import MINUTE_NS, SECOND_NS
from sim.compiled_plane import CompiledPlane
from sim.data_plane import DataPlane, Outcome, SetStationUp, Snapshot
from strategies.brain import SetPlan

FEED_NS = MINUTE_NS


class Drive:
    """One run of a workload on a new plane; `run` lets time pass.

    Parameters
    ----------
    work : Workload
    epoch_ns : int
        From one control epoch to the next [ns].
    telemetry_ns : int
        A snapshot is taken at control epochs that are multiples of this [ns].
    outages : tuple of Outage
        They begin and end at control epochs.
    transport : Transport, optional
    plane : callable
        Makes the data plane.
    """

    def __init__(
        self,
        work: Workload,
        *,
        epoch_ns: int = SECOND_NS,
        telemetry_ns: int = SECOND_NS,
        outages: tuple[Outage, ...] = (),
        transport: Transport | None = None,
        plane: Callable[[Network, Transport], DataPlane] = CompiledPlane,
    ) -> None:
        self.work = work
        self.plane: DataPlane = plane(work.network, transport or Transport())
        self.plane.apply(SetPlan(work.plan))
        self.last: Snapshot = self.plane.snapshot()
        self.samples = 0
        self._epoch_ns = epoch_ns
        self._telemetry_ns = telemetry_ns
        self._switches: dict[int, list[tuple[int, bool]]] = {}
        for outage in outages:
            # What returns at an instant comes before what stops then.
            self._switches.setdefault(outage.until_ns, []).insert(0, (outage.station, True))
            self._switches.setdefault(outage.from_ns, []).append((outage.station, False))
        self._now_ns = 0
        self._fed = 0
        self._fed_ns = 0

    def run(self, until_ns: int) -> None:
        """Let time pass up to `until_ns`; what is submitted later is not handed over before."""
        while self._now_ns < until_ns:
            next_ns = min(self._now_ns - self._now_ns % self._epoch_ns + self._epoch_ns, until_ns)
            if next_ns > self._fed_ns:
                self._feed(min(self._now_ns + FEED_NS, until_ns))
            self._now_ns = next_ns
            self.plane.advance(self._now_ns)
            for station, up in self._switches.get(self._now_ns, ()):
                self.plane.apply(SetStationUp(np.array([station], np.int32), np.array([up])))
            if next_ns % self._telemetry_ns == 0 or next_ns == until_ns:
                self.last = self.plane.snapshot()
                self.samples += 1

    @property
    def outcome(self) -> Outcome:
        """What became of every exchange handed over so far."""
        return self.plane.outcome()

    @property
    def delivered_ns(self) -> NDArray[np.int64]:
        """Instants of delivery, (n,)."""
        return self.outcome.delivered_ns

    def _feed(self, until_ns: int) -> None:
        last = int(self.work.exchanges.submitted_ns.searchsorted(until_ns))
        self.plane.submit(self.work.exchanges[self._fed : last])
        self._fed, self._fed_ns = last, until_ns
