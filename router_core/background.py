"""Load that the extranet's other users put on the lines: hidden from the brain, which sees it only in telemetry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FRACTION_MAX = 0.95


@dataclass(frozen=True)
class BackgroundProfile:
    """Hourly share of a line's rate that others take.

    Attributes
    ----------
    name : str
    hours, off_hours : tuple of 24 floats
        Mean share in [0, 0.95] in each hour of a working day, and of any other day.
    jitter : float
        Standard deviation of the share's relative change from step to step (AR(1)), >= 0.
    conference_probability : float
        Probability that a working day has a province-wide video conference (09:00-11:00 or 15:00-17:00).
    conference_fraction : float
        Share of the line a conference takes on top.
    """

    name: str
    hours: tuple[float, ...]
    off_hours: tuple[float, ...]
    jitter: float
    conference_probability: float
    conference_fraction: float


@dataclass(frozen=True, eq=False)
class Background:
    """Which profile each directed line follows, and how strongly.

    Attributes
    ----------
    profiles : tuple of BackgroundProfile
    line_profile : int32 (L,)
        Index into `profiles`; -1 for a line that nobody else uses.
    line_scale : float64 (L,)
        Factor on the profile, > 0: lines of one kind are not loaded alike.
    """

    profiles: tuple[BackgroundProfile, ...]
    line_profile: NDArray[np.int32]
    line_scale: NDArray[np.float64]

    def mean_fraction(self, hour_of_day: float, working_day: bool) -> NDArray[np.float64]:
        """Mean share of each line taken by others at that hour, interpolated between hours' middles; (L,)."""
        result = np.zeros(len(self.line_profile))
        position = (hour_of_day - 0.5) % 24
        low, weight = int(position) % 24, position % 1  # just below 0.5 the position rounds up to 24
        for index, profile in enumerate(self.profiles):
            hours = profile.hours if working_day else profile.off_hours
            level = hours[low] * (1 - weight) + hours[(low + 1) % 24] * weight
            result[self.line_profile == index] = level
        return np.minimum(result * self.line_scale, FRACTION_MAX)

    @property
    def conference_scale(self) -> NDArray[np.float64]:
        """Factor on the share that a conference takes of each line, (L,)."""
        return np.ones(len(self.line_profile))


@dataclass(frozen=True, eq=False)
class RescaledBackground(Background):
    """A background on lines whose rate was changed: what others take stays what it was in Mbit/s.

    Attributes
    ----------
    rate_factor : float64 (L,)
        Rate of each line against the one that `profiles` speak of, > 0; `line_scale` is divided by it already.
    """

    rate_factor: NDArray[np.float64]

    @property
    def conference_scale(self) -> NDArray[np.float64]:
        """Factor on the share that a conference takes of each line, (L,)."""
        return np.asarray(1.0 / self.rate_factor)


def no_background(line_count: int) -> Background:
    """Return a background in which the lines belong to the exchange alone."""
    return Background((), np.full(line_count, -1, dtype=np.int32), np.ones(line_count))
