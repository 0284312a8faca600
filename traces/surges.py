"""Surges: what a user asks for, and how each kind rises and falls."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import Enum
from math import isfinite
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.calendar import LOCAL_TIME, day_of
from router_core.elementary import exp
from router_core.errors import BadInputError

SIZE_MAX: Final = 1_000.0
SIZE_DRAWN: Final = (2.0, 6.0)  # of a surge whose size is not stated
OFFICE_MINUTES: Final = ((9 * 60, 12 * 60), (13 * 60 + 30, 17 * 60 + 30))
DAY_MINUTES: Final = 24 * 60

# Assumed shapes, in minutes.
DEADLINE_RAMP: Final = 240
DEADLINE_SCALE: Final = 60.0
ENROLMENT_PLATEAU: Final = 120
EMERGENCY_LENGTH: Final = 360
EMERGENCY_SCALE: Final = 90.0
CORRECTION_DAYS: Final = 5


class SurgeKind(Enum):
    """The four kinds; each strikes one place with a shape of its own."""

    DEADLINE = "deadline"
    """Many sources to one receiver; rises exponentially up to the moment, then stops."""
    ENROLMENT = "enrolment"
    """Queries on one resource from everywhere; begins at the moment and stays for two hours."""
    EMERGENCY = "emergency"
    """Many types in one region; begins at the moment and decays."""
    CORRECTION = "correction"
    """One unit sends again in bulk, in office hours, until five working days are over."""


@dataclass(frozen=True)
class SurgeSpec:
    """A surge as asked for; what is `None` is drawn.

    Attributes
    ----------
    kind : SurgeKind
    moment : datetime or None
        Local time: the deadline itself, or when the surge begins.
    size : float or None
        Peak rate of the additional exchanges, as a multiple of the normal load where it strikes: the mean number an
        hour, in the busiest hour of a plain working day, that the receiver is sent on demand (deadline), that the
        provider answers in queries (enrolment), that begin or end in the region on demand (emergency), that the unit
        sends in bulk (correction).
    """

    kind: SurgeKind
    moment: datetime | None = None
    size: float | None = None

    @property
    def name(self) -> str:
        """The surge as text, in the form that `parse_surge` reads."""
        moment = f"@{self.moment:%Y-%m-%dT%H:%M}" if self.moment else ""
        size = f"x{self.size:g}" if self.size is not None else ""
        return f"{self.kind.value}{moment}{size}"


_TEXT: Final = re.compile(r"(?P<kind>[a-z]+)(@(?P<moment>\d{4}-\d\d-\d\dT\d\d:\d\d))?(x(?P<size>[0-9.eE+-]+))?")


def parse_surge(text: str) -> SurgeSpec:
    """Read ``KIND[@YYYY-MM-DDTHH:MM][xSIZE]``, such as ``deadline@2026-03-17T17:00x5``.

    Raises
    ------
    BadInputError
        If the text has another form, the kind is unknown, the time does not exist or the size is out of range.
    """
    match = _TEXT.fullmatch(text)
    if not match:
        raise BadInputError("surge", "must read KIND[@YYYY-MM-DDTHH:MM][xSIZE]", text)
    kinds = {kind.value: kind for kind in SurgeKind}
    if match["kind"] not in kinds:
        raise BadInputError("surge", f"the kind must be one of {', '.join(kinds)}", text)
    try:
        moment = datetime.fromisoformat(match["moment"]).replace(tzinfo=LOCAL_TIME) if match["moment"] else None
    except ValueError:
        raise BadInputError("surge", "the time must exist", text) from None
    try:
        size = float(match["size"]) if match["size"] else None
    except ValueError:
        raise BadInputError("surge", "the size must be a number", text) from None
    spec = SurgeSpec(kinds[match["kind"]], moment, size)
    check_size(spec)
    return spec


def check_size(spec: SurgeSpec) -> None:
    """Raise `BadInputError` if the size is out of range."""
    if spec.size is not None and not (isfinite(spec.size) and 0 < spec.size <= SIZE_MAX):
        raise BadInputError(f"surge {spec.name}", f"the size must be above 0 and at most {SIZE_MAX:g}", spec.size)


def completed(spec: SurgeSpec, start: datetime, end: datetime, random: np.random.Generator) -> SurgeSpec:
    """Draw what is not stated: a minute of office hours within [start, end) if there is one, and a size.

    Both are drawn always, so that stating one leaves the other as it was.
    """
    first = start.replace(second=0, microsecond=0)
    minutes = max(1, int((end - first) / timedelta(minutes=1)))
    at_work = np.concatenate(
        [office_minutes(first.date() + timedelta(days=day)) for day in range((end.date() - first.date()).days + 1)]
    )
    offset = first.hour * 60 + first.minute
    candidates = np.flatnonzero(at_work[offset : offset + minutes])
    if len(candidates) == 0:
        candidates = np.arange(minutes)
    moment = first + timedelta(minutes=int(candidates[int(random.random() * len(candidates))]))
    size = round(float(random.uniform(*SIZE_DRAWN)), 1)
    return replace(spec, moment=spec.moment or moment, size=size if spec.size is None else spec.size)


def office_minutes(when: date) -> NDArray[np.bool_]:
    """Whether offices work in each minute of a date, (1440,)."""
    result = np.zeros(DAY_MINUTES, dtype=np.bool_)
    if day_of(when).working:
        for begin, end in OFFICE_MINUTES:
            result[begin:end] = True
    return result


def surge_shape(spec: SurgeSpec) -> tuple[datetime, NDArray[np.float64]]:
    """Return when a completed surge begins, and its rate in each minute from then on against its peak.

    The peak is 1; the last minute has a positive rate.
    """
    assert spec.moment is not None, "a surge is completed before its shape is asked for"
    moment = spec.moment
    if spec.kind == SurgeKind.DEADLINE:
        left = np.arange(DEADLINE_RAMP)[::-1]
        return moment - timedelta(minutes=DEADLINE_RAMP), exp(-left / DEADLINE_SCALE)
    if spec.kind == SurgeKind.ENROLMENT:
        return moment, np.ones(ENROLMENT_PLATEAU)
    if spec.kind == SurgeKind.EMERGENCY:
        return moment, exp(-np.arange(EMERGENCY_LENGTH) / EMERGENCY_SCALE)
    days: list[NDArray[np.bool_]] = []
    worked = 0
    skip = moment.hour * 60 + moment.minute
    while worked < CORRECTION_DAYS:
        minutes = office_minutes(moment.date() + timedelta(days=len(days)))
        if not days:
            minutes[:skip] = False
        worked += bool(minutes.any())
        days.append(minutes)
    shape = np.concatenate(days)[skip:].astype(np.float64)
    return moment, shape[: int(np.flatnonzero(shape)[-1]) + 1]
