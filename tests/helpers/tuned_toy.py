"""The toy province to tune on: its brain in a file, minutes of traffic, and an order for a few trials."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

from learnt_toy import Days, hours, learnt

from sim.brain_file import OUTLOOK, BrainFile, write_brain
from sim.studies.traffic import Traffic
from sim.studies.tuning.objectives import DEFAULT_OBJECTIVES
from sim.studies.tuning.parameters import chosen_parameters
from sim.studies.tuning.tune import Tuned, TuneOrder, checked_brain, tune
from sim.studies.tuning.winner import Wish
from sim.workers import open_workers
from strategies.tides.forecast import Forecast

# Lines fill up for some minutes, so that settings make a difference.
RUSH = Days(0.3, 80_000, rush=(9.02, 9.1, 5.0))
SPAN_H = 0.15


@cache
def toy_brain(folder: Path) -> Path:
    """A brain file of the toy's week."""
    prepared = learnt()
    forecast = prepared.tides.forecast(prepared.plan.grid)
    of = {name: getattr(forecast, name) for name in OUTLOOK}
    for name in ("p50", "p95", "mean"):
        of[name] = of[name][:, :1].repeat(len(prepared.classes.classes) + 1, axis=1)
    path = folder / "toy.brain"
    write_brain(path, BrainFile({"scenario": "toy"}, prepared, Forecast(prepared.plan.grid, **of)))
    return path


def minutes(seed: int = 7) -> Path:
    """A trace of some minutes with a rush in it."""
    return hours(9.0, SPAN_H, seed=seed, days=RUSH)


def toy_order(
    brain: Path,
    seen: tuple[Path, ...],
    unseen: tuple[Path, ...],
    *,
    trials: int = 9,
    seed: int = 1,
    name: str = "dynamic",
    parameters: tuple[str, ...] = (),
    prefer: str | None = None,
) -> TuneOrder:
    """An order for a small search."""
    return TuneOrder(
        scenario="toy",
        changes=(),
        brain=checked_brain(name, brain, "toy", ()),
        traffic=Traffic(traces=seen),
        unseen=Traffic(traces=unseen),
        parameters=chosen_parameters(parameters),
        wish=Wish.of_texts(DEFAULT_OBJECTIVES, prefer, ()),
        trials=trials,
        scenes=2,
        unseen_scenes=2,
        seed=seed,
        warm_up_ns=None,
    )


def tuned_by(workers: str, order: TuneOrder, work: Path) -> Tuned:
    """Tune with workers of that kind."""
    with open_workers(workers) as many:
        return tune(order, many, work, lambda _: None)


if __name__ == "__main__":
    brain, seen, unseen, work = (Path(word) for word in sys.argv[1:])
    tuned_by("here", toy_order(brain, (seen,), (unseen,)), work)
