"""What each demand class has until its deadline, what it sends, and between which groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.network import Network
from router_core.paths.path_set import PathSet
from router_core.units import SECOND_NS
from router_core.vocabulary import PRIORITY_MAX, Mode, TaskKind
from strategies.classes.class_model import ClassModel

NO_LEAD: Final = -1
# The lead that all but this share of a class's exchanges have; below that, likelihoods are smoothing more than memory.
LEAD_SHARE: Final = 0.05
USUAL: Final = 0.5
LARGE: Final = 0.95


@dataclass(frozen=True, eq=False)
class ClassLeads:
    """K classes over the D pairs of a path set.

    Attributes
    ----------
    name : tuple of str, length K
    lead_ns : int64 (K,)
        From submission to deadline [ns], > 0; `NO_LEAD`: nothing of it is ever late.
    usual_bytes, large_bytes : int64 (K,)
        Payload of an exchange, and of a large one, >= 0.
    occurs : bool (K, D)
        Which pairs exchange in which class.

    Raises
    ------
    BadInputError
        If the columns do not fit each other, or a value is out of its range.
    """

    name: tuple[str, ...]
    lead_ns: NDArray[np.int64]
    usual_bytes: NDArray[np.int64]
    large_bytes: NDArray[np.int64]
    occurs: NDArray[np.bool_]

    def __post_init__(self) -> None:
        count = len(self.name)
        for name in ("lead_ns", "usual_bytes", "large_bytes"):
            column = getattr(self, name)
            if column.dtype != np.int64 or column.shape != (count,):
                rule = f"must be int64 of shape ({count},)"
                raise BadInputError(f"class leads: {name}", rule, f"{column.dtype} {column.shape}")
        if self.occurs.dtype != np.bool_ or self.occurs.ndim != 2 or len(self.occurs) != count:
            rule = f"must be bool of shape ({count}, pairs)"
            raise BadInputError("class leads: occurs", rule, f"{self.occurs.dtype} {self.occurs.shape}")
        wrong = np.flatnonzero((self.lead_ns < 1) & (self.lead_ns != NO_LEAD))
        if len(wrong):
            rule = f"must be positive, or {NO_LEAD}"
            raise BadInputError(f"class leads: lead_ns[{wrong[0]}]", rule, int(self.lead_ns[wrong[0]]))
        wrong = np.flatnonzero((self.usual_bytes < 0) | (self.large_bytes < self.usual_bytes))
        if len(wrong):
            rule = "must not be below the usual ones, nor those below 0"
            raise BadInputError(f"class leads: large_bytes[{wrong[0]}]", rule, int(self.large_bytes[wrong[0]]))


def class_leads(network: Network, classes: ClassModel, paths: PathSet) -> ClassLeads:
    """Read leads and sizes from what the model learnt of its classes.

    It knows both by powers of two: a lead is told as the least of its power, up to half too short; a size as the
    greatest.
    """
    groups = len(network.groups)
    pair_at = np.full(groups * groups, -1, dtype=np.int64)
    pair_at[paths.source.astype(np.int64) * groups + paths.target] = np.arange(paths.pair_count)
    group = network.node_group.astype(np.int64)
    pair = pair_at[group[classes.source] * groups + group[classes.target]]
    occurs = np.zeros((len(classes.classes), paths.pair_count), dtype=np.bool_)
    known = pair >= 0
    occurs[classes.relation_class[known], pair[known]] = True

    sizes = np.cumsum(classes.likelihood.sizes, axis=1)
    leads = classes.likelihood.ways[:, len(Mode) + len(TaskKind) + PRIORITY_MAX + 1 :]
    digits = (np.cumsum(leads, axis=1) > LEAD_SHARE * leads.sum(axis=1, keepdims=True)).argmax(axis=1)
    never = digits == leads.shape[1] - 1
    lead_ns = np.maximum(SECOND_NS << np.maximum(digits - 1, 0), 1)
    return ClassLeads(
        name=tuple(one.name for one in classes.classes),
        lead_ns=np.where(never, NO_LEAD, lead_ns).astype(np.int64),
        usual_bytes=_bytes(sizes, USUAL),
        large_bytes=_bytes(sizes, LARGE),
        occurs=occurs,
    )


def _bytes(cumulative: NDArray[np.float64], share: float) -> NDArray[np.int64]:
    digits = (cumulative >= share * cumulative[:, -1:]).argmax(axis=1)
    return np.asarray(np.int64(1) << digits.astype(np.int64)) - 1
