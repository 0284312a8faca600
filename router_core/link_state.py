"""What is known of every station at an instant, how old it is, and how far it can be believed."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError

NEVER_NS = -1


@dataclass(frozen=True, eq=False)
class LinkState:
    """An estimate for each of S stations.

    Attributes
    ----------
    now_ns : int
        Instant of the estimate [ns].
    stay_ns : float64 (S,)
        Mean time of a chunk of usual size from its arrival at a station to its arrival at the next one [ns], >= 0.
    utilisation : float64 (S,)
        Busy share of the station, everybody's load counted, >= 0; ``1 - utilisation`` is to spare.
    loss : float64 (S,)
        Share of chunks that fail there, 0..1.
    observed_ns : int64 (S,)
        The newest observation that tells of the station, no later than `now_ns` [ns]; `NEVER_NS`: there is none.
    confidence : float64 (S,)
        0: nothing is known but what was planned; 1: measured again and again.
    identified : bool (S,)
        Whether observations tell the station apart from those around it.
    up : bool (S,)
        Whether it works, as far as is known.

    Raises
    ------
    BadInputError
        If an array is of another length or type, or a value out of its range.
    """

    now_ns: int
    stay_ns: NDArray[np.float64]
    utilisation: NDArray[np.float64]
    loss: NDArray[np.float64]
    observed_ns: NDArray[np.int64]
    confidence: NDArray[np.float64]
    identified: NDArray[np.bool_]
    up: NDArray[np.bool_]

    def __post_init__(self) -> None:
        stations = np.shape(self.stay_ns)
        for field, kind in zip(
            fields(self)[1:], (*[np.float64] * 3, np.int64, np.float64, *[np.bool_] * 2), strict=True
        ):
            column = getattr(self, field.name)
            if column.dtype != kind or column.ndim != 1 or column.shape != stations:
                rule = f"must be {np.dtype(kind).name} of shape {stations}"
                raise BadInputError(f"link state: {field.name}", rule, f"{column.dtype} {column.shape}")
        for name, high in (("stay_ns", np.inf), ("utilisation", np.inf), ("loss", 1.0), ("confidence", 1.0)):
            column = getattr(self, name)
            wrong = np.flatnonzero(~((column >= 0) & (column <= high) & np.isfinite(column)))
            if len(wrong):
                value = float(column[wrong[0]])
                raise BadInputError(f"link state: {name}[{wrong[0]}]", f"must be finite and lie in 0..{high}", value)
        late = np.flatnonzero((self.observed_ns < NEVER_NS) | (self.observed_ns > self.now_ns))
        if len(late):
            value = int(self.observed_ns[late[0]])
            raise BadInputError(f"link state: observed_ns[{late[0]}]", f"must lie in {NEVER_NS}..{self.now_ns}", value)

    @property
    def age_ns(self) -> NDArray[np.int64]:
        """How old the newest observation of each station is [ns], (S,); `NEVER_NS` where there is none."""
        return np.where(self.observed_ns == NEVER_NS, NEVER_NS, self.now_ns - self.observed_ns)
