"""What a platform is asked to exchange: its flows, and how many exchanges of which sizes."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.platform import Platform, unchanged
from traces.calibrate import Calibration, calibrate
from traces.changed_flows import FlowPart, changed_flows
from traces.flows import Flows, build_flows
from traces.shares import HourShares

EXCHANGES_PER_DAY_MAX = 10**9
LOAD_MAX = 1_000.0


@dataclass(frozen=True, eq=False)
class Workload:
    """Everything about a platform's demand but the draws of a trace.

    Attributes
    ----------
    platform : Platform
    flows : Flows
        On a changed platform the weights of a type sum to how much more of it there is than in the scenario.
    shares : HourShares
    parts : tuple of FlowPart
        What `flows` are the sum of, each drawn by itself: what the scenario has, and what changes add.
    calibration : Calibration
        At `exchanges_per_day` and load 1, of the scenario without changes: else growth would shrink the sizes.
    exchanges_per_day : int
        Of a plain working day at load 1, without changes.
    load : float
        Factor on every mean number of exchanges.
    """

    platform: Platform
    flows: Flows
    shares: HourShares
    parts: tuple[FlowPart, ...]
    calibration: Calibration
    exchanges_per_day: int
    load: float

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Payload sizes of each type, (K, SIZE_QUANTILES), every entry equally likely [bytes]."""
        return self.calibration.sizes

    @property
    def mean_per_day(self) -> float:
        """Mean number of exchanges of a plain working day at this load, without changes."""
        return self.exchanges_per_day * self.load

    @property
    def type_growth(self) -> NDArray[np.float64]:
        """How much more of each type there is than in the scenario without changes, (K,)."""
        flows = self.flows
        return np.array([flows.weight[flows.rows(kind)].sum() for kind in range(len(flows.type_start) - 1)])


def build_workload(platform: Platform, exchanges_per_day: int | None = None, load: float = 1.0) -> Workload:
    """Draw the flows of a platform and calibrate its sizes.

    Parameters
    ----------
    platform : Platform
    exchanges_per_day : int, optional
        Exchanges of a plain working day, in 1..1e9; the scenario's own number if not given. Sizes are calibrated for
        this number, so fewer exchanges are larger ones: the peak utilisation stays what the scenario states.
    load : float
        Factor on every mean number of exchanges, in (0, 1000]; sizes stay, so utilisation goes with it.

    Raises
    ------
    BadInputError
        If a number is out of range, or the scenario cannot be calibrated.
    """
    if exchanges_per_day is None:
        exchanges_per_day = platform.demand.exchanges_per_day
    if not 1 <= exchanges_per_day <= EXCHANGES_PER_DAY_MAX:
        raise BadInputError("exchanges_per_day", f"must lie in 1..{EXCHANGES_PER_DAY_MAX}", exchanges_per_day)
    if not (isfinite(load) and 0 < load <= LOAD_MAX):
        raise BadInputError("load", f"must be above 0 and at most {LOAD_MAX:g}", load)
    if not platform.demand.types:
        raise BadInputError("demand.types", "a scenario needs at least one type to generate a trace", 0)
    base, types = unchanged(platform), platform.demand.types
    own = build_flows(base)
    calibration = calibrate(base, HourShares(types, own), exchanges_per_day)
    flows, parts = changed_flows(platform, own)
    return Workload(platform, flows, HourShares(types, flows), parts, calibration, exchanges_per_day, load)
