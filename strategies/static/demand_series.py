"""The series that the static policy plans with: exchanges between two groups of endpoints, class by class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.demand_history import DemandHistory
from router_core.errors import BadInputError
from router_core.network import Network
from router_core.paths.path_set import PathSet
from strategies.static.parts import Arrays, Document

# How many exchanges a series must have had before its own mean size weighs as much as its class's: sizes are so uneven
# (their variance is some two to four times the squared mean) that fewer say little.
SIZE_PRIOR: Final = 50.0


@dataclass(frozen=True, eq=False)
class DemandSeries:
    """D series, ascending by source group, target group and class.

    Attributes
    ----------
    source_group, target_group : int32 (D,)
        Of `Network.groups`.
    demand_class : int32 (D,)
        Of C classes.
    mean_bytes : float64 (D,)
        Mean payload [bytes], drawn towards the class's where the series is thin.
    class_count : int
        Number of classes C.
    sent, received : float64 (N, C)
        Share of its group's exchanges of a class that each endpoint sends, and receives; 0 for other nodes.
    """

    source_group: NDArray[np.int32]
    target_group: NDArray[np.int32]
    demand_class: NDArray[np.int32]
    mean_bytes: NDArray[np.float64]
    class_count: int
    sent: NDArray[np.float64]
    received: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.source_group)

    def pairs_in(self, paths: PathSet) -> NDArray[np.intp]:
        """Pair of a path set of groups that each series belongs to, (D,).

        Raises
        ------
        BadInputError
            If the path set lacks one.
        """
        groups = 1 + max(int(self.source_group.max(initial=0)), int(self.target_group.max(initial=0)))
        groups = max(groups, 1 + max(int(paths.source.max(initial=0)), int(paths.target.max(initial=0))))
        place = np.full(groups * groups, -1, dtype=np.intp)
        place[paths.source.astype(np.int64) * groups + paths.target] = np.arange(paths.pair_count)
        pair: NDArray[np.intp] = place[self.source_group.astype(np.int64) * groups + self.target_group]
        missing = np.flatnonzero(pair < 0)
        if len(missing):
            first = int(missing[0])
            name = paths.space.pair_name(int(self.source_group[first]), int(self.target_group[first]))
            raise BadInputError(f"demand of {name}", "must be of a pair of the path set", None)
        return pair

    def find(
        self,
        groups: int,
        source_group: NDArray[np.integer],
        target_group: NDArray[np.integer],
        demand_class: NDArray[np.integer],
    ) -> NDArray[np.int64]:
        """Series of each of these pairs of groups, of so many groups, and classes, -1 where there is none."""

        def key(
            source: NDArray[np.integer], target: NDArray[np.integer], kind: NDArray[np.integer]
        ) -> NDArray[np.int64]:
            pair = source.astype(np.int64) * groups + target
            return np.asarray(pair * self.class_count + kind)

        wanted = key(source_group, target_group, demand_class)
        known = key(self.source_group, self.target_group, self.demand_class)
        if not len(known):
            return np.full(len(wanted), -1, dtype=np.int64)
        place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        return np.where(known[place] == wanted, place, -1)

    def parts(self) -> tuple[Document, Arrays]:
        """Return the series as plain data; `from_parts` makes them again."""
        return {"class_count": self.class_count}, {name: getattr(self, name) for name in _ARRAYS}

    @classmethod
    def from_parts(cls, document: Document, arrays: Arrays) -> DemandSeries:
        """Make series from their parts."""
        return cls(class_count=document["class_count"], **{name: arrays[name] for name in _ARRAYS})


_ARRAYS: Final = ("source_group", "target_group", "demand_class", "mean_bytes", "sent", "received")


def demand_series(
    history: DemandHistory, network: Network, relation_class: NDArray[np.integer], class_count: int
) -> tuple[DemandSeries, NDArray[np.float64]]:
    """Gather the relations of a history into series.

    Parameters
    ----------
    history : DemandHistory
    network : Network
        The one that the history's nodes are of.
    relation_class : int (R,)
        Class of each relation, 0 .. class_count - 1.
    class_count : int

    Returns
    -------
    series : DemandSeries
    exchanges : float64 (H, D)
        Exchanges of each series in each hour.
    """
    relations = history.relations
    source = network.node_group[relations.source].astype(np.int64)
    target = network.node_group[relations.target].astype(np.int64)
    outside = np.flatnonzero((source < 0) | (target < 0))
    if len(outside):
        first = int(outside[0])
        name = f"{network.node_name[relations.source[first]]} > {network.node_name[relations.target[first]]}"
        raise BadInputError(f"relation {name}", "must join two endpoints", first)
    label = np.asarray(relation_class, dtype=np.int64)
    groups = len(network.groups)
    key, unit = np.unique((source * groups + target) * class_count + label, return_inverse=True)
    exchanges = history.series(unit, len(key))
    counts, sizes = history.totals(), history.totals(of_bytes=True)
    series_class = (key % class_count).astype(np.int32)
    series = DemandSeries(
        source_group=(key // class_count // groups).astype(np.int32),
        target_group=(key // class_count % groups).astype(np.int32),
        demand_class=series_class,
        mean_bytes=_mean_bytes(unit, label, counts, sizes, series_class, class_count),
        class_count=class_count,
        sent=_shares(network, relations.source, label, counts, class_count),
        received=_shares(network, relations.target, label, counts, class_count),
    )
    return series, exchanges


def _mean_bytes(
    unit: NDArray[np.intp],
    label: NDArray[np.int64],
    counts: NDArray[np.float64],
    sizes: NDArray[np.float64],
    series_class: NDArray[np.int32],
    class_count: int,
) -> NDArray[np.float64]:
    class_sizes = np.bincount(label, sizes, class_count)
    class_counts = np.bincount(label, counts, class_count)
    of_class = np.divide(class_sizes, class_counts, out=np.zeros(class_count), where=class_counts > 0)
    own_sizes, own_counts = (np.bincount(unit, values, len(series_class)) for values in (sizes, counts))
    return np.asarray((own_sizes + SIZE_PRIOR * of_class[series_class]) / (own_counts + SIZE_PRIOR))


def _shares(
    network: Network,
    node: NDArray[np.int32],
    label: NDArray[np.int64],
    counts: NDArray[np.float64],
    class_count: int,
) -> NDArray[np.float64]:
    """Return each node's share (N, C) of what its group has at this end, class by class."""
    place = node.astype(np.int64) * class_count + label
    amount: NDArray[np.float64] = np.bincount(place, counts, network.node_count * class_count).astype(np.float64)
    amount = amount.reshape(network.node_count, class_count)
    group = network.node_group
    ends = group >= 0
    whole = np.zeros((len(network.groups), class_count))
    np.add.at(whole, group[ends], amount[ends])
    result = np.zeros_like(amount)
    result[ends] = np.divide(amount[ends], whole[group[ends]], out=np.zeros_like(amount[ends]), where=amount[ends] > 0)
    return result
