"""The search: Optuna proposes settings in batches; each is lived scene by scene until another is clearly better.

Batches have a fixed size, whoever works and however many they are, and what a proposal rests on is only what earlier
batches brought. So the same seed proposes the same settings everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.brain_setting import setting_of
from sim.studies.tuning.domination import clearly_dominated, rungs
from sim.studies.tuning.journal import Values
from sim.studies.tuning.objectives import changes, robust
from sim.studies.tuning.parameters import Parameter, defaults, rounded
from strategies.dynamic.setting import DynamicSetting

if TYPE_CHECKING:
    import optuna

# Two workers are busy with eight, and a proposal still knows nearly all that was lived before it.
BATCH: Final = 8
STARTUP: Final = 16

# Lives settings in scenes: (setting, scene's place) -> measures, in order.
LiveAll = Callable[[Sequence[tuple[DynamicSetting, int]]], list[Values]]


@dataclass(frozen=True, eq=False)
class Trial:
    """A setting, and what became of it.

    Attributes
    ----------
    number : int
        0 is the default.
    parameters : dict of str to float
        Those that are searched, by their names in files.
    setting : DynamicSetting
    found : tuple of dict
        Measures of each scene that it was lived in, in the order of scenes.
    changes : float64 (scenes lived, objectives)
        Logarithm of the ratio to the default on the same scene.
    pruned : bool
        Whether it was not lived in all scenes, because some other was clearly better in those that it was lived in.
    """

    number: int
    parameters: dict[str, float]
    setting: DynamicSetting
    found: tuple[Values, ...]
    changes: NDArray[np.float64]
    pruned: bool

    @property
    def values(self) -> NDArray[np.float64]:
        """Objectives over all its scenes, (objectives,)."""
        return robust(self.changes)


def search(
    parameters: Sequence[Parameter],
    objectives: Sequence[str],
    scenes: int,
    trials: int,
    live_all: LiveAll,
    *,
    seed: int,
    on_trials: Callable[[int], None] = lambda _: None,
) -> list[Trial]:
    """Search, and return all trials in their order; the first is the default.

    Parameters
    ----------
    parameters : sequence of Parameter
    objectives : sequence of str
        Names of measures.
    scenes : int
        Number of scenes, >= 1.
    trials : int
        Number of settings to propose beside the default, >= 1.
    live_all : callable
        Lives settings in scenes.
    seed : int
        Of the proposals.
    on_trials : callable, optional
        Called with the number of trials that are done.

    Raises
    ------
    BadInputError
        If an objective has no value under the default in some scene.
    """
    first = _default(parameters, objectives, live_all([(DynamicSetting(), scene) for scene in range(scenes)]))
    done = [first]
    study = _Proposals(parameters, len(objectives), seed)
    study.knows(first)
    while len(done) <= trials:
        asked = study.ask(min(BATCH, trials + 1 - len(done)))
        complete = [one.changes for one in done if not one.pruned]
        lived = _live_batch(asked, first.found, objectives, scenes, complete, live_all)
        for values, (found, changed) in zip(asked, lived, strict=True):
            trial = Trial(len(done), values, setting_of(values), found, changed, len(found) < scenes)
            study.tell(trial)
            done.append(trial)
        on_trials(len(done) - 1)
    return done


def _default(parameters: Sequence[Parameter], objectives: Sequence[str], found: list[Values]) -> Trial:
    none = np.array([changes(objectives, one, one) for one in found])
    return Trial(0, defaults(parameters), DynamicSetting(), tuple(found), none, pruned=False)


def _live_batch(
    asked: Sequence[dict[str, float]],
    default: Sequence[Values],
    objectives: Sequence[str],
    scenes: int,
    complete: Sequence[NDArray[np.float64]],
    live_all: LiveAll,
) -> list[tuple[tuple[Values, ...], NDArray[np.float64]]]:
    """Live each of a batch in the first scenes, and those that may go on in further ones."""
    settings = [setting_of(values) for values in asked]
    found: list[list[Values]] = [[] for _ in asked]
    changed: list[list[tuple[float, ...]]] = [[] for _ in asked]
    on = list(range(len(asked)))
    for rung in rungs(scenes):
        results = iter(live_all([(settings[place], scene) for place in on for scene in rung]))
        for place in on:
            for scene in rung:
                found[place].append(next(results))
                changed[place].append(changes(objectives, found[place][-1], default[scene]))
        if rung.stop < scenes:
            on = [place for place in on if not clearly_dominated(np.array(changed[place]), complete)]
    return [(tuple(one), np.array(other)) for one, other in zip(found, changed, strict=True)]


class _Proposals:
    """Optuna's study, in memory: what was lived is kept elsewhere."""

    def __init__(self, parameters: Sequence[Parameter], objectives: int, seed: int) -> None:
        import optuna  # noqa: PLC0415 - it takes a second to load

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._parameters = parameters
        self._distributions: dict[str, optuna.distributions.BaseDistribution] = {
            one.name: optuna.distributions.FloatDistribution(one.low, one.high, log=one.log) for one in parameters
        }
        # Each parameter by itself: of a hundred trials some thirty are lived to the end, too few to tell how a dozen
        # of parameters go together (decision 32).
        sampler = optuna.samplers.TPESampler(
            seed=seed, multivariate=False, constant_liar=True, n_startup_trials=STARTUP
        )
        self._study = optuna.create_study(directions=["minimize"] * objectives, sampler=sampler)
        self._asked: dict[int, Any] = {}
        self._told = 0

    def knows(self, trial: Trial) -> None:
        """Take in a trial that was not asked for, if it lies in the ranges that are searched."""
        import optuna  # noqa: PLC0415

        if all(one.low <= trial.parameters[one.name] <= one.high for one in self._parameters):
            self._study.add_trial(
                optuna.trial.create_trial(
                    params=trial.parameters, distributions=self._distributions, values=trial.values.tolist()
                )
            )

    def ask(self, count: int) -> list[dict[str, float]]:
        """Propose so many sets of parameters."""
        asked = [self._study.ask(self._distributions) for _ in range(count)]
        self._asked = dict(enumerate(asked))
        self._told = 0
        return [rounded(self._parameters, one.params) for one in asked]

    def tell(self, trial: Trial) -> None:
        """Tell what became of the next one of those that were asked for."""
        import optuna  # noqa: PLC0415

        asked = self._asked[self._told]
        self._told += 1
        if trial.pruned:
            self._study.tell(asked, state=optuna.trial.TrialState.PRUNED)
        else:
            self._study.tell(asked, trial.values.tolist())
