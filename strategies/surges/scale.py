"""Some of what is watched, over some windows together: a detector with its clock."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.units import DAY_NS, HOUR_NS
from strategies.surges.detector import Detector, DetectorSetting

# False alarms wanted a week, of all flows that a scale watches together.
FALSE_ALARMS: Final = 0.2
# Time that a flow is known for before it gives an alarm, in steps, and the span after which noise is forgotten.
SETTLE_STEPS: Final = 12
SETTLE_STEPS_LONG: Final = 4
MEMORY_NS: Final = 3 * DAY_NS
# A forecast that is wrong for hours is corrected over this time, and over so many steps at least.
LEVEL_NS: Final = 2 * HOUR_NS
LEVEL_STEPS_MIN: Final = 6


class Scale:
    """Watches rows of what comes, in steps of one span of time that begin at whole spans of the day.

    A step of which a window is missing is left out.

    Parameters
    ----------
    rows : int64 (n,)
        Places of what is watched.
    window_ns, span_ns : int
        Length of a window, and of a step: a multiple [ns].
    offset_ns : int
        Time of day of instant 0 [ns].
    least : float
        Factor of the least surge worth an alarm.
    """

    def __init__(self, rows: NDArray[np.int64], window_ns: int, span_ns: int, offset_ns: int, least: float) -> None:
        self._rows = rows
        self._window_ns, self._span_ns, self._offset_ns = window_ns, span_ns, offset_ns
        self._windows = span_ns // window_ns
        setting = DetectorSetting(
            span_ns,
            FALSE_ALARMS / max(len(rows), 1),
            least=least,
            memory=max(int(MEMORY_NS // span_ns), 24),
            level=max(int(LEVEL_NS // span_ns), LEVEL_STEPS_MIN),
            settle=SETTLE_STEPS if self._windows < 2 * SETTLE_STEPS else SETTLE_STEPS_LONG,
        )
        self._detector = Detector(len(rows), setting)
        self._sums = np.zeros((3, len(rows)))
        self._step: int | None = None
        self._gathered = 0
        self._known: NDArray[np.bool_] | None = None

    def take(
        self,
        end_ns: int,
        came: NDArray[np.float64],
        expected: NDArray[np.float64],
        deviation: NDArray[np.float64],
        known: NDArray[np.bool_] | None = None,
        *,
        calm: bool,
    ) -> list[tuple[int, int, float]]:
        """Take a window in; return place, windows since the onset, and evidence of what is found.

        In a calm step no surge is known. Places that are not known in a window are not in its step, and what was
        suspected of them is forgotten.
        """
        # A window belongs to the step in which its middle lies.
        step = int((self._offset_ns + end_ns - self._window_ns // 2) // self._span_ns)
        if self._step is None or step != self._step:
            if self._step is not None:
                lost = self._gathered not in (0, self._windows)
                self._detector.skip(step - self._step - 1 + lost)
            self._step, self._gathered = step, 0
            self._sums[:] = 0.0
            self._known = None
        mean = expected[self._rows]
        doubt = deviation[self._rows]
        self._sums[0] += came[self._rows]
        self._sums[1] += mean
        # Counts of windows are independent of each other, errors of the forecast are not.
        self._sums[2] += np.sqrt(np.maximum(doubt * doubt - mean, 0.0))
        self._gathered += 1
        if known is not None:
            self._known = known[self._rows] if self._known is None else self._known & known[self._rows]
        if self._gathered < self._windows:
            return []
        spread = np.sqrt(self._sums[1] + self._sums[2] ** 2)
        if self._known is not None:
            self._detector.forget(~self._known)
        found = self._detector.step(self._sums[0], self._sums[1], spread, self._known, calm=calm).found
        if not len(found):
            return []
        ages = (self._detector.age(found) + 1) * self._windows - 1
        scores = self._detector.evidence(found)
        return list(zip(self._rows[found].tolist(), ages.tolist(), scores.tolist(), strict=True))
