"""What fitting demand classes yields: the classes, who belongs to them, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PolicyTemplate:
    """How exchanges of a class are to be treated.

    Attributes
    ----------
    priority : int
        Class of service, 0 is the most urgent.
    deferrable : bool
        Whether the class may be held back within its deadline.
    hold_max_ns : int
        Longest hold [ns] that leaves time enough before the deadline; 0 if not deferrable.
    chunk_bytes : int
        Size of chunks in which it should travel [bytes]; 0: whole.
    paths : int
        How many paths a pair's exchanges may be spread over, >= 1.
    forecast : str
        Which tide model suits the class: a name that `strategies.tides` knows, or ``auto``.
    """

    priority: int
    deferrable: bool
    hold_max_ns: int
    chunk_bytes: int
    paths: int
    forecast: str


@dataclass(frozen=True, eq=False)
class DemandClass:
    """One class, with a name that a person understands.

    Attributes
    ----------
    name : str
        Lower-case slug, unique in its model, such as ``office-hours-queries``.
    title_en, title_zh : str
    description_en, description_zh : str
        A sentence: when, how large, how, how it answers to the calendar.
    policy : PolicyTemplate
    relations : int
        How many belong to it.
    exchanges_share, bytes_share : float
        Of all exchanges, and of all bytes.
    profile : float64 (168,)
        Mean exchanges in each hour of a plain week, from Monday 00:00, against the mean hour.
    effects : dict of str to float
        Level of special days against plain ones: ``weekend``, ``holiday``, ``month_end``, ``reporting``...; NaN where
        the history has none.
    mean_bytes : float
    """

    name: str
    title_en: str
    title_zh: str
    description_en: str
    description_zh: str
    policy: PolicyTemplate
    relations: int
    exchanges_share: float
    bytes_share: float
    profile: NDArray[np.float64]
    effects: dict[str, float]
    mean_bytes: float


@dataclass(frozen=True)
class ClassCount:
    """How good so many classes would be.

    Attributes
    ----------
    classes : int
    stability : float
        Mean adjusted Rand index between clusterings of resamples, on what they share.
    silhouette : float
        Mean silhouette, for comparison: it does not decide.
    """

    classes: int
    stability: float
    silhouette: float
