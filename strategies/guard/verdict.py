"""What the guard says of an observation: usable, usable in part, or refused, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from strategies.brain import Event
from strategies.decision import Reason


class Stream(StrEnum):
    """Where an observation comes from."""

    TELEMETRY = "telemetry"
    DEMAND = "demand"
    PARTICLES = "particles"
    ALARMS = "alarms"
    CLOCK = "clock"


class Flaw(StrEnum):
    """What is wrong with an observation."""

    MISSING = "missing"
    LATE = "late"
    LOST = "lost"
    DUPLICATED = "duplicated"
    REORDERED = "reordered"
    FUTURE = "future"
    CLOCK_BACK = "clock-back"
    CLOCK_AHEAD = "clock-ahead"
    SHAPE = "shape"
    WINDOW = "window"
    OUT_OF_RANGE = "out-of-range"
    BEYOND_RATE = "beyond-rate"
    MOSTLY_ABSURD = "mostly-absurd"

    @property
    def harms(self) -> bool:
        """Whether it speaks against its stream; one that came twice, or was overtaken, does not."""
        return self not in (Flaw.DUPLICATED, Flaw.REORDERED)


_LATE: Final = (Flaw.LATE, Flaw.DUPLICATED, Flaw.REORDERED)


def reason_of(stream: Stream, flaw: Flaw) -> Reason:
    """Return the word that the log has for a flaw."""
    if stream is Stream.PARTICLES and flaw in (Flaw.MISSING, Flaw.LATE, Flaw.LOST):
        return Reason.PARTICLES_MISSING
    if flaw is Flaw.MISSING:
        return Reason.TELEMETRY_MISSING
    return Reason.TELEMETRY_LATE if flaw in _LATE else Reason.TELEMETRY_ABSURD


@dataclass(frozen=True, eq=False)
class Verdict:
    """What became of one observation, or of one that should have come.

    Attributes
    ----------
    stream : Stream
    now_ns : int
        When it was judged [ns].
    event : Event or None
        As it may be used: the event itself, or one cleaned of what is absurd; None: it must not be used.
    flaw : Flaw or None
        What is wrong with it, or with the first thing left out of it.
    observed_ns : int
        The instant that it tells of, no later than `now_ns` [ns]; 0 if that cannot be said.
    ignored : int64 (k,)
        Left out, ascending: stations of telemetry, rows of other events (as they came).
    """

    stream: Stream
    now_ns: int
    event: Event | None
    flaw: Flaw | None = None
    observed_ns: int = 0
    ignored: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    @property
    def reason(self) -> Reason | None:
        """The word that the log has for the flaw."""
        return None if self.flaw is None else reason_of(self.stream, self.flaw)

    @property
    def good(self) -> bool | None:
        """Whether it speaks for its stream or against it; None if for neither."""
        if self.event is not None:
            return True
        return None if self.flaw is None or not self.flaw.harms else False
