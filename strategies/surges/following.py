"""A surge that was found, followed window by window until it is over."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import exp, log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.units import SECOND_NS
from strategies.surges.explain import DOUBT
from strategies.surges.surge import Surge
from strategies.surges.watch import NO_NODE, Flows, Unit

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
# Endpoints of one group that are found within so many windows of each other surge together.
TWIN_WINDOWS: Final = 10
# Where next to nothing is expected.
EXPECTED_MIN: Final = 1e-3
FACTOR_MIN: Final = 1e-6


@dataclass(frozen=True, eq=False)
class Part:
    """One unit of a surge, and the series that count towards it.

    Attributes
    ----------
    unit : Unit
    place : int
        Where it stands among all that is watched.
    column : int64 (k,)
        Of the series.
    flows : Flows
        They, as they go to or come from an endpoint alone if the unit is one.
    share : float64 (k,)
        Part of each that is the unit's.
    """

    unit: Unit
    place: int
    column: NDArray[np.int64]
    flows: Flows
    share: NDArray[np.float64]


@dataclass(eq=False)
class Followed:
    """A surge in progress; amounts are exchanges, windows are equally long.

    Attributes
    ----------
    parts : tuple of Part
        What surges: one unit, or several endpoints of one group.
    whole : int
        Where its series together stand among all that is watched.
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

    parts: tuple[Part, ...]
    whole: int
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

    @property
    def units(self) -> tuple[Unit, ...]:
        """What surges."""
        return tuple(part.unit for part in self.parts)

    def is_twin(self, other: Followed) -> bool:
        """Whether another surge, found soon after, is that of an endpoint beside this one's."""
        own, new = self.units[0], other.units[0]
        apart_ns = other.first.found_ns - self.first.found_ns
        together = NO_NODE not in (own.node, new.node) and own.group == new.group
        return together and new not in self.units and apart_ns <= TWIN_WINDOWS * self.window_s * SECOND_NS

    def join(self, twin: Followed) -> None:
        """Let an endpoint of the same group be part of this surge."""
        self.parts += twin.parts
        self.came += twin.came
        self.expected += twin.expected
        self.first = replace(self.first, names=self.first.names + twin.first.names)

    def covers(self, part: Followed) -> bool:
        """Whether another surge of the same series is within this one."""
        own = {unit.node for unit in self.units}
        return NO_NODE in own or {unit.node for unit in part.units} <= own

    def follow(self, came_all: NDArray[np.float64], expected_all: NDArray[np.float64]) -> bool:
        """Take in a window of all that is watched; return whether the surge is over."""
        came, expected = (sum(float(every[part.place]) for part in self.parts) for every in (came_all, expected_all))
        series_came, series_expected = float(came_all[self.whole]), float(expected_all[self.whole])
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

    def surge(self) -> Surge:
        """Return the surge as it is now."""
        return replace(
            self.first,
            factor=max(self.series_came / max(self.series_expected, EXPECTED_MIN), FACTOR_MIN),
            rate=self._came_lately / self.window_s,
            expected_rate=self._expected_lately / self.window_s,
        )
