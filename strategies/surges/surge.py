"""A surge: more demand, or load, than any forecast said."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class Scope(StrEnum):
    """What kind of series it was found in."""

    PAIR = "pair"
    SOURCE = "source"
    TARGET = "target"
    REGION = "region"
    CLASS = "class"
    STATION = "station"


@dataclass(frozen=True, eq=False)
class Surge:
    """One surge, from the alarm on.

    Attributes
    ----------
    number : int
        Counts the surges of a run from 0.
    scope : Scope
        Of the series in which it is most evident.
    names : tuple of str
        Whom it concerns: nodes, a class, a station.
    demand_class : int
        The class it is of, -1 if of several.
    onset_ns, found_ns : int
        When it seems to have begun, and when the alarm was given (no earlier) [ns].
    series : int64 (k,)
        Columns of the demand series (`DemandSeries`) that it raises; empty for a station.
    factor : float
        Measured against expected rate of these series since the onset, > 0.
    rate, expected_rate : float
        Exchanges a second of these series, measured and expected; of a station its utilisation.
    score : float
        How far beyond the limit of the alarm the evidence is, >= 1.
    """

    number: int
    scope: Scope
    names: tuple[str, ...]
    demand_class: int
    onset_ns: int
    found_ns: int
    series: NDArray[np.int64]
    factor: float
    rate: float
    expected_rate: float
    score: float
