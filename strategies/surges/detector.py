"""Finds surges in many series at once, a step at a time, with one rate of false alarms for all."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.units import DAY_NS
from strategies.surges import kernels as rows
from strategies.surges.kernels import LANES, PARAMETERS, TILE, UNITS_MAX

WEEK_NS: Final = 7 * DAY_NS
# A shift counts as no less, and no more, than so many deviations: what CUSUM calls twice its k.
DRIFT_MIN: Final = 1.0
DRIFT_MAX: Final = 4.0
# Evidence is a logarithm of likelihood ratios. How often it crosses the two levels says how often it would cross any.
LOW, HIGH = 4.0, 8.0
# Before anything was observed these rates of crossings a step count like so many steps of one series.
PRIOR_LOW, PRIOR_HIGH, PRIOR_STEPS = 5e-3, 3e-4, 30_000.0
SLOPE_MIN, SLOPE_MAX = 0.4, 1.0
# Alarms must be few among the crossings of HIGH, as surges are not counted there.
LIMIT_MIN, LIMIT_MAX = 11.0, 60.0
# No noise is quieter than this, in crossings a step.
RATE_MIN: Final = 1e-7
# The limit is set for this part of the wanted false alarms: beyond what was counted, tails of thin series fall slowly.
MARGIN: Final = 0.7
# The limit follows what was counted in so many steps. A surge of everything must not look like a tail: of them no more
# crossings than these times what is usual count.
WATCH_STEPS: Final = 12
BURST: Final = 5.0


@dataclass(frozen=True)
class DetectorSetting:
    """What is looked for, and how often nothing may be found.

    Attributes
    ----------
    step_ns : int
        Length of a step [ns], > 0.
    false_alarms : float
        Wanted number a series and week, > 0; those of all series together are as many times more.
    least : float
        Factor of the least surge worth an alarm, > 1; what stays below some half of it gives none.
    memory : int
        Steps after which what was learnt of the noise has faded to a third, >= 2.
    settle : int
        Steps that a series must have been known for before it gives an alarm, >= 1.
    level : int
        Steps over which a forecast that is wrong by a little, for long, is corrected, >= 2; 0: it is taken as it is.
    limit_end : float
        Evidence that a surge is over, > 0, as a logarithm of likelihood ratios.

    Raises
    ------
    BadInputError
        If a rule above is broken.
    """

    step_ns: int
    false_alarms: float = 0.02
    least: float = 2.0
    memory: int = 2016
    settle: int = 36
    level: int = 36
    limit_end: float = 8.0

    def __post_init__(self) -> None:
        for name, low, strict in (
            ("step_ns", 0, True),
            ("false_alarms", 0, True),
            ("least", 1, True),
            ("memory", 2, False),
            ("settle", 1, False),
            ("level", 0, False),
            ("limit_end", 0, True),
        ):
            value = getattr(self, name)
            if not (isfinite(value) and (value > low if strict else value >= low)):
                rule = f"must be {'above' if strict else 'at least'} {low} and finite"
                raise BadInputError(f"detector.{name}", rule, value)

    @property
    def wanted(self) -> float:
        """False alarms a series and step."""
        return self.false_alarms * self.step_ns / WEEK_NS


@dataclass(frozen=True, eq=False)
class Found:
    """What a step brought.

    Attributes
    ----------
    found : int64 (a,)
        Series whose surge was noticed, ascending.
    ended : int64 (b,)
        Series whose surge is over, ascending; none of them in `found`.
    """

    found: NDArray[np.int64]
    ended: NDArray[np.int64]


_NONE: Final = np.empty(0, dtype=np.int64)
_NOTHING: Final = Found(_NONE, _NONE)


class Detector:
    """Watches D series for surges.

    Each step, counts are made equally noisy by the transform of Freeman and Tukey (1950), whitened by a first-order
    autoregression learnt on the way, and added up as the logarithm of the likelihood ratio of a shift by `least`: the
    CUSUM of Page (1954) with the signature that a step has behind such a filter. Noise is learnt from differences
    of innovations, which a shift enters once. The limit follows from how often evidence of all series crosses two
    lower levels. Equal calls give equal results; series do not influence each other but through the limit.

    Parameters
    ----------
    series : int
        Number D, >= 0.
    setting : DetectorSetting
    unit : float or float64 (D,)
        What demand comes in, > 0: 1 for counts, the size of a lump for bytes. No series is expected to vary less
        than such counts do.

    Raises
    ------
    BadInputError
        If a number is out of range.
    """

    def __init__(self, series: int, setting: DetectorSetting, unit: float | NDArray[np.float64] = 1.0) -> None:
        if series < 0:
            raise BadInputError("detector.series", "must not be negative", series)
        units = np.array(np.broadcast_to(np.asarray(unit, dtype=np.float64), (series,)))
        wrong = np.flatnonzero(~(np.isfinite(units) & (units > 0)))
        if len(wrong):
            raise BadInputError(f"detector.unit[{wrong[0]}]", "must be above 0 and finite", float(units[wrong[0]]))
        self.setting = setting
        self._series = series
        self._unit = units
        self._tiles = np.zeros((-(-series // LANES), TILE), dtype=np.float32)
        for row in (rows.VARIANCE, rows.NOISE, rows.BY_UNIT, rows.BIAS):
            self._row(row)[:] = 1.0
        self._put(rows.BY_UNIT, 1.0 / units)
        self._every = np.ones(series, dtype=np.bool_)
        self._found, self._ended = np.empty(series, dtype=np.int64), np.empty(series, dtype=np.int64)
        self._counts = np.zeros(4, dtype=np.int64)
        self._crossed = np.array([PRIOR_LOW, PRIOR_HIGH]) * PRIOR_STEPS
        self._watched = PRIOR_STEPS
        self._pending = np.zeros(2, dtype=np.int64)
        self._pending_steps = 0
        self._steps = 0
        self._numbers = np.zeros(PARAMETERS, dtype=np.float32)
        for place, value in (
            (rows.LEAST, setting.least),
            (rows.DRIFT_MIN, DRIFT_MIN),
            (rows.DRIFT_MAX, DRIFT_MAX),
            (rows.LIMIT_END, setting.limit_end),
            (rows.MEMORY, 1.0 / setting.memory),
            (rows.SETTLED, setting.settle),
            (rows.LOW, LOW),
            (rows.HIGH, HIGH),
            (rows.FOLLOW, 1.0 / setting.level if setting.level else 0.0),
        ):
            self._numbers[place] = value
        self._set_limit()
        self._limit_then = self._limit

    def __len__(self) -> int:
        return self._series

    @property
    def steps(self) -> int:
        """Steps taken, skipped ones included."""
        return self._steps

    @property
    def limit(self) -> float:
        """Evidence at which an alarm is given."""
        return self._limit

    @property
    def active(self) -> NDArray[np.int64]:
        """Series whose surge goes on, ascending."""
        return np.flatnonzero(self._get(rows.ACTIVE) > 0)

    def evidence(self, series: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return how far evidence for a surge is, against the limit of the last step."""
        return np.asarray(self._get(rows.EVIDENCE)[series] / self._limit_then, dtype=np.float64)

    def age(self, series: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return in how many steps before the last one each surge, or suspicion of one, seems to have begun."""
        return np.asarray(self._get(rows.AGE)[series], dtype=np.int64)

    def since_onset(self, series: NDArray[np.integer]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what came of each series, and what was expected, since then."""
        unit = self._unit[series]
        return self._get(rows.SUM_ACTUAL)[series] * unit, self._get(rows.SUM_EXPECTED)[series] * unit

    def noise(self, series: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return the deviation of levels that was learnt, against the one that was stated."""
        return np.sqrt(np.asarray(self._get(rows.VARIANCE)[series], dtype=np.float64))

    def skip(self, steps: int = 1) -> None:
        """Let steps pass of which nothing is known; what comes next is not held against what was before.

        Raises
        ------
        BadInputError
            If their number is negative.
        """
        if steps < 0:
            raise BadInputError("detector.skip", "must not be negative", steps)
        if steps:
            self._row(rows.CHAINED)[:] = 0.0
            self._row(rows.AGE)[:] += steps
            self._steps += steps

    def forget(self, series: NDArray[np.bool_]) -> None:
        """Let what was found and suspected of these series (D,) be settled: it is over, or explained."""
        for row in (rows.EVIDENCE, rows.RETURN, rows.ACTIVE, rows.AGE):
            self._put(row, np.where(series, 0.0, self._get(row)))

    def step(
        self,
        actual: NDArray[np.float64],
        expected: NDArray[np.float64],
        deviation: NDArray[np.float64],
        known: NDArray[np.bool_] | None = None,
        *,
        calm: bool = True,
    ) -> Found:
        """Take one step.

        Parameters
        ----------
        actual, expected, deviation : float64 (D,)
            What came, its mean and its standard deviation by forecast: finite, >= 0, any unit. Deviations need be
            right in proportion only; less than counts have is taken for what counts have. Anything where not known.
        known : bool (D,), optional
            All of them if not given.
        calm : bool
            Whether this step tells how often false alarms are to be expected: not while a large surge goes on.

        Raises
        ------
        BadInputError
            If an array has another shape or a wrong number; nothing has changed then.
        """
        given = [self._checked(*one) for one in (("actual", actual), ("expected", expected), ("deviation", deviation))]
        mask = self._every
        if known is not None:
            mask = np.ascontiguousarray(known)
            if mask.shape != (self._series,) or mask.dtype != np.bool_:
                raise BadInputError("known", f"must be {self._series} truth values", (mask.shape, str(mask.dtype)))
            given = [np.where(mask, one, 0.0) for one in given]
        came, mean, spread = given
        if rows.step(self._tiles, self._numbers, came, mean, spread, mask, self._found, self._ended, self._counts):
            self._refuse(given)
        self._limit_then = self._limit
        self._steps += 1
        found, ended, low, high = self._counts.tolist()
        if calm:
            # What turned out to be a surge says nothing of noise.
            self._pending += (low - found, high - found)
            self._pending_steps += 1
            if self._pending_steps == WATCH_STEPS:
                self._watch()
        if not (found or ended):
            return _NOTHING
        return Found(self._found[:found].copy(), self._ended[:ended].copy())

    def _watch(self) -> None:
        """Learn how often evidence crosses the two levels; the limit is where it would as often as wanted."""
        keep = (1.0 - 1.0 / self.setting.memory) ** WATCH_STEPS
        new = WATCH_STEPS * self._series
        usual = new * self._crossed / self._watched
        self._watched = keep * self._watched + new
        counted = np.minimum(self._pending, 1.0 + BURST * usual)
        self._crossed = np.maximum(keep * self._crossed + counted, RATE_MIN * self._watched)
        self._pending[:] = 0
        self._pending_steps = 0
        self._set_limit()

    def _set_limit(self) -> None:
        low, high = self._crossed.tolist()
        slope = min(max(log(low / high) / (HIGH - LOW), SLOPE_MIN), SLOPE_MAX) if high < low else SLOPE_MIN
        limit = HIGH + log(high / self._watched / (MARGIN * self.setting.wanted)) / slope
        self._limit = min(max(limit, LIMIT_MIN), LIMIT_MAX)
        self._numbers[rows.LIMIT] = self._limit

    def _checked(self, name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
        array = np.asarray(values, dtype=np.float64, order="C")
        if array.shape != (self._series,):
            raise BadInputError(name, f"must have shape ({self._series},)", array.shape)
        return array

    def _refuse(self, given: list[NDArray[np.float64]]) -> None:
        """Name the first number that is none."""
        for name, values in zip(("actual", "expected", "deviation"), given, strict=True):
            wrong = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
            if len(wrong):
                raise BadInputError(f"{name}[{wrong[0]}]", "must be finite and not negative", float(values[wrong[0]]))
        row = int(np.argmax(sum(given) / self._unit))
        raise BadInputError(f"actual[{row}]", f"must stay below {UNITS_MAX:g} units", float(given[0][row]))

    def _row(self, row: int) -> NDArray[np.float32]:
        """View of one figure of all series, tile by tile; what is past the last series is nobody's."""
        return self._tiles[:, row : row + LANES]

    def _get(self, row: int) -> NDArray[np.float32]:
        return self._row(row).reshape(-1)[: self._series]

    def _put(self, row: int, values: float | NDArray[np.generic]) -> None:
        whole = np.zeros(self._tiles.shape[0] * LANES, dtype=np.float32)
        whole[: self._series] = values
        self._row(row)[:] = whole.reshape(-1, LANES)
