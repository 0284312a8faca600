"""What is made small: measures of a run beside those of the defaults on the same scene.

An objective's value on a scene is the logarithm of the ratio to the default there, with the same traffic and the same
random numbers: -0.1 is about a tenth less. Over scenes it is half the mean and half the worst: the mean alone lets
one scene pay for another, the worst alone hangs on a single draw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from sim.report.blocks import Form
from sim.studies.measures import measure

PLACE: Final = "--objective"
DEFAULT_OBJECTIVES: Final = ("p99.query", "missed.all", "churn", "capacity")
# What makes no difference to anybody, in each unit, is added to both sides of a ratio: none against one missed
# deadline is twice as many, and not infinitely many.
SMALL: Final[dict[Form, float]] = {
    Form.NS: 1e6,
    Form.COUNT: 1.0,
    Form.NUMBER: 0.01,
    Form.SHARE: 0.01,
    Form.HOURS: 0.1,
}
# Worse than this is as bad as can be: e**10 times the default.
WORST: Final = 10.0


def chosen_objectives(names: Sequence[str]) -> tuple[str, ...]:
    """Return the objectives that are named, or the usual ones; raises `BadInputError`."""
    for place, name in enumerate(names):
        try:
            measure(name)
        except BadInputError as error:
            raise BadInputError(PLACE, error.rule, name) from None
        if name in names[:place]:
            raise BadInputError(PLACE, "must be named once", name)
    return tuple(names) or DEFAULT_OBJECTIVES


def changes(
    objectives: Sequence[str], found: Mapping[str, float | None], default: Mapping[str, float | None]
) -> tuple[float, ...]:
    """Return each objective's logarithm of the ratio to the default on one scene.

    Raises
    ------
    BadInputError
        If the default has no value there, such as the time of queries where none was delivered.
    """
    result = []
    for name in objectives:
        ours, theirs = found[name], default[name]
        if theirs is None:
            raise BadInputError(PLACE, "must have a value in every scene under the defaults", name)
        small = SMALL[measure(name).form]
        ratio = WORST if ours is None else float(np.log((ours + small) / (theirs + small)))
        result.append(min(max(ratio, -WORST), WORST))
    return tuple(result)


def robust(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return half the mean and half the worst over scenes, (objectives,), of changes (scenes, objectives)."""
    result: NDArray[np.float64] = 0.5 * values.mean(axis=0) + 0.5 * values.max(axis=0)
    return result
