"""plan.json: what a prepared brain had planned, slot by slot, as far as pictures show it."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, NaiveDatetime, model_validator

from router_core.calendar import Day, DayKind, day_of
from router_core.errors import BadInputError
from router_core.lending import lending
from router_core.network import Network
from strategies.static.week_plan import WeekPlan

SLOTS_MAX = 1 << 17  # of half an hour: seven years
DIGITS = 5
HUGE = 1e12
MARKS = ("month_end", "reporting", "yearly", "half_yearly")

Amount = Annotated[float, Field(ge=0.0)]
Count = Annotated[int, Field(ge=0, lt=2**31)]


class _Table(BaseModel):
    """No NaN or infinity, no change after it was made."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class PlannedDay(_Table):
    """What the calendar says of a day: ISO date, weekday (0: Monday), kind, what is due, whether holidays are known."""

    date: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
    weekday: Annotated[int, Field(ge=0, le=6)]
    kind: Annotated[str, Field(pattern="^(" + "|".join(kind.name.lower() for kind in DayKind) + ")$")]
    marks: list[Annotated[str, Field(pattern="^(" + "|".join(MARKS) + ")$")]]
    provisional: bool


class PlannedPool(_Table):
    """A pool that lends servers: how many it has, and how many nodes are to have in each slot."""

    name: str
    label_zh: str
    servers: Count
    lent: list[Count]


class PlanTable(_Table):
    """The plan's K slots; the figures are those of `SlotFigures`.

    Attributes
    ----------
    begin : datetime
        Local time of the first slot.
    slot_ns : int
    slots : int
        K.
    days : list of PlannedDay
        Those that the slots touch, in order.
    peak_mean, peak_unheld, peak_high, churn, held_share, exchanges, payload_bytes : list of float, length K
    servers : list of int, length K
        Borrowed ones, of all pools.
    pools : list of PlannedPool
        Those that lend any.
    """

    begin: NaiveDatetime
    slot_ns: Annotated[int, Field(ge=1, lt=2**63)]
    slots: Annotated[int, Field(ge=1, le=SLOTS_MAX)]
    days: Annotated[list[PlannedDay], Field(min_length=1)]
    peak_mean: list[Amount]
    peak_unheld: list[Amount]
    peak_high: list[Amount]
    churn: list[Amount]
    held_share: list[Amount]
    exchanges: list[Amount]
    payload_bytes: list[Amount]
    servers: list[Count]
    pools: list[PlannedPool]

    @model_validator(mode="after")
    def _check(self) -> PlanTable:
        columns: dict[str, list[Any]] = {name: getattr(self, name) for name in (*FIGURES, "servers")}
        columns |= {f"pools.{pool.name}": pool.lent for pool in self.pools}
        for name, column in columns.items():
            if len(column) != self.slots:
                raise BadInputError(name, f"must have {self.slots} values", len(column))
        return self


FIGURES = ("peak_mean", "peak_unheld", "peak_high", "churn", "held_share", "exchanges", "payload_bytes")


def plan_table(plan: WeekPlan, network: Network) -> PlanTable:
    """Return what pictures show of a plan."""
    lent = lending(network)
    pool = lent.pool[np.searchsorted(lent.node, plan.node)]
    servers: NDArray[np.int64] = np.zeros((len(network.pools), plan.grid.count), dtype=np.int64)
    np.add.at(servers, pool, plan.servers.T)
    provisional = np.zeros(len(plan.grid.dates()), dtype=np.bool_)
    np.logical_or.at(provisional, plan.grid.day(), plan.provisional)
    days = zip(map(day_of, plan.grid.dates()), provisional.tolist(), strict=True)
    return PlanTable(
        begin=plan.grid.begin,
        slot_ns=plan.grid.step_ns,
        slots=plan.grid.count,
        days=[_planned_day(day, uncertain) for day, uncertain in days],
        servers=servers.sum(axis=0).tolist(),
        pools=[
            PlannedPool(name=one.name, label_zh=one.label_zh, servers=one.servers, lent=servers[index].tolist())
            for index, one in enumerate(network.pools)
            if servers[index].any()
        ],
        **{name: _rounded(getattr(plan.figures, name)) for name in FIGURES},
    )


def _planned_day(day: Day, provisional: bool) -> PlannedDay:
    return PlannedDay(
        date=day.date.isoformat(),
        weekday=day.date.weekday(),
        kind=day.kind.name.lower(),
        marks=[mark for mark in MARKS if getattr(day, mark)],
        provisional=provisional,
    )


def _rounded(values: ArrayLike) -> Any:
    """Round to a few digits, so that files stay small; what is infinite, on a line without a rate, becomes huge."""
    finite = np.minimum(np.asarray(values, dtype=np.float64), HUGE)
    return [float(f"{value:.{DIGITS}g}") for value in finite.tolist()]
