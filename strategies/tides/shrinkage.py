"""Empirical Bayes: how far a series' own data are to be trusted against what all series together say."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from strategies.tides.kernels import strength_likelihood

STRENGTHS: Final = np.geomspace(0.1, 3000.0, 14)
# The likelihood of a strength is a sum over thousands of cells: beyond this many the rest says the same.
CELLS_MAX: Final = 40_000
SIZES: Final = 4


def shrunk_ratio(
    total: NDArray[np.float64], mean: NDArray[np.float64], part: NDArray[np.int64], parts: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ratio of each cell's true mean to `mean`, and how much data stand behind it, both of the shape (n, D).

    A ratio is Gamma around 1 with a strength that is the likeliest for its part of the cells: posterior mean
    ``(strength + total) / (strength + mean)``. Thin cells stay near 1, those with much data follow them; and how soon
    they do the data decide (Robbins 1956; Efron and Morris 1973).

    Parameters
    ----------
    total, mean : float64 (n, D)
        In units of variance by mean, so that a total is about Poisson.
    part : int64 (n, 1) or (n, D)
        Part of each cell, 0 .. parts - 1; each is cut further by the size of the mean.
    parts : int
    """
    if total.size == 0:
        return np.ones_like(total), np.full_like(total, STRENGTHS[-1])
    inside = mean[mean > 0]
    edges = np.quantile(inside, np.arange(1, SIZES) / SIZES) if len(inside) else np.zeros(SIZES - 1)
    cell = np.ascontiguousarray(part * SIZES + np.searchsorted(edges, mean), dtype=np.int64)
    # A stride that shares no factor with the width would be best; an odd one visits all columns well enough.
    stride = max(1, total.size // CELLS_MAX) | 1
    found = strength_likelihood(
        np.ascontiguousarray(total), np.ascontiguousarray(mean), cell, parts * SIZES, STRENGTHS, stride
    )
    # Where nothing was seen the strongest wins: nothing speaks against what all series say.
    strength = STRENGTHS[(found + 1e-9 * np.arange(len(STRENGTHS))).argmax(axis=1)][cell]
    return (strength + total) / (strength + mean), strength + mean
