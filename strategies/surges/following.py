"""A surge that was found, followed window by window until it is over."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from strategies.surges.explain import DOUBT
from strategies.surges.surge import Surge
from strategies.surges.watch import Unit

# Rates of a surge are means over some five windows.
WINDOWS: Final = 5.0
# It is over when what comes fits what is expected better, by this logarithm of likelihood ratios, than this factor of
# it, or this part of the surge's own mean; and no sooner than so many windows after it was found.
LEAST: Final = 1.5
PART: Final = 0.25
LIMIT: Final = 6.0
WINDOWS_MIN: Final = 3
# Evidence of one window is no more than this part of what it takes: a single quiet one does not end a surge.
STEP_MAX: Final = LIMIT / 2.5
# Where next to nothing is expected.
EXPECTED_MIN: Final = 1e-3
FACTOR_MIN: Final = 1e-6


@dataclass(eq=False)
class Followed:
    """A surge in progress; amounts are exchanges, windows are equally long.

    Attributes
    ----------
    unit : Unit
    places : tuple of int
        Where it stands among all that is watched, and where its series together do.
    first : Surge
        As it was found.
    came, expected : float
        Since the onset, of its own.
    series_came, series_expected : float
        The same of its series together, of which a single endpoint has a part.
    windows : float
        Since the onset.
    window_s : float
        Length of a window [s].
    """

    unit: Unit
    places: tuple[int, int]
    first: Surge
    came: float
    expected: float
    series_came: float
    series_expected: float
    windows: float
    window_s: float
    _came_lately: float = field(init=False)
    _expected_lately: float = field(init=False)
    _quiet: float = 0.0
    _followed: int = 0

    def __post_init__(self) -> None:
        self._came_lately = self.series_came / self.windows
        self._expected_lately = self.series_expected / self.windows

    def follow(self, came_all: NDArray[np.float64], expected_all: NDArray[np.float64]) -> bool:
        """Take in a window of all that is watched; return whether the surge is over."""
        came, series_came = (float(came_all[place]) for place in self.places)
        expected, series_expected = (float(expected_all[place]) for place in self.places)
        self.came += came
        self.expected += expected
        self.series_came += series_came
        self.series_expected += series_expected
        self.windows += 1
        self._followed += 1
        keep = exp(-1.0 / WINDOWS)
        self._came_lately += (1.0 - keep) * (series_came - self._came_lately)
        self._expected_lately += (1.0 - keep) * (series_expected - self._expected_lately)
        low = max(expected, EXPECTED_MIN)
        high = max(LEAST * low, low + PART * (self.came - self.expected) / self.windows)
        ratio = (high - low - came * log(high / low)) / (1.0 + DOUBT * DOUBT * low)
        self._quiet = max(self._quiet + min(ratio, STEP_MAX), 0.0)
        return self._followed >= WINDOWS_MIN and self._quiet >= LIMIT

    def surge(self, series: NDArray[np.int64] | None = None) -> Surge:
        """Return the surge as it is now."""
        first = self.first
        return Surge(
            number=first.number,
            scope=first.scope,
            names=first.names,
            demand_class=first.demand_class,
            onset_ns=first.onset_ns,
            found_ns=first.found_ns,
            series=first.series if series is None else series,
            factor=max(self.series_came / max(self.series_expected, EXPECTED_MIN), FACTOR_MIN),
            rate=self._came_lately / self.window_s,
            expected_rate=self._expected_lately / self.window_s,
            score=first.score,
        )
