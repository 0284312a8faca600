"""Whether every pair that the network joins has a live way, and keeps one after every single failure."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from feed.check.findings import Finding, Rule, Severity
from feed.check.policy_table import PolicyTable
from router_core.paths.path_set import PathSet
from router_core.paths.route_space import RouteSpace
from router_core.paths.survivable import unprotected
from router_core.routing_graph import RoutingGraph, compressed


def connected(space: RouteSpace, down: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which ends have any lawful way to which others, (G, G), over stations that are up."""
    graph = space.graph
    up = ~down[graph.arc_station]
    open_arcs: RoutingGraph = compressed(
        graph.arc_tail[up], graph.arc_head[up], graph.arc_station[up], graph.state_count
    )
    # From which ends each state is reached, as bits: spread from state to state until nothing changes.
    reached = [0] * graph.state_count
    for end, state in enumerate(space.entry.tolist()):
        reached[state] |= 1 << end
    start, head = open_arcs.arc_start.tolist(), open_arcs.arc_head.tolist()
    waiting = set(space.entry.tolist())
    while waiting:
        following: set[int] = set()
        for state in waiting:
            own = reached[state]
            for at in head[start[state] : start[state + 1]]:
                if own & ~reached[at]:
                    reached[at] |= own
                    following.add(at)
        waiting = following
    result = np.zeros((space.end_count, space.end_count), dtype=np.bool_)
    for target, state in enumerate(space.exit.tolist()):
        bits = reached[state]
        row = np.frombuffer(bits.to_bytes((space.end_count + 7) // 8, "little"), dtype=np.uint8)
        result[:, target] = np.unpackbits(row, bitorder="little", count=space.end_count).astype(np.bool_)
    return result


def covered(table: PolicyTable, paths: PathSet, down: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which pairs of groups have a way whose stations are all up, (G, G)."""
    shut = np.concatenate(([0], np.cumsum(down[paths.path_station])))
    live = shut[paths.path_start[1:]] == shut[paths.path_start[:-1]]
    result = np.zeros((len(table.names), len(table.names)), dtype=np.bool_)
    result[table.source[table.pair[live]], table.target[table.pair[live]]] = True
    return result


def check_coverage(
    table: PolicyTable, joined: NDArray[np.bool_], has: NDArray[np.bool_], needed: NDArray[np.bool_]
) -> list[Finding]:
    """Tell pairs that the network joins and the policy does not, (G, G) each; those needed by the catalogue apart."""
    found = []
    for source, target in np.argwhere(joined & ~has).tolist():
        names = table.names[source], table.names[target]
        needs = bool(needed[source, target])
        rule = Rule.SHARING if needs else Rule.COVERAGE
        said = "has no live way, though the network has one"
        said += " and the catalogue permits exchanges" if needs else ""
        found.append(Finding(rule, Severity.REFUSE, " > ".join(names), said, pairs=(names,)))
    for source, target in np.argwhere(needed & ~joined).tolist():
        names = table.names[source], table.names[target]
        said = "is permitted by the catalogue, and the network has no way"
        found.append(Finding(Rule.SHARING, Severity.WARN, " > ".join(names), said, pairs=(names,)))
    return found


def check_survival(table: PolicyTable, paths: PathSet) -> tuple[list[Finding], int]:
    """Tell pairs that lose all their ways to a single failure that the network could survive.

    Returns
    -------
    findings : list of Finding
        One a risk.
    unavoidable : int
        Pairs and risks such that no path of any policy survives, as where a home itself fails.
    """
    exposed = unprotected(paths)
    by_risk: defaultdict[int, list[int]] = defaultdict(list)
    for pair, risk in exposed.lacking:
        by_risk[risk].append(pair)
    found = [
        Finding(
            Rule.SURVIVAL,
            Severity.REFUSE,
            f"after {paths.space.risks.name[risk]}",
            f"{len(pairs)} pairs lose all their ways, though the network keeps one",
            value=float(len(pairs)),
            limit=0.0,
            pairs=tuple(table.pair_name(pair) for pair in pairs),
        )
        for risk, pairs in sorted(by_risk.items())
    ]
    return found, int((~exposed.avoidable).sum())
