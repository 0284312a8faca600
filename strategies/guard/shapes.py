"""Whether an observation has the form that its type promises; what comes from outside may have any."""

from __future__ import annotations

import numpy as np


def is_instant(value: object) -> bool:
    """Whether it is a whole number, as instants are."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def fits(column: object, kind: type[np.generic], count: int) -> bool:
    """Whether it is one row of so many values of a type."""
    return isinstance(column, np.ndarray) and column.dtype == kind and column.shape == (count,)
