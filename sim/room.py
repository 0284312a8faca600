"""The room a scenario leaves to a brain: the busiest hour under an even split, against the best routing there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from router_core.equal_cost import EqualCostPlan
from router_core.exact.least_peak import Optimum
from router_core.exact.platform_optimum import optimum
from router_core.loads import utilisation
from router_core.network import Network
from router_core.platform import Platform
from traces.demand import busiest_hour, hour_demand
from traces.workload import build_workload


@dataclass(frozen=True)
class Room:
    """Peak utilisations of one hour of a plain working day, other users' mean load taken off the lines.

    Attributes
    ----------
    hour : int
        The hour from this full hour on in which `ecmp` is busiest.
    ecmp, shortest_path : float
        Peak utilisation under the two baselines.
    ecmp_station, shortest_path_station : int
        Where it lies.
    first_centre : Optimum
        The best choice of lines and homes if every exchange is processed at the first centre it meets.
    optimum : Optimum
        The best choice of lines, homes and processing centres.
    """

    hour: int
    ecmp: float
    ecmp_station: int
    shortest_path: float
    shortest_path_station: int
    first_centre: Optimum
    optimum: Optimum

    @property
    def ratio(self) -> float:
        """Peak under `ecmp` against the optimum's: 1 means that no brain can do better."""
        return self.ecmp / self.optimum.objective

    def document(self, network: Network) -> dict[str, Any]:
        """Return the figures as one JSON-ready table."""
        return {
            "hour": self.hour,
            "ecmp": {"peak_utilisation": self.ecmp, "station": network.station_name[self.ecmp_station]},
            "shortest_path": {
                "peak_utilisation": self.shortest_path,
                "station": network.station_name[self.shortest_path_station],
            },
            "optimum_first_centre": {
                "peak_utilisation": self.first_centre.objective,
                "lower_bound": self.first_centre.lower_bound,
            },
            "optimum": {"peak_utilisation": self.optimum.objective, "lower_bound": self.optimum.lower_bound},
            "ratio": self.ratio,
            "ratio_by_lines_and_homes": self.ecmp / self.first_centre.objective,
            "ratio_by_processing_centre": self.first_centre.objective / self.optimum.objective,
        }


def room_of(platform: Platform) -> Room:
    """Compute the room of the hour in which `ecmp` is busiest."""
    network = platform.network
    workload = build_workload(platform)
    hour = busiest_hour(workload)
    demand = hour_demand(workload, None, hour)
    available = 1 - platform.background.mean_fraction(hour + 0.5, working_day=True)
    single = utilisation(network, EqualCostPlan(network, paths_max=1), demand, available)
    return Room(
        hour=hour,
        ecmp=workload.calibration.utilisation,
        ecmp_station=workload.calibration.station,
        shortest_path=float(single.max()),
        shortest_path_station=int(single.argmax()),
        first_centre=optimum(network, demand, available, process_at_first_centre=True),
        optimum=optimum(network, demand, available),
    )
