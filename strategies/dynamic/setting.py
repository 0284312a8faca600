"""What the dynamic policy goes by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from router_core.errors import BadInputError
from router_core.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

# What each may be: lowest and highest. Beyond them a parameter means nothing, or the policy cannot keep its promises.
BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "memory_ns": (SECOND_NS, DAY_NS),
    "belief": (0.0, 1e6),
    "busy": (0.0, 1.0),
    "gain_min": (0.0, 10.0),
    "step_max": (0.001, 1.0),
    "return_step": (0.001, 1.0),
    "settle_ns": (0, DAY_NS),
    "pairs_max": (1, 1_000_000),
    "server_target": (0.01, 1.0),
    "cool_down_ns": (0, DAY_NS),
    "drain_ns": (SECOND_NS, DAY_NS),
    "pace_target": (0.01, 1.0),
    "pace_min": (0.0, 1.0),
    "hold_of_lead": (0.0, 1.0),
    "probe_ns": (SECOND_NS, DAY_NS),
    "probe_bytes_per_s": (1.0, 1e12),
    "record_ns": (SECOND_NS, 366 * DAY_NS),
}


@dataclass(frozen=True)
class DynamicSetting:
    """The defaults are meant to be left alone; `tune` may find better ones for a platform.

    Raises
    ------
    BadInputError
        If a value lies outside its `BOUNDS`.

    Attributes
    ----------
    memory_ns : int
        Measured demand is a mean over about this time [ns].
    belief : float
        Exchanges that the forecast of a series counts for against measured ones.
    busy : float
        Utilisation of a station from which pairs may leave the planned ways.
    gain_min : float
        A pair moves only where its new way costs less by more than this part.
    step_max : float
        Share of a pair's demand that moves in a control step.
    return_step : float
        Share that goes back to the planned ways at a time, once there is no cause to leave them.
    settle_ns : int
        A way that lost traffic gets none back before this has passed, and steps home are so far apart [ns]: no flaps.
    pairs_max : int
        Pairs that may move in a control step, those that gain most.
    server_target : float
        Utilisation above which stations borrow servers.
    cool_down_ns : int
        Servers are given back after having been idle so long [ns].
    drain_ns : int
        Backlogs should be worked off in this time [ns].
    pace_target : float
        Utilisation to which bulk fills a busy station, and no more.
    pace_min : float
        Share of a busy station that is left to bulk whatever else it has to do.
    hold_of_lead : float
        Bulk is held for no more than this share of the time that its deadline leaves.
    probe_ns : int
        From one round of test particles to the next [ns].
    probe_bytes_per_s : float
        What test particles may send, at most [B/s].
    record_ns : int
        At least so often what is known is kept, to be explained later [ns].
    """

    memory_ns: int = 8 * MINUTE_NS
    belief: float = 4.0
    busy: float = 0.75
    gain_min: float = 0.1
    step_max: float = 0.5
    return_step: float = 0.5
    settle_ns: int = 5 * MINUTE_NS
    pairs_max: int = 1_000
    server_target: float = 0.6
    cool_down_ns: int = 15 * MINUTE_NS
    drain_ns: int = 10 * MINUTE_NS
    pace_target: float = 0.9
    pace_min: float = 0.05
    hold_of_lead: float = 0.75
    probe_ns: int = MINUTE_NS
    probe_bytes_per_s: float = 200_000.0
    record_ns: int = HOUR_NS

    def __post_init__(self) -> None:
        for name, (low, high) in BOUNDS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise BadInputError(name, f"must lie in {low:g}..{high:g}", value)
