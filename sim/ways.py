"""The ways of a plan between two endpoints, composed and checked: what a data plane may trust."""

from __future__ import annotations

from dataclasses import dataclass

from router_core.errors import BadInputError
from router_core.network import Network
from router_core.plan import Choice, Plan, Trunk, choice_between, route


@dataclass(frozen=True)
class Ways:
    """A choice and, for each of its trunks, all stations from endpoint to endpoint."""

    choice: Choice
    routes: tuple[tuple[int, ...], ...]


def ways(network: Network, plan: Plan | None, source: int, target: int) -> Ways | None:
    """Return the ways from one endpoint to another; parameters and errors are those of `checked_choice`."""
    choice = checked_choice(network, plan, source, target)
    if choice is None:
        return None
    return Ways(choice, tuple(route(network, source, target, trunk) for trunk in choice.trunks))


def checked_choice(
    network: Network, plan: Plan | None, source: int, target: int, known: tuple[Trunk, ...] | None = None
) -> Choice | None:
    """Return the choice of one endpoint's ways to another, `None` if there is no plan or it has none.

    Parameters
    ----------
    network, plan, source, target
    known : tuple of Trunk, optional
        Some that were found right for these endpoints or for others of their groups: the very same ones are not looked
        at again.

    Raises
    ------
    BadInputError
        If a trunk does not join homes of the two, or names a station that does not exist; or if weights are not
        one for each trunk, not negative, with a positive sum.
    """
    if plan is None:
        return None
    choice = choice_between(plan, network, source, target)
    if choice is None:
        return None
    weights = choice.weights
    if len(weights) != len(choice.trunks) or not weights or min(weights) < 0 or not 0 < sum(weights) < 2**62:
        raise BadInputError(
            _place(network, source, target, ".weights"),
            "must be one a trunk, none negative, with a positive sum",
            weights,
        )
    if choice.trunks is known:
        return choice
    stations = network.station_count
    for position, trunk in enumerate(choice.trunks):
        for end, home, name in ((source, trunk.first, "first"), (target, trunk.last, "last")):
            if home not in network.homes[end]:
                place = _place(network, source, target, f".trunks[{position}].{name}")
                raise BadInputError(place, f"must be a home of {network.node_name[end]}", home)
        if trunk.stations and not (min(trunk.stations) >= 0 and max(trunk.stations) < stations):
            wrong = next(station for station in trunk.stations if not 0 <= station < stations)
            place = _place(network, source, target, f".trunks[{position}].stations")
            raise BadInputError(place, f"must be a station, 0..{stations - 1}", wrong)
    return choice


def _place(network: Network, source: int, target: int, part: str) -> str:
    return f"plan {network.node_name[source]} > {network.node_name[target]}{part}"
