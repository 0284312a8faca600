"""The whole of `tune` on one screen: scenes, search, choice, and a score on scenes that the search has not seen."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from sim.studies.case import BrainChoice, check_brain, platform_of
from sim.studies.seeds import seeds_of
from sim.studies.traffic import Traffic, checked
from sim.studies.tuning.importance import importances
from sim.studies.tuning.journal import Journal, Values
from sim.studies.tuning.objectives import changes
from sim.studies.tuning.parameters import Parameter
from sim.studies.tuning.scenes import Run, Scene, alike, digest_of, lived, scenes, warm_up_of
from sim.studies.tuning.search import Trial, search
from sim.studies.tuning.winner import Effect, Wish, beats, choose, effects, front_of
from sim.workers import Workers
from strategies.dynamic.setting import DynamicSetting
from strategies.registry import PREPARED_BRAINS, SET_BRAINS

UNSEEN_MIN: Final = 2
TRACES: Final = "traces"


@dataclass(frozen=True)
class TuneOrder:
    """What is to be found out.

    Attributes
    ----------
    scenario : str
    changes : tuple of str
    brain : BrainChoice
        One that goes by a setting; its own setting is not looked at.
    traffic : Traffic
        That the search sees.
    unseen : Traffic or None
        That it does not see; None: drawn like the first with other seeds.
    parameters : tuple of Parameter
    wish : Wish
    trials, scenes, unseen_scenes : int
    seed : int
        Of scenes and proposals.
    warm_up_ns : int or None
        None: `warm_up_of` the scenes.
    """

    scenario: str
    changes: tuple[str, ...]
    brain: BrainChoice
    traffic: Traffic
    unseen: Traffic | None
    parameters: tuple[Parameter, ...]
    wish: Wish
    trials: int
    scenes: int
    unseen_scenes: int
    seed: int
    warm_up_ns: int | None


@dataclass(frozen=True, eq=False)
class Tuned:
    """What was found.

    Attributes
    ----------
    trials : list of Trial
    seen, unseen : tuple of Scene
    warm_up_ns : int
    front : list of Trial
    found : Trial
        The one that the search would take.
    effects : list of Effect
        Of `found` on unseen scenes; empty where it is the default.
    score : list of pairs of dict
        Measures of the default and of `found` on each unseen scene.
    winner : Trial
        `found` if it beats the default on unseen scenes, else the default.
    importances : list of dict
        Of each parameter, for each objective.
    """

    trials: list[Trial]
    seen: tuple[Scene, ...]
    unseen: tuple[Scene, ...]
    warm_up_ns: int
    front: list[Trial]
    found: Trial
    effects: list[Effect]
    score: list[tuple[Values, Values]]
    winner: Trial
    importances: list[dict[str, float]]


def checked_brain(name: str, prepared: Path | None, scenario: str, changes: tuple[str, ...]) -> BrainChoice:
    """Return the brain to tune, or raise `BadInputError` with the reason why it cannot be tuned there."""
    if name not in SET_BRAINS:
        rule = f"must be one of {', '.join(SET_BRAINS)}, which go by a setting"
        rule += "; a static plan is learnt by `brain fit`" if name in PREPARED_BRAINS else ""
        raise BadInputError("--brain", rule, name)
    brain = BrainChoice.of_files(name, prepared, None)
    check_brain(brain, scenario, changes)
    return brain


def tune(order: TuneOrder, workers: Workers, work: Path, on_progress: Callable[[float], None]) -> Tuned:
    """Search, choose and score; goes on where an earlier search in the same work folder was ended.

    Parameters
    ----------
    order : TuneOrder
    workers : Workers
    work : Path
        Folder for the journal and for drawn traces.
    on_progress : callable
        Called with the share of trials that are done.

    Raises
    ------
    BadInputError
        If traffic or brain do not fit the scenario, if the work folder is of another search, or if an objective has no
        value.
    """
    for traffic in (order.traffic, order.unseen):
        if traffic is not None:
            checked(traffic, order.scenario, order.changes)
    seen, unseen = _scenes(order, workers, work / TRACES)
    warm_up_ns = warm_up_of((*seen, *unseen)) if order.warm_up_ns is None else order.warm_up_ns
    with Journal(work, _what(order, seen, unseen, warm_up_ns)) as journal:
        trials_done, replays_done = 0, 0

        def done_trials(done: int) -> None:
            nonlocal trials_done, replays_done
            trials_done, replays_done = done, 0

        def live_all(place_of: tuple[Scene, ...], wanted: Sequence[tuple[DynamicSetting, int]]) -> list[Values]:
            runs = [
                Run(order.scenario, order.changes, place_of[place], replace(order.brain, setting=setting), warm_up_ns)
                for setting, place in wanted
            ]
            new = list({run.key: run for run in runs if journal.get(run.key) is None}.values())

            def keep(index: int, values: Values) -> None:
                nonlocal replays_done
                journal.put(new[index].key, values)
                replays_done += 1
                on_progress((trials_done + replays_done / len(seen)) / order.trials)

            workers.map(lived, new, keep)
            return [journal[run.key] for run in runs]

        trials = search(
            order.parameters,
            order.wish.objectives,
            len(seen),
            order.trials,
            lambda wanted: live_all(seen, wanted),
            seed=order.seed,
            on_trials=done_trials,
        )
        found = choose(trials, order.wish)
        rivals = [trials[0], found] if found is not trials[0] else []
        all_values = live_all(unseen, [(one.setting, place) for place in range(len(unseen)) for one in rivals])
    score = list(zip(all_values[::2], all_values[1::2], strict=True))
    told = effects(order.wish.objectives, _changed(order.wish.objectives, score)) if score else []
    return Tuned(
        trials=trials,
        seen=seen,
        unseen=unseen,
        warm_up_ns=warm_up_ns,
        front=front_of(trials),
        found=found,
        effects=told,
        score=score,
        winner=found if told and beats(order.wish, told) else trials[0],
        importances=importances(trials, order.parameters, order.wish.objectives, order.seed),
    )


def _scenes(order: TuneOrder, workers: Workers, folder: Path) -> tuple[tuple[Scene, ...], tuple[Scene, ...]]:
    """Return the scenes of the search, and those set aside; no seed is in both."""
    seeds = seeds_of(order.seed, order.unseen_scenes + order.scenes + 1)
    unseen_seeds, (spare, *seen_seeds) = seeds[: order.unseen_scenes], seeds[order.unseen_scenes :]
    where = (order.scenario, order.changes, folder)
    unseen = order.unseen
    if unseen is None and order.traffic.draw is not None:
        unseen = order.traffic
    elif unseen is None:
        unseen = Traffic(draw=alike(order.traffic.traces[0], *where, spare))
    return (
        scenes(order.traffic, seen_seeds, *where, workers),
        scenes(unseen, unseen_seeds, *where, workers),
    )


def _what(order: TuneOrder, seen: Sequence[Scene], unseen: Sequence[Scene], warm_up_ns: int) -> dict[str, Any]:
    """Return all that decides what is proposed and what a replay brings, but not how many trials there are."""
    prepared = order.brain.prepared
    return {
        "version": importlib.metadata.version("exchange-router"),
        "optuna": importlib.metadata.version("optuna"),
        "scenario": platform_of(order.scenario, order.changes).digest,
        "brain": order.brain.name,
        "prepared": None if prepared is None else digest_of(prepared),
        "parameters": [[one.name, one.low, one.high, one.log] for one in order.parameters],
        "objectives": list(order.wish.objectives),
        "scenes": [[scene.digest, scene.seed] for scene in seen],
        "unseen scenes": [[scene.digest, scene.seed] for scene in unseen],
        "warm-up": warm_up_ns,
        "seed": order.seed,
    }


def _changed(objectives: Sequence[str], score: Sequence[tuple[Values, Values]]) -> NDArray[np.float64]:
    return np.array([changes(objectives, ours, default) for default, ours in score])
