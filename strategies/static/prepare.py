"""From a history to a static policy, on one screen: classes, series, tides, plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from router_core.demand_history import DemandHistory
from router_core.errors import BadInputError
from router_core.line_history import LineHistory
from router_core.network import Network
from router_core.paths.capacity import platform_capacity
from router_core.paths.route_space import space_of_network
from router_core.paths.survivable import choose_paths
from router_core.time_grid import TimeGrid
from strategies.classes.class_model import ClassModel
from strategies.line_tides import LineTides, fit_line_tides
from strategies.static.demand_series import DemandSeries, demand_series
from strategies.static.parts import Arrays, Document
from strategies.static.slot_planner import PlanSetting
from strategies.static.week_plan import WeekPlan
from strategies.static.week_planner import plan_week
from strategies.tides.fit import Tides, fit_tides

# Less than this says nothing of a day's tide.
HOURS_MIN: Final = 24
STAGES: Final = ("classes", "tides", "paths", "plan")

Progress = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a history taught, and what is planned for the time to come.

    Attributes
    ----------
    classes : ClassModel
    series : DemandSeries
        What the columns of the tides are.
    tides : Tides
    lines : LineTides or None
        What other users take of lines; None: nothing was known, and lines are planned as if they were free.
    plan : WeekPlan
    """

    classes: ClassModel
    series: DemandSeries
    tides: Tides
    lines: LineTides | None
    plan: WeekPlan

    def parts(self) -> tuple[Document, Arrays]:
        """Return everything as plain data; `from_parts` makes it again."""
        document: Document = {}
        arrays: Arrays = {}
        for name in ("classes", "series", "tides", "lines", "plan"):
            one = getattr(self, name)
            if one is not None:
                document[name], of_one = one.parts()
                arrays |= {f"{name}.{key}": array for key, array in of_one.items()}
        return document, arrays

    @classmethod
    def from_parts(cls, document: Document, arrays: Arrays, network: Network) -> Prepared:
        """Make it from its parts.

        Raises
        ------
        BadInputError
            If it was made for another network, or breaks a rule.
        """

        def of(name: str) -> tuple[Any, Arrays]:
            prefix = f"{name}."
            return document[name], {
                key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)
            }

        return cls(
            plan=WeekPlan.from_parts(*of("plan"), network),
            classes=ClassModel.from_parts(*of("classes")),
            series=DemandSeries.from_parts(*of("series")),
            tides=Tides.from_parts(*of("tides")),
            lines=LineTides.from_parts(*of("lines")) if "lines" in document else None,
        )


def prepare(
    network: Network,
    history: DemandHistory,
    lines: LineHistory | None,
    grid: TimeGrid,
    *,
    seed: int = 0,
    setting: PlanSetting | None = None,
    fit: Callable[..., Tides] = fit_tides,
    on_progress: Progress = lambda _stage, _done: None,
) -> Prepared:
    """Learn from a history and plan the slots of a grid.

    Parameters
    ----------
    network : Network
    history : DemandHistory
        At least a day of it observed, with at least one exchange.
    lines : LineHistory, optional
    grid : TimeGrid
        Hours to plan: none of them in the history.
    seed : int
    setting : PlanSetting, optional
    fit : callable
        Learns the tides, called as `fit_tides` is; `strategies.surges.recurring.fit_without_surges` leaves out surges
        that came once.
    on_progress : callable, optional
        Told a name of `STAGES` and what share of it is done.

    Raises
    ------
    BadInputError
        If the history is too short or empty, or the grid does not lie behind it.
    """
    setting = setting or PlanSetting()
    observed = int(history.observed.sum())
    if observed < HOURS_MIN:
        raise BadInputError("history", f"must cover at least {HOURS_MIN} whole hours", observed)
    if len(history.relation) == 0:
        raise BadInputError("history", "must have at least one exchange", 0)
    if grid.begin < history.grid.end:
        rule = f"must not begin before the history ends, {history.grid.end.isoformat()}"
        raise BadInputError("plan.begin", rule, grid.begin.isoformat())
    from strategies.classes.fit import fit_classes  # noqa: PLC0415 - scikit-learn takes a second; most commands need none

    on_progress("classes", 0.0)
    classes = fit_classes(history, network, seed=seed)
    on_progress("classes", 1.0)
    series, exchanges = demand_series(history, network, classes.relation_class, len(classes.classes))
    on_progress("tides", 0.0)
    tides = fit(history.grid, exchanges, group=series.demand_class, observed=history.observed, seed=seed)
    line_tides = None if lines is None else fit_line_tides(lines)
    on_progress("tides", 1.0)
    paths = choose_paths(space_of_network(network), platform_capacity(network), setting.paths)
    on_progress("paths", 1.0)
    plan = plan_week(
        network,
        paths,
        series,
        [one.policy for one in classes.classes],
        tides.forecast(grid),
        tides.scenarios(grid, setting.scenarios, seed),
        np.zeros((grid.count, network.line_count)) if line_tides is None else line_tides.others(grid),
        setting,
        lambda done: on_progress("plan", done),
    )
    return Prepared(classes, series, tides, line_tides, plan)
