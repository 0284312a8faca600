"""What a policy was at an instant and what it rested on: enough to explain any of its routes later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.link_state import LinkState
from router_core.paths.path_set import PathSet
from strategies.decision import Reason, Trust


@dataclass(frozen=True, eq=False)
class PolicyRecord:
    """One policy, in force from `now_ns` until the next one.

    Attributes
    ----------
    now_ns : int
        [ns].
    reason : Reason
        Why it came into force.
    trust : Trust
        What it goes by.
    paths : PathSet
        Of ``space_of_network(network)``; the same object from record to record.
    weights : int32 (P,)
        Of each path; those of a pair have one sum, or are all 0.
    state : LinkState
        What was known of all stations.
    """

    now_ns: int
    reason: Reason
    trust: Trust
    paths: PathSet
    weights: NDArray[np.int32]
    state: LinkState
