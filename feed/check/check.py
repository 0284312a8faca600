"""The whole check of a policy before it is published, on one screen."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from feed.bundle.parsed import Parsed
from feed.check.capacity import CapacityCheck, check_pools
from feed.check.change import check_change
from feed.check.coverage import check_coverage, check_survival, connected, covered
from feed.check.findings import Finding, PolicyFindings, Rule, Severity, gathered
from feed.check.holds import check_holds
from feed.check.loads import Loads
from feed.check.moment import begins_at, dynamic_ends_at
from feed.check.platform import check_platform
from feed.check.policy_table import policy_paths, policy_table
from feed.check.routes import check_routes
from feed.check.setting import CheckSetting
from feed.check.sharing import Permissions, check_relations
from router_core.catalogue import Catalogue
from router_core.errors import BadInputError
from router_core.network import Network
from router_core.paths.route_space import space_of_network
from router_core.time_grid import TimeGrid

WAYS: Final = frozenset({Rule.ROUTE, Rule.HOME, Rule.LOOP, Rule.CENTRE, Rule.ZONE})


def check_policy(
    network: Network,
    catalogue: Catalogue,
    parsed: Parsed,
    *,
    forecast: Loads | None = None,
    active: Parsed | None = None,
    setting: CheckSetting | None = None,
    down: NDArray[np.bool_] | None = None,
) -> PolicyFindings:
    """Check a policy.

    Where its numbers do not mean what the network's do, or a way is none, nothing built on them is checked, and a note
    says so. The dynamic layer has the ways of the static one, so what holds of ways holds of both.

    Parameters
    ----------
    network : Network
    catalogue : Catalogue
    parsed : Parsed
        A whole bundle.
    forecast : Loads, optional
        Without it capacity is not checked.
    active : Parsed, optional
        The policy in force; without it no change is measured.
    setting : CheckSetting, optional
    down : bool (S,), optional
        Stations known to be down: pairs that the rest joins must have a way there.

    Raises
    ------
    BadInputError
        If `down` is not one bool a station.
    """
    setting = setting or CheckSetting()
    closed = np.zeros(network.station_count, dtype=np.bool_) if down is None else down
    if closed.dtype != np.bool_ or closed.shape != (network.station_count,):
        raise BadInputError("down", f"must be bool of shape ({network.station_count},)", closed.shape)
    found: list[Finding] = check_platform(network, parsed)
    notes: list[str] = []
    if found:
        notes.append("nothing else was checked: the policy is of another platform")
        return gathered(found, notes, setting.allowed)

    permissions = Permissions(network, catalogue)
    found += check_relations(network, permissions, parsed)
    found += check_pools(network, parsed)
    found += check_holds(parsed)
    table = policy_table(parsed)
    found += check_routes(network, table)
    if any(one.severity is Severity.REFUSE and one.rule in WAYS for one in found):
        notes.append("coverage, capacity and change were not checked: some ways are none")
        return gathered(found, notes, setting.allowed)

    space = space_of_network(network)
    paths = policy_paths(network, space, table)
    has = covered(table, paths, closed)
    found += check_coverage(table, connected(space, closed), has, permissions.of_groups())
    lost, unavoidable = check_survival(table, paths)
    found += lost
    notes.append(f"{unavoidable} pairs and failures have no way past each other in this network, whatever the policy")
    if forecast is None:
        notes.append("capacity was not checked: there is no forecast")
    elif any(one.rule is Rule.POOL for one in found):
        notes.append("capacity was not checked: the servers to borrow are not there")
    else:
        check = CapacityCheck(network, table, paths, parsed, forecast, setting)
        found += _check_capacity(check, parsed, forecast.grid, notes)
    if active is None:
        notes.append("change was not checked: there is no active policy")
    else:
        found += check_change(table, parsed, active, setting)
    return gathered(found, notes, setting.allowed)


def _check_capacity(check: CapacityCheck, parsed: Parsed, grid: TimeGrid, notes: list[str]) -> list[Finding]:
    """Look closely at the worst hours of the static layer, and at the worst one of those in which the dynamic holds."""
    hours = check.worst_hours()
    moments = [check.moment(hour, dynamic=False) for hour in hours]
    if parsed.now or parsed.capacity.now:
        begin, end = grid.step_of(begins_at(parsed)), grid.step_of(dynamic_ends_at(parsed))
        within = range(max(begin, 0), min(max(end, begin + 1), grid.count))
        if within:
            moments.append(check.moment(check.busiest(within), dynamic=True))
        else:
            notes.append("capacity under the dynamic layer was not checked: the forecast has none of its hours")
    found = [finding for moment in moments for finding in (*check.overloads(moment), *check.access_told(moment))]
    looked = (
        ", ".join(grid.at(hour).isoformat(timespec="minutes") for hour in hours) or "no hour, as nothing is expected"
    )
    notes.append(f"capacity was checked in the worst hours: {looked}")
    if check.unrouted:
        notes.append(f"{check.unrouted} series of the forecast have no way, and load nothing")
    return found + check.failures_told(moments)
