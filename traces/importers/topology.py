"""The topology that an import yields: what a scenario is written from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from traces.matrices import checked_lines, checked_metric, checked_names, checked_rates, node_names, one_of, read_arrays

# A map needs degrees: coordinates that are none are scaled into a box of this width around (0, 0).
DRAWING_DEGREES: Final = 10.0
# A matrix is dense: one of this many nodes takes 130 MB.
NODES_MAX: Final = 4_000


@dataclass(frozen=True, eq=False)
class ImportedTopology:
    """Nodes and lines as a file states them. Checked when made; every array is read-only.

    Attributes
    ----------
    name : str
    node_names : tuple of str, length n, 2..`NODES_MAX`
        Unique; their order is the order of a matrix's rows.
    xy : float64 (n, 2)
        Longitude and latitude [degrees], or a drawing where the file has none; see `located`.
    lines : int64 (L, 2)
        Node indices of each line's ends, which differ; parallel lines are kept.
    directed : bool
        Whether a line carries only from its first end to its second; otherwise both ways alike.
    rate_mbps : float64 (L,)
        Rate of each line, in each direction [Mbit/s], finite, > 0.
    metric : float64 (L,) or None
        Administrative weight, finite, >= 0.
    located : bool
        Whether `xy` says where the nodes are; otherwise distances mean nothing.

    Raises
    ------
    BadInputError
        Naming the field, the place in it, the rule and the value.
    """

    name: str
    node_names: tuple[str, ...]
    xy: NDArray[np.float64]
    lines: NDArray[np.int64]
    directed: bool
    rate_mbps: NDArray[np.float64]
    metric: NDArray[np.float64] | None = None
    located: bool = True

    def __post_init__(self) -> None:
        count = len(self.node_names)
        if not 2 <= count <= NODES_MAX:
            raise BadInputError("nodes", f"a topology has 2..{NODES_MAX} of them", count)
        checked_names((self.name,), 1, "name")
        set_field = object.__setattr__
        set_field(self, "node_names", checked_names(self.node_names, count, "nodes"))
        set_field(self, "lines", checked_lines(self.lines, count, "lines"))
        set_field(self, "rate_mbps", checked_rates(self.rate_mbps, len(self.lines), "rate_mbps"))
        set_field(self, "metric", checked_metric(self.metric, len(self.lines), "metric"))
        set_field(self, "xy", _checked_places(self.xy, count))

    @property
    def node_count(self) -> int:
        """Number of nodes n."""
        return len(self.node_names)

    def same_lines(self, other: ImportedTopology) -> bool:
        """Whether the other has the same nodes and lines in the same order, wherever they are drawn."""
        return (
            self.node_names == other.node_names
            and self.directed == other.directed
            and np.array_equal(self.lines, other.lines)
            and np.array_equal(self.rate_mbps, other.rate_mbps)
        )

    def node_rates_mbps(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what the lines out of each node, and into it, carry together [Mbit/s]; two arrays (n,)."""
        count = self.node_count
        out, into = np.zeros(count), np.zeros(count)
        np.add.at(out, self.lines[:, 0], self.rate_mbps)
        np.add.at(into, self.lines[:, 1], self.rate_mbps)
        return (out, into) if self.directed else (out + into, out + into)

    def cables(self) -> ImportedTopology:
        """Return the topology with undirected lines, as a scenario has them: itself if it has no others.

        Each directed line is paired with one of the same rate the other way, in the order of the lines; parallel
        lines stay as many as they are. The metric is left out: the two ways may differ in it.

        Raises
        ------
        BadInputError
            If a line has no such partner: a scenario's line carries both ways alike.
        """
        if not self.directed:
            return self
        waiting: dict[tuple[int, int, float], list[int]] = {}
        cables: list[int] = []
        for index, ((a, b), rate) in enumerate(zip(self.lines.tolist(), self.rate_mbps.tolist(), strict=True)):
            partners = waiting.get((b, a, rate))
            if partners:
                cables.append(partners.pop(0))
            else:
                waiting.setdefault((a, b, rate), []).append(index)
        alone = sorted(index for indices in waiting.values() for index in indices)
        if alone:
            a, b = self.lines[alone[0]].tolist()
            rule = "a scenario's line carries both ways alike: there must be one back at the same rate"
            shown = f"{self.node_names[a]} > {self.node_names[b]} at {self.rate_mbps[alone[0]]:g} Mbit/s"
            raise BadInputError(f"lines[{alone[0]}]", rule, shown)
        chosen = np.array(sorted(cables))
        return ImportedTopology(
            name=self.name,
            node_names=self.node_names,
            xy=self.xy,
            lines=self.lines[chosen],
            directed=False,
            rate_mbps=self.rate_mbps[chosen],
            located=self.located,
        )


