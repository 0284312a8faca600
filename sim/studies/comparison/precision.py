"""How many replications a wanted precision takes: decided once, from a pilot.

Source: C. Stein, A two-sample test for a linear hypothesis whose power is independent of the variance, Ann. Math. Stat.
16 (1945), 243-258, doi 10.1214/aoms/1177731088. With n0 pilot values of deviation s, N = max(n0, ceil((t s / d)^2))
values have an interval of half-width d that covers as it says, for normal values exactly. Going on value by value until
the interval is narrow (Chow and Robbins, Ann. Math. Stat. 36 (1965), 457-462) takes fewer and covers as it says only in
the limit: 92.7 % for 95 % where it begins with 5 (ADR 31). Decided once, the rest also runs side by side.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from sim.report.blocks import Form
from sim.studies.paired import spread

_NS: Final = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9, "min": 6e10, "h": 3.6e12}
_TEXT: Final = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*(%|[a-z]*)", re.ASCII)
PLACE: Final = "--precision"


@dataclass(frozen=True)
class Precision:
    """How narrow an interval is to be.

    Attributes
    ----------
    value : float
        Half its width, > 0: in the measure's unit, or, if `relative`, as a share: 0.05 is a ratio known to within a
        factor of 1.05 either way.
    relative : bool
    """

    value: float
    relative: bool

    @classmethod
    def of_text(cls, text: str, form: Form) -> Precision:
        """Read ``5%``, or a number in a measure's unit; times have theirs behind them: ``20ms``.

        Raises
        ------
        BadInputError
        """
        found = _TEXT.fullmatch(text.strip())
        unit = found.group(2) if found else ""
        if found is None or (unit not in ("", "%") and form is not Form.NS) or unit not in ("", "%", *_NS):
            raise BadInputError(PLACE, "must be such as 5%, or a number in the measure's unit, such as 20ms", text)
        if unit == "" and form is Form.NS:
            raise BadInputError(PLACE, f"a time must have its unit, one of {', '.join(_NS)}", text)
        value = float(found.group(1)) * (0.01 if unit == "%" else _NS.get(unit, 1.0))
        if value <= 0.0:
            raise BadInputError(PLACE, "must be above 0", text)
        return cls(value, unit == "%")

    @property
    def half_width(self) -> float:
        """Half the width of the interval that decides: of the logarithm of a ratio, or of the difference."""
        return math.log1p(self.value) if self.relative else self.value


def needed(
    pairs: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
    precision: Precision,
    confidence: float,
    most: int,
) -> int:
    """Return how many replications give every pair of arms the wanted precision, at most `most`.

    Parameters
    ----------
    pairs : sequence of (float64 (n0,), float64 (n0,))
        The pilot's values of base and other, for each other arm and measure; n0 >= 2.
    precision : Precision
    confidence : float
        Of each interval.
    most : int
        >= n0. Where values say that no number suffices (no ratio, nothing delivered), this is returned.
    """
    return max((_needed(base, other, precision, confidence, most) for base, other in pairs), default=1)


def _needed(
    base: NDArray[np.float64], other: NDArray[np.float64], precision: Precision, confidence: float, most: int
) -> int:
    values = other - base
    if not np.isfinite(values).all():
        return most
    if precision.relative and (values != 0.0).any():
        if not ((base > 0).all() and (other > 0).all()):
            return most
        values = np.log(other) - np.log(base)
    least = (spread(values, confidence) / precision.half_width) ** 2
    return most if least >= most else max(math.ceil(least), len(values))
