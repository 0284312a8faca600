"""The extranet's other users as the world sees them: the share of each line they take, minute by minute."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.background import FRACTION_MAX, Background
from router_core.calendar import is_working_day
from router_core.network import Network
from router_core.randomness import stream
from router_core.units import PS_PER_BYTE_MAX
from sim.data_plane import SetStationService

# How much of a step's deviation is left a step later: a few minutes' memory at one step a minute.
PERSISTENCE: Final = 0.9
CONFERENCE_HOURS: Final = ((9, 11), (15, 17))


class OtherUsers:
    """Draws the shares step by step from the run's own stream ``background``.

    Parameters
    ----------
    network : Network
    background : Background
    start : datetime
        Local time at which the run starts.
    seed : int
        Seed of the run.
    """

    def __init__(self, network: Network, background: Background, start: datetime, seed: int) -> None:
        self._background = background
        self._start = start
        self._noise = stream(seed, "background")
        self._conferences = stream(seed, "background.conferences")
        lines = np.flatnonzero(background.line_profile >= 0)
        self._lines = lines
        self._station = network.line_station[lines]
        self._fixed_ns = network.station_fixed_ns[self._station]
        self._full_ps = network.station_ps_per_byte[self._station]
        profiles = background.profiles
        index = background.line_profile[lines]
        self._jitter = np.array([profile.jitter for profile in profiles])[index] if profiles else np.zeros(0)
        self._conference_scale = background.conference_scale[lines]
        self._deviation = self._noise.standard_normal(len(lines)) * self._jitter
        self._conference: dict[tuple[str, int], tuple[int, int] | None] = {}
        self.fraction = np.zeros(network.line_count)

    def step(self, now_ns: int) -> SetStationService:
        """Move on one step and return the rates that the exchange is left with; `fraction` then holds the shares."""
        now = self._start + timedelta(microseconds=now_ns // 1_000)
        hour = now.hour + now.minute / 60 + now.second / 3_600
        share = self._background.mean_fraction(hour, is_working_day(now.date()))[self._lines]
        innovation = self._noise.standard_normal(len(self._lines)) * self._jitter * np.sqrt(1 - PERSISTENCE**2)
        self._deviation = PERSISTENCE * self._deviation + innovation
        share = share * (1 + self._deviation) + self._conference_share(now, hour)
        share = np.clip(share, 0.0, FRACTION_MAX)
        self.fraction[self._lines] = share
        left_ps = np.minimum(np.ceil(self._full_ps / (1 - share)).astype(np.int64), PS_PER_BYTE_MAX)
        return SetStationService(self._station, self._fixed_ns, left_ps)

    def _conference_share(self, now: datetime, hour: float) -> NDArray[np.float64]:
        extra = np.zeros(len(self._background.profiles))
        for index, profile in enumerate(self._background.profiles):
            key = (now.date().isoformat(), index)
            if key not in self._conference:
                draw, half = self._conferences.random(), int(self._conferences.integers(len(CONFERENCE_HOURS)))
                held = is_working_day(now.date()) and draw < profile.conference_probability
                self._conference[key] = CONFERENCE_HOURS[half] if held else None
            hours = self._conference[key]
            if hours is not None and hours[0] <= hour < hours[1]:
                extra[index] = profile.conference_fraction
        if len(extra) == 0:
            return np.zeros(0)
        return np.asarray(extra[self._background.line_profile[self._lines]] * self._conference_scale)
