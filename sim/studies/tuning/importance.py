"""Which parameters matter: functional analysis of variance over the trials (Hutter, Hoos, Leyton-Brown 2014)."""

from __future__ import annotations

from collections.abc import Sequence

from sim.studies.tuning.parameters import Parameter
from sim.studies.tuning.search import Trial

# Below, trees say nothing of a dozen of parameters.
TRIALS_MIN = 10


def importances(
    trials: Sequence[Trial], parameters: Sequence[Parameter], objectives: Sequence[str], seed: int
) -> list[dict[str, float]]:
    """Return, for each objective, the share of its variance over trials that each parameter accounts for.

    All are nought where trials are too few, or where an objective is the same in all of them. Pruned trials have no
    value over all scenes and are left out.
    """
    import optuna  # noqa: PLC0415 - it takes a second to load

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    distributions: dict[str, optuna.distributions.BaseDistribution] = {
        one.name: optuna.distributions.FloatDistribution(one.low, one.high, log=one.log) for one in parameters
    }
    within = [
        one for one in trials if not one.pruned and all(a.low <= one.parameters[a.name] <= a.high for a in parameters)
    ]
    result = []
    for place in range(len(objectives)):
        values = [float(one.values[place]) for one in within]
        if len(within) < TRIALS_MIN or len(set(values)) == 1:
            result.append(dict.fromkeys(distributions, 0.0))
            continue
        study = optuna.create_study()
        study.add_trials(
            [
                optuna.trial.create_trial(params=one.parameters, distributions=distributions, value=value)
                for one, value in zip(within, values, strict=True)
            ]
        )
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
        result.append({name: float(found[name]) for name in distributions})
    return result
