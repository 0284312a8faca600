"""Tells absurd matrices from large ones, by rules that know no data set.

Files do not say whether they hold measured traffic, which cannot exceed the lines, or demand, which can: published
series of demand reach five times what a node's lines carry between one pair, and four times the network's capacity
in total. Counters that wrap or are read in a wrong unit are off by hundreds. So:

1. **Against the lines.** A matrix is absurd if one pair's demand is more than `headroom` times what the lines out of
   its source, or into its target, carry together, or if all demand between nodes is more than `headroom` times the
   capacity of all lines (each demand takes at least one line). The rule needs no other matrix, so it holds with one
   or two of them. The default headroom is one order of magnitude.
2. **Against the series.** What no line bounds, which is what stays at its node, or everything where no topology is
   known, is held against the other matrices: its total is absurd if its logarithm lies above the median by more than
   ten robust standard deviations (1.4826 times the median absolute deviation; Hampel, "The influence curve and its role
   in robust estimation", 1974) and by more than a factor of ten. Fewer than five totals have no spread to speak
   of: then this rule sets nothing aside. It fails where half of the matrices are corrupt alike, as any median does.

Small totals are never absurd: an outage is real.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from traces.importers.topology import ImportedTopology

SERIES_MIN: Final = 5
DEVIATIONS: Final = 10.0
FACTOR: Final = 10.0
_NORMAL_MAD: Final = 1.4826


def against_lines(
    demand_mbps: NDArray[np.float64], topology: ImportedTopology, headroom: float
) -> BadInputError | None:
    """Judge one matrix by rule 1.

    Parameters
    ----------
    demand_mbps : float64 (n, n)
        Finite, >= 0 [Mbit/s]; the diagonal is not looked at.
    topology : ImportedTopology
        With n nodes.
    headroom : float
        At least 1.

    Returns
    -------
    BadInputError or None
        The rule that is broken, with the worst pair and its value.
    """
    between = demand_mbps.copy()
    np.fill_diagonal(between, 0.0)
    out, into = topology.node_rates_mbps()
    bound = headroom * np.minimum(out[:, None], into[None, :])
    excess = between - bound
    if (excess > 0).any():
        row, column = (int(index) for index in np.unravel_index(int(np.argmax(excess)), excess.shape))
        names = topology.node_names
        over = int((excess > 0).sum())
        rule = f"must be at most {headroom:g} times what the two nodes' lines carry, {bound[row, column]:g} Mbit/s"
        if over > 1:
            rule += f"; {over} pairs break this"
        return BadInputError(f"demand {names[row]} > {names[column]}", rule, f"{between[row, column]:g} Mbit/s")
    lines = float(topology.rate_mbps.sum()) * (1 if topology.directed else 2)
    if between.sum() > headroom * lines:
        rule = f"must be at most {headroom:g} times what all lines carry, {headroom * lines:g} Mbit/s"
        return BadInputError("total demand", rule, f"{between.sum():g} Mbit/s")
    return None


def against_series(totals_mbps: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Judge the totals of a series by rule 2.

    Parameters
    ----------
    totals_mbps : float64 (T,)
        Finite, >= 0; totals of 0 are no part of the statistics and never absurd.

    Returns
    -------
    bool (T,)
        Whether each total is absurd.
    """
    result = np.zeros(len(totals_mbps), dtype=np.bool_)
    positive = totals_mbps > 0
    if positive.sum() < SERIES_MIN:
        return result
    logs = np.log(totals_mbps[positive])
    above = logs - np.median(logs)
    deviation = _NORMAL_MAD * np.median(np.abs(above))
    result[positive] = above > max(DEVIATIONS * deviation, np.log(FACTOR))
    return result
