"""The flows of a changed platform: those of the scenario, what its demand grew by, and what its copies exchange."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.platform import ChangedPlatform, Copy, Platform
from traces.flows import Flows

ADDED: Final = "more of"


@dataclass(frozen=True, eq=False)
class FlowPart:
    """Flows that are drawn by themselves; rows are those of the whole, with this part's weights.

    Attributes
    ----------
    name : str or None
        Of the part's random streams; None for what the scenario has without changes.
    flows : Flows
    kept : tuple of float
        Of each type, the share of its exchanges that stay once drawn, in (0, 1].
    """

    name: str | None
    flows: Flows
    kept: tuple[float, ...]


def changed_flows(platform: Platform, own: Flows) -> tuple[Flows, tuple[FlowPart, ...]]:
    """Return the flows of a platform, and the parts to draw them in.

    A copy has, for each flow that begins or ends at its model, one of its own, with its share of the weight; what the
    copies of one step exchange among each other is none but what lies within one. A type's weights sum to how much
    there is of it, in units of the scenario's.

    Parameters
    ----------
    platform : Platform
        Changed or not.
    own : Flows
        Of the scenario without changes.
    """
    types = len(own.type_start) - 1
    if not isinstance(platform, ChangedPlatform):
        return own, (FlowPart(None, own, (1.0,) * types),)
    grown = own
    for step in platform.copies:
        grown = _with_copies(grown, step)
    factor = np.array(platform.demand_factor)
    of_type = np.repeat(np.arange(types), np.diff(grown.type_start))
    there = np.zeros(len(grown), dtype=np.bool_)
    for kind in range(types):  # rows of the scenario come first in each type
        there[grown.type_start[kind] : grown.type_start[kind] + len(own.weight[own.rows(kind)])] = True
    whole = grown.weight * factor[of_type]
    scenario = np.where(there, grown.weight, 0.0)
    kept = np.minimum(factor, 1.0)
    more = whole - scenario * kept[of_type]
    parts = [FlowPart(None, _weighing(grown, scenario), tuple(kept.tolist()))]
    if more.any():
        parts.append(FlowPart(ADDED, _weighing(grown, more), (1.0,) * types))
    return _weighing(grown, whole), tuple(parts)


def _weighing(flows: Flows, weight: NDArray[np.float64]) -> Flows:
    weight.setflags(write=False)
    return replace(flows, weight=weight)


def _with_copies(flows: Flows, copies: tuple[Copy, ...]) -> Flows:
    """Return the flows with those of the copies at the end of each type, copy by copy."""
    nodes = 1 + max(int(max(flows.source.max(), flows.target.max())), *(int(copy.node.max()) for copy in copies))
    resources = 1 + max(int(flows.resource.max()), *(int(copy.resource.max(initial=0)) for copy in copies))
    by_source, by_target = np.argsort(flows.source, kind="stable"), np.argsort(flows.target, kind="stable")
    kinds = flows.kinds()
    rows, source, target, resource, share = (
        [np.arange(len(flows))],
        [flows.source],
        [flows.target],
        [flows.resource],
        [],
    )
    share.append(np.ones(len(flows)))
    node_now, resource_now = np.arange(nodes, dtype=np.int32), np.arange(resources, dtype=np.int32)
    for copy in copies:
        node_now[copy.model_node], resource_now[copy.model_resource] = copy.node, copy.resource
        touched = np.union1d(
            _rows_of(flows.source, by_source, copy.model_node), _rows_of(flows.target, by_target, copy.model_node)
        )
        rows.append(touched)
        source.append(node_now[flows.source[touched]])
        target.append(node_now[flows.target[touched]])
        resource.append(resource_now[flows.resource[touched]])
        share.append(np.full(len(touched), copy.share))
        node_now[copy.model_node], resource_now[copy.model_resource] = copy.model_node, copy.model_resource
    row = np.concatenate(rows)
    order = np.argsort(kinds[row], kind="stable")
    row = row[order]
    arrays = {
        "type_start": np.concatenate(([0], np.cumsum(np.bincount(kinds[row], minlength=len(flows.type_start) - 1)))),
        "source": np.concatenate(source)[order],
        "target": np.concatenate(target)[order],
        "resource": np.concatenate(resource)[order],
        "weight": flows.weight[row] * np.concatenate(share)[order],
        "phase_ns": flows.phase_ns[row],
        "off_phase_ns": flows.off_phase_ns[row],
    }
    for array in arrays.values():
        array.setflags(write=False)
    return Flows(**arrays)


def _rows_of(ends: NDArray[np.int32], order: NDArray[np.intp], nodes: NDArray[np.int32]) -> NDArray[np.intp]:
    """Rows whose end is one of the nodes; `order` sorts the ends."""
    ordered = ends[order]
    low, high = np.searchsorted(ordered, nodes, side="left"), np.searchsorted(ordered, nodes, side="right")
    return np.concatenate([order[a:b] for a, b in zip(low.tolist(), high.tolist(), strict=True)])
