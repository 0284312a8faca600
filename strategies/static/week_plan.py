"""The static plan as data: for every slot of the days to come, who takes which way, who gets servers, what is held."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.network import Network, frozen
from router_core.paths.path_set import PathSet
from router_core.paths.route_space import space_of_network
from router_core.slot_clock import SlotClock
from router_core.time_grid import TimeGrid
from router_core.vocabulary import PRIORITY_MAX
from strategies.static.parts import Arrays, Document

# Shares of a plan are whole thousandths: finer ones would be lost in what no forecast knows.
WEIGHT_TOTAL: Final = 1_000
PATH_COLUMNS: Final = ("source", "target", "pair_start", "path_start", "path_station")


@dataclass(frozen=True, eq=False)
class SlotFigures:
    """What the planner expects of each of the K slots, float64 (K,).

    Attributes
    ----------
    peak_mean, peak_high : NDArray
        Utilisation of the busiest station: mean, and worst, over the set of matrices that the slot was planned for.
    bound : NDArray
        No split over these paths has a lower mean.
    peak_unheld : NDArray
        `peak_mean` of the demand as it is submitted, nothing held back, with the same split and servers.
    churn : NDArray
        Mean over pairs of half the L1 distance to the shares of the slot before; 0 in the first slot.
    held_share : NDArray
        Share of the slot's bytes that are held back.
    exchanges, payload_bytes : NDArray
        Expected a second.
    """

    peak_mean: NDArray[np.float64]
    peak_high: NDArray[np.float64]
    bound: NDArray[np.float64]
    peak_unheld: NDArray[np.float64]
    churn: NDArray[np.float64]
    held_share: NDArray[np.float64]
    exchanges: NDArray[np.float64]
    payload_bytes: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class WeekPlan:
    """K slots of local time, over P paths between groups, B nodes that may borrow, C classes, J lags.

    Attributes
    ----------
    grid : TimeGrid
        Slots; the days of a week as a rule.
    topology : str
        Digest of the network that it was made for.
    paths : PathSet
        Of ``space_of_network(network)``.
    weights : int16 (K, P)
        Of each path; those of a pair sum to `WEIGHT_TOTAL`, or are all 0 where it has no path.
    node : int32 (B,)
        Nodes with a pool, ascending.
    servers : int32 (K, B)
        How many each is to have from its pool.
    lag_ns : int64 (J,)
        Holds to choose from [ns], from 0, ascending.
    hold : int16 (K, C, J)
        Weights of the lags for what a class submits in a slot; they sum to `WEIGHT_TOTAL`.
    hold_of_lead : float
        No exchange is held for more than this share of the time from its submission to its deadline, in [0, 1).
    priority : int8 (C,)
        Class of service in which a demand class travels.
    provisional : bool (K,)
        Slots of years whose official holidays are not published.
    figures : SlotFigures
    """

    grid: TimeGrid
    topology: str
    paths: PathSet
    weights: NDArray[np.int16]
    node: NDArray[np.int32]
    servers: NDArray[np.int32]
    lag_ns: NDArray[np.int64]
    hold: NDArray[np.int16]
    hold_of_lead: float
    priority: NDArray[np.int8]
    provisional: NDArray[np.bool_]
    figures: SlotFigures

    def __post_init__(self) -> None:
        slots, classes = self.grid.count, len(self.priority)
        for name, shape in (
            ("weights", (slots, self.paths.path_count)),
            ("servers", (slots, len(self.node))),
            ("hold", (slots, classes, len(self.lag_ns))),
            ("provisional", (slots,)),
        ):
            if getattr(self, name).shape != shape:
                raise BadInputError(f"plan.{name}", f"must be of shape {shape}", getattr(self, name).shape)
        if slots == 0:
            raise BadInputError("plan.grid", "must have a slot", 0)
        sums = self.hold.sum(axis=2)
        for name, wrong in (
            ("weights", (self.weights < 0).any() or self._uneven().any()),
            ("servers", (self.servers < 0).any()),
            ("hold_of_lead", not 0 <= self.hold_of_lead < 1),
            ("priority", ((self.priority < 0) | (self.priority > PRIORITY_MAX)).any()),
            ("hold", (self.hold < 0).any() or (sums != WEIGHT_TOTAL).any()),
            ("lag_ns", len(self.lag_ns) == 0 or self.lag_ns[0] != 0 or (np.diff(self.lag_ns) <= 0).any()),
        ):
            if wrong:
                raise BadInputError(f"plan.{name}", "must keep to the rules of a plan", name)

    def _uneven(self) -> NDArray[np.bool_]:
        start = self.paths.pair_start
        connected = np.flatnonzero(np.diff(start))
        sums = np.add.reduceat(self.weights, start[connected], axis=1, dtype=np.int64) if len(connected) else 0
        return np.asarray(sums != WEIGHT_TOTAL)

    @cached_property
    def _clock(self) -> SlotClock:
        return SlotClock(self.grid)

    def slot_at(self, when: datetime) -> int:
        """Slot that holds at a local time, as `SlotClock` finds it."""
        return self._clock.slot_at(when)

    def shares(self, slot: int) -> NDArray[np.float64]:
        """Shares (P,) of the paths in a slot."""
        return np.asarray(self.weights[slot] / float(WEIGHT_TOTAL))

    def parts(self) -> tuple[Document, Arrays]:
        """Return the plan as plain data; `from_parts` makes it again."""
        document: Document = {
            "begin": self.grid.begin.isoformat(),
            "slot_ns": self.grid.step_ns,
            "slots": self.grid.count,
            "topology": self.topology,
            "hold_of_lead": self.hold_of_lead,
        }
        arrays: Arrays = {name: getattr(self, name) for name in _ARRAYS}
        arrays |= {f"paths.{name}": getattr(self.paths, name) for name in PATH_COLUMNS}
        arrays |= {f"figures.{field.name}": getattr(self.figures, field.name) for field in fields(SlotFigures)}
        return document, arrays

    @classmethod
    def from_parts(cls, document: Document, arrays: Arrays, network: Network) -> WeekPlan:
        """Make a plan from its parts.

        Raises
        ------
        BadInputError
            If the plan is of another network, or breaks a rule.
        """
        if document["topology"] != network.digest:
            raise BadInputError("plan.topology", "must be that of the scenario's network", document["topology"][:12])
        grid = TimeGrid(datetime.fromisoformat(document["begin"]), document["slot_ns"], document["slots"])
        columns = {name: frozen(arrays[f"paths.{name}"], _PATH_TYPES[name]) for name in PATH_COLUMNS}
        return cls(
            grid=grid,
            topology=document["topology"],
            hold_of_lead=document["hold_of_lead"],
            paths=PathSet(space_of_network(network), **columns),
            figures=SlotFigures(**{field.name: arrays[f"figures.{field.name}"] for field in fields(SlotFigures)}),
            **{name: arrays[name] for name in _ARRAYS},
        )


_ARRAYS: Final = ("weights", "node", "servers", "lag_ns", "hold", "priority", "provisional")
_PATH_TYPES: Final[dict[str, Any]] = {
    "source": np.int32,
    "target": np.int32,
    "pair_start": np.int64,
    "path_start": np.int64,
    "path_station": np.int32,
}
