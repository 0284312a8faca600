"""Whether a package means something on this network: what parsing cannot know, as it knows no network."""

from __future__ import annotations

from collections.abc import Set
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from feed.bundle.documents import PLATFORM_FILE, RELEASE_FILE, RoutesDocument, broken, routes_file
from feed.bundle.package import scope_files
from feed.bundle.parsed import Parsed
from feed.refusals import Refusal, RefusedBundleError
from router_core.network import Network
from router_core.vocabulary import StationRole
from strategies.static.week_plan import WEIGHT_TOTAL


def check_meaning(network: Network, parsed: Parsed, group: int) -> None:
    """Refuse what would mislead an endpoint of a group: numbers that name nothing, ways that are none.

    Raises
    ------
    RefusedBundleError
        SCHEMA, with file, place, rule and value.
    """
    _check_platform(network, parsed)
    if parsed.release.hold_total != WEIGHT_TOTAL:
        raise broken(RELEASE_FILE, "hold_total", f"must be {WEIGHT_TOTAL}", parsed.release.hold_total)
    _check_routes(network, parsed.routes[group], group)


def check_scope(network: Network, parsed: Parsed, files: Set[str], scope: str) -> int:
    """Return the group of the endpoint if the package, of these files, is that endpoint's and whole.

    Raises
    ------
    RefusedBundleError
        WRONG_SCOPE.
    """
    group = parsed.platform.endpoints.get(scope)
    if group is None:
        raise RefusedBundleError(Refusal.WRONG_SCOPE, f"{PLATFORM_FILE}: must name the endpoint {scope}")
    if group != int(network.node_group[network.node_index[scope]]):
        raise RefusedBundleError(Refusal.WRONG_SCOPE, f"{PLATFORM_FILE}: endpoints.{scope} must be its group here")
    wanted = set(scope_files(parsed.manifest, parsed.platform, scope))
    for what, wrong in (("lacks", wanted - files), ("has, beyond it,", files - wanted)):
        if wrong:
            raise RefusedBundleError(Refusal.WRONG_SCOPE, f"package: must be that of {scope}, and {what} {min(wrong)}")
    if group not in parsed.routes:
        raise RefusedBundleError(Refusal.WRONG_SCOPE, f"package: must hold {routes_file(group)}")
    return group


def _check_platform(network: Network, parsed: Parsed) -> None:
    document = parsed.platform
    for place, wanted, value in (
        ("stations", network.station_count, document.stations),
        ("groups", len(network.groups), len(document.groups)),
        ("endpoints", len(network.endpoints), len(document.endpoints)),
    ):
        if value != wanted:
            raise broken(PLATFORM_FILE, place, f"must be {wanted}", value)


def _check_routes(network: Network, routes: RoutesDocument, group: int) -> None:
    file = routes_file(group)
    groups = network.groups
    ways = [(row, place, way) for row, one in enumerate(routes.targets) for place, way in enumerate(one.ways)]
    for row, place, way in ways:
        target = routes.targets[row].target
        if way.first not in groups[group] or way.last not in groups[target]:
            rule = "must lead from a home of the source to a home of the target"
            raise broken(file, f"targets.{row}.ways.{place}", rule, (way.first, way.last))
    if not ways:
        return
    lengths = np.array([len(way.stations) for _, _, way in ways])
    station = np.array([one for _, _, way in ways for one in way.stations], dtype=np.int64)
    start = np.concatenate([[0], np.cumsum(lengths)])
    wrong = _no_ways(network, station, start, np.array([(way.first, way.last) for _, _, way in ways]))
    if wrong is not None:
        row, place, way = ways[wrong]
        rule = "must run from first to last over stations that follow each other, and be processed once"
        raise broken(file, f"targets.{row}.ways.{place}.stations", rule, way.stations)


def _no_ways(
    network: Network, station: NDArray[np.int64], start: NDArray[np.int64], ends: NDArray[np.int64]
) -> int | None:
    """Return the first way that does not run where it says, None if all do."""
    way = np.repeat(np.arange(len(start) - 1), np.diff(start))
    begins, arrives = _station_ends(network)
    torn = np.zeros(len(start) - 1, dtype=np.bool_)
    # A station must begin where the one before it arrived, or, being the first, where the way begins.
    before = np.empty_like(station)
    before[1:] = arrives[station[:-1]]
    before[start[:-1]] = ends[:, 0]
    torn[way[begins[station] != before]] = True
    torn |= arrives[station[start[1:] - 1]] != ends[:, 1]
    processed = np.bincount(way, network.station_role[station] == StationRole.PROCESS, len(torn))
    torn |= processed != 1
    found = np.flatnonzero(torn)
    return int(found[0]) if len(found) else None


@lru_cache(maxsize=8)
def _station_ends(network: Network) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Node where each station takes an exchange in, and where it leaves it, (S,)."""
    line = network.station_role == StationRole.LINE
    owner = np.where(line, network.station_owner, 0)
    if network.line_count == 0:
        return network.station_owner, network.station_owner
    begins = np.where(line, network.line_source[owner], network.station_owner).astype(np.int32)
    arrives = np.where(line, network.line_target[owner], network.station_owner).astype(np.int32)
    return begins, arrives