def on_circle(count: int) -> NDArray[np.float64]:
    """Return places (n, 2) on a circle, for nodes whose coordinates are not known."""
    angle = 2 * np.pi * np.arange(count) / max(count, 1)
    return np.stack((np.cos(angle), np.sin(angle)), axis=1) * (DRAWING_DEGREES / 2)


def drawn(
    xy: list[tuple[float, float]], count: int, geographical: bool, notes: list[str]
) -> tuple[NDArray[np.float64], bool]:
    """Return places (count, 2) [degrees] for the finite coordinates of a file, and whether they are real.

    Coordinates that are missing for some node, or the same for all, give way to a circle; those that are no degrees
    are moved and scaled evenly into a box. Either is told in `notes`.
    """
    if len(xy) < count or len(set(xy)) < 2:
        notes.append("the nodes have no coordinates of their own: they are drawn on a circle, distances mean nothing")
        return on_circle(count), False
    places = np.array(xy)
    if geographical:
        return places, True
    notes.append("the coordinates are not geographical: they are scaled into a drawing, distances mean nothing")
    # Halved first, so that coordinates near the largest float do not overflow.
    low, high = places.min(axis=0) / 2, places.max(axis=0) / 2
    return (places / 2 - (low + high) / 2) / (high - low).max() * (DRAWING_DEGREES / 2), False


def read_topology(path: Path) -> ImportedTopology:
    """Read the lines of an `.npz` file of a matrix series; its demand is not looked at, and may be absent.

    The number of nodes is the length of `nodes`, or else the width of the demand, or else what the lines name.

    Raises
    ------
    BadInputError
        Naming the file, the array, the rule and the value.
    """
    arrays = read_arrays(path)
    try:
        which, lines = one_of(arrays, "links", "links_undirected")
        names, demand = arrays.get("nodes"), arrays.get("demand_mbps", arrays.get("demand"))
        if names is not None and names.ndim == 1:
            count = len(names)
        elif demand is not None and demand.ndim == 3:
            count = demand.shape[2]
        else:
            # Ends out of all bounds are refused below; a line names no more nodes than there are ends.
            count = min(int(lines.max(initial=0)) + 1, 2 * lines.size) if lines.dtype.kind in "iu" else 0
        return ImportedTopology(
            name=path.stem,
            node_names=node_names(arrays, count),
            xy=on_circle(count),
            lines=lines,
            directed=which == "links",
            rate_mbps=one_of(arrays, "capacity_mbps", "capacity")[1],
            metric=arrays.get("igp_metric"),
            located=False,
        )
    except BadInputError as error:
        raise error.within(str(path)) from None


def _checked_places(xy: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    if xy.shape != (count, 2):
        raise BadInputError("xy", f"must be of shape ({count}, 2)", xy.shape)
    for column, name, limit in ((0, "longitude", 180.0), (1, "latitude", 90.0)):
        outside = np.flatnonzero(~(np.abs(xy[:, column]) <= limit))
        if len(outside):
            row = int(outside[0])
            raise BadInputError(f"xy[{row}]", f"{name} must lie in {-limit:g}..{limit:g}", float(xy[row, column]))
    result = np.array(xy, dtype=np.float64)
    result.setflags(write=False)
    return result
