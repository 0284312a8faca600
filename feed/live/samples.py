"""What agents tell of stations and of accepted tasks, parsed and with names made indices: not yet judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class StationSamples:
    """Of k stations, one window.

    Attributes
    ----------
    observed_ns : int
        End of the window, since 1970 [ns].
    window_ns : int
        Its length [ns], >= 0; 0: only `up` is told.
    station : int32 (k,)
        Indices, none twice.
    utilisation : float64 (k,)
    waiting, served_bytes : int64 (k,)
    up : bool (k,)
        As in `strategies.brain.TelemetryArrived`.
    """

    observed_ns: int
    window_ns: int
    station: NDArray[np.int32]
    utilisation: NDArray[np.float64]
    waiting: NDArray[np.int64]
    served_bytes: NDArray[np.int64]
    up: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class AcceptedTasks:
    """What one endpoint accepted in a window, n rows.

    Attributes
    ----------
    observed_ns, window_ns : int
        As in `StationSamples`.
    source : int
        Node index of the endpoint.
    target : int32 (n,)
        Node indices of endpoints.
    mode, kind, priority : int8 (n,)
    exchanges, payload_bytes : int64 (n,)
        As in `strategies.brain.DemandReported`.
    """

    observed_ns: int
    window_ns: int
    source: int
    target: NDArray[np.int32]
    mode: NDArray[np.int8]
    kind: NDArray[np.int8]
    priority: NDArray[np.int8]
    exchanges: NDArray[np.int64]
    payload_bytes: NDArray[np.int64]
