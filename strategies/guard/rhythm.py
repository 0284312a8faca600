"""When observations come: the period of a stream, learnt from it, and a clock that is not believed at once."""

from __future__ import annotations

from collections import deque
from typing import Final

from strategies.guard.verdict import Flaw

# The lower quartile of so many gaps: what is lost makes gaps longer, so of nine six long ones leave it right, and two
# that are too short.
GAPS: Final = 9
GAPS_LEAST: Final = 3
# Before anything has come nothing is known of its period: so many assumed ones may pass.
FIRST_PERIODS: Final = 5
# After a leap of the clock more would say no more.
OVERDUE_MAX: Final = 100


class Rhythm:
    """How often a stream's observations are taken, and what is overdue.

    Parameters
    ----------
    period_ns : int
        Assumed until gaps enough were seen [ns], > 0.

    Attributes
    ----------
    observed_ns : int or None
        The newest instant that was told of [ns].
    """

    def __init__(self, period_ns: int) -> None:
        self._assumed_ns = period_ns
        self._gaps: deque[int] = deque(maxlen=GAPS)
        self._seen_ns: int | None = None
        self._expected_since_ns: int | None = None
        self._told = 0
        self._window_ns = 0
        self.observed_ns: int | None = None

    @property
    def period_ns(self) -> int:
        """The period as far as it is known [ns]."""
        if len(self._gaps) < GAPS_LEAST:
            return max(self._assumed_ns, self._window_ns)
        return sorted(self._gaps)[(len(self._gaps) - 1) // 4]

    def saw(self, observed_ns: int, window_ns: int) -> None:
        """Take in the instant of an observation, used or not, that may be true, and its window."""
        self._window_ns = min(max(window_ns, 0), observed_ns)
        if self._seen_ns is not None and observed_ns <= self._seen_ns:
            return
        if self._seen_ns is not None:
            self._gaps.append(observed_ns - self._seen_ns)
        self._seen_ns = observed_ns

    def accept(self, now_ns: int, observed_ns: int) -> None:
        """Take in that an observation came in that is used."""
        self.observed_ns = observed_ns
        self.came(now_ns)

    def came(self, now_ns: int) -> None:
        """Take in that something came: the next one is expected a period from now."""
        self._expected_since_ns = now_ns
        self._told = 0

    def overdue(self, now_ns: int, grace: float) -> int:
        """Return how many observations are overdue by `grace` periods that no call told of, at most `OVERDUE_MAX`."""
        if self._expected_since_ns is None:
            self._expected_since_ns = now_ns
            return 0
        if self._seen_ns is None:
            grace += FIRST_PERIODS - 1
        missed = max(0, int((now_ns - self._expected_since_ns) / self.period_ns - grace))
        more = max(0, missed - self._told)
        self._told = max(missed, self._told)
        return min(more, OVERDUE_MAX)


class Clock:
    """The clock by which events are told. It never runs back, and a leap is believed when it lasts.

    Parameters
    ----------
    step_ns : int
        A leap ahead by more than this is not believed at once [ns], > 0.
    confirmations : int
        Instants beyond a leap, each later than the one before, that make it believed, >= 1.

    Attributes
    ----------
    now_ns : int or None
        The newest instant that is believed [ns].
    """

    def __init__(self, step_ns: int, confirmations: int) -> None:
        self._step_ns = step_ns
        self._confirmations = confirmations
        self._leapt: list[int] = []
        self.now_ns: int | None = None

    def tell(self, now_ns: int) -> Flaw | None:
        """Take in the instant of an event; return what is wrong with it."""
        if now_ns < (self.now_ns or 0):
            return Flaw.CLOCK_BACK
        if self.now_ns is None or now_ns <= self.now_ns + self._step_ns:
            self._leapt.clear()
            self.now_ns = now_ns
            return None
        if self._leapt and not self._leapt[-1] <= now_ns <= self._leapt[-1] + self._step_ns:
            self._leapt.clear()
        if not self._leapt or now_ns > self._leapt[-1]:
            self._leapt.append(now_ns)
        if len(self._leapt) < self._confirmations:
            return Flaw.CLOCK_AHEAD
        self._leapt.clear()
        self.now_ns = now_ns
        return None
