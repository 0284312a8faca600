"""What is expected in any window of time, of series and of whole flows, from a forecast by the hour."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.units import HOUR_NS
from strategies.surges.watch import Flows, WatchList
from strategies.tides.forecast import Forecast

HOURS = 24


class Expectation:
    """Means and deviations of D series, followed by the A whole flows of a watch list.

    Between the middles of two hours the mean is the line between them, or the hour's own if that is more: whether a
    tide rises smoothly or at the full hour, no rise that was forecast looks like a surge. What the two differ by counts
    as doubt.

    Parameters
    ----------
    forecast : Forecast
        By the hour, D series. Beyond its ends the same hour of its first, or last, day stands.
    flows : Flows
        Of the series.
    watched : WatchList
    start : datetime
        Local time of instant 0, without a zone.
    spread : float64 (D + A,)
        Relative deviation of thick flows.

    Raises
    ------
    BadInputError
        If the forecast is of another shape, not by the hour, or empty, or the start has a zone.
    """

    def __init__(
        self,
        forecast: Forecast,
        flows: Flows,
        watched: WatchList,
        start: datetime,
        spread: NDArray[np.float64],
    ) -> None:
        grid = forecast.grid
        if grid.step_ns != HOUR_NS or grid.count < 1:
            raise BadInputError("forecast.grid", "must have one hour or more", (grid.step_ns, grid.count))
        if forecast.mean.shape != (grid.count, len(flows.source)):
            rule = f"must have {len(flows.source)} columns and {grid.count} rows"
            raise BadInputError("forecast.mean", rule, forecast.mean.shape)
        if not bool((np.isfinite(forecast.mean) & (forecast.mean >= 0)).all()):
            raise BadInputError("forecast.mean", "must be finite and not negative", float(np.min(forecast.mean)))
        if start.tzinfo is not None:
            raise BadInputError("start", "must be local time without a zone", start.isoformat())
        self._forecast, self._flows, self._watched = forecast, flows, watched
        # By hour, as they come up: of the forecast's days a run lives through few.
        self._mean: dict[int, NDArray[np.float64]] = {}
        self._spread = spread
        self._offset_ns = (start - grid.begin) // timedelta(microseconds=1) * 1_000

    def over(self, begin_ns: int, end_ns: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and deviation of what comes in a window, (D + A,) each."""
        middle = self._offset_ns + (begin_ns + end_ns) / 2
        hour = int(middle // HOUR_NS)
        place = middle / HOUR_NS - hour - 0.5
        own = self._hour(hour)
        beside = self._hour(hour + 1 if place >= 0 else hour - 1)
        between = own + abs(place) * (beside - own)
        hours = (end_ns - begin_ns) / HOUR_NS
        mean = np.maximum(own, between) * hours
        doubt = (between - own) * hours
        deviation = np.sqrt(mean + (self._spread * mean) ** 2 + doubt * doubt)
        return mean, deviation

    def _hour(self, hour: int) -> NDArray[np.float64]:
        last = self._forecast.grid.count - 1
        if hour > last:
            hour = max(last - (HOURS - 1) + (hour - last - 1) % HOURS, 0)
        elif hour < 0:
            hour = min(hour % HOURS, last)
        if hour not in self._mean:
            own = self._forecast.mean[hour]
            self._mean[hour] = np.concatenate([own, self._watched.totals(self._flows, own)])
        return self._mean[hour]
